#include "base/qht.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <fstream>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "tests/support/random.h"

using namespace weft;

namespace {

constexpr std::uint64_t kAlive = 0x600dc0de;

struct Item {
    explicit Item(std::uint64_t k) : key(k) {}
    Retired retired;
    std::uint64_t key;
    std::uint64_t magic = kAlive;
};

// Hashes of 32 bits, and of so few that chains are long and unequal keys share a hash.
template <unsigned kBits>
struct Traits {
    using Object = Item;
    using Key = std::uint64_t;
    static const Key& key(const Item& item) { return item.key; }
    static std::uint32_t hash(const Key& key) { return hash_fold(hash_words(key)) >> (32 - kBits); }
    static bool equal(const Item& item, const Key& key) { return item.key == key; }
};
using Wide = QhtOf<Traits<32>>;
using Narrow = QhtOf<Traits<4>>;

void reclaim_item(Retired* node, void*) {
    auto* item = reinterpret_cast<Item*>(reinterpret_cast<char*>(node) - offsetof(Item, retired));
    item->magic = 0;
    delete item;
}

template <class Table>
Table make(EpochDomain& domain, std::size_t buckets) {
    auto table = Table::create(domain, buckets);
    REQUIRE(table);
    return std::move(*table);
}

void join(std::vector<std::thread>& threads) {
    for (std::thread& thread : threads) {
        thread.join();
    }
    threads.clear();
}

template <class Table>
void check_against_model(std::size_t buckets, std::uint64_t keys, int rounds) {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    EpochDomain domain;
    Table table = make<Table>(domain, buckets);
    std::unordered_map<std::uint64_t, Item*> model;
    std::deque<Item> items;
    for (int round = 0; round < rounds; ++round) {
        const std::uint64_t key = random.below(keys);
        const auto known = model.find(key);
        switch (random.below(known == model.end() ? 3 : 5)) {
            case 0:
            case 1: {
                Item& item = items.emplace_back(key);
                Item* const present = table.insert(item);
                REQUIRE(present == (known == model.end() ? nullptr : known->second));
                model.emplace(key, &item);
                break;
            }
            case 2:
                REQUIRE(table.find(key) == (known == model.end() ? nullptr : known->second));
                break;
            case 3: {
                // Another object with the same key is not the one in the table.
                const Item twin(key);
                REQUIRE_FALSE(table.remove(twin));
                REQUIRE(table.find(key) == known->second);
                break;
            }
            default:
                REQUIRE(table.remove(*known->second));
                REQUIRE_FALSE(table.remove(*known->second));
                REQUIRE(table.find(key) == nullptr);
                model.erase(known);
        }
        if (round % 4096 == 0) {
            for (std::uint64_t k = 0; k < keys; ++k) {
                const auto entry = model.find(k);
                REQUIRE(table.find(k) == (entry == model.end() ? nullptr : entry->second));
            }
            std::set<Item*> visited;
            table.for_each([&](Item& item) { REQUIRE(visited.insert(&item).second); });
            REQUIRE(visited.size() == model.size());
            for (const auto& [k, item] : model) {
                REQUIRE(visited.contains(item));
            }
            REQUIRE(table.statistics().entries == model.size());
        }
        if (random.below(10000) == 0) {
            table.reset();
            model.clear();
            REQUIRE(table.statistics().entries == 0);
            REQUIRE(table.statistics().head_buckets == buckets);
        }
    }
}

}  // namespace

TEST_CASE("the table against a model: wide hashes, from one bucket up") {
    check_against_model<Wide>(1, 3000, 40000);
}
TEST_CASE("the table against a model: long chains") { check_against_model<Narrow>(16, 300, 40000); }
TEST_CASE("the table against a model: sparse") { check_against_model<Wide>(4096, 500, 20000); }

