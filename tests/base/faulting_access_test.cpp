// Accesses to memory that is there, that is not, and that ends within them. The oracles are memcpy and strnlen of the C library,
// the compiler's atomics and the protection that the test gave each page.
#include "base/faulting_access.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/support/faults.h"
#include "tests/support/random.h"

using namespace weft;
using faulting::AtomicOp;
using faulting::Fault;
using faulting::StringEnd;
using test::FaultHandlers;
using test::page_size;
using test::Pages;
using Access = HostContext::Access;

namespace {

constexpr std::array kOps = {AtomicOp::exchange, AtomicOp::add,  AtomicOp::and_,
                             AtomicOp::or_,      AtomicOp::xor_, AtomicOp::smin,
                             AtomicOp::smax,     AtomicOp::umin, AtomicOp::umax};

constexpr uint64_t kUntouched = 0x5a5a'5a5a'5a5a'5a5a;
const Fault kNone{kUntouched, Access::fetch};

uint8_t pattern(uint64_t index) { return static_cast<uint8_t>(index * 37 + index / 256 + 1); }

// All accesses of a width at an address where none is allowed: what each says.
template <class T>
void expect_none(uint64_t address, uint64_t fault_address, bool may_read) {
    INFO("width " << sizeof(T) << " at " << std::hex << address);
    T value = static_cast<T>(kUntouched);
    Fault fault = kNone;
    if (!may_read) {
        CHECK_FALSE(faulting::load(address, &value, &fault));
        CHECK(fault == Fault{fault_address, Access::load});
    }
    const Fault store{fault_address, Access::store};
    fault = kNone;
    CHECK_FALSE(faulting::store<T>(address, 1, &fault));
    CHECK(fault == store);
    if (address % sizeof(T) == 0) {
        fault = kNone;
        CHECK_FALSE(faulting::compare_exchange<T>(address, 0, 1, &value, &fault));
        CHECK(fault == store);
        for (const AtomicOp op : kOps) {
            INFO("operation " << static_cast<int>(op));
            fault = kNone;
            CHECK_FALSE(faulting::atomic<T>(op, address, 1, &value, &fault));
            CHECK(fault == store);
        }
    }
    CHECK(value == static_cast<T>(kUntouched));
}

void expect_none_of_any_width(uint64_t address, bool may_read = false) {
    expect_none<uint8_t>(address, address, may_read);
    expect_none<uint16_t>(address, address, may_read);
    expect_none<uint32_t>(address, address, may_read);
    expect_none<uint64_t>(address, address, may_read);
}

template <class Test>
void for_each_width(Test test) {
    test(uint8_t{});
    test(uint16_t{});
    test(uint32_t{});
    test(uint64_t{});
}

}  // namespace

