// Exclusive sections: one thread works while no vCPU runs guest code, looks for it or translates it. Work items and writes by
// devices may go on beside it: they touch TBs under page locks alone.
//
// Each vCPU thread is a Member and is, at any time, in one of three states:
//
//            enter(), no request                    leave()
//   outside ---------------------> running ---------------------> outside
//      |                                                             ^
//      | enter(), a request is there                                 |
//      +--------> waiting --------(the last request is gone)---> running
//
// The variables, all sequentially consistent:
//   running[m]   written by m alone; true in the state `running`
//   requests     how many threads ask for or hold exclusivity; changed under `mutex`
// Under `mutex` alone: held (a thread is inside an exclusive section).
//
//   enter(m):  running[m] := true
//              if requests != 0: { lock; running[m] := false; wake all; wait until requests = 0; running[m] := true; unlock }
//   leave(m):  running[m] := false
//              if requests != 0: { lock; unlock; wake all }
//   begin():   lock; requests += 1; wait until not held; held := true;
//              ask each m with running[m] to leave; wait until no running[m]; unlock
//   end():     lock; held := false; requests -= 1; unlock; wake all
//
// Nobody runs inside an exclusive section: m stores running[m] and then loads `requests`, a requester stores `requests`
// and then loads running[m]; one of them sees the other. A requester that saw running[m] waits for it under `mutex`; m,
// when it leaves, sees the request, and its lock-unlock lies either before the requester's check or after its wait began.
// While `requests` is not 0 nobody becomes running, so that a requester is not starved by members that come and go; two
// requesters are served one after the other. A requester is itself not running, else it would wait for itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "accel/tcg/counters.h"
#include "base/cache_line.h"
#include "base/epoch.h"
#include "base/mutex.h"

namespace weft::accel {

class ExclusiveGate {
  public:
    class Member;

    ExclusiveGate() = default;
    ExclusiveGate(const ExclusiveGate&) = delete;
    ExclusiveGate& operator=(const ExclusiveGate&) = delete;

    // Whether a thread asks for exclusivity: then running members leave soon.
    bool requested() const { return requests_.load(std::memory_order_seq_cst) != 0; }

    // Any thread that is no running member, holding no lock that a running member may want. `self`: the caller's
    // reader, which is offline while it waits, or null.
    void begin(EpochDomain::Reader* self) WEFT_EXCLUDES(mutex_);
    void end() WEFT_EXCLUDES(mutex_);

    // Around fork(2), by who has begun an exclusive section, which end() ends in both processes. As EpochDomain's: in the child
    // whoever asked for a section besides is forgotten, and members of threads that are gone are destroyed afterwards.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
    void fork_child() WEFT_NO_THREAD_SAFETY_ANALYSIS {
        changed_.forget_waiters();
        requests_.store(1, std::memory_order_relaxed);
        mutex_.unlock();
    }

    // Written under the mutex, read by reports.
    struct Counts {
        Counter sections;
        Counter wait_ns;  // from asking until everybody was outside
        Counter held_ns;  // from then to the end
    };
    const Counts& counts() const { return counts_; }

  private:
    void wake_all() WEFT_EXCLUDES(mutex_);
    bool anyone_running() WEFT_REQUIRES(mutex_);

    alignas(kCacheLine) std::atomic<uint32_t> requests_{0};
    Mutex mutex_;
    CondVar changed_;
    bool held_ WEFT_GUARDED_BY(mutex_) = false;
    std::chrono::steady_clock::time_point held_since_ WEFT_GUARDED_BY(mutex_){};
    Counts counts_;
    Member* members_ WEFT_GUARDED_BY(mutex_) = nullptr;
};

// A vCPU thread. Registered as long as it exists; begins outside.
class alignas(kCacheLine) ExclusiveGate::Member {
  public:
    // `ask` makes the member's thread leave soon; called by requesters, with the gate's mutex held.
    Member(ExclusiveGate& gate, void (*ask)(void* context), void* context);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // The member's thread. Waits while another thread asks for or has exclusivity; `reader` is offline then.
    void enter(EpochDomain::Reader& reader);
    void leave();

  private:
    friend class ExclusiveGate;

    ExclusiveGate& gate_;
    void (*const ask_)(void* context);
    void* const context_;
    std::atomic<bool> running_{false};
    // Guarded by the gate's mutex.
    Member* next_ = nullptr;
};

// Exclusivity for a scope.
class ExclusiveSection {
  public:
    ExclusiveSection(ExclusiveGate& gate, EpochDomain::Reader* self) : gate_(gate) { gate_.begin(self); }
    ~ExclusiveSection() { gate_.end(); }
    ExclusiveSection(const ExclusiveSection&) = delete;
    ExclusiveSection& operator=(const ExclusiveSection&) = delete;

  private:
    ExclusiveGate& gate_;
};

// Inside the gate for a scope.
class InsideGate {
  public:
    InsideGate(ExclusiveGate::Member& member, EpochDomain::Reader& reader) : member_(member) {
        member_.enter(reader);
    }
    ~InsideGate() { member_.leave(); }
    InsideGate(const InsideGate&) = delete;
    InsideGate& operator=(const InsideGate&) = delete;

  private:
    ExclusiveGate::Member& member_;
};

}  // namespace weft::accel
