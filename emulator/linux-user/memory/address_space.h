// The guest's address space as weft knows it: the lock for changes, the current version of the intervals, and readers that take
// no lock.
//
// emulator/linux-user/memory owns the guest's memory calls over the host's. Used by the rest of linux-user; it knows base
// alone. The rules that its tests name are in docs/user-memory.md.
//
// Who writes: one thread at a time, under `mutex()`. It makes the next version in an IntervalEdit, asks the host, and
// publishes. Who reads: anyone under the lock; without it, a Reading or a Lookup. What orders them: publish() stores the
// version and then the generation, readers load either with acquire. When it is reclaimed: a replaced version and the nodes
// that are in no newer one, a grace period of `epochs_` after the next was published.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/epoch.h"
#include "base/mutex.h"
#include "emulator/linux-user/memory/interval_tree.h"
#include "emulator/linux-user/memory/reader_pool.h"

namespace weft::user {

class AddressSpace {
  public:
    class Change;
    class Reading;

    AddressSpace();
    ~AddressSpace();
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;

    // The one lock for changes (rule C1): not held while guest code runs, nor while waiting for another thread.
    Mutex& mutex() WEFT_RETURN_CAPABILITY(mutex_) { return mutex_; }
    // The current version, for who holds the lock.
    IntervalTree tree() const WEFT_REQUIRES(mutex_) { return version_.load(std::memory_order_relaxed)->tree; }
    // Of that version, as intervals without attributes: the whole host pages of code whose translations are compared with memory,
    // as it does not pay, or may not be, to find writes out by protection (rule X4).
    IntervalTree checked() const WEFT_REQUIRES(mutex_) {
        return version_.load(std::memory_order_relaxed)->checked;
    }
    // Differs from any earlier value after each change. Any thread; acquire, pairs with the release in publish().
    uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
    // The same as a word, for who may not call: UserMemoryOps::generation.
    const std::atomic<uint64_t>& generation_word() const { return generation_; }
    // Whether anything private is writable and executable at once. Any thread; acquire, pairs with the release in publish().
    bool has_writable_code() const { return writable_code_.load(std::memory_order_acquire); }
    EpochDomain& epochs() { return epochs_; }
    // For a Reading by a thread that has no reader of its own.
    ReaderPool& readers() { return readers_; }

  private:
    struct Version {
        Retired retired;
        IntervalTree tree;
        IntervalTree checked;
        // Nodes of this version that no newer one has.
        IntervalNode* dead = nullptr;
        IntervalNode* dead_checked = nullptr;
    };

    void publish(IntervalEdit& edit, IntervalEdit& checked, Version* next) noexcept WEFT_REQUIRES(mutex_);
    static void reclaim(Retired* node, void* context);

    Mutex mutex_;
    EpochDomain epochs_;
    ReaderPool readers_{epochs_};
    // Never null. Written under mutex_.
    std::atomic<const Version*> version_;
    std::atomic<uint64_t> generation_{1};
    std::atomic<bool> writable_code_{false};
    uint64_t edits_ WEFT_GUARDED_BY(mutex_) = 0;
    Change* open_ WEFT_GUARDED_BY(mutex_) = nullptr;  // the latest that is not over
};

// A change of the map, made and published under the lock; given up unless commit() is called. Everything that can fail for want
// of memory is behind it once the edit is made. Of two at a time the outer one has changed nothing: both would link the old version's
// nodes, and the inner one's commit lets go of them.
class AddressSpace::Change {
  public:
    // Throws std::bad_alloc.
    explicit Change(AddressSpace& space) WEFT_REQUIRES(space.mutex_);
    // Under the lock.
    ~Change() WEFT_NO_THREAD_SAFETY_ANALYSIS;
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

    IntervalEdit& operator*() { return edit_; }
    IntervalEdit* operator->() { return &edit_; }
    IntervalEdit& checked() { return checked_; }
    // Under the lock, once.
    void commit() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS;

  private:
    bool changed() const { return edit_.changed() || checked_.changed(); }

    AddressSpace& space_;
    IntervalEdit edit_;
    IntervalEdit checked_;
    Version* next_;
    Change* const outer_;
};

// One version for a scope, without the lock. The reader is the calling thread's; the scope neither blocks nor changes the map.
class AddressSpace::Reading {
  public:
    Reading(AddressSpace& space, EpochDomain::Reader& reader) : reader_(reader) {
        reader_.go_online();
        // Acquire; pairs with the release in publish().
        version_ = space.version_.load(std::memory_order_acquire);
    }
    ~Reading() { reader_.go_offline(); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

    IntervalTree tree() const { return version_->tree; }
    IntervalTree checked() const { return version_->checked; }

  private:
    EpochDomain::Reader& reader_;
    const Version* version_;
};

// What a thread knows of the place it looked at last. As long as nothing changes, a look there is two loads.
class Lookup {
  public:
    struct Extent {
        uint64_t start = 0;
        uint64_t end = 0;
        uint8_t protection = 0;
        Kind kind = Kind::anonymous;
        bool shared = false;
    };

    explicit Lookup(AddressSpace& space) : space_(space), reader_(space.epochs()) {}

    // The guest's interval that holds `address`, at some instant within the call; null: nothing is mapped there. Valid until
    // the next call. The owning thread alone.
    const Extent* find(uint64_t address);
    // Whether every byte of [start, start + size) is mapped with `protection`. A range that wraps is not.
    bool allows(uint64_t start, uint64_t size, uint8_t protection);

  private:
    AddressSpace& space_;
    EpochDomain::Reader reader_;
    uint64_t generation_ = 0;
    Extent last_;
};

}  // namespace weft::user
