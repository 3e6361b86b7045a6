// Litmus tests: short programs on two to four harts, and the outcomes that RVWMO forbids (The RISC-V Instruction Set Manual,
// volume I, chapter "RVWMO Memory Consistency Model").
//
// A test is run in batches. Every round of a batch has variables of its own, so that harts need not meet between rounds: each
// waits for the others a little, for the rounds to overlap, and goes on without them if they do not come (the host may have
// taken their processor). Between batches all meet, and hart 0 counts outcomes.
//
// A line is printed for each test: "number name rounds forbidden noted", numbers in hexadecimal. `noted` counts an outcome
// that is allowed and shows that the test can see what it looks for.
#include "harness.h"
#include "program_format.h"
#include "tests.h"

namespace litmus {
namespace {

using guest::Word;

// Set by hart 0 before `batch` is counted up, which the others wait for.
struct Shared {
    const Test* test = nullptr;
    Word batch;
    Word done;
};
Shared shared;
// Too large for the image; zero at power-on.
constexpr uint64_t kVariables = 0x80200000;
Variables (&variables)[kBatch] = *reinterpret_cast<Variables (*)[kBatch]>(kVariables);
struct alignas(64) Progress {
    volatile uint64_t round;
};
Progress progress[kMaxHarts];

const weft::litmus::Program& program() {
    return *reinterpret_cast<const weft::litmus::Program*>(isa::kProgramBase);
}

// Waits until `reached()`; halts where that takes long, so that a host with fewer processors gives them to the others.
template <class Reached>
void wait(uint64_t hart, Reached reached) {
    for (unsigned spins = 0; !reached(); ++spins) {
        if (spins < 1000000) {
            continue;
        }
        // Forgotten before the condition is looked at: an interrupt after that ends the WFI.
        guest::msip(hart) = 0;
        asm volatile("fence iorw, iorw" ::: "memory");
        if (!reached()) {
            asm volatile("wfi");
        }
    }
}

void wake(uint64_t hart) {
    asm volatile("fence iorw, iorw" ::: "memory");
    guest::msip(hart) = 1;
}

// Whether all have come to `round` before this one has waited long.
bool meet(uint64_t hart, uint64_t harts, uint64_t round, unsigned patience) {
    progress[hart].round = round;
    for (uint64_t other = 0; other < harts; ++other) {
        for (unsigned spins = 0; progress[other].round < round; ++spins) {
            if (spins == patience) {
                return false;
            }
        }
    }
    return true;
}

void run_batch(const Test& test, uint64_t hart, uint64_t first_round, uint64_t& random) {
    // Who does not come has lost its processor, and is not waited for again until it had time to get one back.
    constexpr unsigned kLong = 10000000;
    constexpr unsigned kShort = 20000;
    constexpr uint64_t kBetweenLong = 1024;
    unsigned patience = 0;
    for (uint64_t i = 0; i < kBatch; ++i) {
        if (i % kBetweenLong == 0) {
            patience = kLong;
        }
        patience = meet(hart, test.harts, first_round + i, patience) ? kShort : 0;
        for (uint64_t delay = guest::random(random) & test.delay_mask; delay != 0; --delay) {
            asm volatile("" ::: "memory");
        }
        test.body[hart](variables[i], variables[i].result[hart]);
    }
}

void clear() {
    for (Variables& one : variables) {
        one.x = 0;
        one.y = 0;
        for (auto& results : one.result) {
            for (uint64_t& result : results) {
                result = 0;
            }
        }
    }
}

void run(uint64_t number, const Test& test) {
    uint64_t random = program().seed;
    uint64_t forbidden = 0;
    uint64_t noted = 0;
    uint64_t rounds = 0;
    for (; rounds < program().rounds; rounds += kBatch) {
        clear();
        if (test.prepare != nullptr) {
            test.prepare(variables);
        }
        shared.test = &test;
        shared.done.set(0);
        shared.batch.add(1);
        for (uint64_t hart = 1; hart < test.harts; ++hart) {
            wake(hart);
        }
        const uint64_t first = shared.batch.get() * kBatch;
        run_batch(test, 0, first, random);
        wait(0, [&] { return shared.done.get() == test.harts - 1; });
        for (const Variables& one : variables) {
            forbidden += test.forbidden(one) ? 1 : 0;
            noted += test.noted != nullptr && test.noted(one) ? 1 : 0;
        }
    }
    guest::put_hex(number);
    guest::put_char(' ');
    guest::put_text(test.name);
    const uint64_t counts[] = {rounds, forbidden, noted};
    for (const uint64_t value : counts) {
        guest::put_char(' ');
        guest::put_hex(value);
    }
    guest::put_char('\n');
}

}  // namespace
}  // namespace litmus

void guest_secondary(uint64_t hart) {
    using namespace litmus;
    GUEST_CSR_WRITE(mie, guest::kMsi);
    uint64_t random = program().seed + hart;
    for (uint64_t batch = 1;; ++batch) {
        wait(hart, [&] { return shared.batch.get() >= batch; });
        run_batch(*shared.test, hart, batch * kBatch, random);
        shared.done.add(1);
        wake(0);
    }
}

void guest_main() {
    using namespace litmus;
    GUEST_CSR_WRITE(mie, guest::kMsi);
    for (uint64_t i = 0; i < kTestCount; ++i) {
        if (kTests[i].harts == program().harts &&
            (program().only == weft::litmus::kAll || program().only == i)) {
            run(i, kTests[i]);
        }
    }
}
