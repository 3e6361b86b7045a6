#include "base/qht.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <type_traits>

#include "base/bits.h"

namespace weft {

namespace {

// Hashes have 32 bits, and past this the array alone is 16 GiB: chains just get longer.
constexpr std::size_t kMaxBuckets = std::size_t{1} << 28;

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Kept for chains that grow while the table does.
constexpr std::size_t kReserveExtra = 16;

// Overflow buckets a map may have before it is replaced by one twice its size.
constexpr std::size_t overflow_limit(std::size_t buckets) { return std::max<std::size_t>(buckets / 8, 1); }

}  // namespace

double QhtStatistics::load() const {
    return head_buckets == 0
               ? 0.0
               : static_cast<double>(entries) / static_cast<double>(head_buckets * Qht::kEntries);
}

double QhtStatistics::mean_chain_length() const {
    return used_head_buckets == 0
               ? 0.0
               : static_cast<double>(chained_buckets) / static_cast<double>(used_head_buckets);
}

// An entry of a chain.
struct Qht::Place {
    Bucket* bucket;  // null: there was no memory for one
    std::size_t index;
    bool chain_grew = false;  // the bucket was added to find it

    bool operator==(const Place& other) const { return bucket == other.bucket && index == other.index; }
    std::atomic<std::uint32_t>& hash() const { return bucket->hashes[index]; }
    std::atomic<void*>& object() const { return bucket->objects[index]; }
};

// Overflow buckets for a growth, which cannot stop halfway.
class Qht::Reserve {
  public:
    explicit Reserve(std::size_t count) {
        while (count-- != 0 && complete_) {
            Bucket* const bucket = new (std::nothrow) Bucket;
            complete_ = bucket != nullptr;
            if (complete_) {
                bucket->next.store(first_, std::memory_order_relaxed);
                first_ = bucket;
            }
        }
    }
    ~Reserve() {
        while (first_ != nullptr) {
            delete take();
        }
    }
    Reserve(const Reserve&) = delete;
    Reserve& operator=(const Reserve&) = delete;

    bool complete() const { return complete_; }
    // Null: used up, and there is no memory.
    Bucket* take() {
        if (first_ == nullptr) {
            return new (std::nothrow) Bucket;
        }
        Bucket* const bucket = first_;
        first_ = bucket->next.load(std::memory_order_relaxed);
        bucket->next.store(nullptr, std::memory_order_relaxed);
        return bucket;
    }

  private:
    Bucket* first_ = nullptr;
    bool complete_ = true;
};

Qht::Map::Map(Mapping heads, std::size_t count)
    // Fresh memory reads as zero, and an empty bucket is zeros.
    : memory(std::move(heads)), buckets(reinterpret_cast<Bucket*>(memory.data())), mask(count - 1) {
    static_assert(std::is_trivially_destructible_v<Bucket>);
}

Qht::Map::~Map() {
    // The one who destroys a map is alone with it.
    if (overflow.load(std::memory_order_relaxed) == 0) {
        return;
    }
    for (std::size_t i = 0; i < count(); ++i) {
        Bucket* bucket = buckets[i].next.load(std::memory_order_relaxed);
        while (bucket != nullptr) {
            Bucket* const next = bucket->next.load(std::memory_order_relaxed);
            delete bucket;
            bucket = next;
        }
    }
}

std::unique_ptr<Qht::Map> Qht::Map::create(std::size_t buckets) {
    const std::size_t size = buckets * sizeof(Bucket);
    // Where a hash goes is anywhere: before long all pages of a small map are in use. Each would cost a fault.
    const bool huge = size >= kHugePage;
    auto heads =
        Mapping::anonymous(size, PROT_READ | PROT_WRITE, huge ? 0 : MAP_POPULATE, huge ? kHugePage : 0);
    if (!heads) {
        return nullptr;
    }
    if (huge) {
        // Look-ups go anywhere in it: with small pages, most would miss the host's TLB. A host may refuse.
        (void)heads->advise(0, size, MADV_HUGEPAGE);
    }
    return std::unique_ptr<Map>(new (std::nothrow) Map(std::move(*heads), buckets));
}

Result<std::unique_ptr<Qht>> Qht::create(EpochDomain& domain, Equal equal, std::size_t initial_buckets) {
    WEFT_ASSERT(is_power_of_two(initial_buckets) && initial_buckets <= kMaxBuckets);
    auto map = Map::create(initial_buckets);
    if (map == nullptr) {
        return fail(fmt::format("no memory for a hash table of {} buckets", initial_buckets));
    }
    return std::unique_ptr<Qht>(new Qht(domain, equal, initial_buckets, std::move(map)));
}

Qht::Qht(EpochDomain& domain, Equal equal, std::size_t initial_buckets, std::unique_ptr<Map> map)
    : equal_(equal), domain_(domain), initial_buckets_(initial_buckets), map_(map.release()) {}

Qht::~Qht() { delete map_.load(std::memory_order_relaxed); }

// The locked head of the chain where `hash` belongs now; `map` becomes its map.
Qht::Bucket& Qht::lock_chain(std::uint32_t hash, Map*& map) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    // acquire; pairs with the release in publish().
    map = map_.load(std::memory_order_acquire);
    while (true) {
        Bucket& head = map->head(hash);
        head.lock.lock();
        // Written under this lock only.
        if ((head.sequence.load(std::memory_order_relaxed) & kMoved) == 0) {
            return head;
        }
        head.lock.unlock();
        map = map->successor.load(std::memory_order_relaxed);
    }
}

