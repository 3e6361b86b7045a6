#include <array>
#include <atomic>
#include <barrier>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "emulator/hw/riscv/aclint_sswi.h"
#include "emulator/hw/riscv/clint.h"
#include "emulator/hw/riscv/deliver_latest.h"
#include "emulator/hw/riscv/plic.h"
#include "tests/hw/support.h"
#include "tests/support/random.h"

namespace weft::hw {
namespace {

using riscv::Interrupt;

struct Harts {
    std::vector<std::unique_ptr<test::TestHart>> owned;
    std::vector<riscv::Hart*> harts;
    explicit Harts(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            owned.push_back(std::make_unique<test::TestHart>(i));
            harts.push_back(&owned.back()->hart());
        }
    }
    bool pending(unsigned hart, Interrupt interrupt) { return owned[hart]->pending(interrupt); }
};

struct ClintBench : test::Bench, Harts {
    Clint device{topology, control, harts};
    ClintBench() : Harts(3) { plug(device.region()); }
};

TEST_CASE_METHOD(ClintBench, "software interrupts follow the lowest bit of MSIP") {
    write(4, 0xffffffff);
    CHECK(pending(1, Interrupt::machine_software));
    CHECK(!pending(0, Interrupt::machine_software));
    CHECK(read(4) == 1);
    CHECK(read(0) == 0);
    write(4, 0xfffffffe);
    CHECK(!pending(1, Interrupt::machine_software));
    // Two at once.
    write(0, 0x100000001, 8);
    CHECK(pending(0, Interrupt::machine_software));
    CHECK(pending(1, Interrupt::machine_software));
    CHECK(read(0, 8) == 0x100000001);
    CHECK(read(8, 8) == 0);
    CHECK(control.errors.empty());
    device.reset();
    CHECK(!pending(0, Interrupt::machine_software));
}

TEST_CASE_METHOD(ClintBench, "timer compares are 64 bits, in one piece or in halves") {
    CHECK(read(0x4000, 8) == UINT64_MAX);
    write(0x4008, 0x1122334455667788, 8);
    CHECK(owned[1]->mtimecmp() == 0x1122334455667788);
    write(0x4008, 0xaaaaaaaa);
    CHECK(owned[1]->mtimecmp() == 0x11223344aaaaaaaa);
    write(0x400c, 0xbbbbbbbb);
    CHECK(owned[1]->mtimecmp() == 0xbbbbbbbbaaaaaaaa);
    CHECK(read(0x400c) == 0xbbbbbbbb);
    CHECK(read(0x4008) == 0xaaaaaaaa);
    device.reset();
    CHECK(owned[1]->mtimecmp() == UINT64_MAX);
}

TEST_CASE_METHOD(ClintBench, "mtime is the harts' time") {
    CHECK(read(0xbff8, 8) == test::kFakeTime);
    CHECK(read(0xbff8) == (test::kFakeTime & 0xffffffff));
    CHECK(read(0xbffc) == test::kFakeTime >> 32);
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(ClintBench, "mtime can be set, in one piece or in halves, for all harts") {
    write(0xbff8, 5, 8);
    CHECK(read(0xbff8, 8) == 5);
    for (riscv::Hart* const hart : harts) {
        CHECK(hart->time() == 5);
    }
    write(0xbffc, 0x11223344);
    CHECK(read(0xbff8, 8) == 0x1122334400000005);
    write(0xbff8, 0x80000000);
    CHECK(read(0xbff8, 8) == 0x1122334480000000);
    for (riscv::Hart* const hart : harts) {
        CHECK(hart->time() == 0x1122334480000000);
    }
    CHECK(control.errors.empty());
    device.reset();
    CHECK(read(0xbff8, 8) == 0);
}

TEST_CASE_METHOD(ClintBench, "no lock stands between harts that use the CLINT") {
    // Of no device is a lock held around these accesses; those of others are their own.
    CHECK(device.region()->lock() == nullptr);
    const Plic plic{topology, control, harts};
    CHECK(plic.region()->lock() != nullptr);
}

TEST_CASE_METHOD(ClintBench, "harts that do not exist have no registers") {
    write(12, 1);
    CHECK(read(12) == 0);
    write(0x4018, 1, 8);
    read(0x4018, 8);
    CHECK(control.errors.size() == 4);
    read(0, 2);
    CHECK(status == DeviceStatus::bus_error);
    read(2, 4);
    CHECK(status == DeviceStatus::bus_error);
}

struct SswiBench : test::Bench, Harts {
    AclintSswi device{topology, control, harts};
    SswiBench() : Harts(3) { plug(device.region()); }
};

// ACLINT specification 1.0, SETSSIP registers.
TEST_CASE_METHOD(SswiBench, "SSWI: bit 0 sets the hart's SSIP, and nothing is read back") {
    write(4, 1);
    CHECK(pending(1, Interrupt::supervisor_software));
    CHECK(!pending(0, Interrupt::supervisor_software));
    CHECK(!pending(2, Interrupt::supervisor_software));
    CHECK(!pending(1, Interrupt::machine_software));
    CHECK(read(4) == 0);
    // No level: 0 takes nothing back.
    write(4, 0);
    CHECK(pending(1, Interrupt::supervisor_software));
    // Software does, and the next write is another edge.
    harts[1]->set_interrupt(Interrupt::supervisor_software, false);
    write(4, 0xfffffffe);
    CHECK(!pending(1, Interrupt::supervisor_software));
    write(4, 0xffffffff);
    CHECK(pending(1, Interrupt::supervisor_software));
    CHECK(control.errors.empty());
}

TEST_CASE_METHOD(SswiBench, "SSWI: words alone, and of harts that exist") {
    write(12, 1);
    CHECK(read(12) == 0);
    read(AclintSswi::kSize - 4);
    CHECK(control.errors.size() == 3);
    CHECK(control.errors[0] == "ACLINT SSWI: write to 0xc, where no register is");
    for (const unsigned size : {1, 2, 8}) {
        write(0, 1, size);
        CHECK(status == DeviceStatus::bus_error);
        read(0, size);
        CHECK(status == DeviceStatus::bus_error);
    }
    write(2, 1);
    CHECK(status == DeviceStatus::bus_error);
    CHECK(!pending(0, Interrupt::supervisor_software));
}

TEST_CASE("who passes on a value that is overtaken passes on the newer one") {
    std::atomic<int> stored{1};
    int told = 0;
    int calls = 0;
    deliver_latest(stored, [&](int value) {
        if (++calls <= 2) {
            // Another writer stores, and has told the hart before this one comes to it.
            stored = 10 * calls;
            told = stored;
        }
        told = value;
    });
    CHECK(told == 20);
    CHECK(calls == 3);
}

TEST_CASE_METHOD(ClintBench, "writers of one register at once leave the hart with what the register holds") {
    constexpr unsigned kThreads = 3;
    constexpr unsigned kRounds = 1000;
    constexpr unsigned kWrites = 6;
    // In a round all write; between rounds the main thread looks, and nobody writes.
    std::barrier step(kThreads + 1);
    std::array<uint32_t, 2> halves{};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            mem::Reader reader(space);
            weft::test::Random random(weft::test::test_seed() + t);
            for (unsigned round = 0; round < kRounds; ++round) {
                step.arrive_and_wait();
                for (unsigned i = 0; i < kWrites; ++i) {
                    reader.device_write(0, 4, random.next() & 1);
                    reader.device_write(0x4000 + (random.next() & 4), 4, random.next());
                    reader.device_write(0xbff8 + (random.next() & 4), 4, random.next());
                    if (t < halves.size()) {
                        // Hart 1's compare: each half has one writer.
                        halves[t] = static_cast<uint32_t>(random.next());
                        reader.device_write(0x4008 + 4 * t, 4, halves[t]);
                    }
                }
                step.arrive_and_wait();
            }
        });
    }
    unsigned wrong_software = 0;
    unsigned wrong_timer = 0;
    unsigned wrong_halves = 0;
    unsigned wrong_time = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
        step.arrive_and_wait();
        step.arrive_and_wait();
        wrong_software += pending(0, Interrupt::machine_software) != (read(0) != 0) ? 1 : 0;
        wrong_timer +=
            owned[0]->mtimecmp() != read(0x4000, 8) || owned[1]->mtimecmp() != read(0x4008, 8) ? 1 : 0;
        wrong_halves += read(0x4008, 8) != (uint64_t{halves[1]} << 32 | halves[0]) ? 1 : 0;
        wrong_time += harts[1]->time() != harts[0]->time() || harts[2]->time() != harts[0]->time() ? 1 : 0;
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong_software == 0);
    CHECK(wrong_timer == 0);
    CHECK(wrong_halves == 0);
    CHECK(wrong_time == 0);
}

