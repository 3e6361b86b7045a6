// A bytecode interpreter: one indirect jump an instruction (labels as values, an extension of GCC and clang).
// SIZE: the Collatz sequences that the bytecode program follows.

#include <array>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

enum Op : std::uint8_t {
    set,
    add,
    sub,
    mul_add,
    shift_right,
    low_bit,
    jump_less,
    jump_zero,
    jump,
    store,
    load,
    stop
};

struct Instruction {
    Op op;
    std::uint8_t to;
    std::uint8_t a;
    std::uint8_t b;
    std::int32_t value;
};

class Interpreter final : public bench::Work {
  public:
    explicit Interpreter(long size) {
        // r0: the number whose sequence is followed, r1: its end, r2: the sequence, r3: steps, r4: sum, r5: 1, r6: bit
        enum : std::int32_t { next = 4, step = 6, even = 11, done = 13 };
        code_ = {
            {set, 0, 0, 0, 1},          {set, 1, 0, 0, static_cast<std::int32_t>(size + 1)},
            {set, 4, 0, 0, 0},          {set, 5, 0, 0, 1},
            {add, 2, 0, 7, 0},                                       // next: r7 is 0
            {set, 3, 0, 0, 0},          {jump_less, 0, 2, 8, done},  // step: r8 is 2
            {add, 3, 3, 5, 0},          {low_bit, 6, 2, 0, 0},
            {jump_zero, 0, 6, 0, even}, {mul_add, 2, 2, 5, 3},  // 3 n + 1, which is even
            {shift_right, 2, 2, 0, 1},                          // even
            {jump, 0, 0, 0, step},      {store, 3, 0, 0, 0},    // done
            {load, 9, 0, 0, 0},         {add, 4, 4, 9, 0},
            {add, 0, 0, 5, 0},          {jump_less, 0, 0, 1, next},
            {stop, 4, 0, 0, 0},
        };
    }

    std::uint64_t run() override {
        const void* const labels[] = {&&do_set,         &&do_add,     &&do_sub,       &&do_mul_add,
                                      &&do_shift_right, &&do_low_bit, &&do_jump_less, &&do_jump_zero,
                                      &&do_jump,        &&do_store,   &&do_load,      &&do_stop};
        std::array<std::uint64_t, 16> r{};
        r[8] = 2;
        const Instruction* i = code_.data();
#define BENCH_NEXT goto* labels[i->op]
        BENCH_NEXT;
    do_set:
        r[i->to] = static_cast<std::uint64_t>(i->value);
        i++;
        BENCH_NEXT;
    do_add:
        r[i->to] = r[i->a] + r[i->b];
        i++;
        BENCH_NEXT;
    do_sub:
        r[i->to] = r[i->a] - r[i->b];
        i++;
        BENCH_NEXT;
    do_mul_add:
        r[i->to] = r[i->a] * static_cast<std::uint64_t>(i->value) + r[i->b];
        i++;
        BENCH_NEXT;
    do_shift_right:
        r[i->to] = r[i->a] >> i->value;
        i++;
        BENCH_NEXT;
    do_low_bit:
        r[i->to] = r[i->a] & 1;
        i++;
        BENCH_NEXT;
    do_jump_less:
        i = r[i->a] < r[i->b] ? code_.data() + i->value : i + 1;
        BENCH_NEXT;
    do_jump_zero:
        i = r[i->a] == 0 ? code_.data() + i->value : i + 1;
        BENCH_NEXT;
    do_jump:
        i = code_.data() + i->value;
        BENCH_NEXT;
    do_store:
        memory_[r[i->a] & 1023] = r[i->to];
        i++;
        BENCH_NEXT;
    do_load:
        r[i->to] = memory_[r[i->a] & 1023];
        i++;
        BENCH_NEXT;
    do_stop:
        return r[i->to];
#undef BENCH_NEXT
    }

  private:
    std::vector<Instruction> code_;
    std::array<std::uint64_t, 1024> memory_{};
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Interpreter>(size); }
