// Code in guest memory that is the host's own: where it may be fetched, and its bytes.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "tests/accel/direct_process.h"

using namespace weft;
using accel::FetchPage;
using test::kFirstAddresses;
using test::kLimitPage;
using test::kWindow;
using test::Process;
using test::Question;

namespace {

TEST_CASE("direct fetches know a page of code by its guest address") {
    for (const uint64_t first : kFirstAddresses) {
        Process process(first);
        CodePageInfo info{CodePageKind::private_, 1};
        std::vector<uint64_t> looked_at;
        process.code = [&](uint64_t page) {
            looked_at.push_back(page);
            return info;
        };
        const uint64_t pc = process.address(1) + 0x124;
        for (const CodePageKind kind : {CodePageKind::private_, CodePageKind::shared, CodePageKind::hot}) {
            info.kind = kind;
            FetchPage page{true, Process::bytes(), 1, 1};
            CHECK(process.memory->fetch(pc, 0, &page));
            CHECK_FALSE(page.device);
            CHECK(page.host == nullptr);
            CHECK(page.ram_offset == process.address(1));
        }
        CHECK(looked_at == std::vector<uint64_t>(3, process.address(1)));
        process.expect_nothing();

        for (const CodePageKind kind : {CodePageKind::unmapped, CodePageKind::no_exec}) {
            info.kind = kind;
            const MemoryFault why =
                kind == CodePageKind::unmapped ? MemoryFault::unmapped : MemoryFault::protection;
            process.answer = [&](const Question&, MemoryFault* answer) {
                *answer = why;
                return false;
            };
            FetchPage page{};
            CHECK_FALSE(process.memory->fetch(pc, 0, &page));
            process.expect_fault(why, Access::fetch, pc);
            process.expect_asked({{pc, Access::fetch, 0}});
            // Another thread was in the middle of a change.
            process.answer = [&](const Question&, MemoryFault*) {
                info.kind = process.asked.size() == 2 ? CodePageKind::shared : kind;
                return true;
            };
            CHECK(process.memory->fetch(pc, 0, &page));
            process.expect_asked({{pc, Access::fetch, 0}, {pc, Access::fetch, 0}});
        }
        looked_at.clear();
        for (const uint64_t beyond : {process.address(kLimitPage), uint64_t{1} << 47, ~uint64_t{1}}) {
            FetchPage page{};
            CHECK_FALSE(process.memory->fetch(beyond, 0, &page));
            process.expect_fault(MemoryFault::unmapped, Access::fetch, beyond);
        }
        CHECK(looked_at.empty());
        process.expect_asked({});
    }
}

TEST_CASE("a page of code is asked for again when the map has changed") {
    Process process(kWindow);
    std::atomic<uint64_t> generation{7};
    process.user.generation = &generation;
    CodePageInfo info{CodePageKind::private_, 7};
    unsigned asked = 0;
    process.code = [&](uint64_t) {
        ++asked;
        return info;
    };
    const auto fetch = [&](unsigned page) {
        FetchPage fetched{};
        CHECK(process.memory->fetch(process.address(page) + 0x20, 0, &fetched));
        CHECK(fetched.ram_offset == process.address(page));
        CHECK(fetched.lasting == info.of_file);
        return asked;
    };
    CHECK(fetch(1) == 1);
    CHECK(fetch(2) == 2);
    CHECK(fetch(1) == 2);
    CHECK(fetch(2) == 2);
    generation = 8;
    info.of_file = true;
    // What was found out while the change was under way does not outlive it.
    CHECK(fetch(1) == 3);
    CHECK(fetch(1) == 4);
    info.generation = 8;
    CHECK(fetch(1) == 5);
    CHECK(fetch(1) == 5);

    generation = 9;
    info = {CodePageKind::no_exec, 9};
    process.answer = [&](const Question&, MemoryFault* kind) {
        *kind = MemoryFault::protection;
        return false;
    };
    FetchPage page{};
    for (unsigned i = 0; i < 2; ++i) {
        CHECK_FALSE(process.memory->fetch(process.address(1), 0, &page));
        process.expect_fault(MemoryFault::protection, Access::fetch, process.address(1));
    }
    CHECK(asked == 7);
}

TEST_CASE("code is read as it is when it is read, and may be gone by then") {
    for (const uint64_t first : kFirstAddresses) {
        Process process(first);
        process.code = [](uint64_t) { return CodePageInfo{CodePageKind::private_, 1}; };
        const uint64_t pc = process.address(1) + 0x126;
        FetchPage page{};
        REQUIRE(process.memory->fetch(pc, 0, &page));
        *process.at(pc + 2) ^= 0xff;
        std::array<uint8_t, 64> code{};
        CHECK(process.memory->read_code(page, pc, code.data(), code.size()));
        CHECK(std::memcmp(code.data(), process.at(pc), code.size()) == 0);

        Process::unmap(1);
        CHECK_FALSE(process.memory->read_code(page, pc, code.data(), code.size()));
        process.expect_fault(MemoryFault::unmapped, Access::fetch, pc);
        process.expect_asked({{pc, Access::fetch, SIGSEGV}});
        process.answer = [&](const Question&, MemoryFault*) {
            Process::map(1);
            return true;
        };
        CHECK(process.memory->read_code(page, pc, code.data(), code.size()));
        CHECK(std::all_of(code.begin(), code.end(), [](uint8_t byte) { return byte == 0; }));
        process.expect_asked({{pc, Access::fetch, SIGSEGV}});
    }
}

}  // namespace
