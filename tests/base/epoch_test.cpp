#include "base/epoch.h"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "base/spin_lock.h"
#include "tests/support/random.h"

using namespace weft;

namespace {

void count(Retired*, void* context) { ++*static_cast<int*>(context); }

}  // namespace

TEST_CASE("without readers everything is reclaimed at the next poll") {
    EpochDomain domain;
    int reclaimed = 0;
    Retired nodes[3];
    for (Retired& node : nodes) {
        domain.retire(&node, count, &reclaimed);
    }
    REQUIRE(domain.waiting() == 3);
    REQUIRE(reclaimed == 0);
    REQUIRE(domain.poll() == 3);
    REQUIRE(reclaimed == 3);
    REQUIRE(domain.waiting() == 0);
    REQUIRE(domain.poll() == 0);
}

TEST_CASE("an online reader holds back what is retired until it is quiescent") {
    EpochDomain domain;
    EpochDomain::Reader reader(domain);
    EpochDomain::Reader other(domain);
    int reclaimed = 0;
    Retired first;
    Retired second;

    reader.go_online();
    domain.retire(&first, count, &reclaimed);
    REQUIRE(domain.poll() == 0);
    REQUIRE(domain.poll() == 0);
    // Who comes online afterwards cannot have seen it and does not matter.
    other.go_online();
    REQUIRE(domain.poll() == 0);
    reader.quiescent();
    domain.retire(&second, count, &reclaimed);
    REQUIRE(domain.poll() == 1);
    REQUIRE(reclaimed == 1);
    reader.quiescent();
    REQUIRE(domain.poll() == 0);
    other.go_offline();
    REQUIRE(domain.poll() == 1);
    REQUIRE(reclaimed == 2);
}

TEST_CASE("offline scopes let go, and nest") {
    EpochDomain domain;
    EpochDomain::Reader reader(domain);
    int reclaimed = 0;
    Retired node;
    reader.go_online();
    domain.retire(&node, count, &reclaimed);
    {
        EpochDomain::Offline outer(reader);
        {
            EpochDomain::Offline inner(reader);
            REQUIRE_FALSE(reader.online());
        }
        REQUIRE_FALSE(reader.online());
        REQUIRE(domain.poll() == 1);
    }
    REQUIRE(reader.online());
    domain.retire(&node, count, &reclaimed);
    REQUIRE(domain.poll() == 0);
    reader.quiescent();
    REQUIRE(domain.poll() == 1);
}

TEST_CASE("objects are reclaimed in the order they were retired") {
    EpochDomain domain;
    std::vector<int> order;
    struct Item {
        int number;
        std::vector<int>* order;
    };
    std::vector<Item> items;
    items.reserve(10);
    for (int i = 0; i < 10; ++i) {
        items.push_back({i, &order});
        domain.retire(
            &items.back(),
            [](void* object, void*) {
                static_cast<Item*>(object)->order->push_back(static_cast<Item*>(object)->number);
            },
            nullptr);
    }
    REQUIRE(domain.poll() == 10);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(order[static_cast<std::size_t>(i)] == i);
    }
}

TEST_CASE("the destructor drains, also what reclaiming retires") {
    struct Chain {
        Retired inner;
        EpochDomain* domain;
        int reclaimed = 0;
    };
    Chain chain;
    {
        EpochDomain domain;
        chain.domain = &domain;
        domain.retire(
            &chain,
            [](void* object, void*) {
                auto* self = static_cast<Chain*>(object);
                ++self->reclaimed;
                self->domain->retire(&self->inner, count, &self->reclaimed);
            },
            nullptr);
    }
    REQUIRE(chain.reclaimed == 2);
}

TEST_CASE("grace periods that are asked after") {
    EpochDomain domain;
    EpochDomain::Reader reader(domain);
    REQUIRE(domain.grace_period_over(domain.begin_grace_period()));
    reader.go_online();
    const auto period = domain.begin_grace_period();
    REQUIRE_FALSE(domain.grace_period_over(period));
    reader.quiescent();
    REQUIRE(domain.grace_period_over(period));
    REQUIRE_FALSE(domain.grace_period_over(domain.begin_grace_period()));
}

