// Descriptors that operators hand to the program: by names (QMP's getfd), for one use, and in sets (add-fd, -add-fd), whose members are
// opened by the name /dev/fdset/N as often as anybody likes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::control {

struct DescriptorSet {
    uint64_t id;
    struct Member {
        int fd;
        std::string opaque;  // what its giver says of it
    };
    std::vector<Member> members;
};

// Of a path "/dev/fdset/N": that of a descriptor of the set that can be read and, if `writes`, written to (base/open_path.h). Other paths
// stay. Fails where there is none.
Result<std::string> path_in_sets(std::span<const DescriptorSet> sets, const std::string& path, bool reads,
                                 bool writes);

// The main loop's thread.
class Descriptors {
  public:
    // With sets whose descriptors are the process's for good.
    explicit Descriptors(std::vector<DescriptorSet> sets) : sets_(std::move(sets)) {}

    // In the place of an earlier one of that name.
    void name(const std::string& name, UniqueFd fd) { named_[name] = std::move(fd); }
    // It has no name any more; none: nothing has that name.
    UniqueFd take(const std::string& name);

    // To the set, or to a new one; gives the set's number.
    uint64_t add(std::optional<uint64_t> set, UniqueFd fd, std::string opaque);
    // A member, or all of them; a set without members is none. Whoever has opened it keeps it.
    Result<> remove(uint64_t set, std::optional<int> fd);
    const std::vector<DescriptorSet>& sets() const { return sets_; }

  private:
    std::map<std::string, UniqueFd> named_;
    std::vector<DescriptorSet> sets_;
    std::map<int, UniqueFd> owned_;  // members that were added
};

// A place to send a machine to, or to take it from: "fd:NAME" becomes "fd:N", of a descriptor that `taken` then has. Others stay.
std::string resolve_channel(Descriptors* descriptors, const std::string& uri, UniqueFd& taken);

}  // namespace weft::control