TEST_CASE("growth begins past an eighth of overflow buckets, and reset() undoes it") {
    EpochDomain domain;
    constexpr std::size_t kBuckets = 256;
    Wide table = make<Wide>(domain, kBuckets);
    std::deque<Item> items;
    std::size_t heads = kBuckets;
    while (heads < kBuckets * 16) {
        REQUIRE(table.insert(items.emplace_back(items.size())) == nullptr);
        const QhtStatistics now = table.statistics();
        REQUIRE(now.overflow_buckets <= now.head_buckets / 8);
        REQUIRE(now.entries == items.size());
        if (now.head_buckets != heads) {
            REQUIRE(now.head_buckets == 2 * heads);
            heads = now.head_buckets;
        }
    }
    const QhtStatistics full = table.statistics();
    REQUIRE(full.growths == 4);
    REQUIRE(full.load() == Approx(static_cast<double>(items.size()) / static_cast<double>(heads * 4)));
    REQUIRE(full.mean_chain_length() >= 1.0);
    REQUIRE(full.longest_chain >= 1);
    REQUIRE(full.used_head_buckets <= full.head_buckets);
    for (const Item& item : items) {
        REQUIRE(table.find(item.key) == &item);
    }
    // Four maps were replaced; they wait for a grace period like anything else.
    REQUIRE(domain.waiting() == 4);
    table.reset();
    REQUIRE(table.statistics().head_buckets == kBuckets);
    REQUIRE(table.statistics().entries == 0);
    REQUIRE(table.statistics().longest_chain == 0);
    for (const Item& item : items) {
        REQUIRE(table.find(item.key) == nullptr);
    }
    REQUIRE(domain.poll() == 5);
    REQUIRE(table.insert(items[0]) == nullptr);
    REQUIRE(table.find(0) == &items[0]);
}

TEST_CASE("the default size is that of the code cache") {
    EpochDomain domain;
    auto table = Wide::create(domain);
    REQUIRE(table);
    REQUIRE(table->statistics().head_buckets == 32768);
}

TEST_CASE("equal insertions at once have one winner, whom all are given") {
    constexpr int kThreads = 8;
    constexpr std::uint64_t kKeys = 3000;
    EpochDomain domain;
    Wide table = make<Wide>(domain, 4);  // grows all the while
    std::array<std::vector<Item*>, kThreads> outcomes;
    std::array<std::deque<Item>, kThreads> items;
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            EpochDomain::Reader self(domain);
            self.go_online();
            ready.fetch_add(1);
            SpinWait wait;
            while (ready.load() != kThreads) {
                wait.once();
            }
            for (std::uint64_t key = 0; key < kKeys; ++key) {
                self.quiescent();
                Item& mine = items[t].emplace_back(key);
                Item* const present = table.insert(mine);
                outcomes[t].push_back(present != nullptr ? present : &mine);
            }
        });
    }
    join(threads);
    for (std::uint64_t key = 0; key < kKeys; ++key) {
        Item* const winner = table.find(key);
        REQUIRE(winner != nullptr);
        for (const auto& outcome : outcomes) {
            REQUIRE(outcome[key] == winner);
        }
    }
    const QhtStatistics now = table.statistics();
    REQUIRE(now.entries == kKeys);
    // Nobody's wish for more room was lost while another thread was at it.
    REQUIRE(now.overflow_buckets <= now.head_buckets / 8);
    REQUIRE(now.growths >= 5);
}