// The place after the chain's last entry, in a new overflow bucket where the chain is full. The chain is
// locked or not yet reachable.
Qht::Place Qht::first_empty(Map& map, Bucket& head, Reserve* reserve) {
    Bucket* bucket = &head;
    while (true) {
        if (const auto taken = static_cast<std::size_t>(std::popcount(bucket->taken())); taken < kEntries) {
            return {bucket, taken};
        }
        Bucket* const next = bucket->next.load(std::memory_order_relaxed);
        if (next == nullptr) {
            Bucket* const added = reserve != nullptr ? reserve->take() : new (std::nothrow) Bucket;
            if (added == nullptr) {
                return {nullptr, 0};
            }
            // release: the bucket is seen empty, not raw; pairs with the acquire in find_if().
            bucket->next.store(added, std::memory_order_release);
            map.overflow.fetch_add(1, std::memory_order_relaxed);
            return {added, 0, true};
        }
        bucket = next;
    }
}

void Qht::put(Place place, std::uint32_t hash, void* object) {
    // release, both; pair with the acquires in find_if(). The hash goes first: an object is never found under
    // the hash of an earlier one for want of comparing.
    place.hash().store(hash, std::memory_order_release);
    place.object().store(object, std::memory_order_release);
}

void* Qht::insert(std::uint32_t hash, void* object, const void* key) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    WEFT_DEBUG_ASSERT(object != nullptr);
    // Who finds an equal one takes no lock and leaves the bucket's line to its readers.
    if (void* const present = find(hash, key); present != nullptr) {
        return present;
    }
    Map* map = nullptr;
    Bucket& head = lock_chain(hash, map);
    for (Bucket* bucket = &head; bucket != nullptr; bucket = bucket->next.load(std::memory_order_relaxed)) {
        for (unsigned equal = bucket->equal_hashes(hash); equal != 0; equal &= equal - 1) {
            void* const present = bucket->objects[std::countr_zero(equal)].load(std::memory_order_relaxed);
            if (present != nullptr && equal_(present, key)) {
                head.lock.unlock();
                return present;
            }
        }
    }
    const Place place = first_empty(*map, head, nullptr);
    if (place.bucket != nullptr) {
        put(place, hash, object);
    }
    head.lock.unlock();
    if (place.bucket == nullptr) {
        throw std::bad_alloc();
    }
    if (place.chain_grew) {
        grow();
    }
    return nullptr;
}

bool Qht::remove(std::uint32_t hash, const void* object) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Map* map = nullptr;
    Bucket& head = lock_chain(hash, map);
    Place found{nullptr, 0};
    Place last{nullptr, 0};
    for (Bucket* bucket = &head; bucket != nullptr; bucket = bucket->next.load(std::memory_order_relaxed)) {
        const unsigned taken = bucket->taken();
        if (taken == 0) {
            break;
        }
        last = {bucket, static_cast<std::size_t>(std::popcount(taken)) - 1};
        if (const unsigned place = bucket->place_of(object); place != 0) {
            found = {bucket, static_cast<std::size_t>(std::countr_zero(place))};
        }
    }
    if (found.bucket != nullptr) {
        const std::uint32_t sequence = head.sequence.load(std::memory_order_relaxed);
        if (!(found == last)) {
            head.sequence.store(sequence | kMoving, std::memory_order_relaxed);
            put(found, last.hash().load(std::memory_order_relaxed),
                last.object().load(std::memory_order_relaxed));
        }
        last.object().store(nullptr, std::memory_order_release);
        if (!(found == last)) {
            // release; pairs with the acquire at the start of find_if().
            head.sequence.store(sequence + kStep, std::memory_order_release);
        }
    }
    head.lock.unlock();
    return found.bucket != nullptr;
}

// Doubles the table while it has too many overflow buckets.
void Qht::grow() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    // Who does not get the mutex leaves its wish to the holder: the holder looks again after giving it up.
    while (wants_growth(*map_.load(std::memory_order_acquire)) && resize_mutex_.try_lock()) {
        Map* const old = map_.load(std::memory_order_relaxed);
        std::unique_ptr<Map> fresh = wants_growth(*old) ? Map::create(old->count() * 2) : nullptr;
        // A chain that is split in two needs no more buckets than it had. Some more for what is inserted meanwhile.
        Reserve reserve(fresh == nullptr ? 0 : old->overflow.load(std::memory_order_relaxed) + kReserveExtra);
        const bool grows = fresh != nullptr && reserve.complete();
        if (grows) {
            move_chains(*old, *fresh, reserve);
            publish(old, std::move(fresh));
            growths_.fetch_add(1, std::memory_order_relaxed);
        }
        resize_mutex_.unlock();
        if (!grows) {
            // Another thread was faster; or there is no memory, and the table goes on with longer chains.
            return;
        }
    }
}

