// The jump cache of a vCPU: what it knows, forgets, and how it grows.
#include "accel/tcg/blocks/jump_cache.h"

#include <catch2/catch.hpp>

#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/process_programs.h"

using namespace toy;
using weft::VcpuStop;
using weft::accel::JumpCache;
using weft::tcg::kMaxJumpCacheEntries;
using weft::tcg::kMinJumpCacheEntries;

namespace {

constexpr uint32_t kContext = 7;
// Two pcs so far apart have one entry in the smallest table.
constexpr uint64_t kApart = 2 * uint64_t{kMinJumpCacheEntries};

// Two pcs that put each other out until the cache is crowded; returns how often.
unsigned crowd(JumpCache& cache, uint64_t apart) {
    unsigned puts = 0;
    while (!cache.crowded() && puts < 4 * kMaxJumpCacheEntries) {
        cache.put(0x1000 + (puts % 2 == 0 ? 0 : apart), kContext, puts);
        ++puts;
    }
    return puts;
}

void grow(JumpCache& cache, unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
        REQUIRE(cache.grow());
    }
}

}  // namespace

TEST_CASE("a jump cache grows where entries of one context put each other out") {
    JumpCache cache;
    REQUIRE(cache.size() == kMinJumpCacheEntries);
    for (uint32_t i = 0; i < 4 * kMinJumpCacheEntries; ++i) {
        cache.put(0x1000, kContext, i);            // the same again
        cache.put(0x2000 + kApart * i, i + 8, i);  // another context each time
        cache.put(uint64_t{2} * i % kApart, kContext, i);
    }
    // All entries were written over, and none by another pc of its context.
    CHECK_FALSE(cache.crowded());

    JumpCache growing;
    growing.put(0x4444, kContext, 44);
    size_t size = kMinJumpCacheEntries;
    for (uint64_t apart = kApart; size < kMaxJumpCacheEntries; apart *= 4) {
        const unsigned puts = crowd(growing, apart);
        CHECK(puts > size);
        CHECK(puts < size + 8);
        REQUIRE(growing.grow());
        CHECK_FALSE(growing.crowded());
        size *= 4;
        CHECK(growing.size() == size);
        CHECK(growing.lookup_code(0x4444, kContext) == 44);
        // Both have a place now.
        growing.put(0x1000, kContext, 1);
        growing.put(0x1000 + apart, kContext, 2);
        CHECK(growing.lookup_code(0x1000, kContext) == 1);
        CHECK(growing.lookup_code(0x1000 + apart, kContext) == 2);
    }
    CHECK(size == kMaxJumpCacheEntries);
    crowd(growing, 2 * kMaxJumpCacheEntries);
    CHECK_FALSE(growing.crowded());
}

TEST_CASE("a jump cache knows a pc in several contexts, and forgets its page in all of them") {
    JumpCache cache;
    const unsigned growths = GENERATE(0u, 1u, 2u);
    grow(cache, growths);
    const uint64_t pc = 0x7fff12345678;
    const auto known = [&](uint64_t where) {
        unsigned count = 0;
        for (uint32_t context = kContext; context < kContext + 4; ++context) {
            count += cache.lookup_code(where, context) == context ? 1 : 0;
        }
        return count;
    };
    const auto remember = [&] {
        for (uint32_t context = kContext; context < kContext + 4; ++context) {
            cache.put(pc, context, context);
        }
        REQUIRE(known(pc) == 4);
    };
    remember();
    cache.request_drop(pc & 4095, kContext + 2);
    cache.process_drops();
    CHECK(known(pc) == 3);
    cache.request_drop_range(kContext, kContext + 1, false);
    cache.process_drops();
    CHECK(known(pc) == 2);
    remember();
    cache.clear_page(pc + 4096, 4);
    CHECK(known(pc) == 4);
    cache.clear_page(pc, 4);
    CHECK(known(pc) == 0);
    remember();
    if (growths != 2) {
        REQUIRE(cache.grow());
        CHECK(known(pc) == 4);
    }
    cache.clear();
    CHECK(known(pc) == 0);

    cache.set_contexts_apart(false);
    cache.put(pc, kContext, kContext);
    cache.put(pc, kContext + 1, kContext + 1);
    CHECK(known(pc) == 1);
}

TEST_CASE("a jump cache of any size forgets what it is asked to") {
    JumpCache cache;
    const unsigned growths = GENERATE(0u, 1u, 2u);
    grow(cache, growths);
    const uint64_t pc = 0x12345678;
    const uint64_t other = pc + 8 * 4096;
    const auto both = [&] {
        cache.put(pc, kContext, 100);
        cache.put(other, kContext, 200);
        REQUIRE(cache.lookup_code(pc, kContext) == 100);
        REQUIRE(cache.lookup_code(other, kContext) == 200);
    };
    if (growths != 0) {
        both();
        cache.request_drop(pc & 4095, 200);
        cache.process_drops();
        CHECK(cache.lookup_code(pc, kContext) == 100);
        CHECK(cache.lookup_code(other, kContext) == JumpCache::kNone);
        both();
        cache.request_drop_range(150, 201, false);
        cache.process_drops();
        CHECK(cache.lookup_code(pc, kContext) == 100);
        CHECK(cache.lookup_code(other, kContext) == JumpCache::kNone);
        both();
        cache.clear_page(other, 4);
        CHECK(cache.lookup_code(pc, kContext) == 100);
        CHECK(cache.lookup_code(other, kContext) == JumpCache::kNone);
    }
    cache.put(pc, kContext, 100);
    cache.clear();
    CHECK(cache.lookup_code(pc, kContext) == JumpCache::kNone);
}

TEST_CASE("generated code finds what it jumps to in a jump cache that has grown") {
    ToyProcess process(Properties{{"translate-after", "0"}});
    constexpr unsigned kTable = 62;  // a page of addresses
    constexpr unsigned kEvery = 4;   // pages: as far apart as has one entry in the smallest table
    static_assert(kEvery * kToyPage == kApart);
    constexpr unsigned kTargets = 15;
    for (unsigned i = 0; i < kTargets; ++i) {
        Assembler code = at(page_address(kEvery * i));
        code.addi(1, 1);
        code.op(Opcode::ld, 6, 7);
        code.addi(7, 8);
        code.op(Opcode::jr, 6);
        ToyProcess::load(code, page_address(kEvery * i));
    }
    Assembler end = at(page_address(1));
    end.op(Opcode::ecall);
    ToyProcess::load(end, page_address(1));
    constexpr unsigned kJumps = 500;
    auto* const table = reinterpret_cast<uint64_t*>(page_address(kTable));
    for (unsigned i = 0; i < kJumps; ++i) {
        table[i] = page_address(kEvery * (i % kTargets));
    }
    table[kJumps] = page_address(1);

    ToyProcess::Thread thread(process, page_address(0));
    const weft::accel::VcpuCounters& counters = weft::state_header(thread.state_pointer()).vcpu->counters;
    uint64_t looked_up = 0;
    for (unsigned round = 1; round <= 150; ++round) {
        looked_up = counters.lookup_table.get();
        thread.reg(7) = page_address(kTable);
        thread.set_pc(page_address(0));
        REQUIRE(thread.run() == VcpuStop::exception);
        REQUIRE(thread.state().exception_cause == kEcall);
        REQUIRE(thread.reg(1) == round * (kJumps + 1));
    }
    CHECK(counters.jump_cache_growths.get() == 2);
    CHECK(counters.lookup_table.get() - looked_up < 5);
}
