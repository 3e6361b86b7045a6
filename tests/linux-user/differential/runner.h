// Makes calls, each in a process and a folder of its own, and prints a line for each.
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "call.h"

namespace differential {

struct Options {
    bool nobody = false;                 // as a user without rights
    unsigned part = 0, parts = 1;        // each parts-th call, beside the good ones
    int milliseconds = 300;              // a call that has not come back by then waits
    std::set<std::string> only;          // names of lines; empty: all
    std::optional<std::regex> matching;  // how names of lines begin
};

class Runner {
  public:
    // Both are to outlive it.
    Runner(const Options& options, const std::vector<Call>& calls);

    // Each argument in turn is something else than the good one, and two of them are bad.
    void each_argument(const Call& call);
    // Several calls after each other in one process, with arguments drawn from all that there are. The same ones for a seed.
    void sequences(uint32_t seed, unsigned count);

  private:
    struct Step {
        const Call* call;
        std::vector<Value> values;
    };
    struct Report;

    void pairs(const Call& call, std::vector<const Value*>& values);
    void one(const Call& call, const std::string& arguments, const std::vector<const Value*>& values);
    bool chosen(const std::string& name, bool base) const;
    std::string run(const std::vector<Step>& steps);
    [[noreturn]] void run_child(const std::vector<Step>& steps);

    const Options& options_;
    const std::vector<Call>& calls_;
    Report* report_;
};

}  // namespace differential
