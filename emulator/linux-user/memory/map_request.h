// One mmap: its checks in the kernel's order, and its steps.
#pragma once

#include <optional>

#include "emulator/linux-user/memory/fragments.h"
#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

class MapRequest {
  public:
    MapRequest(MemoryCore& core, uint64_t address, uint64_t length, uint64_t protection, uint64_t flags,
               int fd, uint64_t offset);

    // What can be said without the map (rules M1, M2, and of M10 the length). 0 or the negated errno.
    SysResult check_arguments();
    // The whole call under the lock: the address or the negated errno.
    SysResult run(MemoryCore::Call& call);
    // After the lock: MAP_POPULATE, and what mlockall() asked of later mappings, may sleep. Errors are nobody's.
    void populate(uint64_t address) const;

  private:
    bool is_file() const;
    bool is_fixed() const;
    uint64_t type() const;
    bool is_shared() const;
    uint64_t huge_page() const;  // of MAP_HUGETLB, in bytes
    // What is said once the address is known (do_mmap's order).
    SysResult check_object(IntervalTree tree);
    SysResult check_file();
    SysResult check_fixed(IntervalTree tree);
    std::optional<uint64_t> choose(IntervalTree tree) const;
    Attributes attributes() const;
    SysResult at(MemoryCore::Call& call, uint64_t start);
    SysResult read_edges(Split& split, uint64_t start);
    SysResult place(IntervalTree before, const Split& split, uint64_t start);
    SysResult place_host_map(IntervalTree before, const Split& split, uint64_t start);
    SysResult place_copy(IntervalTree before, const Split& split, uint64_t start);
    void insert(IntervalEdit& edit, const Split& split, uint64_t start);

    MemoryCore& core_;
    const uint64_t address_;
    uint64_t length_;
    const int protection_;
    const uint64_t flags_;
    const int fd_;
    const uint64_t offset_;
    FileFacts file_;
    bool lock_populates_ = false;  // by mlockall(MCL_FUTURE)
    bool copied_ = false;          // all of it: the file's offset does not fit the address
    std::shared_ptr<const Backing> backing_ = nullptr;
    std::shared_ptr<const Backing> copied_backing_ = nullptr;
};

}  // namespace weft::user