namespace {

// Each key belongs to one writer, who counts its changes: count % 4 is 0 while the key is absent, 2 while it
// is present, odd while that changes. A reader that sees the same even count before and after a look-up knows
// the answer.
template <class Table>
void check_linearizable(std::size_t buckets, std::uint64_t keys_each, int rounds, bool fillers) {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    constexpr int kWriters = 3;
    constexpr int kReaders = 3;
    EpochDomain domain;
    Table table = make<Table>(domain, buckets);
    const std::uint64_t keys = kWriters * keys_each;
    std::vector<std::atomic<std::uint64_t>> changes(keys);
    std::atomic<int> writing{kWriters};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<std::uint64_t> checked{0};
    std::latch ready(kWriters + kReaders);  // on a busy host the writers would be done before a reader began
    std::vector<std::thread> threads;
    for (std::uint64_t w = 0; w < kWriters; ++w) {
        threads.emplace_back([&, w] {
            test::Random random(test::test_seed() * 100 + w);
            EpochDomain::Reader self(domain);
            ready.arrive_and_wait();
            self.go_online();
            std::vector<Item*> present(keys_each);
            std::uint64_t filler = 1000000 * (w + 1);
            for (int round = 0; round < rounds; ++round) {
                self.quiescent();
                domain.poll();
                const std::uint64_t index = random.below(keys_each);
                const std::uint64_t key = w * keys_each + index;
                changes[key].fetch_add(1);
                if (present[index] == nullptr) {
                    present[index] = new Item(key);
                    wrong.fetch_add(table.insert(*present[index]) != nullptr ? 1 : 0);
                } else {
                    Item* const item = std::exchange(present[index], nullptr);
                    wrong.fetch_add(table.remove(*item) ? 0 : 1);
                    domain.retire(&item->retired, reclaim_item, nullptr);
                }
                changes[key].fetch_add(1);
                // Keys that only come make the table grow under everybody.
                if (fillers && round % 2 == 0) {
                    wrong.fetch_add(table.insert(*new Item(filler++)) != nullptr ? 1 : 0);
                }
            }
            writing.fetch_sub(1);
        });
    }
    for (std::uint64_t r = 0; r < kReaders; ++r) {
        threads.emplace_back([&, r] {
            test::Random random(test::test_seed() * 100 + 50 + r);
            EpochDomain::Reader self(domain);
            ready.arrive_and_wait();
            self.go_online();
            std::uint64_t sure = 0;
            while (writing.load(std::memory_order_relaxed) != 0 || sure == 0) {
                self.quiescent();
                const std::uint64_t key = random.below(keys);
                const std::uint64_t before = changes[key].load();
                const Item* const found = table.find(key);
                const bool alive = found == nullptr || (found->magic == kAlive && found->key == key);
                const std::uint64_t after = changes[key].load();
                if (!alive) {
                    wrong.fetch_add(1);
                }
                if (before == after && before % 2 == 0) {
                    ++sure;
                    wrong.fetch_add((found != nullptr) == (before % 4 == 2) ? 0 : 1);
                }
            }
            checked.fetch_add(sure);
        });
    }
    join(threads);
    REQUIRE(wrong.load() == 0);
    REQUIRE(checked.load() > 0);
    for (std::uint64_t key = 0; key < keys; ++key) {
        REQUIRE((table.find(key) != nullptr) == (changes[key].load() % 4 == 2));
    }
    std::vector<Item*> left;
    table.for_each([&](Item& item) { left.push_back(&item); });
    for (Item* item : left) {
        delete item;
    }
}

}  // namespace

TEST_CASE("look-ups are linearizable while chains are back-filled") {
    check_linearizable<Narrow>(16, 60, 20000, false);
}

TEST_CASE("look-ups are linearizable while the table grows") { check_linearizable<Wide>(2, 60, 12000, true); }

// The interleavings that threads seldom hit, made by hand: look-ups hold no lock, so that their comparison
// may write to the table; and an insertion's comparison runs under a chain's lock, which stops whoever moves
// the table there.
TEST_CASE("a look-up overtaken by back-filling finds what moved behind its back") {
    EpochDomain domain;
    // Six objects with one hash: the sought one is the last, in the overflow bucket.
    auto table =
        Qht::create(domain, [](const void* candidate, const void* key) { return candidate == key; }, 64);
    REQUIRE(table);
    std::array<int, 6> objects{};
    for (int& object : objects) {
        REQUIRE((*table)->insert(7, &object, &object) == nullptr);
    }
    int comparisons = 0;
    void* const found = (*table)->find_if(7, [&](const void* candidate) {
        if (++comparisons == 2) {
            // The last object takes the place of the first, which this look-up has passed.
            REQUIRE((*table)->remove(7, &objects[0]));
        }
        return candidate == &objects[5];
    });
    REQUIRE(found == &objects[5]);
    REQUIRE(comparisons > 4);
}