constexpr uint64_t enable_at(unsigned context) { return 0x2000 + 0x80 * context; }
constexpr uint64_t threshold_at(unsigned context) { return 0x200000 + 0x1000 * context; }
constexpr uint64_t claim_at(unsigned context) { return threshold_at(context) + 4; }

struct PlicBench : test::Bench, Harts {
    Plic device{topology, control, harts};
    PlicBench() : Harts(2) { plug(device.region()); }
    bool m(unsigned hart) { return pending(hart, Interrupt::machine_external); }
    bool s(unsigned hart) { return pending(hart, Interrupt::supervisor_external); }
    void set(unsigned source, bool level) { device.line(source).set(level); }
};

TEST_CASE_METHOD(PlicBench, "contexts are M and S of each hart in turn") {
    write(4 * 10, 1);
    set(10, true);
    for (unsigned context = 0; context < 4; ++context) {
        write(enable_at(context), 1 << 10);
        CHECK(m(0) == (context == 0));
        CHECK(s(0) == (context == 1));
        CHECK(m(1) == (context == 2));
        CHECK(s(1) == (context == 3));
        write(enable_at(context), 0);
    }
    CHECK(!s(1));
}

TEST_CASE_METHOD(PlicBench, "claim, complete, and again while the level is high") {
    write(4 * 40, 3);
    write(enable_at(1) + 4, 1 << 8);
    set(40, true);
    CHECK(s(0));
    CHECK(read(0x1004) == 1 << 8);
    CHECK(read(claim_at(1)) == 40);
    CHECK(!s(0));
    CHECK(read(0x1004) == 0);
    CHECK(read(claim_at(1)) == 0);
    // Still high at completion: pending again.
    write(claim_at(1), 40);
    CHECK(s(0));
    CHECK(read(claim_at(1)) == 40);
    set(40, false);
    write(claim_at(1), 40);
    CHECK(!s(0));
    // A new request.
    set(40, true);
    CHECK(s(0));
    // The level falls before the claim: the request stays (PLIC specification, "Interrupt Gateways").
    set(40, false);
    CHECK(s(0));
    CHECK(read(claim_at(1)) == 40);
    write(claim_at(1), 40);
    CHECK(!s(0));
}