TEST_CASE("loads and stores reach the bytes they name, at any alignment and across pages") {
    const FaultHandlers handlers;
    const Pages pages(2);
    const size_t size = 2 * page_size();
    std::vector<uint8_t> model(size);
    for (size_t i = 0; i < size; ++i) {
        model[i] = pages.bytes()[i] = pattern(i);
    }
    for_each_width([&]<class T>(T) {
        for (uint64_t at = page_size() - 16; at < page_size() + 16; ++at) {
            INFO("width " << sizeof(T) << " at " << at);
            Fault fault = kNone;
            T expected, found = 0;
            std::memcpy(&expected, &model[at], sizeof(T));
            CHECK(faulting::load(pages.address() + at, &found, &fault));
            CHECK(found == expected);
            const T next = static_cast<T>(0xfedc'ba98'7654'3210 + at);
            std::memcpy(&model[at], &next, sizeof(T));
            CHECK(faulting::store(pages.address() + at, next, &fault));
            CHECK(std::memcmp(model.data(), pages.bytes(), size) == 0);
            CHECK(fault == kNone);
        }
    });
}

TEST_CASE("single accesses fail where memory is not there or not allowed, each saying where and what") {
    const FaultHandlers handlers;
    const Pages pages(4);
    SECTION("not mapped") {
        expect_none_of_any_width(0);
        expect_none_of_any_width(0x1008);
        pages.unmap(1);
        expect_none_of_any_width(pages.address(1));
        expect_none_of_any_width(pages.address(2) - 8);
    }
    SECTION("mapped without any access") {
        pages.protect(1, PROT_NONE);
        expect_none_of_any_width(pages.address(1));
        expect_none_of_any_width(pages.address(2) - 8);
    }
    SECTION("read-only") {
        pages.bytes()[page_size() + 8] = 0x77;
        pages.protect(1, PROT_READ);
        expect_none_of_any_width(pages.address(1) + 8, true);
        uint64_t value = 0;
        Fault fault = kNone;
        CHECK(faulting::load(pages.address(1) + 8, &value, &fault));
        CHECK(value == 0x77);
        CHECK(fault == kNone);
    }
    SECTION("behind the end of a file") {
        pages.end_file_before(2);
        expect_none_of_any_width(pages.address(2));
        expect_none_of_any_width(pages.address(3) + 16);
        uint64_t value = 1;
        Fault fault = kNone;
        CHECK(faulting::load(pages.address(2) - 8, &value, &fault));
        CHECK(value == 0);
    }
    SECTION("the kernel's") {
        expect_none_of_any_width(0xffff'ffff'ffff'fff8);
        expect_none_of_any_width(0xffff'8000'0000'0000);
    }
    SECTION("not canonical") {
        // With any number of page-table levels.
        expect_none_of_any_width(0x8000'0000'0000'0000);
        expect_none_of_any_width(0x1234'5678'9abc'def0);
        for_each_width(
            []<class T>(T) { expect_none<T>(0x1234'5678'9abc'def1, 0x1234'5678'9abc'def1, false); });
    }
}

TEST_CASE(
    "an access across pages of which one is missing fails as a whole, at that one's first byte within it") {
    const FaultHandlers handlers;
    const Pages pages(3);
    const auto expect = [&](uint64_t boundary, bool second) {
        for_each_width([&]<class T>(T) {
            for (unsigned before = 1; before < sizeof(T); ++before) {
                expect_none<T>(boundary - before, second ? boundary : boundary - before, false);
            }
        });
    };
    std::fill(pages.bytes(), pages.bytes() + 3 * page_size(), uint8_t{0xee});
    pages.protect(1, PROT_NONE);
    expect(pages.address(1), true);
    expect(pages.address(2), false);
    pages.protect(1, PROT_READ | PROT_WRITE);
    // No part of a store was made.
    CHECK(std::all_of(pages.bytes(), pages.bytes() + 3 * page_size(), [](uint8_t b) { return b == 0xee; }));

    pages.end_file_before(1);
    expect(pages.address(1), true);
    CHECK(std::all_of(pages.bytes(), pages.bytes() + page_size(), [](uint8_t b) { return b == 0; }));
}

TEST_CASE("atomic operations: the value before, and the value after as the compiler's own make it") {
    const FaultHandlers handlers;
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    const Pages pages(1);
    for_each_width([&]<class T>(T) {
        using Signed = std::make_signed_t<T>;
        const std::array<T, 6> corners = {0,
                                          1,
                                          static_cast<T>(-1),
                                          std::numeric_limits<T>::max() / 2,
                                          static_cast<T>(std::numeric_limits<T>::max() / 2 + 1),
                                          0x55};
        const auto pick = [&] {
            return random.below(2) == 0 ? corners[random.below(corners.size())]
                                        : static_cast<T>(random.next());
        };
        for (int round = 0; round < 300; ++round) {
            for (const AtomicOp op : kOps) {
                const T old = pick(), operand = pick();
                INFO("width " << sizeof(T) << " operation " << static_cast<int>(op) << " of " << uint64_t{old}
                              << " and " << uint64_t{operand});
                alignas(8) T model = old;
                switch (op) {
                    case AtomicOp::exchange:
                        __atomic_exchange_n(&model, operand, __ATOMIC_SEQ_CST);
                        break;
                    case AtomicOp::add:
                        __atomic_fetch_add(&model, operand, __ATOMIC_SEQ_CST);
                        break;
                    case AtomicOp::and_:
                        __atomic_fetch_and(&model, operand, __ATOMIC_SEQ_CST);
                        break;
                    case AtomicOp::or_:
                        __atomic_fetch_or(&model, operand, __ATOMIC_SEQ_CST);
                        break;
                    case AtomicOp::xor_:
                        __atomic_fetch_xor(&model, operand, __ATOMIC_SEQ_CST);
                        break;
                    case AtomicOp::smin:
                        model =
                            static_cast<T>(std::min(static_cast<Signed>(old), static_cast<Signed>(operand)));
                        break;
                    case AtomicOp::smax:
                        model =
                            static_cast<T>(std::max(static_cast<Signed>(old), static_cast<Signed>(operand)));
                        break;
                    case AtomicOp::umin:
                        model = std::min(old, operand);
                        break;
                    case AtomicOp::umax:
                        model = std::max(old, operand);
                        break;
                }
                const uint64_t around = random.next();
                const uint64_t at = pages.address() + 64;
                std::memcpy(pages.bytes() + 64, &around, 8);
                std::memcpy(pages.bytes() + 64, &old, sizeof(T));
                T before = 0;
                Fault fault = kNone;
                REQUIRE(faulting::atomic(op, at, operand, &before, &fault));
                CHECK(before == old);
                uint64_t expected = around, found;
                std::memcpy(&expected, &model, sizeof(T));
                std::memcpy(&found, pages.bytes() + 64, 8);
                CHECK(found == expected);
                CHECK(fault == kNone);
            }
            const T old = pick(), expected = pick(), desired = pick();
            std::memcpy(pages.bytes() + 64, &old, sizeof(T));
            T before = 0, found;
            Fault fault = kNone;
            REQUIRE(faulting::compare_exchange(pages.address() + 64, expected, desired, &before, &fault));
            CHECK(before == old);
            std::memcpy(&found, pages.bytes() + 64, sizeof(T));
            CHECK(found == (old == expected ? desired : old));
        }
    });
}

TEST_CASE("pairs of words are compared and exchanged as one, or not there") {
    const FaultHandlers handlers;
    const Pages pages(2);
    pages.protect(1, PROT_READ);
    using Pair = std::array<uint64_t, 2>;
    const auto stored = [&] {
        Pair pair{};
        std::memcpy(pair.data(), pages.bytes() + 64, sizeof(pair));
        return pair;
    };
    const Pair old = {0x0123456789abcdef, 0xfedcba9876543210};
    const Pair desired = {7, ~uint64_t{0}};
    for (const Pair& expected : {old, Pair{old[0], 0}, Pair{0, old[1]}, Pair{}}) {
        std::memcpy(pages.bytes() + 64, old.data(), sizeof(old));
        Pair before{};
        Fault fault = kNone;
        REQUIRE(faulting::compare_exchange_pair(pages.address() + 64, expected, desired, &before, &fault));
        CHECK(before == old);
        CHECK(stored() == (expected == old ? desired : old));
        CHECK(fault == kNone);
    }
    // Also where the comparison would fail.
    for (const Pair& expected : {Pair{}, old}) {
        Pair before = old;
        Fault fault = kNone;
        CHECK_FALSE(
            faulting::compare_exchange_pair(pages.address(1) + 16, expected, desired, &before, &fault));
        CHECK(fault.address == pages.address(1) + 16);
        CHECK(fault.access == Access::store);
        CHECK(fault.code == kNone.code);
        CHECK(before == old);
    }
}

TEST_CASE("copies stop at the first byte that is not there, and say how many they made") {
    const FaultHandlers handlers;
    const Pages pages(3);
    const uint64_t end = pages.address(2);  // of what is there
    const bool beyond_file = GENERATE(false, true);
    if (beyond_file) {
        pages.end_file_before(2);
    } else {
        pages.protect(2, PROT_NONE);
    }
    // From `present` bytes before the end, `size` bytes, to and from a buffer that is aligned to nothing.
    std::vector<uint8_t> buffer(128);
    for (unsigned shift = 0; shift < 3; ++shift) {
        for (unsigned present = 0; present < 40; ++present) {
            for (unsigned size = 0; size < 64; ++size) {
                INFO(size << " bytes, of which " << present << " are there, shift " << shift);
                const uint64_t at = end - present;
                const size_t expected = std::min(present, size);
                uint8_t* const there = pages.bytes() + 2 * page_size() - present;
                there[-1] = 0x11;
                for (unsigned i = 0; i < present; ++i) {
                    there[i] = pattern(i);
                }
                std::fill(buffer.begin(), buffer.end(), uint8_t{0xcc});
                Fault fault = kNone;
                CHECK(faulting::copy_in(&buffer[8 + shift], at, size, &fault) == expected);
                CHECK(fault == (size > present ? Fault{end, Access::load} : kNone));
                CHECK(std::equal(there, there + expected, &buffer[8 + shift]));
                CHECK(std::all_of(&buffer[0], &buffer[8 + shift], [](uint8_t b) { return b == 0xcc; }));
                CHECK(std::all_of(&buffer[8 + shift] + expected, buffer.data() + buffer.size(),
                                  [](uint8_t b) { return b == 0xcc; }));

                for (unsigned i = 0; i < buffer.size(); ++i) {
                    buffer[i] = static_cast<uint8_t>(~pattern(i));
                }
                fault = kNone;
                CHECK(faulting::copy_out(at, &buffer[shift], size, &fault) == expected);
                CHECK(fault == (size > present ? Fault{end, Access::store} : kNone));
                CHECK(std::equal(there, there + expected, &buffer[shift]));
                CHECK(there[-1] == 0x11);
                for (unsigned i = size; i < present; ++i) {
                    REQUIRE(there[i] == pattern(i));
                }
            }
        }
    }
}

TEST_CASE("copies of pages, of read-only memory, and at addresses that nothing has") {
    const FaultHandlers handlers;
    const Pages pages(4);
    std::vector<uint8_t> buffer(4 * page_size());
    for (size_t i = 0; i < buffer.size(); ++i) {
        buffer[i] = pattern(i);
    }
    Fault fault = kNone;
    CHECK(faulting::copy_out(pages.address() + 3, buffer.data(), 3 * page_size() - 5, &fault) ==
          3 * page_size() - 5);
    CHECK(std::memcmp(pages.bytes() + 3, buffer.data(), 3 * page_size() - 5) == 0);
    CHECK(pages.bytes()[2] == 0);
    CHECK(pages.bytes()[3 * page_size() - 2] == 0);
    std::vector<uint8_t> back(buffer.size());
    CHECK(faulting::copy_in(back.data(), pages.address() + 3, 3 * page_size() - 5, &fault) ==
          3 * page_size() - 5);
    CHECK(std::memcmp(back.data(), buffer.data(), 3 * page_size() - 5) == 0);
    CHECK(fault == kNone);

    pages.protect(2, PROT_READ);
    CHECK(faulting::copy_in(back.data(), pages.address(1) + 1, 2 * page_size(), &fault) == 2 * page_size());
    CHECK(fault == kNone);
    CHECK(faulting::copy_out(pages.address(1) + 1, buffer.data(), 2 * page_size(), &fault) ==
          page_size() - 1);
    CHECK(fault == Fault{pages.address(2), Access::store});

    for (const uint64_t address : {uint64_t{0}, uint64_t{0x8000'0000'0000'0003},
                                   uint64_t{0xffff'8000'0000'0001}, uint64_t{0xffff'ffff'ffff'fffb}}) {
        INFO(std::hex << address);
        CHECK(faulting::copy_in(back.data(), address, 64, &fault) == 0);
        CHECK(fault == Fault{address, Access::load});
        CHECK(faulting::copy_out(address, back.data(), 64, &fault) == 0);
        CHECK(fault == Fault{address, Access::store});
        fault = kNone;
        CHECK(faulting::copy_in(back.data(), address, 0, &fault) == 0);
        CHECK(faulting::copy_out(address, back.data(), 0, &fault) == 0);
        CHECK(fault == kNone);
    }
}

TEST_CASE("strings end at a zero, at the limit, or where memory does") {
    const FaultHandlers handlers;
    const Pages pages(3);
    pages.protect(2, PROT_NONE);
    const uint64_t end = pages.address(2);
    for (unsigned present = 0; present < 40; ++present) {
        char* const there = reinterpret_cast<char*>(pages.bytes()) + 2 * page_size() - present;
        for (unsigned zero = 0; zero <= present; ++zero) {  // zero == present: there is none
            // 0x80 and 0x01 are what tricks with whole words mistake for zeros.
            for (const int filler : {0x78, 0x80, 0x01, 0xff}) {
                std::memset(there, filler, present);
                if (zero < present) {
                    there[zero] = 0;
                }
                for (const size_t limit :
                     {size_t{0}, size_t{1}, size_t{zero}, size_t{zero} + 1, size_t{present},
                      size_t{present} + 1, std::numeric_limits<size_t>::max()}) {
                    INFO(present << " bytes, zero at " << zero << ", limit " << limit << ", filler "
                                 << filler);
                    Fault fault = kNone;
                    const faulting::StringLength found =
                        faulting::string_length(end - present, limit, &fault);
                    const size_t expected = strnlen(there, std::min<size_t>(limit, present));
                    CHECK(found.length == expected);
                    if (expected == limit) {
                        CHECK(found.end == StringEnd::limit);
                    } else {
                        CHECK(found.end == (expected == present ? StringEnd::fault : StringEnd::zero));
                    }
                    CHECK(fault == (found.end == StringEnd::fault ? Fault{end, Access::load} : kNone));
                }
            }
        }
    }
    for (const uint64_t address :
         {uint64_t{0}, uint64_t{0x8000'0000'0000'0003}, uint64_t{0xffff'8000'0000'0000}}) {
        Fault fault = kNone;
        const faulting::StringLength found = faulting::string_length(address, 100, &fault);
        CHECK(found.length == 0);
        CHECK(found.end == StringEnd::fault);
        CHECK(fault == Fault{address, Access::load});
    }
}

TEST_CASE("a failed access says what the handler knew of its signal") {
    const FaultHandlers handlers([](int signal, siginfo_t* info, void* context) {
        HostContext host(context);
        if (!redirect_faulting_access(host, reinterpret_cast<uint64_t>(info->si_addr),
                                      static_cast<uint32_t>(signal))) {
            ::signal(signal, SIG_DFL);
        }
    });
    const Pages pages(2);
    pages.end_file_before(1);
    pages.protect(0, PROT_NONE);
    for (const unsigned page : {0u, 1u}) {
        const uint64_t at = pages.address(page);
        const auto signal = static_cast<uint32_t>(page == 0 ? SIGSEGV : SIGBUS);
        const auto expect = [&](bool made, const Fault& fault, Access access) {
            CHECK_FALSE(made);
            CHECK(fault == Fault{at, access, signal});
        };
        for_each_width([&]<class T>(T value) {
            INFO("page " << page << ", width " << sizeof(T));
            Fault fault = kNone;
            expect(faulting::load(at, &value, &fault), fault, Access::load);
            expect(faulting::store<T>(at, 1, &fault), fault, Access::store);
            expect(faulting::compare_exchange<T>(at, 0, 1, &value, &fault), fault, Access::store);
            for (const AtomicOp op : kOps) {
                fault = kNone;
                expect(faulting::atomic<T>(op, at, 1, &value, &fault), fault, Access::store);
            }
        });
        std::array<uint8_t, 16> buffer{};
        Fault fault = kNone;
        expect(faulting::copy_in(buffer.data(), at, buffer.size(), &fault) != 0, fault, Access::load);
        expect(faulting::copy_out(at, buffer.data(), buffer.size(), &fault) != 0, fault, Access::store);
        expect(faulting::string_length(at, 16, &fault).end != StringEnd::fault, fault, Access::load);
    }
}
