// A hash table of pointers for many readers and few writers: look-ups write nothing to memory, insertions and
// removals lock one bucket (an insertion that finds an equal object locks nothing), and the table grows while all
// of them go on.
//
// Structure
// ---------
// A map is an array of head buckets, a power of two of them; the low bits of the hash choose one. A bucket is
// one cache line: lock, sequence, four entries of {hash, object} and a link to an overflow bucket. Entries of
// a chain are packed: the first empty one ends it. Overflow buckets go only with their map. When the overflow
// buckets of a map exceed an eighth of its heads, the thread that added the last one moves everything to a
// map of twice the size.
//
// Concurrency
// -----------
// Writers. A chain is changed under its head's lock. Who adds or removes entries holds exactly one such lock.
//
// Readers. The head's sequence is even in bit 0 while no entry moves *within* the chain. Removal fills the
// hole with the chain's last entry, which a reader that walks past could miss; so it makes the sequence odd
// first and steps it on afterwards. A reader that found nothing repeats when the sequence was odd or has
// changed. A hit needs no such check: the object stood in the table when its entry was read. Insertion only
// writes the first empty entry and leaves the sequence alone: a reader sees the entry before or after.
//   Fences are not needed: the writer stores the odd sequence (relaxed), then entries with release; the
//   reader loads entries with acquire, then the sequence (relaxed). Having read one of the writer's entries
//   it has synchronised with it and must see the odd value or a later one. The final even sequence is stored
//   with release and loaded with acquire at the start, so that a reader never mixes in entries from before
//   it.
//
// Moving to another map (growth, reset). One thread at a time, under `resize_mutex_`. The old map's
// `successor` is set, then each old chain, under its own lock, is copied to the new map and gets bit 1 of its
// sequence, *moved*, for good: it never changes again. Whoever finds that bit, reader or writer, continues in
// the successor. As the new size is a multiple of the old, the new chains of an old one receive entries from
// it alone, and nobody can come to them before it is marked: the copy needs no lock there. At the end the new
// map is published and the old one retired.
//   A reader that looks through an old chain while it is being marked sees what the table held at the
//   marking, which is within its call; one that starts after it sees the bit. So look-ups, insertions and
//   removals are linearizable.
//
// Reclamation. Maps (with their overflow buckets) and objects go through the table's EpochDomain: every
// caller of every function, but for the constructor and destructor, is an online reader of it or keeps
// all others from writing. An object that was removed must be retired to the same domain, not freed.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "base/cache_line.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/mapping.h"
#include "base/mutex.h"
#include "base/spin_lock.h"

namespace weft {

// A picture of the table; exact when nobody writes.
struct QhtStatistics {
    std::size_t head_buckets = 0;
    std::size_t used_head_buckets = 0;  // with at least one entry
    std::size_t overflow_buckets = 0;
    std::size_t entries = 0;
    std::size_t longest_chain = 0;    // in buckets, head included; 0 for an empty table
    std::size_t chained_buckets = 0;  // buckets of the chains of used heads, for the mean length of a chain
    std::size_t growths = 0;          // since construction

    double load() const;               // entries to places in head buckets
    double mean_chain_length() const;  // over used heads
};

class Qht {
  public:
    static constexpr std::size_t kEntries = 4;
    static constexpr std::size_t kDefaultBuckets = std::size_t{1} << 15;

    // Whether the object `candidate` is the one that `key` describes. Called for objects with an equal hash
    // (in a race also for others: it compares everything), by any thread, also under a bucket's lock: it
    // reads immutable fields and does nothing else.
    using Equal = bool (*)(const void* candidate, const void* key);

    // `initial_buckets` is a power of two; the table never gets smaller. Fails where there is no memory for
    // it.
    static Result<std::unique_ptr<Qht>> create(EpochDomain& domain, Equal equal,
                                               std::size_t initial_buckets = kDefaultBuckets);

    // No users any more. The objects stay the caller's.
    ~Qht();
    Qht(const Qht&) = delete;
    Qht& operator=(const Qht&) = delete;

