// The steps of an eviction, one by one, and the barrier before memory of code is used again.
#include <linux/membarrier.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "accel/tcg/blocks/jump_cache.h"
#include "accel/tcg/blocks/page_claim.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/run/cpu_thread.h"
#include "accel/tcg/vcpu/runtime_hooks.h"
#include "tests/accel/idle_user.h"
#include "tests/accel/toy_guest.h"

using namespace weft;
using namespace weft::accel;

namespace {

class Barriers : public HostCalls {
  public:
    bool refused = false;
    bool no_memory = false;  // for the barrier
    mutable std::atomic<int> registrations{0};
    mutable std::atomic<int> barriers{0};

    int membarrier(int command) const override {
        if (refused) {
            errno = EPERM;
            return -1;
        }
        if (command == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) {
            ++registrations;
        } else {
            CHECK(command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
            ++barriers;
            if (no_memory) {
                errno = ENOMEM;
                return -1;
            }
        }
        return HostCalls::membarrier(command);
    }
};

// A cache with one translating thread, which never runs.
struct Bench {
    explicit Bench(const HostCalls& calls = HostCalls::real(), BackendKind backend = BackendKind::interp) {
        host.warn = [](void*, const char*) {};
        host.log_enabled = [](void*, unsigned) { return false; };
        Settings settings;
        settings.tb_size_mib = 1;
        settings.backend = backend;
        settings.evict = tcg::EvictMode::region;
        auto made = TranslationCache::create({&toy::guest_arch(), &host, &vcpus, nullptr, settings, 2,
                                              runtime_hooks(true), &CpuThread::request_quiescence, &calls});
        REQUIRE(made);
        cache = std::move(*made);
        auto cpu = CpuThread::create({.name = "test",
                                      .cache = *cache,
                                      .store = nullptr,
                                      .workers = nullptr,
                                      .gate = gate,
                                      .timer = timer,
                                      .clock = clock});
        REQUIRE(cpu);
        thread = std::move(*cpu);
        auto claimed = cache->regions().claim();
        REQUIRE(claimed);
        context = std::move(*claimed);
    }

    // A published TB of `size` bytes of code at its own place of a page of guest code; null where the region is full.
    tcg::TranslationBlock* add(size_t size) {
        if (context->window().size < size) {
            return nullptr;
        }
        tcg::CompiledUnit compiled{};
        compiled.code_size = static_cast<uint32_t>(size);
        tcg::BlockInfo info{};
        info.key = {next_key, tcg::kNoPage, 0};
        next_key += 64;
        info.hash = TbTraits::hash(info.key);
        info.guest_size = 4;
        info.insn_count = 1;
        tcg::TranslationBlock* tb = context->add(info, compiled);
        REQUIRE(tb != nullptr);
        PageClaim claim(cache->pages());
        claim.add(tb->key.page0(), nullptr, reader_of_pages);
        cache->regions().trees().insert(*tb);
        REQUIRE(cache->blocks().insert(*tb) == nullptr);
        return tb;
    }

    // TBs until no region is left; the first of each region.
    std::vector<tcg::TranslationBlock*> fill() {
        std::vector<tcg::TranslationBlock*> firsts;
        do {
            firsts.push_back(add(1000));
            while (add(4000) != nullptr) {
            }
        } while (context->next_region());
        return firsts;
    }

    HostServices host{};
    CodeUsers vcpus{2};
    Clock clock;
    TimerThread timer{clock};
    ExclusiveGate gate;
    std::unique_ptr<TranslationCache> cache;
    void* self() const { return static_cast<VcpuThread*>(thread.get()); }

