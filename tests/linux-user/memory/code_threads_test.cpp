// Threads that write to pages of code, make code of them, and map over them, all at once. What an accelerator keeps of a page
// is what the page holds, at every instant: a store that is not announced would change it. WEFT_TEST_FULL=1: a hundred times as many rounds.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "emulator/linux-user/memory/checked_code.h"
#include "tests/linux-user/memory/guest_access.h"
#include "tests/linux-user/memory/guest_space.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::test;

namespace {

constexpr uint64_t kCount = 8;  // pages
constexpr int kRWX = PROT_READ | PROT_WRITE | PROT_EXEC;

unsigned rounds() { return std::getenv("WEFT_TEST_FULL") != nullptr ? 20000 : 200; }

// The translations of a page: here, its first word. Publishing is refused if the page was written to, or went, since it was claimed.
struct CodePage {
    Mutex mutex;
    uint64_t writes WEFT_GUARDED_BY(mutex) = 0;
    bool kept WEFT_GUARDED_BY(mutex) = false;
    uint32_t word WEFT_GUARDED_BY(mutex) = 0;
};

class Accelerator : public CodeListener {
  public:
    void code_gone(uint64_t start, uint64_t end) override { end_code(start, end); }
    void code_settle() override {}
    void code_written(uint64_t start, uint64_t end) override {
        end_code(start, end);
        announced.fetch_add(1);
    }

    CodePage& page(uint64_t number) { return pages_[number]; }
    std::atomic<uint64_t> announced{0};

  private:
    void end_code(uint64_t start, uint64_t end) {
        for (uint64_t at = start; at < end; at += kGuestPage) {
            if (at >= kArena && at < kArena + pages(kCount)) {
                CodePage& page = pages_[(at - kArena) / kGuestPage];
                MutexLock lock(page.mutex);
                page.writes++;
                page.kept = false;
            }
        }
    }