    // The object with this hash for which `equal(object)` is true, or null. Writes nothing.
    template <class Match>
    void* find_if(std::uint32_t hash, Match&& match) const;

    void* find(std::uint32_t hash, const void* key) const {
        return find_if(hash, [this, key](const void* candidate) { return equal_(candidate, key); });
    }

    // Puts `object` (not null), which `key` describes, into the table and returns null; where an object equal
    // to `key` is there already, leaves the table alone and returns that one. What the caller wrote to the
    // object before is seen by those who find it.
    void* insert(std::uint32_t hash, void* object, const void* key);

    // Takes out exactly this object; false where it is not there (another thread took it).
    bool remove(std::uint32_t hash, const void* object);

    // Empties the table and brings it back to its initial size. The objects stay the caller's. Safe beside
    // everybody else, but not one instant for all: entries go chain by chain, and one inserted meanwhile may
    // stay. Where there is no memory for a new map the table is emptied at its present size.
    void reset();

    // Calls visit(object, context) for every object, a chain at a time under its lock: `visit` does not call
    // the table. Sees everything that is there from beginning to end, once.
    void for_each(void (*visit)(void* object, void* context), void* context);

    QhtStatistics statistics() const;

  private:
    // Bits of a head's sequence; steps count from bit 2.
    static constexpr std::uint32_t kMoving = 1;
    static constexpr std::uint32_t kMoved = 2;
    static constexpr std::uint32_t kStep = 4;

    // One cache line. All fields are written under the head's lock (or before the map is published) and read
    // by anyone; lock and sequence of overflow buckets are not used.
    struct alignas(kCacheLine) Bucket {
        SpinLock lock;
        std::atomic<std::uint32_t> sequence{0};
        std::atomic<std::uint32_t> hashes[kEntries]{};
        std::atomic<void*> objects[kEntries]{};
        std::atomic<Bucket*> next{nullptr};

        // A bit for each entry with this hash, whether or not an object is there. Without branches: where in a bucket an
        // entry lies cannot be predicted.
        unsigned equal_hashes(std::uint32_t hash) const {
            unsigned equal = 0;
            for (unsigned i = 0; i < kEntries; ++i) {
                equal |= unsigned{hashes[i].load(std::memory_order_acquire) == hash} << i;
            }
            return equal;
        }

        // For who holds the chain's lock: bits of the places that are taken, and of the one that holds `object`. A chain
        // is packed, so that the first are the lowest ones.
        unsigned taken() const {
            unsigned taken = 0;
            for (unsigned i = 0; i < kEntries; ++i) {
                taken |= unsigned{objects[i].load(std::memory_order_relaxed) != nullptr} << i;
            }
            return taken;
        }
        unsigned place_of(const void* object) const {
            unsigned place = 0;
            for (unsigned i = 0; i < kEntries; ++i) {
                place |= unsigned{objects[i].load(std::memory_order_relaxed) == object} << i;
            }
            return place;
        }
    };
    static_assert(sizeof(Bucket) == kCacheLine);

    struct Map;
    struct Place;
    class Reserve;

    Qht(EpochDomain& domain, Equal equal, std::size_t initial_buckets, std::unique_ptr<Map> map);

    Bucket& lock_chain(std::uint32_t hash, Map*& map);
    static Place first_empty(Map& map, Bucket& head, Reserve* reserve);
    static void put(Place place, std::uint32_t hash, void* object);
    void grow();
    static bool wants_growth(const Map& map);
    static void move_chains(Map& old, Map& fresh, Reserve& reserve);
    void publish(Map* old, std::unique_ptr<Map> fresh);

    const Equal equal_;
    EpochDomain& domain_;
    const std::size_t initial_buckets_;

    // Written under resize_mutex_, with release; read by all, with acquire. Reclaimed through domain_.
    std::atomic<Map*> map_;

    // Held while a map is replaced, and by for_each() to keep it. A leaf but for chain locks.
    alignas(kCacheLine) Mutex resize_mutex_;
    std::atomic<std::size_t> growths_{0};  // statistics, relaxed
};

struct Qht::Map {
    Map(Mapping memory, std::size_t count);
    ~Map();