bool Qht::wants_growth(const Map& map) {
    return map.overflow.load(std::memory_order_relaxed) > overflow_limit(map.count()) &&
           map.count() < kMaxBuckets;
}

void Qht::move_chains(Map& old, Map& fresh, Reserve& reserve) {
    old.successor.store(&fresh, std::memory_order_relaxed);
    for (std::size_t i = 0; i < old.count(); ++i) {
        Bucket& head = old.buckets[i];
        SpinLockGuard guard(head.lock);
        for (Bucket* b = &head; b != nullptr; b = b->next.load(std::memory_order_relaxed)) {
            for (std::size_t j = 0; j < kEntries; ++j) {
                void* const object = b->objects[j].load(std::memory_order_relaxed);
                if (object == nullptr) {
                    break;
                }
                const std::uint32_t hash = b->hashes[j].load(std::memory_order_relaxed);
                const Place place = first_empty(fresh, fresh.head(hash), &reserve);
                WEFT_ASSERT(place.bucket != nullptr);
                put(place, hash, object);
            }
        }
        // release: readers that see the mark see the successor and what was copied.
        head.sequence.store(head.sequence.load(std::memory_order_relaxed) | kMoved,
                            std::memory_order_release);
    }
}

void Qht::publish(Map* old, std::unique_ptr<Map> fresh) {
    // release; pairs with the acquires in find_if() and lock_chain().
    map_.store(fresh.release(), std::memory_order_release);
    domain_.retire(&old->retired, [](Retired*, void* map) { delete static_cast<Map*>(map); }, old);
}

void Qht::reset() {
    MutexLock lock(resize_mutex_);
    Map* const old = map_.load(std::memory_order_relaxed);
    std::unique_ptr<Map> fresh = Map::create(initial_buckets_);
    old->successor.store(fresh.get(), std::memory_order_relaxed);
    for (std::size_t i = 0; i < old->count(); ++i) {
        Bucket& head = old->buckets[i];
        SpinLockGuard guard(head.lock);
        const std::uint32_t sequence = head.sequence.load(std::memory_order_relaxed);
        if (fresh != nullptr) {
            // The entries are left behind. Sizes need not divide here: nothing is copied, so a new chain
            // belongs to whoever locks it. release: readers that see the mark see the successor.
            head.sequence.store(sequence | kMoved, std::memory_order_release);
            continue;
        }
        // Readers that find nothing meanwhile repeat; nobody else looks at the chain without its lock.
        head.sequence.store(sequence | kMoving, std::memory_order_relaxed);
        for (Bucket* b = &head; b != nullptr; b = b->next.load(std::memory_order_relaxed)) {
            for (std::size_t j = 0; j < kEntries; ++j) {
                b->objects[j].store(nullptr, std::memory_order_release);
            }
        }
        head.sequence.store(sequence + kStep, std::memory_order_release);
    }
    if (fresh != nullptr) {
        publish(old, std::move(fresh));
    }
}

void Qht::for_each(void (*visit)(void* object, void* context), void* context) {
    MutexLock lock(resize_mutex_);
    Map* const map = map_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < map->count(); ++i) {
        SpinLockGuard guard(map->buckets[i].lock);
        for (Bucket* b = &map->buckets[i]; b != nullptr; b = b->next.load(std::memory_order_relaxed)) {
            for (std::size_t j = 0; j < kEntries; ++j) {
                void* const object = b->objects[j].load(std::memory_order_relaxed);
                if (object == nullptr) {
                    break;
                }
                visit(object, context);
            }
        }
    }
}

QhtStatistics Qht::statistics() const {
    QhtStatistics out;
    const Map* const map = map_.load(std::memory_order_acquire);
    out.head_buckets = map->count();
    out.overflow_buckets = map->overflow.load(std::memory_order_relaxed);
    out.growths = growths_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < map->count(); ++i) {
        std::size_t used_buckets = 0;
        for (const Bucket* b = &map->buckets[i]; b != nullptr; b = b->next.load(std::memory_order_acquire)) {
            std::size_t used = 0;
            while (used < kEntries && b->objects[used].load(std::memory_order_relaxed) != nullptr) {
                ++used;
            }
            out.entries += used;
            used_buckets += used != 0 ? 1 : 0;
        }
        out.used_head_buckets += used_buckets != 0 ? 1 : 0;
        out.chained_buckets += used_buckets;
        out.longest_chain = std::max(out.longest_chain, used_buckets);
    }
    return out;
}

}  // namespace weft
