// Epoch-based reclamation: memory that lock-free readers may still hold is freed once every reader has passed
// a point at which it holds nothing.
//
// A thread that reads protected data registers a Reader. The reader is *online* while it may hold
// pointers to protected objects and *offline* while it holds none and blocks or does something long. While
// online it announces *quiescent* points: instants at which it holds none, such as the top of an execution
// loop.
//
// An object is first unlinked, so that nobody can find it any more, and then retired. It is reclaimed after a
// *grace period*: once every reader that was online at the unlinking has since been quiescent or
// offline.
//
// The protocol (complete enough to write a model of it)
// -----------------------------------------------------
// Shared variables, all accessed with sequentially consistent operations:
//   epoch      counter, starts at 1, changed by fetch_add(1) only
//   state[p]   one word a reader, written by its thread only: 0 = offline, E = online, having read epoch = E
//   pending    stack of retired nodes that have no tag yet
//   waiters    number of threads inside synchronize()
// Guarded by `mutex`: the set of readers, the tagged queue (in order of tags).
//
//   online(p):     e := epoch; state[p] := e; quiescent(p)
//   quiescent(p):  e := epoch; if e != state[p]: { state[p] := e; if waiters != 0: { lock; unlock; wake all } }
//   offline(p):    state[p] := 0; if waiters != 0: { lock; unlock; wake all }
//   retire(n):     push n on pending                             (after n was unlinked)
//   tag:           batch := take all of pending; t := epoch.fetch_add(1); tag every node of batch with t; append
//   scan:          m := minimum of state[p] over all p with state[p] != 0 (infinite if there is none)
//   poll:          lock; tag; scan; take the nodes with tag < m off the queue; unlock; reclaim them
//   synchronize:   offline(self); waiters += 1; lock; tag; T := the tag + 1;
//                  while scan < T: { ask each p with 0 < state[p] < T, once; wait for a wake-up };
//                  unlock; waiters -= 1; reclaim; online(self)
//
// Why a node with tag t may go when every state is 0 or greater than t:
//   1. The unlinking precedes the push, the push precedes the taker's fetch_add (through `pending`), and every later
//      value of `epoch` continues the release sequence of that fetch_add. So whoever reads epoch > t sees the unlinking.
//   2. state[p] = E > t: p read epoch = E at its last quiescent point, so that nothing it found since then can be the
//      node; and what it did before is ordered before the reclaiming by its store to state[p], which the scan read.
//   3. state[p] = 0 read from a real going offline: as 2. If p is meanwhile going online and its store is missed, then
//      the scan's load precedes that store in the single order of all these operations, the fetch_add precedes the
//      scan, and p's second load of epoch (the one in quiescent) follows its store: it reads more than t and 1 applies.
//      That is the place where both sides store and then load, and why nothing weaker would do.
//   4. No wake-up is lost: a reader stores its state and then loads `waiters`; a waiter adds to `waiters` and then
//      loads the states, holding the mutex until it sleeps. One of the two sees the other.
//
// Cost: a quiescent point is one load of a line that changes only when something is retired, plus one store
// then.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/cache_line.h"
#include "base/mutex.h"

namespace weft {

// What EpochDomain::retire() links through: a member or base of the object to be reclaimed, so that retiring
// needs no memory. Untouched by its owner from retire() until `reclaim` is called with it.
struct Retired {
    using Reclaim = void (*)(Retired* node, void* context);

    Retired* next = nullptr;    // written by the retirer, then guarded by the domain's mutex
    std::uint64_t tag = 0;      // guarded by the domain's mutex
    Reclaim reclaim = nullptr;  // written by retire(), published through the pending stack
    void* context = nullptr;    // the same
};

// One set of readers and of what they read; one an accelerator. It outlives its readers and what was
// retired to it; two domains know nothing of each other.
class EpochDomain {
  public:
    class Reader;
    class Offline;

    EpochDomain() = default;
    EpochDomain(const EpochDomain&) = delete;
    EpochDomain& operator=(const EpochDomain&) = delete;

    // Reclaims everything still waiting. No reader is registered any more.
    ~EpochDomain();

    // Takes `node` after its object was unlinked; `reclaim(node, context)` is called once, after a grace
    // period, by some thread inside poll(), synchronize() or the destructor, with none of the domain's locks
    // held. It may retire more. Any thread, registered or not, under any lock.
    void retire(Retired* node, Retired::Reclaim reclaim, void* context);

    // The same for an object without a node in it; allocates one.
    void retire(void* object, void (*deleter)(void* object, void* context), void* context);

    // Reclaims what has become safe, without waiting, and returns how many nodes that was. Any thread, but
    // holding no lock that a reclaim function takes. An online caller keeps alive what was retired since its
    // last quiescent point; the natural place is right after it. Cheap when nothing waits.
    std::size_t poll();

    // Called for a reader that keeps synchronize() waiting, at most once for each in one synchronize().
    // It runs under the domain's mutex: it sets the reader's exit flag and neither blocks nor calls the
    // domain. For the request not to be lost, the reader's thread clears that flag *before* it calls
    // quiescent(), reading it with acquire (the request stores with release): whoever has seen the flag then
    // sees the epoch that wants it.
    using QuiescenceRequest = void (*)(Reader& lagging, void* context);

