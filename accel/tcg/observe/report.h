// What the accelerator says of itself.
//
// The room observe/ owns reports, and what profilers and debuggers are told of generated code. It reads all other rooms and
// changes none of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/observe/profile.h"
#include "accel/tcg/run/exclusive.h"
#include "base/error.h"
#include "weft/accel.h"

namespace weft::accel {

// What reports are about; implemented by the accelerator. Functions are for any thread that is no vCPU's.
class ReportSource {
  public:
    virtual const Settings& settings() const = 0;
    virtual TranslationCache& cache() = 0;
    virtual const Profile* profile() const = 0;  // with profile=on, else null
    virtual const CodeUsers& vcpus() const = 0;
    // What vCPUs counted that are gone, and who translates beside those that are there.
    virtual void add_others(VcpuCounters& sum) = 0;
    virtual uint64_t now_ns() const = 0;
    virtual const ExclusiveGate::Counts& exclusive() const = 0;
    // As AccelOps::vcpu_run.
    virtual void run_on(Vcpu& vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state), void* opaque) = 0;
    // Writes the counters, and a hash of the final state if there is one, to the file of stats=FILE. Error: it cannot be
    // written, or none was named.
    virtual Result<> write_stats(std::optional<uint64_t> state_hash) = 0;

  protected:
    ~ReportSource() = default;
};

// The report on a topic, which are words separated by spaces. Any thread that is no vCPU's. Stops nobody but where said.
//   stats             the counters as JSON
//   jit               the same and the settings, for people
//   stats-file        writes the counters to the file of stats=FILE again
//   cpu N             what a vCPU does, in one line; it stops for it once
//   tlb [CPU]         the software TLBs, with a CPU's number its entries; each vCPU stops for it once
//   tb-list [N]       the N (10) translations that were entered most often; needs profile=on
//   tb-list -d [N]    with their instructions, the guest's and the host's
//   tb ADDRESS        the translations at a guest's virtual or a host's address, with their instructions
// What is asked for in vain is said in the report. Error: there is no such topic.
Result<std::string> make_report(ReportSource& source, std::string_view topic);

// The report on "stats" with a hash of the machine's final state.
std::string stats_report(ReportSource& source, std::optional<uint64_t> state_hash);
// The same to the file of stats=FILE: what ReportSource::write_stats does.
Result<> write_stats_file(ReportSource& source, std::optional<uint64_t> state_hash);
// vcpu_report.cpp, block_report.cpp: `arguments` are the words behind the topic.
std::string cpu_report(ReportSource& source, std::string_view arguments);
std::string tlb_report(ReportSource& source, std::string_view arguments);
std::string block_list_report(ReportSource& source, std::string_view arguments);
std::string block_report(ReportSource& source, std::string_view arguments);

}  // namespace weft::accel
