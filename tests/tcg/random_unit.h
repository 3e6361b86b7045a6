// Random valid units of IR.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "backend_harness.h"
#include "weft/ir_builder.h"

namespace weft::tcg::test {

struct RandomUnitOptions {
    unsigned insns = 16;  // guest instructions
    bool fp = true;
    bool memory = true;
    bool faults = true;  // a few accesses and helpers raise
    bool helpers = true;
    bool branches = true;
    bool loops = true;
    bool rounds = false;  // jumps back to its own start, as often as GuestState::rounds says
};

// Writes one unit. The same seed and options give the same unit.
class RandomUnit {
  public:
    RandomUnit(uint64_t seed, const RandomUnitOptions& options) : random_(seed), options_(options) {}

    // `unit` comes from UnitMemory::begin_unit with the globals of test_guest().
    void write(ir::Unit& unit);

  private:
    using Index = ir::TempIndex;
    using Type = ir::Type;

    bool chance(unsigned percent) { return random_() % 100 < percent; }
    uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
    template <class T, size_t kCount>
    T one_of(const T (&values)[kCount]) {
        return values[below(kCount)];
    }

    uint64_t interesting();
    Index constant(Type type, uint64_t value);
    Index pick(Type type);
    Index result(Type type);
    void keep(Type type, Index index);
    void emit(ir::Opcode code, Type type, uint8_t cond, uint32_t aux, Type result_type,
              std::initializer_list<Index> inputs);

    void guest_insn();
    void integer_op(Type type);
    void shift_op(Type type);
    void divide_op(Type type);
    void field_op(Type type);
    void conversion_op();
    void pair_of_shifts();
    void state_op(Type type);
    void memory_op();
    void access_op(std::optional<ir::I64> base);
    void call_op();
    void fp_op(Type type);
    void fp_transfer_op(Type type);
    void fp_flags_op();
    uint8_t rounding();
    ir::I64 address(unsigned size_log2);
    void branch_over();
    void loop();
    void count_round(ir::Label done);
    void branch_back();
    void jump_back();
    int32_t linked_offset();
    void leave();
    void start_block();

    std::mt19937_64 random_;
    const RandomUnitOptions options_;
    ir::Builder* builder_ = nullptr;
    // By type: temps whose values may be used now.
    std::vector<Index> pool_[5];
    std::vector<Index> unit_temps_[5];
    int32_t start_ = 0;
    std::vector<ir::Label> back_;  // labels of jumps to the start, which stand at the end
    int32_t pc_offset_ = 0;
    unsigned depth_ = 0;
};

}  // namespace weft::tcg::test
