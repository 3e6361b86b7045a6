// Numbers for what a virtual pc means to a vCPU: (TB flags, address space). They stand in the jump cache, so that a
// change of mappings alters a number instead of clearing arrays. A context that lost its number has lost what the jump
// cache knew of it.
#pragma once

#include <array>
#include <cstdint>

#include "base/hash.h"
#include "weft/guest.h"

namespace weft::accel {

// A set-associative table: of the contexts of a set, the one that was asked for least recently makes room. Belongs to the
// thread that runs the vCPU.
class ContextIds {
  public:
    static constexpr size_t kSets = 16;
    static constexpr size_t kWays = 8;
    // No context's, for who is to find nothing in the jump cache.
    static constexpr uint32_t kNobody = UINT32_MAX;
    // `last`: as if so many numbers had been given; for tests.
    explicit ContextIds(uint32_t last = 0) : last_(last) {}
    ContextIds(const ContextIds&) = delete;
    ContextIds& operator=(const ContextIds&) = delete;

    // The set of a context.
    static size_t set_of(uint64_t tb_flags, const AddressSpaceKey& space) {
        return hash_words(tb_flags, space.root, space.asid) % kSets;
    }

    // The number of a context, from 1. It is the same until renew*() or until the table forgot the context, and no
    // number ever returns, except after `wrapped` was set: then the jump cache must be cleared.
    uint32_t id(uint64_t tb_flags, const AddressSpaceKey& space, bool* wrapped) {
        // Most often it is asked for again, by a loop that was called back for other reasons.
        if (!holds(*latest_, tb_flags, space)) {
            latest_ = &find(tb_flags, space, wrapped);
        }
        return latest_->id;
    }

    // All contexts get new numbers when they are asked for again.
    void renew() { renewed_ = last_; }
    // Those of one address space, by its ASID.
    void renew_asid(uint32_t asid) {
        for (Entry& entry : entries_) {
            if (entry.space.asid == asid) {
                entry.id = 0;
            }
        }
    }

  private:
    struct Entry {
        uint64_t tb_flags = 0;
        AddressSpaceKey space{};
        uint32_t id = 0;        // up to `renewed_`: none
        uint64_t last_use = 0;  // by `uses_`: when it became `latest_`, and no other was used while it was
    };

    bool holds(const Entry& entry, uint64_t tb_flags, const AddressSpaceKey& space) const {
        return entry.tb_flags == tb_flags && entry.space == space && entry.id > renewed_;
    }

    Entry& find(uint64_t tb_flags, const AddressSpaceKey& space, bool* wrapped) {
        Entry* const set = &entries_[set_of(tb_flags, space) * kWays];
        Entry* oldest = set;
        for (Entry* entry = set; entry != set + kWays; ++entry) {
            if (holds(*entry, tb_flags, space)) {
                entry->last_use = ++uses_;
                return *entry;
            }
            if (age(*entry) < age(*oldest)) {
                oldest = entry;
            }
        }
        const uint32_t id = next(wrapped);
        *oldest = {tb_flags, space, id, ++uses_};
        return *oldest;
    }
    // Without a number it makes room first.
    uint64_t age(const Entry& entry) const { return entry.id > renewed_ ? entry.last_use : 0; }

    uint32_t next(bool* wrapped) {
        if (last_ == kLastNumber) {
            last_ = 0;
            renewed_ = 0;
            entries_.fill({});
            *wrapped = true;
        }
        return ++last_;
    }

    static constexpr uint32_t kLastNumber = kNobody - 1;

    std::array<Entry, kSets * kWays> entries_{};
    Entry* latest_ = entries_.data();
    uint64_t uses_ = 0;
    uint32_t last_;         // number given
    uint32_t renewed_ = 0;  // numbers up to this one mean nothing any more
};

}  // namespace weft::accel
