// The hash tables that are compared, behind one shape:
//
//   class T {
//       explicit T(std::uint64_t entries);         // as many as are expected in the beginning
//       class Thread { explicit Thread(T&); };     // a thread's place, made and destroyed by the thread
//       bool contains(Thread&, std::uint64_t key);
//       bool insert(Thread&, std::uint64_t key);   // false: it was there
//       bool remove(Thread&, std::uint64_t key);   // false: it was not
//       void quiescent(Thread&);                   // the thread holds nothing
//   };
//
// Every entry is an object of its own that holds the key, as translation blocks do: a look-up costs the bucket's cache
// line and the object's. An object that was not inserted, because its key was there, is kept for the next insertion.
// Removed objects are freed a grace period later where the table needs that, kBatch of them at a time.
#pragma once

#include <tbb/concurrent_hash_map.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/epoch.h"
#include "base/qht.h"

struct cds_lfht;

namespace weft::bench {

inline constexpr std::size_t kBatch = 256;

// Every table hashes with the same function (splitmix64's).
inline std::uint64_t hash_of(std::uint64_t key) {
    std::uint64_t z = key + 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

class WeftTable {
  public:
    static constexpr const char* kName = "weft";

    struct Object {
        std::uint64_t key;
    };

    explicit WeftTable(std::uint64_t entries);
    ~WeftTable();

    class Thread {
      public:
        explicit Thread(WeftTable& table) : self_(table.epochs_) { self_.go_online(); }
        ~Thread();
        Thread(const Thread&) = delete;
        Thread& operator=(const Thread&) = delete;

      private:
        friend class WeftTable;
        EpochDomain::Reader self_;
        std::unique_ptr<Object> spare_;
        std::vector<std::unique_ptr<Object>> removed_;
    };

    bool contains(Thread&, std::uint64_t key) const { return table_->find(key) != nullptr; }
    bool insert(Thread& thread, std::uint64_t key);
    bool remove(Thread& thread, std::uint64_t key);
    void quiescent(Thread& thread);

  private:
    struct Traits {
        using Object = WeftTable::Object;
        using Key = std::uint64_t;
        static const Key& key(const Object& object) { return object.key; }
        static std::uint32_t hash(const Key& key) { return static_cast<std::uint32_t>(hash_of(key)); }
        static bool equal(const Object& object, const Key& key) { return object.key == key; }
    };

    EpochDomain epochs_;
    std::unique_ptr<QhtOf<Traits>> table_;
};

// liburcu's lock-free hash table, with its fastest kind of read sections: those of quiescent states.
class LfhtTable {
  public:
    static constexpr const char* kName = "lfht";

    explicit LfhtTable(std::uint64_t entries);
    ~LfhtTable();

    class Thread {
      public:
        explicit Thread(LfhtTable& table);
        ~Thread();
        Thread(const Thread&) = delete;
        Thread& operator=(const Thread&) = delete;

      private:
        friend class LfhtTable;
        void reclaim();
        void* spare_ = nullptr;
        std::vector<void*> removed_;
    };

    bool contains(Thread&, std::uint64_t key) const;
    bool insert(Thread& thread, std::uint64_t key);
    bool remove(Thread& thread, std::uint64_t key);
    void quiescent(Thread& thread);

  private:
    cds_lfht* table_;
};

class TbbTable {
  public:
    static constexpr const char* kName = "tbb";

    explicit TbbTable(std::uint64_t entries) : table_(entries) {}

    class Thread {
      public:
        explicit Thread(TbbTable&) {}
    };

    // The map holds the keys in nodes of its own: these are the objects.
    bool contains(Thread&, std::uint64_t key) const {
        Map::const_accessor accessor;
        return table_.find(accessor, key);
    }
    bool insert(Thread&, std::uint64_t key) { return table_.insert({key, key}); }
    bool remove(Thread&, std::uint64_t key) { return table_.erase(key); }
    void quiescent(Thread&) {}

  private:
    struct Compare {
        static std::size_t hash(std::uint64_t key) { return hash_of(key); }
        static bool equal(std::uint64_t a, std::uint64_t b) { return a == b; }
    };
    using Map = tbb::concurrent_hash_map<std::uint64_t, std::uint64_t, Compare>;

    Map table_;
};

}  // namespace weft::bench
