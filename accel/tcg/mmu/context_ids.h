// Numbers for what a virtual pc means to a vCPU: (TB flags, address space). They stand in the jump cache, so that a
// change of mappings alters a number instead of clearing arrays.
#pragma once

#include <array>
#include <cstdint>

#include "base/hash.h"
#include "weft/guest.h"

namespace weft::accel {

// Belongs to the thread that runs the vCPU.
class ContextIds {
  public:
    // The number of a context, from 1. It is the same until renew*() or until the table forgot the context, and no
    // number ever returns, except after `wrapped` was set: then the jump cache must be cleared.
    uint32_t id(uint64_t tb_flags, const AddressSpaceKey& space, bool* wrapped) {
        Entry& entry = entries_[hash_words(tb_flags, space.root, space.asid) % kEntries];
        if (entry.id == 0 || entry.tb_flags != tb_flags || !(entry.space == space)) [[unlikely]] {
            entry = {tb_flags, space, next(wrapped)};
        }
        return entry.id;
    }

    // All contexts get new numbers when they are asked for again.
    void renew() { entries_.fill({}); }
    // Those of one address space, by its ASID.
    void renew_asid(uint32_t asid) {
        for (Entry& entry : entries_) {
            if (entry.space.asid == asid) {
                entry = {};
            }
        }
    }

  private:
    struct Entry {
        uint64_t tb_flags = 0;
        AddressSpaceKey space{};
        uint32_t id = 0;  // 0: empty
    };
    static constexpr size_t kEntries = 64;

    uint32_t next(bool* wrapped) {
        if (last_ == UINT32_MAX) {
            last_ = 0;
            entries_.fill({});
            *wrapped = true;
        }
        return ++last_;
    }

    std::array<Entry, kEntries> entries_{};
    uint32_t last_ = 0;
};

}  // namespace weft::accel