TEST_CASE("synchronize waits for the others, requests lagging readers and reclaims") {
    EpochDomain domain;
    std::atomic<bool> stop{false};
    std::atomic<int> online{0};
    constexpr int kThreads = 3;
    // Each runs "generated code" until its exit flag is set: without a request none would ever be quiescent.
    struct Runner {
        std::atomic<bool> exit{false};
        std::atomic<int> exits{0};
    };
    std::array<Runner, kThreads> runners;
    std::vector<std::thread> threads;
    for (Runner& runner : runners) {
        threads.emplace_back([&] {
            EpochDomain::Reader reader(domain, &runner);
            reader.go_online();
            online.fetch_add(1);
            while (!stop.load()) {
                SpinWait wait;
                while (!runner.exit.load(std::memory_order_acquire)) {
                    wait.once();
                }
                runner.exit.store(false, std::memory_order_relaxed);
                runner.exits.fetch_add(1);
                reader.quiescent();
            }
        });
    }
    SpinWait wait;
    while (online.load() != kThreads) {
        wait.once();
    }
    int reclaimed = 0;
    Retired node;
    domain.retire(&node, count, &reclaimed);
    EpochDomain::Reader self(domain);
    self.go_online();
    const auto request = [](EpochDomain::Reader& lagging, void* context) {
        ++*static_cast<int*>(context);
        static_cast<Runner*>(lagging.owner())->exit.store(true, std::memory_order_release);
    };
    int requests = 0;
    domain.synchronize(&self, request, &requests);
    REQUIRE(self.online());
    REQUIRE(reclaimed == 1);
    REQUIRE(requests == kThreads);
    for (Runner& runner : runners) {
        REQUIRE(runner.exits.load() >= 1);
    }
    stop.store(true);
    for (Runner& runner : runners) {
        runner.exit.store(true, std::memory_order_release);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_CASE("threads that synchronize with one another do not wait for ever") {
    EpochDomain domain;
    constexpr int kThreads = 4;
    constexpr int kRounds = 200;
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            EpochDomain::Reader self(domain);
            self.go_online();
            for (int round = 0; round < kRounds; ++round) {
                domain.synchronize(&self);
                self.quiescent();
            }
            done.fetch_add(1);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    REQUIRE(done.load() == kThreads);
}

namespace {

// A shared array of objects that threads read, replace and retire. A reader that meets a dead object has
// found a bug; under Thread- and AddressSanitizer so has one that reads it at all.
struct Shared {
    static constexpr int kCells = 16;
    static constexpr std::uint64_t kAlive = 0x600dc0de;

    struct Object {
        Retired retired;
        std::uint64_t magic = kAlive;
        std::uint64_t payload = 0;
    };

    EpochDomain domain;
    std::array<std::atomic<Object*>, kCells> cells{};
    std::atomic<std::uint64_t> bad{0};
    std::atomic<std::uint64_t> freed{0};
    std::atomic<std::uint64_t> made{0};

    static void reclaim(Retired* node, void* context) {
        auto* object = reinterpret_cast<Object*>(reinterpret_cast<char*>(node) - offsetof(Object, retired));
        object->magic = 0;
        delete object;
        static_cast<Shared*>(context)->freed.fetch_add(1, std::memory_order_relaxed);
    }

    Object* make(std::uint64_t payload) {
        auto* object = new Object;
        object->payload = payload;
        made.fetch_add(1, std::memory_order_relaxed);
        return object;
    }
};

}  // namespace

TEST_CASE("stress: eight threads read, replace, block and synchronize") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    constexpr int kThreads = 8;
    constexpr int kRounds = 6000;
    auto shared = std::make_unique<Shared>();
    for (auto& cell : shared->cells) {
        cell.store(shared->make(1));
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            test::Random random(test::test_seed() * 1000 + static_cast<std::uint64_t>(t));
            EpochDomain::Reader self(shared->domain);
            self.go_online();
            for (int round = 0; round < kRounds; ++round) {
                self.quiescent();
                shared->domain.poll();
                // Several objects held at once, up to the next quiescent point.
                std::array<Shared::Object*, 4> held{};
                for (auto& object : held) {
                    object = shared->cells[random.below(Shared::kCells)].load(std::memory_order_acquire);
                }
                const std::uint64_t action = random.below(100);
                if (action < 40) {
                    auto& cell = shared->cells[random.below(Shared::kCells)];
                    Shared::Object* old =
                        cell.exchange(shared->make(random.next()), std::memory_order_acq_rel);
                    shared->domain.retire(&old->retired, Shared::reclaim, shared.get());
                }
                for (const Shared::Object* object : held) {
                    if (object->magic != Shared::kAlive || object->payload == 0) {
                        shared->bad.fetch_add(1);
                    }
                }
                if (action >= 98) {
                    shared->domain.synchronize(&self);
                } else if (action >= 90) {
                    EpochDomain::Offline blocked(self);
                    sched_yield();
                } else if (action == 89) {
                    // A thread that comes and goes.
                    EpochDomain::Reader guest(shared->domain);
                    guest.go_online();
                    if (shared->cells[0].load(std::memory_order_acquire)->magic != Shared::kAlive) {
                        shared->bad.fetch_add(1);
                    }
                    guest.go_offline();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    REQUIRE(shared->bad.load() == 0);
    shared->domain.synchronize(nullptr);
    REQUIRE(shared->domain.waiting() == 0);
    REQUIRE(shared->freed.load() + Shared::kCells == shared->made.load());
    for (auto& cell : shared->cells) {
        delete cell.load();
    }
}
