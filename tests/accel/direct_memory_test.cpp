// Guest memory that is the host's own: what is there, what is not, what comes back while the access waits. The oracles are
// memcpy, the compiler's atomics, and the protections that the test gave each page.
#include "accel/tcg/mmu/direct_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "tests/accel/direct_process.h"
#include "tests/support/random.h"

using namespace weft;
using accel::DirectMemory;
using ir::MemOp;
using ir::Opcode;
using test::kFirstAddresses;
using test::kLimitPage;
using test::kPages;
using test::kUntouched;
using test::kWindow;
using test::page_size;
using test::Process;
using test::Question;
using test::Random;
using test::test_seed;

namespace {

constexpr std::array kAtomics = {Opcode::atomic_xchg, Opcode::atomic_cmpxchg, Opcode::atomic_add,
                                 Opcode::atomic_and,  Opcode::atomic_or,      Opcode::atomic_xor,
                                 Opcode::atomic_smin, Opcode::atomic_smax,    Opcode::atomic_umin,
                                 Opcode::atomic_umax};

// One kind of access, of any width.
struct Kind {
    Access access;
    std::optional<Opcode> op;  // atomic
};

std::vector<Kind> all_kinds() {
    std::vector<Kind> kinds{{Access::load, {}}, {Access::store, {}}};
    for (const Opcode op : kAtomics) {
        kinds.push_back({Access::store, op});
    }
    return kinds;
}

// Makes it, with values that change what is there (but for a cmpxchg that meets something else than zero).
bool make(DirectMemory& memory, const Kind& kind, uint64_t vaddr, MemOp memop, uint64_t* value) {
    if (kind.op) {
        return memory.atomic(*kind.op, vaddr, memop.bits(), 0, 0x0123'4567'89ab'cdef, value);
    }
    return kind.access == Access::load ? memory.load(vaddr, memop.bits(), value)
                                       : memory.store(vaddr, memop.bits(), 0x0123'4567'89ab'cdef);
}

template <class T>
T read_memory(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

template <class Test>
void for_each_width(Test test) {
    test(uint8_t{});
    test(uint16_t{});
    test(uint32_t{});
    test(uint64_t{});
}

template <class T>
constexpr unsigned kLog2 = sizeof(T) == 1   ? 0
                           : sizeof(T) == 2 ? 1
                           : sizeof(T) == 4 ? 2
                                            : 3;

// As compiler and hardware do it.
template <class T>
T by_compiler(Opcode op, T* place, T a, T b) {
    using Signed = std::make_signed_t<T>;
    const auto choose = [&](bool keep) {
        const T before = *place;
        *place = keep ? before : a;
        return before;
    };
    switch (op) {
        case Opcode::atomic_xchg:
            return __atomic_exchange_n(place, a, __ATOMIC_SEQ_CST);
        case Opcode::atomic_cmpxchg:
            __atomic_compare_exchange_n(place, &a, b, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
            return a;
        case Opcode::atomic_add:
            return __atomic_fetch_add(place, a, __ATOMIC_SEQ_CST);
        case Opcode::atomic_and:
            return __atomic_fetch_and(place, a, __ATOMIC_SEQ_CST);
        case Opcode::atomic_or:
            return __atomic_fetch_or(place, a, __ATOMIC_SEQ_CST);
        case Opcode::atomic_xor:
            return __atomic_fetch_xor(place, a, __ATOMIC_SEQ_CST);
        case Opcode::atomic_smin:
            return choose(static_cast<Signed>(*place) <= static_cast<Signed>(a));
        case Opcode::atomic_smax:
            return choose(static_cast<Signed>(*place) >= static_cast<Signed>(a));
        case Opcode::atomic_umin:
            return choose(*place <= a);
        case Opcode::atomic_umax:
            return choose(*place >= a);
        default:
            FAIL("no atomic op");
            return 0;
    }
}

template <class T>
uint64_t extended(T value, bool sign) {
    return sign ? static_cast<uint64_t>(int64_t{static_cast<std::make_signed_t<T>>(value)}) : value;
}

}  // namespace

TEST_CASE("direct loads and stores of all widths and signs, at any alignment and across pages") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    for (const uint64_t first : kFirstAddresses) {
        Process process(first);
        DirectMemory& memory = *process.memory;
        std::vector<uint8_t> model(Process::bytes(), Process::bytes() + Process::size());
        uint64_t wrong = 0;
        for_each_width([&]<class T>(T) {
            for (unsigned round = 0; round < 4000; ++round) {
                // Half of them around a page's end; the last that are the guest's among them.
                const uint64_t end = kLimitPage * page_size() - sizeof(T);
                const uint64_t offset =
                    round % 2 == 0
                        ? random.below(end + 1)
                        : std::min((1 + random.below(kLimitPage)) * page_size() - random.below(9), end);
                const bool sign = random.below(2) != 0;
                const MemOp memop(kLog2<T>, static_cast<unsigned>(random.below(4)), sign ? MemOp::kSign : 0);
                const uint64_t vaddr = process.address(0) + offset;
                if (random.below(2) != 0) {
                    const uint64_t value = random.next();
                    std::memcpy(&model[offset], &value, sizeof(T));
                    wrong += !memory.store(vaddr, memop.bits(), value);
                }
                uint64_t value = kUntouched;
                wrong += !memory.load(vaddr, memop.bits(), &value) ||
                         value != extended(read_memory<T>(&model[offset]), sign);
            }
        });
        CHECK(wrong == 0);
        CHECK(std::equal(model.begin(), model.end(), Process::bytes()));
        process.expect_nothing();
    }
}

TEST_CASE("direct atomics of all operations, widths and signs") {
    INFO("WEFT_TEST_SEED=" << test_seed());
    Random random(test_seed());
    Process process(kWindow);
    constexpr std::array<uint64_t, 6> kEdges = {
        0, 1, ~uint64_t{0}, 0x8080'8080'8080'8080, 0x7f7f'7f7f'7f7f'7f7f, 0x8000'0000'0000'0000};
    const auto number = [&] {
        return random.below(2) != 0 ? random.next() : kEdges[random.below(kEdges.size())];
    };
    for (const Opcode op : kAtomics) {
        for_each_width([&]<class T>(T) {
            INFO("op " << static_cast<int>(op) << ", width " << sizeof(T));
            unsigned wrong = 0;
            for (unsigned round = 0; round < 400; ++round) {
                const uint64_t vaddr = process.address(1) + sizeof(T) * random.below(8);
                const bool sign = random.below(2) != 0;
                auto model = static_cast<T>(number());
                std::memcpy(process.at(vaddr), &model, sizeof(T));
                const uint64_t b = number();
                // What is there, often: of a cmpxchg both ends are wanted.
                const uint64_t a =
                    random.below(2) != 0 ? model | (number() & ~uint64_t{static_cast<T>(-1)}) : number();
                const std::array<uint8_t, 16> around =
                    read_memory<std::array<uint8_t, 16>>(process.at(vaddr) - 8);
                const T before = by_compiler<T>(op, &model, static_cast<T>(a), static_cast<T>(b));
                uint64_t old = kUntouched;
                const MemOp memop(kLog2<T>, 0, sign ? MemOp::kSign : 0);
                wrong += !process.memory->atomic(op, vaddr, memop.bits(), a, b, &old) ||
                         old != extended(before, sign) || read_memory<T>(process.at(vaddr)) != model;
                // Neighbours stay.
                std::array<uint8_t, 16> after = read_memory<std::array<uint8_t, 16>>(process.at(vaddr) - 8);
                std::copy_n(around.begin() + 8, sizeof(T), after.begin() + 8);
                wrong += after != around;
            }
            CHECK(wrong == 0);
        });
    }
    process.expect_nothing();
}

TEST_CASE("misaligned direct accesses that the op forbids") {
    Process process(0x10000);
    const std::vector<uint8_t> before(Process::bytes(), Process::bytes() + Process::size());
    for (const Kind& kind : all_kinds()) {
        for (unsigned log2 = 0; log2 <= 3; ++log2) {
            for (unsigned offset = 0; offset < 8; ++offset) {
                INFO("kind " << (kind.op ? static_cast<int>(*kind.op) : -1) << ", width " << (1u << log2)
                             << ", offset " << offset);
                // Alignment comes first, wherever the access goes (atomics are aligned whatever the op says).
                for (const uint64_t vaddr :
                     {process.address(2) + offset, process.address(kLimitPage) + 64 + offset}) {
                    if ((offset & ((1u << log2) - 1)) == 0) {
                        continue;
                    }
                    uint64_t value = kUntouched;
                    CHECK_FALSE(make(*process.memory, kind, vaddr,
                                     MemOp(log2, 0, kind.op ? 0 : MemOp::kAligned), &value));
                    process.expect_misaligned(vaddr);
                    CHECK(value == kUntouched);
                }
            }
        }
    }
    CHECK(std::equal(before.begin(), before.end(), Process::bytes()));
    CHECK(process.asked.empty());
    uint64_t value = 0;
    CHECK(process.memory->load(process.address(2) + 8, MemOp(3, 0, MemOp::kAligned).bits(), &value));
    CHECK(value == read_memory<uint64_t>(process.at(process.address(2) + 8)));
}

TEST_CASE("direct accesses to what is not there, or not allowed") {
    for (const uint64_t first : kFirstAddresses) {
        Process process(first);
        Process::unmap(1);
        Process::protect(2, PROT_NONE);
        Process::protect(3, PROT_READ);
        Process::end_file_at(4);
        const auto expect = [&](const Kind& kind, unsigned log2, uint64_t vaddr, MemoryFault answer,
                                uint32_t code) {
            INFO("kind " << (kind.op ? static_cast<int>(*kind.op) : -1) << ", width " << (1u << log2)
                         << ", at " << std::hex << vaddr);
            process.answer = [&](const Question&, MemoryFault* why) {
                *why = answer;
                return false;
            };
            uint64_t value = kUntouched;
            CHECK_FALSE(make(*process.memory, kind, vaddr, MemOp(log2, 0), &value));
            CHECK(value == kUntouched);
            process.expect_fault(answer, kind.access, vaddr);
            // Beyond the limit nobody is asked.
            process.expect_asked(code == 0 ? std::vector<Question>{}
                                           : std::vector<Question>{{vaddr, kind.access, code}});
        };
        for (const Kind& kind : all_kinds()) {
            for (unsigned log2 = 0; log2 <= 3; ++log2) {
                const uint64_t size = uint64_t{1} << log2;
                const uint64_t misaligned = kind.op || log2 == 0 ? 0 : 1;
                expect(kind, log2, process.address(1), MemoryFault::unmapped, SIGSEGV);
                expect(kind, log2, process.address(1) + 64 + misaligned, MemoryFault::unmapped, SIGSEGV);
                expect(kind, log2, process.address(2), MemoryFault::protection, SIGSEGV);
                if (kind.access == Access::store) {
                    expect(kind, log2, process.address(3) + 8, MemoryFault::protection, SIGSEGV);
                }
                expect(kind, log2, process.address(4), MemoryFault::bus, SIGBUS);
                // The host has memory there.
                expect(kind, log2, process.address(kLimitPage), MemoryFault::unmapped, 0);
                expect(kind, log2, process.address(kLimitPage + 1) + misaligned, MemoryFault::unmapped, 0);
                // To the end of the addresses, and around it.
                expect(kind, log2, -size, MemoryFault::unmapped, 0);
                expect(kind, log2, 0, MemoryFault::unmapped, SIGSEGV);
                if (misaligned != 0) {
                    expect(kind, log2, -size + 1, MemoryFault::unmapped, 0);
                    expect(kind, log2, ~uint64_t{0}, MemoryFault::unmapped, 0);
                }
                // Not canonical.
                expect(kind, log2, uint64_t{1} << 47, MemoryFault::unmapped, 0);
                expect(kind, log2, (uint64_t{0xffff} << 48) - 64, MemoryFault::unmapped, 0);
            }
        }
    }
}

TEST_CASE("direct accesses to addresses for which the host names none") {
    Process process(kWindow);
    process.user.limit = ~uint64_t{0xffff};
    for (const Kind& kind : all_kinds()) {
        for (unsigned log2 = 0; log2 <= 3; ++log2) {
            const uint64_t vaddr = (uint64_t{1} << 47) + 64;
            uint64_t value = kUntouched;
            CHECK_FALSE(make(*process.memory, kind, vaddr, MemOp(log2, 0), &value));
            process.expect_fault(MemoryFault::unmapped, kind.access, vaddr);
            process.expect_asked({{vaddr, kind.access, SIGSEGV}});
        }
    }
}

TEST_CASE("direct accesses over a page's end name the first byte that is not there, and do nothing") {
    for (const uint64_t first : kFirstAddresses) {
        enum class Missing { first_page, second_page, both };
        for (const Missing missing : {Missing::first_page, Missing::second_page, Missing::both}) {
            Process process(first);
            if (missing != Missing::second_page) {
                Process::unmap(1);
                Process::protect(kLimitPage - 1, PROT_READ);
            }
            if (missing != Missing::first_page) {
                Process::unmap(2);
            }
            std::vector<uint8_t> before(Process::bytes(), Process::bytes() + page_size());
            for (const Access access : {Access::load, Access::store}) {
                for (unsigned log2 = 1; log2 <= 3; ++log2) {
                    for (uint64_t inside = 1; inside < uint64_t{1} << log2; ++inside) {
                        INFO("missing " << static_cast<int>(missing) << ", access "
                                        << static_cast<int>(access) << ", width " << (1u << log2)
                                        << ", bytes in the first page " << inside);
                        const uint64_t vaddr = process.address(2) - inside;
                        const uint64_t wrong = missing == Missing::second_page ? process.address(2) : vaddr;
                        uint64_t value = kUntouched;
                        CHECK_FALSE(make(*process.memory, {access, {}}, vaddr, MemOp(log2, 0), &value));
                        CHECK(value == kUntouched);
                        process.expect_fault(MemoryFault::unmapped, access, wrong);
                        process.expect_asked({{wrong, access, SIGSEGV}});
                        if (missing == Missing::second_page) {
                            CHECK(*process.at(vaddr) ==
                                  static_cast<uint8_t>((2 * page_size() - inside) * 37 +
                                                       (2 * page_size() - inside) / 256 + 1));
                        }
                        // Over the limit, behind which the host has memory; before it a page that may be read.
                        const uint64_t over = process.address(kLimitPage) - inside;
                        const bool readable_is_enough =
                            access == Access::load || missing == Missing::second_page;
                        const uint8_t last = *process.at(over);
                        process.answer = [](const Question&, MemoryFault* kind) {
                            *kind = MemoryFault::protection;
                            return false;
                        };
                        CHECK_FALSE(make(*process.memory, {access, {}}, over, MemOp(log2, 0), &value));
                        CHECK(value == kUntouched);
                        CHECK(*process.at(over) == last);
                        if (readable_is_enough) {
                            process.expect_fault(MemoryFault::unmapped, access, process.address(kLimitPage));
                            process.expect_asked({});
                        } else {
                            process.expect_fault(MemoryFault::protection, access, over);
                            process.expect_asked({{over, access, SIGSEGV}});
                        }
                        process.answer = nullptr;
                    }
                }
            }
            CHECK(std::equal(before.begin(), before.end(), Process::bytes()));
        }
    }
}

TEST_CASE("direct accesses are made again as often as they are told to") {
    for (const Kind& kind : all_kinds()) {
        for (unsigned log2 = 0; log2 <= 3; ++log2) {
            INFO("kind " << (kind.op ? static_cast<int>(*kind.op) : -1) << ", width " << (1u << log2));
            Process process(0x10000);
            Process::unmap(1);
            const uint64_t vaddr = process.address(1) + 8;
            unsigned questions = 0;
            process.answer = [&](const Question&, MemoryFault*) {
                if (++questions == 3) {
                    Process::map(1);
                }
                return true;
            };
            uint64_t value = kUntouched;
            CHECK(make(*process.memory, kind, vaddr, MemOp(log2, 0), &value));
            CHECK(process.asked == std::vector<Question>(3, {vaddr, kind.access, SIGSEGV}));
            CHECK(process.state().exception_cause == 0);
            // A new page is zero.
            if (kind.access == Access::load || kind.op) {
                CHECK(value == 0);
            }
            if (kind.op == Opcode::atomic_cmpxchg || (kind.access == Access::store && !kind.op)) {
                const uint64_t mask = ~uint64_t{0} >> (64 - (8u << log2));
                CHECK(read_memory<uint64_t>(process.at(vaddr)) == (0x0123'4567'89ab'cdef & mask));
            }
        }
    }
}

TEST_CASE("a direct access that may not be made after all says why by the last answer") {
    Process process(kWindow);
    Process::protect(1, PROT_NONE);
    process.answer = [&](const Question&, MemoryFault* kind) {
        *kind = process.asked.size() == 1 ? MemoryFault::unmapped : MemoryFault::bus;
        return process.asked.size() == 1;
    };
    uint64_t value = kUntouched;
    CHECK_FALSE(process.memory->load(process.address(1), MemOp(3, 0).bits(), &value));
    process.expect_fault(MemoryFault::bus, Access::load, process.address(1));
    CHECK(process.asked.size() == 2);
}

TEST_CASE("a direct store to a page of code is announced before it is made") {
    for (const Kind& kind : all_kinds()) {
        if (kind.access == Access::load) {
            continue;
        }
        INFO("kind " << (kind.op ? static_cast<int>(*kind.op) : -1));
        Process process(kWindow);
        const uint64_t vaddr = process.address(2) + 16;
        const uint64_t zero = 0;
        std::memcpy(process.at(vaddr), &zero, sizeof(zero));
        Process::protect(2, PROT_READ);  // as UserMemoryOps::protect has it
        uint64_t seen = kUntouched;
        process.answer = [&](const Question&, MemoryFault*) {
            seen = read_memory<uint64_t>(process.at(vaddr));
            Process::protect(2, PROT_READ | PROT_WRITE);
            return true;
        };
        uint64_t value = kUntouched;
        CHECK(make(*process.memory, kind, vaddr, MemOp(3, 0), &value));
        CHECK(seen == 0);
        process.expect_asked({{vaddr, Access::store, SIGSEGV}});
        if (!kind.op) {
            CHECK(read_memory<uint64_t>(process.at(vaddr)) == 0x0123'4567'89ab'cdef);
        }
        // The next one goes without.
        CHECK(make(*process.memory, kind, vaddr, MemOp(3, 0), &value));
        CHECK(process.asked.empty());
    }
}

TEST_CASE("there is one address space in direct memory, and nothing to flush") {
    Process process(kWindow);
    const AddressSpaceKey space = process.memory->enter_space(0);
    process.state().space = 5;
    CHECK(process.memory->enter_space(1) == space);
    CHECK(process.memory->flush({true, true, 0, 0}) == accel::Fetched::nowhere);
    CHECK(process.memory->flush({false, false, process.address(1), 5}) == accel::Fetched::nowhere);
    process.memory->flush_all();
    process.memory->write_protect(process.address(1));
    uint64_t value = 0;
    CHECK(process.memory->load(process.address(1), MemOp(3, 0).bits(), &value));
    CHECK(value == read_memory<uint64_t>(process.at(process.address(1))));
    CHECK(process.memory->store(process.address(1), MemOp(3, 0).bits(), 1));
    process.expect_nothing();
}
