// What ends translations, evicts or empties regions and destroys vCPUs comes to its end without memory: threads wait for it
// holding locks. While a NoMemory lives, each of this program's allocations fails, and is counted.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "accel/tcg/blocks/page_claim.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/run/cpu_thread.h"
#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/vcpu/runtime_hooks.h"
#include "tests/accel/idle_user.h"
#include "tests/accel/toy_machine.h"

using namespace weft;
using namespace weft::accel;
using toy::IdleUser;

namespace {

std::atomic<bool> refusing{false};
std::atomic<uint64_t> refused{0};

class NoMemory {
  public:
    NoMemory() {
        refused = 0;
        refusing = true;
    }
    ~NoMemory() { refusing = false; }
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;
};

#ifdef WEFT_COUNT_ALLOCATIONS

// `optional`: by who gets along without.
void* give(size_t size, size_t alignment, bool optional) {
    if (refusing.load()) {
        refused += optional ? 0 : 1;
        return nullptr;
    }
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

// Not inlined: g++ would see memory of `operator new` be freed.
[[gnu::noinline]] void take_back(void* memory) { std::free(memory); }

void* give_or_throw(size_t size, size_t alignment) {
    void* const memory = give(size, alignment, false);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

#endif

}  // namespace

#ifdef WEFT_COUNT_ALLOCATIONS

void* operator new(size_t size) { return give_or_throw(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(size_t size, std::align_val_t alignment) {
    return give_or_throw(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return give(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__, true);
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return give(size, static_cast<size_t>(alignment), true);
}
void operator delete(void* memory) noexcept { take_back(memory); }
void operator delete(void* memory, size_t) noexcept { take_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { take_back(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { take_back(memory); }

#endif

namespace {

constexpr uint64_t kPages = 64;

// A cache with two vCPUs that never run, and pages of guest RAM.
class Bench {
  public:
    Bench() : ram_(kPages * kPageSize) {
        host_.warn = [](void*, const char*) {};
        host_.log_enabled = [](void*, unsigned) { return false; };
        Settings settings;
        settings.tb_size_mib = 1;
        settings.backend = BackendKind::interp;
        settings.evict = tcg::EvictMode::region;
        auto made = TranslationCache::create({&toy::guest_arch(), &host_, &users_, nullptr, settings, 2,
                                              runtime_hooks(true), &CpuThread::request_quiescence});
        REQUIRE(made);
        cache = std::move(*made);
        auto claimed = cache->regions().claim();
        REQUIRE(claimed);
        context = std::move(*claimed);
        for (IdleUser& user : users) {
            users_.set(user.index, &user);
        }
    }

    PageMap& pages() { return cache->pages(); }
    uint8_t* host(uint64_t ram_offset) { return &ram_[ram_offset]; }

    // A TB at `start` that goes on at the beginning of the page at `second`, if that is one; its bytes are what is in memory.
    // It is published as a translator does. Null where the region is full.
    tcg::TranslationBlock* add(uint64_t start, uint64_t second = tcg::kNoPage, size_t code_size = 64) {
        if (context->window().size < code_size) {
            return nullptr;
        }
        PageClaim claim(pages());
        claim.add(start & ~(kPageSize - 1), host(start & ~(kPageSize - 1)), users[0]);
        if (second != tcg::kNoPage) {
            claim.add(second, host(second), users[0]);
        }
        tcg::CompiledUnit compiled{};
        compiled.code_size = static_cast<uint32_t>(code_size);
        const uint8_t bytes[4] = {};
        tcg::BlockInfo info{};
        info.key = {start, second, 0};
        info.hash = TbTraits::hash(info.key);
        info.guest_size = sizeof(bytes);
        info.insn_count = 1;
        if (claim.provisional()) {
            info.state = tcg::kTbProvisional;
            info.saved_bytes = bytes;
        }
        tcg::TranslationBlock* const tb = context->add(info, compiled);
        REQUIRE(tb != nullptr);
        cache->regions().trees().insert(*tb);
        CodePage* const other = second != tcg::kNoPage ? &claim.page(1) : nullptr;
        const PagePairLock lock(claim.page(0), other);
        REQUIRE(cache->blocks().insert(*tb) == nullptr);
        pages().enlist(*tb, claim.page(0), other);
        return tb;
    }

    IdleUser users[2] = {IdleUser(0), IdleUser(1)};
    std::unique_ptr<TranslationCache> cache;
    std::unique_ptr<tcg::CodeContext> context;

  private:
    HostServices host_{};
    CodeUsers users_{2};
    std::vector<uint8_t> ram_;
};

bool refused_nothing() {
#ifdef WEFT_COUNT_ALLOCATIONS
    return refused == 0;
#else
    return true;
#endif
}

}  // namespace

TEST_CASE("a write to code needs no memory, however many pages and vCPUs it concerns", "[memory]") {
    Bench bench;
    EpochDomain::Reader reader(bench.cache->epochs());
    reader.go_online();
    // At the end of one page, each with another second page; and many more, so that the queues of drops run over.
    std::vector<tcg::TranslationBlock*> across;
    for (uint64_t page = 1; page < kPages; ++page) {
        across.push_back(bench.add(kPageSize - 2, page * kPageSize));
    }
    std::vector<tcg::TranslationBlock*> inside;
    for (uint64_t i = 0; i < 900; ++i) {
        inside.push_back(bench.add(i * 4));
        bench.users[1].jump_cache.put(i * 4, 1, bench.cache->offset_of(*inside.back()));
    }
    bool still = true;
    {
        const NoMemory none;
        still = bench.pages().written(0, kPageSize, &bench.users[0]);
        bench.users[1].jump_cache.process_drops();
    }
    REQUIRE(refused_nothing());
    REQUIRE_FALSE(still);
    for (const tcg::TranslationBlock* tb : across) {
        REQUIRE((tb->state.load() & tcg::kTbWithdrawn) != 0);
        REQUIRE_FALSE(tb->page_links[0].linked());
        REQUIRE_FALSE(tb->page_links[1].linked());
    }
    for (const tcg::TranslationBlock* tb : inside) {
        REQUIRE((tb->state.load() & tcg::kTbWithdrawn) != 0);
        REQUIRE(bench.users[1].jump_cache.lookup_code(tb->key.start, 1) == JumpCache::kNone);
    }
    REQUIRE(bench.pages().count() == 0);
}

TEST_CASE("whether unknown memory holds code is answered without memory", "[memory]") {
    Bench bench;
    bool found = true;
    {
        const NoMemory none;
        found = bench.pages().has_code(uint64_t{3} << 30) ||
                bench.pages().written(uint64_t{3} << 30, 8, &bench.users[0]);
    }
    REQUIRE(refused_nothing());
    REQUIRE_FALSE(found);
}

TEST_CASE("a fence finds many writes that are under way without memory", "[memory]") {
    Bench bench;
    EpochDomain::Reader reader(bench.cache->epochs());
    reader.go_online();
    std::vector<tcg::TranslationBlock*> made;
    std::vector<RamWrite> writes(kPages, RamWrite{0, 8, nullptr, nullptr});
    for (uint64_t page = 0; page < kPages; ++page) {
        made.push_back(bench.add(page * kPageSize));
        writes[page].ram_offset = page * kPageSize;
    }
    {
        const NoMemory none;
        for (RamWrite& write : writes) {
            bench.pages().under_way().begin(write);
        }
        bench.pages().fence();
    }
    REQUIRE(refused_nothing());
    for (const tcg::TranslationBlock* tb : made) {
        REQUIRE((tb->state.load() & tcg::kTbWithdrawn) != 0);
    }
    for (RamWrite& write : writes) {
        bench.pages().under_way().end(write);
    }
}

TEST_CASE("a fence, and the last protection, need no memory", "[memory]") {
    Bench bench;
    EpochDomain::Reader reader(bench.cache->epochs());
    reader.go_online();
    const bool fenced = GENERATE(true, false);
    INFO(fenced);
    // vCPU 1 may store to all pages directly, and was asked not to as they became ones with code.
    for (uint64_t page = 0; page < kPages; ++page) {
        REQUIRE(bench.pages().may_store_directly(page * kPageSize, 1));
    }
    std::vector<tcg::TranslationBlock*> stale;
    std::vector<tcg::TranslationBlock*> right;
    for (uint64_t page = 0; page < kPages; ++page) {
        stale.push_back(bench.add(page * kPageSize + 0x100));
        right.push_back(bench.add(page * kPageSize + 0x200));
    }
    REQUIRE(bench.users[1].asked == kPages);
    REQUIRE(bench.pages().any_exposed());
    for (uint64_t page = 1; page < kPages; ++page) {
        // Of two pages: they are made anew rather than compared.
        stale.push_back(bench.add(kPageSize - 2, page * kPageSize));
    }
    for (uint64_t page = 0; page < kPages; ++page) {
        *bench.host(page * kPageSize + 0x101) = 1;
    }
    {
        const NoMemory none;
        if (fenced) {
            bench.pages().fence();
        } else {
            bench.pages().write_protect_for(bench.users[1]);
        }
    }
    REQUIRE(refused_nothing());
    for (const tcg::TranslationBlock* tb : stale) {
        REQUIRE((tb->state.load() & tcg::kTbWithdrawn) != 0);
    }
    for (const tcg::TranslationBlock* tb : right) {
        REQUIRE(tb->state.load() == (fenced ? uint32_t{tcg::kTbProvisional} : 0));
    }
    REQUIRE(bench.pages().any_exposed() == fenced);
    bench.pages().write_protect_for(bench.users[1]);
    REQUIRE_FALSE(bench.pages().any_exposed());
}

TEST_CASE("a vCPU that was asked is not asked again, and protects all that it was asked for", "[memory]") {
    Bench bench;
    EpochDomain::Reader reader(bench.cache->epochs());
    reader.go_online();
    REQUIRE(bench.pages().may_store_directly(0, 1));
    bench.add(0x100);
    REQUIRE(bench.users[1].asked == 1);
    // The page holds no code for a while, in which it installs another entry.
    REQUIRE_FALSE(bench.pages().written(0, kPageSize, &bench.users[0]));
    REQUIRE(bench.pages().may_store_directly(0, 1));
    tcg::TranslationBlock* const tb = bench.add(0x200);
    REQUIRE(bench.users[1].asked == 1);
    REQUIRE(tb->state.load() == tcg::kTbProvisional);
    bench.pages().write_protect_for(bench.users[1]);
    REQUIRE(bench.users[1].last_protected == 0);
    REQUIRE(tb->state.load() == 0);
    REQUIRE_FALSE(bench.pages().any_exposed());
}

TEST_CASE("an eviction needs no memory, from its beginning to the region's next use", "[memory]") {
    Bench bench;
    EpochDomain::Reader self(bench.cache->epochs());
    self.go_online();
    uint64_t start = 0;
    do {
        while (bench.add(start % (kPages * kPageSize), tcg::kNoPage, 4000) != nullptr) {
            start += 64;
        }
    } while (bench.context->next_region());
    {
        const NoMemory none;
        bench.cache->upkeep(nullptr);
        self.quiescent();
        bench.cache->upkeep(nullptr);
        self.quiescent();
        bench.cache->upkeep(nullptr);
    }
    REQUIRE(refused_nothing());
    REQUIRE(bench.cache->evictor().evictions() >= 1);
    REQUIRE(bench.context->next_region());
}

TEST_CASE("the cache is emptied without memory", "[memory]") {
    Bench bench;
    EpochDomain::Reader reader(bench.cache->epochs());
    reader.go_online();
    for (uint64_t i = 0; i < 2000; ++i) {
        bench.add(i * 4);
    }
    ExclusiveGate gate;
    {
        const NoMemory none;
        const ExclusiveSection alone(gate, &reader);
        bench.cache->flush(bench.cache->flush_count());
    }
    REQUIRE(refused_nothing());
    REQUIRE(bench.pages().count() == 0);
    REQUIRE(bench.cache->regions().trees().count() == 0);
    REQUIRE(bench.cache->blocks().statistics().entries == 0);
    bench.add(0);
    REQUIRE(bench.cache->blocks().statistics().entries == 1);
}

TEST_CASE("vCPUs forget and go without memory", "[memory]") {
    const char* mode = GENERATE("multi", "single");
    INFO(mode);
    auto owned = std::make_unique<toy::Machine>(2, toy::Machine::Properties{{"thread", mode}});
    toy::Machine& machine = *owned;
    toy::Assembler code(0x1000);
    code.addi(1, 1);
    code.jmp(0x1000);
    machine.load(code);
    machine.add(0x1000);
    machine.add(0x1000);
    machine.resume();
    machine.pause();
    std::atomic<int> done{0};
    machine.ops().topology_changed(
        machine.instance(), [](void* opaque) { ++*static_cast<std::atomic<int>*>(opaque); }, &done);
    {
        const NoMemory none;
        machine.announce_write(0, toy::kRamSize);
        machine.remove(1);
        machine.ops().vcpu_run(
            machine.instance(), machine.vcpu(0), VcpuWork::sync, [](void*, void*) {}, nullptr);
        owned.reset();
    }
    REQUIRE(refused_nothing());
    REQUIRE(done == 1);
}
