#include "emulator/guest/riscv/translate/globals.h"

#include <array>
#include <cstddef>

#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/isa/register_names.h"

namespace weft::riscv {

namespace {

// Registers by how often compiled code uses them, most often first; what is not named here is never pinned.
// a5 alone is about a quarter of a Linux boot's register accesses.
constexpr uint8_t kGprRanking[] = {15, 14, 10, 13, 2, 12, 11, 8, 9, 1, 16, 17, 18, 19, 20, 21, 5, 6, 28, 7};
constexpr uint8_t kFprRanking[] = {15, 14, 10, 13, 12, 11, 16, 17, 8, 9, 0, 1, 2, 3, 4, 5};

template <size_t kCount>
constexpr uint16_t rank_of(unsigned number, const uint8_t (&ranking)[kCount]) {
    for (size_t i = 0; i < kCount; ++i) {
        if (ranking[i] == number) {
            return static_cast<uint16_t>(i + 1);
        }
    }
    return 0;
}

constexpr std::array<GlobalDesc, kGlobalCount> make_globals() {
    std::array<GlobalDesc, kGlobalCount> globals{};
    for (unsigned n = 1; n < 32; ++n) {
        globals[gpr_global(n)] =
            GlobalDesc{kGprNames[n], ir::Type::i64, gpr_offset(n), rank_of(n, kGprRanking)};
    }
    for (unsigned n = 0; n < 32; ++n) {
        globals[fpr_global(n)] =
            GlobalDesc{kFprNames[n], ir::Type::f64, fpr_offset(n), rank_of(n, kFprRanking)};
    }
    globals[kResAddressGlobal] =
        GlobalDesc{"res_address", ir::Type::i64, static_cast<int32_t>(offsetof(State, res_address)), 0};
    globals[kResValueGlobal] =
        GlobalDesc{"res_value", ir::Type::i64, static_cast<int32_t>(offsetof(State, res_value)), 0};
    return globals;
}

constexpr std::array<GlobalDesc, kGlobalCount> kGlobals = make_globals();

}  // namespace

std::span<const GlobalDesc> global_table() { return kGlobals; }

}  // namespace weft::riscv