    std::array<CodePage, kCount> pages_;
};

struct World {
    explicit World(uint64_t host_page) {
        auto made = MemoryCore::create(space_config(host_page), HostMemory::real(), &accelerator);
        REQUIRE(made.has_value());
        core = std::move(*made);
        mapper = std::make_unique<Mapper>(*core);
        ops = std::make_unique<UserOps>(
            *core,
            UserOps::Settings{.now = [this] { return now.fetch_add(1'000'000'000); }, .errors = &sink});
        REQUIRE(mapper->map(kArena, pages(kCount), kRWX, kFixed, -1, 0) > 0);
        catch_faults();
    }
    static constexpr int kFixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    void store(Random& random, GuestThread& thread);
    void translate(Random& random, GuestThread& thread);
    void change(Random& random);

    Accelerator accelerator;
    std::atomic<uint64_t> now{0};  // a second a fault: nothing is ever hot
    std::atomic<unsigned> wrong{0}, reports{0}, published{0}, compared{0}, buses{0};
    const ErrorSink sink{[](void* self, const char*) { static_cast<World*>(self)->reports++; }, this};
    std::unique_ptr<MemoryCore> core;
    std::unique_ptr<Mapper> mapper;
    std::unique_ptr<UserOps> ops;
};

void World::store(Random& random, GuestThread& thread) {
    const uint64_t at = kArena + pages(random.below(kCount));
    const auto failed = thread.store(at, static_cast<uint32_t>(random.next()));
    buses += failed == MemoryFault::bus;
}

// As a translator does: claim, protect, read, publish. Then what is kept is compared with memory, with the page's lock held, which
// the announcement of a write takes.
void World::translate(Random& random, GuestThread& thread) {
    const uint64_t number = random.below(kCount);
    const uint64_t at = kArena + pages(number);
    CodePage& page = accelerator.page(number);
    uint64_t writes;
    {
        MutexLock lock(page.mutex);
        writes = page.writes;
    }
    uint32_t word = 0;
    if (ops->fetch(at).kind == CodePageKind::private_ && ops->protect(at) && !thread.load(at, &word)) {
        MutexLock lock(page.mutex);
        if (page.writes == writes) {
            page.kept = true;
            page.word = word;
            published++;
        }
    }
    for (uint64_t i = 0; i < kCount; i++) {
        CodePage& kept = accelerator.page(i);
        MutexLock lock(kept.mutex);
        faulting::Fault fault;
        if (kept.kept) {
            const bool there = faulting::load<uint32_t>(core->host_address(kArena + pages(i)), &word, &fault);
            wrong += !there || word != kept.word;
            compared++;
        }
    }
}

void World::change(Random& random) {
    const uint64_t first = random.below(kCount);
    const uint64_t size = pages(1 + random.below(kCount - first));
    const uint64_t at = kArena + pages(first);
    switch (random.below(6)) {
        case 0:
            mapper->protect(at, size, PROT_READ | PROT_EXEC);
            break;
        case 1:
            mapper->protect(at, size, PROT_READ | PROT_WRITE);
            break;
        case 2:
            mapper->unmap(at, size);
            break;
        case 3: {
            const uint64_t there = kArena + pages(64) + (at - kArena);
            mapper->remap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, there);
            mapper->remap(there, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at);
            break;
        }
        case 4:
            make_checked(*core, at, size);
            break;
        default:
            mapper->map(at, size, kRWX, kFixed, -1, 0);
            break;
    }
    // Most of the time there is something to write to.
    mapper->protect(kArena, pages(kCount), kRWX);
    for (uint64_t i = 0; i < kCount; i++) {
        mapper->map(kArena + pages(i), 4096, kRWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    }
}

void run(uint64_t host_page, bool changes) {
    INFO("WEFT_TEST_SEED=" << test_seed() << " host page " << host_page);
    World world(host_page);
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> turns{0};
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < 4; i++) {
        threads.emplace_back([&, i] {
            Random random(test_seed() + i);
            GuestThread thread(*world.ops, world.core->config().base);
            while (!stop.load()) {
                (i < 2 ? world.store(random, thread) : world.translate(random, thread));
                turns.fetch_add(1);
            }
        });
    }
    Random random(test_seed() + 4);
    for (unsigned i = 0; i < rounds(); i++) {
        // Between two changes the others get the lock, which is not fair.
        for (const uint64_t until = turns.load() + 4; turns.load() < until;) {
            std::this_thread::yield();
        }
        if (changes) {
            world.change(random);
        } else {
            GuestThread thread(*world.ops, 0);
            world.translate(random, thread);
        }
    }
    stop.store(true);
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(world.wrong.load() == 0);
    CHECK(world.reports.load() == 0);
    CHECK(world.buses.load() == 0);
    CHECK(world.published.load() > 0);
    CHECK(world.compared.load() > 0);
    CHECK(world.accelerator.announced.load() > 0);
}

}  // namespace

TEST_CASE("no store to code goes unannounced, with writers alone", "[user][X1][X3][X10]") {
    for (const uint64_t host_page : {4096, 16384}) {
        run(host_page, false);
    }
}

TEST_CASE("no store to code goes unannounced, with pages that come and go", "[user][X1][X3][X6][X8][X10]") {
    for (const uint64_t host_page : {4096, 16384}) {
        run(host_page, true);
    }
}

TEST_CASE("more readers of the map than places for them", "[user][C3]") {
    World world(4096);
    ReaderPool& pool = world.core->space().readers();
    std::vector<std::unique_ptr<ReaderPool::Loan>> loans;
    for (int i = 0; i < 40; i++) {
        loans.push_back(std::make_unique<ReaderPool::Loan>(pool));
        const AddressSpace::Reading reading(world.core->space(), **loans.back());
        CHECK(reading.tree().at(kArena) != nullptr);
    }
    CHECK(world.ops->fetch(kArena).kind == CodePageKind::private_);
    std::vector<EpochDomain::Reader*> readers;
    for (const auto& loan : loans) {
        CHECK(std::find(readers.begin(), readers.end(), &**loan) == readers.end());
        readers.push_back(&**loan);
    }
}