    std::unique_ptr<CpuThread> thread;
    std::unique_ptr<tcg::CodeContext> context;
    uint64_t next_key = 0x10000;
    toy::IdleUser reader_of_pages{0};
};

}  // namespace

TEST_CASE("a region is used again when everybody has passed a quiescent point, and not before", "[evict]") {
    Bench bench;
    TranslationCache& cache = *bench.cache;
    EpochDomain::Reader self(cache.epochs());
    EpochDomain::Reader reader(cache.epochs());
    self.go_online();
    reader.go_online();
    const auto firsts = bench.fill();
    tcg::TranslationBlock& first = *firsts[0];
    const tcg::TbKey key = first.key;
    REQUIRE(cache.blocks().find(key) == &first);
    REQUIRE(cache.regions().spare_regions() == 0);

    cache.upkeep(bench.self());
    CHECK(cache.evictor().evictions() == 1);
    CHECK(cache.evictor().waiting() == 1);
    CHECK(cache.evictor().blocks() > 1);
    // Nobody finds it, and who has it can still use it.
    CHECK(cache.blocks().find(key) == nullptr);
    CHECK(first.invalid());
    CHECK_FALSE(cache.regions().current(first));
    CHECK(cache.regions().trees().find(first.code.value()) == &first);

    // One is on its way: no other begins.
    cache.upkeep(bench.self());
    self.quiescent();
    cache.upkeep(bench.self());
    CHECK(cache.evictor().evictions() == 1);
    CHECK(cache.regions().spare_regions() == 0);
    CHECK(cache.regions().trees().find(first.code.value()) == &first);
    CHECK_FALSE(bench.context->next_region());

    SECTION("the reader passes") {
        reader.quiescent();
        cache.upkeep(bench.self());
        CHECK(cache.evictor().waiting() == 0);
        CHECK(cache.regions().spare_regions() == 1);
        REQUIRE(bench.context->next_region());
        CHECK(bench.context->region_empty());
    }
    SECTION("the reader goes offline") {
        reader.go_offline();
        cache.upkeep(bench.self());
        CHECK(cache.regions().spare_regions() == 1);
    }
    SECTION("who finds the cache full waits for it") {
        reader.go_offline();
        CHECK(cache.make_room(self));
        CHECK(cache.room_waits() == 1);
        cache.upkeep(bench.self());
        CHECK(cache.regions().spare_regions() == 1);
        CHECK(cache.make_room(self));
        CHECK(cache.room_waits() == 1);
    }
    SECTION("a flush takes its place") {
        cache.flush(cache.flush_count());
        CHECK(cache.evictor().waiting() == 0);
        reader.quiescent();
        cache.upkeep(bench.self());
        CHECK(cache.evictor().evictions() == 1);
        CHECK(bench.fill().size() == firsts.size());
    }
}

TEST_CASE("who finds the cache full while nothing is on its way does not wait", "[evict]") {
    Bench bench;
    TranslationCache& cache = *bench.cache;
    EpochDomain::Reader self(cache.epochs());
    self.go_online();
    bench.fill();
    CHECK_FALSE(cache.make_room(self));
    CHECK(cache.room_waits() == 0);
}

#if WEFT_HAVE_X86_64_BACKEND
TEST_CASE("processors forget old code once before its memory is used again", "[evict]") {
    Barriers calls;
    Bench bench(calls, BackendKind::native);
    TranslationCache& cache = *bench.cache;
    EpochDomain::Reader self(cache.epochs());
    self.go_online();
    CHECK(calls.registrations == 1);
    bench.fill();
    cache.upkeep(bench.self());
    CHECK(calls.barriers == 0);
    self.quiescent();
    cache.upkeep(bench.self());
    CHECK(calls.barriers == 1);
    CHECK(cache.regions().spare_regions() == 1);
}

TEST_CASE("a region whose barrier the kernel has no memory for is free a grace period later", "[evict]") {
    Barriers calls;
    Bench bench(calls, BackendKind::native);
    TranslationCache& cache = *bench.cache;
    EpochDomain::Reader self(cache.epochs());
    self.go_online();
    bench.fill();
    cache.upkeep(bench.self());
    calls.no_memory = true;
    self.quiescent();
    cache.upkeep(bench.self());
    CHECK(calls.barriers == 1);
    CHECK(cache.regions().spare_regions() == 0);
    CHECK(cache.evictor().waiting() == 1);
    cache.upkeep(bench.self());
    CHECK(cache.regions().spare_regions() == 0);
    self.quiescent();
    cache.upkeep(bench.self());
    CHECK(calls.barriers == 1);
    CHECK(cache.regions().spare_regions() == 1);
    CHECK(cache.evictor().evictions() == 1);
    cache.flush(cache.flush_count());
    CHECK(calls.barriers == 2);
    CHECK(bench.fill().size() > 1);
}

TEST_CASE("where the kernel refuses the barrier vCPUs serialize by themselves", "[evict]") {
    Barriers calls;
    calls.refused = true;
    const CoreSync sync(true, calls);
    CHECK(sync.by_themselves());
    CHECK(sync.before_reuse());
    Bench bench(calls, BackendKind::native);
    EpochDomain::Reader self(bench.cache->epochs());
    self.go_online();
    bench.fill();
    bench.cache->upkeep(bench.self());
    self.quiescent();
    bench.cache->upkeep(bench.self());
    CHECK(bench.cache->regions().spare_regions() == 1);
    serialize_core();
}
#endif

TEST_CASE("an interpreter needs no barrier", "[evict]") {
    Barriers calls;
    const CoreSync sync(false, calls);
    CHECK(sync.before_reuse());
    CHECK_FALSE(sync.by_themselves());
    CHECK(calls.registrations == 0);
    CHECK(calls.barriers == 0);
}

TEST_CASE("a jump cache drops what it has of a range of code, and nothing else", "[evict]") {
    JumpCache cache;
    for (uint32_t i = 0; i < 1000; ++i) {
        cache.put(0x1000 + 2 * i, 7, i * 100);
    }
    const auto found = [&cache](uint32_t i) { return cache.lookup_code(0x1000 + 2 * i, 7) == i * 100; };
    cache.request_drop_range(20000, 30000, false);
    CHECK(found(200));  // not before the owner looks
    cache.process_drops();
    for (uint32_t i = 0; i < 1000; ++i) {
        REQUIRE(found(i) == (i < 200 || i >= 300));
    }
    SECTION("many ranges at once") {
        for (uint32_t range = 0; range < 10; ++range) {
            cache.request_drop_range(range * 1000, range * 1000 + 1000, true);
        }
        cache.process_drops();
        for (uint32_t i = 0; i < 100; ++i) {
            REQUIRE_FALSE(found(i));
        }
    }
    SECTION("a single one") {
        const uint32_t page_offset = 0x1000 & 0xfff;
        cache.request_drop(page_offset + 2 * 5, 500);
        cache.process_drops();
        CHECK_FALSE(found(5));
        CHECK(found(6));
    }
}