    // Null where there is no memory for it.
    static std::unique_ptr<Map> create(std::size_t buckets);

    Bucket& head(std::uint32_t hash) const { return buckets[hash & mask]; }
    std::size_t count() const { return mask + 1; }

    const Mapping memory;  // of the heads, in huge pages where the host has them
    Bucket* const buckets;
    const std::size_t mask;
    // Where marked chains have gone. Written before the first mark; ordered by the sequence that carries the
    // mark.
    std::atomic<Map*> successor{nullptr};
    // Overflow buckets; added to under any chain's lock, relaxed: it only decides when to grow.
    std::atomic<std::size_t> overflow{0};
    Retired retired;
};

template <class Match>
void* Qht::find_if(std::uint32_t hash, Match&& match) const {
    // acquire; pairs with the release in publish().
    const Map* map = map_.load(std::memory_order_acquire);
    SpinWait wait;
    while (true) {
        const Bucket& head = map->head(hash);
        // acquire; pairs with the releases that end a move within the chain or mark it.
        const std::uint32_t sequence = head.sequence.load(std::memory_order_acquire);
        if ((sequence & kMoved) != 0) {
            map = map->successor.load(std::memory_order_relaxed);
            continue;
        }
        const Bucket* bucket = &head;
        do {
            // acquire, both here and below; pair with the releases in put() and remove(). See the file's head.
            for (unsigned equal = bucket->equal_hashes(hash); equal != 0; equal &= equal - 1) {
                void* const object = bucket->objects[std::countr_zero(equal)].load(std::memory_order_acquire);
                if (object != nullptr && match(static_cast<const void*>(object))) {
                    return object;
                }
            }
            bucket = bucket->next.load(std::memory_order_acquire);
        } while (bucket != nullptr);
        if (head.sequence.load(std::memory_order_relaxed) == sequence && (sequence & kMoving) == 0) {
            return nullptr;
        }
        wait.once();
    }
}

// The same for one type of object. `Traits` has:
//   using Object = ...; using Key = ...;
//   static const Key& key(const Object&)  or by value
//   static std::uint32_t hash(const Key&)
//   static bool equal(const Object&, const Key&)
template <class Traits>
class QhtOf {
  public:
    using Object = typename Traits::Object;
    using Key = typename Traits::Key;

    static Result<QhtOf> create(EpochDomain& domain, std::size_t initial_buckets = Qht::kDefaultBuckets) {
        auto table = Qht::create(domain, equal, initial_buckets);
        if (!table) {
            return std::unexpected(std::move(table.error()));
        }
        return QhtOf(std::move(*table));
    }

    // See Qht for all of these.
    Object* find(const Key& key) const {
        return static_cast<Object*>(table_->find_if(Traits::hash(key), [&key](const void* candidate) {
            return Traits::equal(*static_cast<const Object*>(candidate), key);
        }));
    }
    Object* insert(Object& object) {
        decltype(auto) key = Traits::key(object);
        const Key& reference = key;
        return static_cast<Object*>(table_->insert(Traits::hash(reference), &object, &reference));
    }
    bool remove(const Object& object) { return table_->remove(Traits::hash(Traits::key(object)), &object); }
    void reset() { table_->reset(); }
    QhtStatistics statistics() const { return table_->statistics(); }

    template <class Visit>
    void for_each(Visit&& visit) {
        table_->for_each(
            [](void* object, void* context) {
                (*static_cast<std::remove_reference_t<Visit>*>(context))(*static_cast<Object*>(object));
            },
            const_cast<void*>(static_cast<const void*>(&visit)));
    }

  private:
    explicit QhtOf(std::unique_ptr<Qht> table) : table_(std::move(table)) {}

    static bool equal(const void* candidate, const void* key) {
        return Traits::equal(*static_cast<const Object*>(candidate), *static_cast<const Key*>(key));
    }

    std::unique_ptr<Qht> table_;
};

}  // namespace weft
