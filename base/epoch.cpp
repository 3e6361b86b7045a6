#include "base/epoch.h"

#include <algorithm>

#include "base/assert.h"

namespace weft {

namespace {

struct RetiredObject : Retired {
    void* object;
    void (*deleter)(void* object, void* context);
};

void reclaim_object(Retired* node, void* context) {
    auto* retired = static_cast<RetiredObject*>(node);
    retired->deleter(retired->object, context);
    delete retired;
}

}  // namespace

EpochDomain::~EpochDomain() {
    while (true) {
        Retired* list = nullptr;
        {
            MutexLock lock(mutex_);
            WEFT_ASSERT(readers_ == nullptr);
            tag_pending();
            list = take_before(kNobody);
        }
        if (list == nullptr) {
            return;
        }
        // What is reclaimed may retire more.
        reclaim_list(list);
    }
}

void EpochDomain::retire(Retired* node, Retired::Reclaim reclaim, void* context) {
    node->reclaim = reclaim;
    node->context = context;
    waiting_.fetch_add(1, std::memory_order_relaxed);
    Retired* top = pending_.load(std::memory_order_relaxed);
    do {
        node->next = top;
        // Publishes the node, and with it the unlinking; pairs with the exchange in tag_pending().
    } while (
        !pending_.compare_exchange_weak(top, node, std::memory_order_seq_cst, std::memory_order_relaxed));
}

void EpochDomain::retire(void* object, void (*deleter)(void* object, void* context), void* context) {
    auto* node = new RetiredObject;
    node->object = object;
    node->deleter = deleter;
    retire(node, reclaim_object, context);
}

std::uint64_t EpochDomain::tag_pending() {
    Retired* stack = pending_.exchange(nullptr, std::memory_order_seq_cst);
    // Orders the unlinking of the whole stack before every later epoch; pairs with the loads of epoch_ in
    // readers.
    const std::uint64_t tag = epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (stack == nullptr) {
        return tag;
    }
    // The stack's bottom is the oldest; the queue keeps the order of retirement.
    Retired* const newest = stack;
    Retired* oldest = nullptr;
    while (stack != nullptr) {
        Retired* const next = stack->next;
        stack->tag = tag;
        stack->next = oldest;
        oldest = stack;
        stack = next;
    }
    (tagged_last_ != nullptr ? tagged_last_->next : tagged_first_) = oldest;
    tagged_last_ = newest;
    return tag;
}

std::uint64_t EpochDomain::oldest_state() {
    std::uint64_t oldest = kNobody;
    for (const Reader* p = readers_; p != nullptr; p = p->next_) {
        const std::uint64_t state = p->state_.load(std::memory_order_seq_cst);
        if (state != kOffline) {
            oldest = std::min(oldest, state);
        }
    }
    return oldest;
}

Retired* EpochDomain::take_before(std::uint64_t epoch) {
    Retired* const first = tagged_first_;
    Retired* last = nullptr;
    while (tagged_first_ != nullptr && tagged_first_->tag < epoch) {
        last = tagged_first_;
        tagged_first_ = tagged_first_->next;
    }
    if (last == nullptr) {
        return nullptr;
    }
    last->next = nullptr;
    if (tagged_first_ == nullptr) {
        tagged_last_ = nullptr;
    }
    return first;
}

std::size_t EpochDomain::reclaim_list(Retired* list) {
    std::size_t count = 0;
    while (list != nullptr) {
        Retired* const node = list;
        list = node->next;
        node->reclaim(node, node->context);
        ++count;
    }
    waiting_.fetch_sub(count, std::memory_order_relaxed);
    return count;
}

std::size_t EpochDomain::poll() {
    if (waiting_.load(std::memory_order_relaxed) == 0 || !mutex_.try_lock()) {
        return 0;  // another thread is at it
    }
    // The epoch moves only for nodes that need a tag: each move makes every reader store once.
    if (pending_.load(std::memory_order_relaxed) != nullptr) {
        tag_pending();
    }
    Retired* const list = tagged_first_ != nullptr ? take_before(oldest_state()) : nullptr;
    mutex_.unlock();
    return reclaim_list(list);
}

void EpochDomain::synchronize(Reader* self, QuiescenceRequest request, void* context) {
    WEFT_ASSERT(self == nullptr || &self->domain_ == this);
    const bool was_online = self != nullptr && self->online();
    if (was_online) {
        self->go_offline();
    }
    Retired* list = nullptr;
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    {
        MutexLock lock(mutex_);
        const std::uint64_t target = tag_pending() + 1;
        while (oldest_state() < target) {
            if (request != nullptr) {
                request_locked(target, request, context);
            }
            passed_.wait(mutex_);
        }
        list = take_before(target);
    }
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    reclaim_list(list);
    if (was_online) {
        self->go_online();
    }
}

std::uint64_t EpochDomain::begin_grace_period() { return epoch_.fetch_add(1, std::memory_order_seq_cst) + 1; }

bool EpochDomain::grace_period_over(std::uint64_t period) {
    MutexLock lock(mutex_);
    return oldest_state() >= period;
}

void EpochDomain::request_quiescence(std::uint64_t period, QuiescenceRequest request, void* context) {
    MutexLock lock(mutex_);
    request_locked(period, request, context);
}

void EpochDomain::request_locked(std::uint64_t target, QuiescenceRequest request, void* context) {
    for (Reader* p = readers_; p != nullptr; p = p->next_) {
        const std::uint64_t state = p->state_.load(std::memory_order_seq_cst);
        if (state != kOffline && state < target && p->requested_ < target) {
            // One request serves every target up to this one: the flag it set is still to be acted on, or was
            // acted on after the epoch had moved.
            p->requested_ = target;
            request(*p, context);
        }
    }
}

std::size_t EpochDomain::waiting() const { return waiting_.load(std::memory_order_relaxed); }

void EpochDomain::add(Reader& reader) {
    MutexLock lock(mutex_);
    reader.next_ = readers_;
    if (readers_ != nullptr) {
        readers_->previous_ = &reader;
    }
    readers_ = &reader;
}

void EpochDomain::remove(Reader& reader) {
    MutexLock lock(mutex_);
    (reader.previous_ != nullptr ? reader.previous_->next_ : readers_) = reader.next_;
    if (reader.next_ != nullptr) {
        reader.next_->previous_ = reader.previous_;
    }
}

void EpochDomain::wake_waiters() {
    // A waiter that has seen the old state holds the mutex until it sleeps; passing through it makes sure of
    // that.
    {
        MutexLock lock(mutex_);
    }
    passed_.notify_all();
}

EpochDomain::Reader::Reader(EpochDomain& domain, void* owner) : domain_(domain), owner_(owner) {
    domain_.add(*this);
}

EpochDomain::Reader::~Reader() {
    if (online()) {
        go_offline();
    }
    domain_.remove(*this);
}

void EpochDomain::Reader::announce(std::uint64_t state) {
    state_.store(state, std::memory_order_seq_cst);
    if (domain_.waiters_.load(std::memory_order_seq_cst) != 0) {
        domain_.wake_waiters();
    }
}

void EpochDomain::Reader::go_online() {
    WEFT_DEBUG_ASSERT(!online());
    state_.store(domain_.epoch_.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
    // The second load of the epoch is what point 3 of the protocol needs.
    quiescent();
}

void EpochDomain::Reader::go_offline() {
    WEFT_DEBUG_ASSERT(online());
    announce(kOffline);
}

}  // namespace weft