TEST_CASE_METHOD(PlicBench, "one claim wins where several contexts may") {
    write(4 * 5, 1);
    write(enable_at(1), 1 << 5);
    write(enable_at(3), 1 << 5);
    set(5, true);
    CHECK(s(0));
    CHECK(s(1));
    CHECK(read(claim_at(3)) == 5);
    CHECK(!s(0));
    CHECK(read(claim_at(1)) == 0);
    // Completion by a context for which the source is not enabled counts for nothing.
    write(claim_at(0), 5);
    CHECK(!s(1));
    write(claim_at(1), 5);
    CHECK(s(1));
}

TEST_CASE_METHOD(PlicBench, "the highest priority first, then the lowest number; thresholds mask") {
    for (unsigned source : {3u, 4u, 7u, 9u}) {
        write(4 * source, source == 7 ? 5 : 2);
        set(source, true);
    }
    write(4 * 9, 0);  // priority 0: never
    write(enable_at(0), UINT32_MAX);
    CHECK(read(enable_at(0)) == (UINT32_MAX & ~1u));
    write(threshold_at(0), 5);
    CHECK(!m(0));
    write(threshold_at(0), 4);
    CHECK(m(0));
    CHECK(read(claim_at(0)) == 7);
    CHECK(!m(0));
    // The threshold does not hold back a claim.
    CHECK(read(claim_at(0)) == 3);
    write(threshold_at(0), 1);
    CHECK(m(0));
    CHECK(read(claim_at(0)) == 4);
    CHECK(read(claim_at(0)) == 0);
    CHECK(!m(0));
}