TEST_CASE("a look-up overtaken by growth or reset answers for some moment of its call") {
    EpochDomain domain;
    const auto identity = [](const void* candidate, const void* key) { return candidate == key; };
    auto table = Qht::create(domain, identity, 2);
    REQUIRE(table);
    std::array<int, 3> objects{};
    std::deque<int> fillers;
    for (int& object : objects) {
        REQUIRE((*table)->insert(7, &object, &object) == nullptr);
    }
    bool grown = false;
    void* found = (*table)->find_if(7, [&](const void* candidate) {
        while ((*table)->statistics().growths < 2) {
            int& filler = fillers.emplace_back();
            (*table)->insert(static_cast<std::uint32_t>(fillers.size()) * 0x9e3779b9u, &filler, &filler);
            grown = true;
        }
        return candidate == &objects[2];
    });
    REQUIRE(grown);
    REQUIRE(found == &objects[2]);

    bool done = false;
    found = (*table)->find_if(7, [&](const void*) {
        if (!std::exchange(done, true)) {
            (*table)->reset();
        }
        return false;
    });
    REQUIRE(found == nullptr);
    REQUIRE((*table)->find(7, &objects[2]) == nullptr);
}

TEST_CASE("while a growth is half done, both halves work") {
    // Chain 1 of the map is held by an insertion whose comparison runs the test; the growing thread has moved
    // chain 0 and waits for chain 1.
    struct Probe {
        Qht* table = nullptr;
        std::atomic<int> stage{0};
        std::uint64_t wrong = 0;
        std::array<int, 4> toggled{};

        void toggle() {
            for (int& object : toggled) {
                // Hashes of chain 0, which has room for them: a growth from here would wait for ourselves.
                const auto hash = static_cast<std::uint32_t>(4 * (&object - toggled.data() + 1));
                wrong += table->insert(hash, &object, &object) != nullptr ? 1 : 0;
                wrong += table->find(hash, &object) != &object ? 1 : 0;
                wrong += table->remove(hash, &object) ? 0 : 1;
                wrong += table->find(hash, &object) != nullptr ? 1 : 0;
            }
        }
    };
    struct Key {
        Probe* probe;
    };
    Probe probe;
    EpochDomain domain;
    auto table = Qht::create(
        domain,
        [](const void* candidate, const void* key) {
            if (*static_cast<const int*>(candidate) != 1) {
                return candidate == key;
            }
            // The marked object, alone with its hash in chain 1, meets the only key that is a Key: the chain
            // is locked.
            Probe& p = *static_cast<const Key*>(key)->probe;
            p.stage.store(1);
            for (int round = 0; round < 3000; ++round) {
                p.toggle();
                sched_yield();
            }
            return false;
        },
        4);
    REQUIRE(table);
    probe.table = table->get();
    std::array<int, 9> fillers{};
    int marked = 1;
    int trigger = 0;
    REQUIRE((*table)->insert(1, &marked, &marked) == nullptr);
    for (std::size_t i = 0; i < 8; ++i) {
        // One overflow bucket is allowed to four heads: the ninth filler of chain 2 asks for growth.
        REQUIRE((*table)->insert(static_cast<std::uint32_t>(102 + 4 * i), &fillers[i], &fillers[i]) ==
                nullptr);
    }
    REQUIRE((*table)->statistics().growths == 0);
    std::thread grower([&] {
        SpinWait wait;
        while (probe.stage.load() == 0) {
            wait.once();
        }
        (*table)->insert(134, &fillers[8], &fillers[8]);
    });
    const Key key{&probe};
    REQUIRE((*table)->insert(1, &trigger, &key) == nullptr);
    grower.join();
    REQUIRE(probe.wrong == 0);
    REQUIRE((*table)->statistics().growths >= 1);
    for (std::size_t i = 0; i < fillers.size(); ++i) {
        REQUIRE((*table)->find(static_cast<std::uint32_t>(102 + 4 * i), &fillers[i]) == &fillers[i]);
    }
    REQUIRE((*table)->statistics().entries == 11);
}