    // Waits until every reader other than `self` that was online at the call has been quiescent or
    // offline, then reclaims what was retired before the call. `self` is the caller's own reader or
    // null; it is offline while waiting (two threads may synchronize at once), so that everything it read
    // before is void afterwards. The caller holds no lock that a reader may want before its next
    // quiescent point.
    void synchronize(Reader* self, QuiescenceRequest request = nullptr, void* context = nullptr);

    // A grace period to be asked after instead of waited for: begins one now; it is over once every
    // reader online at its beginning has been quiescent or offline. What happened before
    // begin_grace_period() is seen by every reader from then on; what they did before their quiescent
    // points is seen by who was told that it is over.
    std::uint64_t begin_grace_period();
    bool grace_period_over(std::uint64_t period);
    // Calls `request` as synchronize() does, without waiting: for each reader that keeps the period from
    // being over and was not asked for it or a later one yet.
    void request_quiescence(std::uint64_t period, QuiescenceRequest request, void* context);

    // Around fork(2) in a process with threads. fork_prepare() before it: no other thread is in the middle of a change until
    // fork_parent(). In the child fork_child() instead: who waited is forgotten. Readers of threads that are gone are destroyed
    // afterwards. What a thread was just reclaiming is lost to the child.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
    void fork_child() WEFT_NO_THREAD_SAFETY_ANALYSIS {
        passed_.forget_waiters();
        waiters_.store(0, std::memory_order_relaxed);
        mutex_.unlock();
    }

    // Nodes retired and not yet reclaimed; a snapshot.
    std::size_t waiting() const;

  private:
    static constexpr std::uint64_t kOffline = 0;
    static constexpr std::uint64_t kNobody = ~std::uint64_t{0};

    std::uint64_t tag_pending() WEFT_REQUIRES(mutex_);
    std::uint64_t oldest_state() WEFT_REQUIRES(mutex_);
    Retired* take_before(std::uint64_t epoch) WEFT_REQUIRES(mutex_);
    void request_locked(std::uint64_t target, QuiescenceRequest request, void* context) WEFT_REQUIRES(mutex_);
    std::size_t reclaim_list(Retired* list);
    void add(Reader& reader);
    void remove(Reader& reader);
    void wake_waiters();

    // Read by every reader at every quiescent point, so alone on its line.
    alignas(kCacheLine) std::atomic<std::uint64_t> epoch_{1};

    // Pushed by retire() in any thread, emptied under mutex_.
    alignas(kCacheLine) std::atomic<Retired*> pending_{nullptr};
    // Statistics; and what lets poll() return early. Relaxed: order comes from pending_ and mutex_.
    std::atomic<std::size_t> waiting_{0};

    // Changed by synchronize(), read by readers after they changed their state.
    alignas(kCacheLine) std::atomic<std::uint32_t> waiters_{0};
    Mutex mutex_;
    CondVar passed_;
    Reader* readers_ WEFT_GUARDED_BY(mutex_) = nullptr;
    Retired* tagged_first_ WEFT_GUARDED_BY(mutex_) = nullptr;
    Retired* tagged_last_ WEFT_GUARDED_BY(mutex_) = nullptr;
};

// A thread's place in a domain; begins offline. All functions are the owning thread's alone. Destroying it
// takes it offline.
class alignas(kCacheLine) EpochDomain::Reader {
  public:
    // `owner` is for QuiescenceRequest functions: whoever runs on this thread.
    explicit Reader(EpochDomain& domain, void* owner = nullptr);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    void* owner() const { return owner_; }
    EpochDomain& domain() const { return domain_; }

    // The caller holds no pointer to anything protected. Online only.
    void quiescent() {
        const std::uint64_t epoch = domain_.epoch_.load(std::memory_order_seq_cst);
        // Only this thread writes state_.
        if (epoch != state_.load(std::memory_order_relaxed)) {
            announce(epoch);
        }
    }

    void go_online();
    // As quiescent(), and holds nothing until go_online(). Online only.
    void go_offline();
    bool online() const { return state_.load(std::memory_order_relaxed) != kOffline; }

  private:
    friend class EpochDomain;

    void announce(std::uint64_t state);

    // Written by the owning thread, read by scans under the domain's mutex; see the protocol above.
    std::atomic<std::uint64_t> state_{kOffline};
    EpochDomain& domain_;
    void* const owner_;
    // Guarded by the domain's mutex.
    Reader* next_ = nullptr;
    Reader* previous_ = nullptr;
    std::uint64_t requested_ = 0;
};

// Offline for a scope that blocks, online again after it; does nothing to a reader that is offline
// already.
class EpochDomain::Offline {
  public:
    explicit Offline(Reader& reader) : reader_(reader), was_online_(reader.online()) {
        if (was_online_) {
            reader_.go_offline();
        }
    }
    ~Offline() {
        if (was_online_) {
            reader_.go_online();
        }
    }
    Offline(const Offline&) = delete;
    Offline& operator=(const Offline&) = delete;

  private:
    Reader& reader_;
    const bool was_online_;
};

}  // namespace weft