TEST_CASE_METHOD(PlicBench, "registers keep the bits they have") {
    write(0, 7);
    CHECK(read(0) == 0);
    write(4 * 95, 0xffffffff);
    CHECK(read(4 * 95) == 7);
    write(threshold_at(3), 0xff);
    CHECK(read(threshold_at(3)) == 7);
    write(enable_at(0) + 8, UINT32_MAX);
    CHECK(read(enable_at(0) + 8) == UINT32_MAX);
    write(enable_at(0) + 12, UINT32_MAX);
    CHECK(read(enable_at(0) + 12) == 0);
    write(0x1000, UINT32_MAX);
    CHECK(read(0x1000) == 0);
    CHECK(control.errors.empty());
    read(4 * 96);
    write(threshold_at(4), 1);
    read(threshold_at(0) + 8);
    write(claim_at(0), 96);
    write(claim_at(0), UINT32_MAX);
    CHECK(control.errors.size() == 3);
    read(0, 8);
    CHECK(status == DeviceStatus::bus_error);
}

TEST_CASE_METHOD(PlicBench, "a reset forgets everything but the levels") {
    write(4 * 5, 1);
    write(enable_at(1), 1 << 5);
    set(5, true);
    CHECK(read(claim_at(1)) == 5);
    device.reset();
    CHECK(!s(0));
    CHECK(read(4 * 5) == 0);
    CHECK(read(0x1000) == 1 << 5);
    write(4 * 5, 1);
    write(enable_at(1), 1 << 5);
    CHECK(s(0));
}

TEST_CASE_METHOD(PlicBench, "random traffic agrees with a model that looks at every bit") {
    const uint64_t seed = weft::test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    weft::test::Random random(seed);
    struct Model {
        bool level[96]{}, pending[96]{}, busy[96]{}, enabled[4][96]{};
        unsigned priority[96]{}, threshold[4]{};
        void gateway(unsigned source) {
            if (level[source] && !busy[source]) {
                busy[source] = pending[source] = true;
            }
        }
        unsigned best(unsigned context) const {
            unsigned found = 0, highest = 0;
            for (unsigned source = 1; source < 96; ++source) {
                if (pending[source] && enabled[context][source] && priority[source] > highest) {
                    found = source;
                    highest = priority[source];
                }
            }
            return found;
        }
    } model;
    for (int step = 0; step < 50000; ++step) {
        const auto source = static_cast<unsigned>(1 + random.below(95));
        const auto context = static_cast<unsigned>(random.below(4));
        const auto number = static_cast<unsigned>(random.below(8));
        switch (random.below(6)) {
            case 0:
                write(4 * source, number);
                model.priority[source] = number;
                break;
            case 1: {
                const unsigned word = static_cast<unsigned>(random.below(3));
                const auto bits = static_cast<uint32_t>(random.next());
                write(enable_at(context) + 4 * word, bits);
                for (unsigned i = 0; i < 32; ++i) {
                    model.enabled[context][32 * word + i] = (bits >> i & 1) != 0 && 32 * word + i != 0;
                }
                break;
            }
            case 2:
                write(threshold_at(context), number);
                model.threshold[context] = number;
                break;
            case 3:
                set(source, (number & 1) != 0);
                model.level[source] = (number & 1) != 0;
                model.gateway(source);
                break;
            case 4: {
                const unsigned expected = model.best(context);
                REQUIRE(read(claim_at(context)) == expected);
                model.pending[expected] = false;
                break;
            }
            default:
                write(claim_at(context), source);
                if (model.enabled[context][source] && model.busy[source] && !model.pending[source]) {
                    model.busy[source] = false;
                    model.gateway(source);
                }
                break;
        }
        for (unsigned c = 0; c < 4; ++c) {
            const bool expected = model.priority[model.best(c)] > model.threshold[c] && model.best(c) != 0;
            const bool raised = c % 2 == 0 ? m(c / 2) : s(c / 2);
            INFO("step " << step << " context " << c);
            REQUIRE(raised == expected);
        }
    }
}

}  // namespace
}  // namespace weft::hw