namespace {

// The process's memory that it can write to: first and last address of each mapping.
std::set<std::pair<std::uintptr_t, std::uintptr_t>> writable_mappings() {
    std::set<std::pair<std::uintptr_t, std::uintptr_t>> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char access[5] = "";
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, access) == 3 && access[1] == 'w') {
            found.emplace(begin, end);
        }
    }
    return found;
}

}  // namespace

TEST_CASE("look-ups, and insertions of what is there, write nothing to the table") {
    // The table's memory, which is a mapping of its own, is taken away for writing. Whoever writes ends the process, so
    // this happens in a child.
    constexpr std::size_t kBuckets = std::size_t{1} << 17;
    constexpr std::size_t kSize = kBuckets * 64;  // a cache line each
    EpochDomain domain;
    const auto before = writable_mappings();
    Wide table = make<Wide>(domain, kBuckets);
    std::uintptr_t address = 0;
    for (const auto& [begin, end] : writable_mappings()) {
        if (end - begin >= kSize && !before.contains({begin, end})) {
            // Larger where the kernel joined it with what lies above; its beginning is aligned.
            address = (begin + (std::size_t{2} << 20) - 1) & ~((std::uintptr_t{2} << 20) - 1);
        }
    }
    REQUIRE(address != 0);
    std::deque<Item> items;
    for (std::uint64_t key = 0; key < 1000; ++key) {
        REQUIRE(table.insert(items.emplace_back(key)) == nullptr);
    }
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        bool right = mprotect(reinterpret_cast<void*>(address), kSize, PROT_READ) == 0;
        for (std::uint64_t key = 0; key < 2000; ++key) {
            right = right && table.find(key) == (key < 1000 ? &items[key] : nullptr);
        }
        Item again(5);
        right = right && table.insert(again) == &items[5];
        _exit(right ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
    // The oracle: an insertion of what is not there does write.
    const pid_t writer = fork();
    REQUIRE(writer >= 0);
    if (writer == 0) {
        std::signal(SIGSEGV, SIG_DFL);
        mprotect(reinterpret_cast<void*>(address), kSize, PROT_READ);
        Item fresh(1000);
        table.insert(fresh);
        _exit(0);
    }
    REQUIRE(waitpid(writer, &status, 0) == writer);
    REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) != 0));  // a sanitizer ends by an exit code
}

TEST_CASE("reset beside readers and writers") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    constexpr int kThreads = 6;
    constexpr int kRounds = 6000;
    EpochDomain domain;
    Wide table = make<Wide>(domain, 8);
    std::atomic<std::uint64_t> wrong{0};
    std::array<std::deque<Item>, kThreads> items;
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            test::Random random(test::test_seed() * 10 + t);
            EpochDomain::Reader self(domain);
            self.go_online();
            for (int round = 0; round < kRounds; ++round) {
                self.quiescent();
                domain.poll();
                if (t == 0 && round % 500 == 499) {
                    table.reset();
                }
                const std::uint64_t key = t * kRounds + static_cast<std::uint64_t>(round);
                wrong.fetch_add(table.insert(items[t].emplace_back(key)) != nullptr ? 1 : 0);
                const std::uint64_t other = random.below(kThreads * kRounds);
                const Item* const found = table.find(other);
                wrong.fetch_add(found != nullptr && found->key != other ? 1 : 0);
                if (round % 3 == 0) {
                    table.remove(items[t].back());
                    wrong.fetch_add(table.find(key) != nullptr ? 1 : 0);
                }
                if (round % 1000 == 0) {
                    std::size_t visited = 0;
                    table.for_each([&](Item&) { ++visited; });
                    wrong.fetch_add(table.statistics().entries > kThreads * kRounds ? 1 : 0);
                }
            }
        });
    }
    join(threads);
    REQUIRE(wrong.load() == 0);
    table.reset();
    REQUIRE(table.statistics().entries == 0);
    REQUIRE(table.statistics().head_buckets == 8);
    domain.synchronize(nullptr);
    REQUIRE(domain.waiting() == 0);
}
