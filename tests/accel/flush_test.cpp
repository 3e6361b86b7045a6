// A code cache that is too small for what runs in it.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/toy_machine.h"

using namespace toy;

namespace {

constexpr uint64_t kCode = 0x100000;
constexpr uint64_t kCodeEnd = 0x180000;

// A chain of many units, each adding one to r1.
void write_chain(Assembler& code) {
    while (code.pc() < kCodeEnd) {
        code.addi(1, 1);
        code.jmp(code.pc() + 6);
    }
}

// The chain, run `rounds` times; then r1 is told.
void load_large_program(Machine& machine, int64_t rounds) {
    Assembler start(0x1000);
    start.li(13, static_cast<int64_t>(kDevice));
    start.li(2, rounds);
    start.jmp(kCode);
    machine.load(start);
    Assembler code(kCode);
    write_chain(code);
    code.addi(2, -1);
    code.bne(2, 14, kCode);
    code.op(Opcode::st, 1, 13);
    code.op(Opcode::halt);
    machine.load(code);
}

constexpr uint64_t kUnits = (kCodeEnd - kCode + 11) / 12;

// The chain for ever; after each round r1 is told, at kDevice + 8 * number of the vCPU.
void load_endless_program(Machine& machine) {
    Assembler start(0x1000);
    start.op(Opcode::id, 2);
    start.op(Opcode::add, 2, 2);
    start.op(Opcode::add, 2, 2);
    start.op(Opcode::add, 2, 2);
    start.li(13, static_cast<int64_t>(kDevice));
    start.op(Opcode::add, 13, 2);
    start.jmp(kCode);
    machine.load(start);
    Assembler code(kCode);
    write_chain(code);
    code.op(Opcode::st, 1, 13);
    code.jmp(kCode);
    machine.load(code);
}

std::span<const weft::tcg::JumpCacheEntry> jump_cache(weft::Vcpu& vcpu) {
    return {vcpu.jump_cache.entries(), vcpu.jump_cache.size()};
}

bool is_used(const weft::tcg::JumpCacheEntry& entry) { return entry.context_id != 0; }

}  // namespace

TEST_CASE("the guest does not see that the cache was emptied", "[flush]") {
    for (const char* mode : {"multi", "single"}) {
        Machine machine(4, {{"tb-size", "1"}, {"thread", mode}, {"evict", "flush"}});
        load_large_program(machine, 2);
        for (int i = 0; i < 4; ++i) {
            machine.add(0x1000);
        }
        machine.resume();
        const std::vector<Event> events = machine.wait_for(4);
        machine.pause();
        for (const Event& event : events) {
            REQUIRE(event.value == 2 * kUnits);
        }
        const uint64_t flushes = machine.stat("flushes");
        REQUIRE(flushes >= 1);
        REQUIRE(machine.stat("code_size") <= machine.stat("code_capacity"));
        // One flush for all that found the cache full at once: since the one before, all regions but those in use were
        // filled. Each unit is aligned, so that host_bytes counts less than was used.
        const uint64_t regions = machine.stat("regions");
        const uint64_t contexts = std::string(mode) == "single" ? 1 : 4;
        const uint64_t full =
            machine.stat("code_capacity") / regions * (regions - (regions > contexts ? contexts : 0));
        if (regions == 1) {
            REQUIRE(machine.stat("host_bytes") + 16 * machine.stat("translations") >= flushes * full);
        }
        // A flush that was asked for twice would have emptied an empty cache.
        REQUIRE(machine.stat("translations") / flushes > 100);
    }
}

TEST_CASE("the table of translations begins with as many buckets as asked for") {
    const Machine ordinary(1);
    REQUIRE(ordinary.stat("hash_buckets") == 32768);
    const Machine small(1, {{"hash-buckets", "64"}});
    REQUIRE(small.stat("hash_buckets") == 64);
    const Machine odd(1, {{"hash-buckets", "100"}});
    REQUIRE(odd.error() == "property 'hash-buckets': 100 is not a power of two");
}

TEST_CASE("a cache that is large enough is never emptied", "[flush]") {
    Machine machine(2, {{"tb-size", "256"}});
    load_large_program(machine, 3);
    machine.add(0x1000);
    machine.add(0x1000);
    machine.resume();
    for (const Event& event : machine.wait_for(2)) {
        REQUIRE(event.value == 3 * kUnits);
    }
    machine.pause();
    REQUIRE(machine.stat("flushes") == 0);
    // Shared code is translated once: what both translated at the same time was thrown away by one.
    // (A page's end may cut a unit in three.)
    REQUIRE(machine.stat("blocks") < kUnits + 2 * (kCodeEnd - kCode) / 4096 + 100);
    REQUIRE(machine.stat("translations") - machine.stat("translations_lost") == machine.stat("blocks"));
}

TEST_CASE("a flush forgets all translations, wherever they are known, and gives each context a first region",
          "[flush]") {
    for (const char* evict : {"flush", "region"}) {
        INFO(evict);
        Machine machine(2, {{"tb-size", "32"}, {"hash-buckets", "64"}, {"evict", evict}});
        load_endless_program(machine);
        machine.add(0x1000);
        machine.add(0x1000);
        machine.resume();
        machine.await_events(6);
        machine.pause();
        // Nobody runs: this thread may do what is done in exclusive sections.
        weft::accel::TranslationCache& cache = machine.vcpu(0)->cache;
        CHECK(machine.stat("blocks") >= kUnits);
        CHECK(machine.stat("hash_buckets") > 64);
        for (uint32_t i = 0; i < 2; ++i) {
            CHECK(std::ranges::any_of(jump_cache(*machine.vcpu(i)), is_used));
            // What was asked for before is about code that goes, and nothing to those who come after it.
            machine.vcpu(i)->jump_cache.request_drop(0, 0);
        }
        const uint64_t count = cache.flush_count();
        {
            weft::EpochDomain::Reader self(cache.epochs());
            self.go_online();
            cache.flush(count);
        }
        CHECK(cache.flush_count() == count + 1);
        for (const char* name : {"blocks", "blocks_hashed", "code_size", "code_pages"}) {
            INFO(name);
            CHECK(machine.stat(name) == 0);
        }
        CHECK(machine.stat("hash_buckets") == 64);
        CHECK(machine.stat("regions_free") == machine.stat("regions") - 2);
        for (unsigned slot = 0; slot < 2; ++slot) {
            CHECK(cache.regions().context(slot)->region().id() == slot);
            CHECK(cache.regions().context(slot)->region_empty());
            weft::accel::JumpCache& known = machine.vcpu(slot)->jump_cache;
            CHECK(std::ranges::none_of(jump_cache(*machine.vcpu(slot)), is_used));
            known.put(0, UINT32_MAX, 0);
            known.process_drops();
            CHECK(known.lookup_code(0, UINT32_MAX) == 0);
            known.clear();
        }
        // And the guest goes on as if nothing had been.
        machine.resume();
        std::map<uint64_t, uint64_t> told;
        for (const Event& event : machine.wait_for(12)) {
            told[event.offset] += kUnits;
            CHECK(event.value == told[event.offset]);
        }
        machine.pause();
    }
}

TEST_CASE("evict=flush: one region where one thread translates", "[flush]") {
    const Machine single(4, {{"tb-size", "64"}, {"thread", "single"}, {"evict", "flush"}});
    CHECK(single.stat("regions") == 1);
    const Machine alone(1, {{"tb-size", "64"}, {"evict", "flush"}});
    CHECK(alone.stat("regions") == 1);
    const Machine four(4, {{"tb-size", "64"}, {"evict", "flush"}});
    CHECK(four.stat("regions") == 32);
}
