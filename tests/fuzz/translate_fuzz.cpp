// The translator: whatever code it is given, the unit is valid, and the optimizer leaves a valid unit. Both are read back
// from their text.
#include <cstdlib>
#include <iostream>
#include <vector>

#include "base/assert.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "emulator/guest/riscv/translate/translate.h"
#include "entry.h"
#include "tcg/ir/parse.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/ir/verify.h"
#include "tcg/opt/optimizer.h"

using namespace weft;

namespace {

const GuestArch& guest() {
    static const GuestArch kArch = riscv::guest_arch(riscv::kMax);
    return kArch;
}
tcg::PrintNames names() {
    return {{guest().globals, guest().global_count}, {guest().helpers, guest().helper_count}};
}

void check_unit(const ir::Unit& unit) {
    const Result<> valid = tcg::verify(unit, names().helpers);
    const std::string text = tcg::print_unit(unit, names());
    tcg::UnitMemory memory(names().globals);
    const auto read = tcg::parse_unit(text, names(), memory.begin_unit());
    if (!valid || !read || tcg::print_unit(memory.unit(), names()) != text) {
        std::cerr << text << (valid ? "" : valid.error().message()) << '\n'
                  << (read ? "" : read.error().message()) << '\n';
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Bytes bytes(data, size);
    const auto choice = bytes.take<uint32_t>();
    const auto fp = static_cast<riscv::FpState>((choice >> 6 & 3) % 3);
    const unsigned frm = fp == riscv::FpState::off ? 0 : choice >> 8 & 7;
    constexpr riscv::Priv kPrivs[] = {riscv::Priv::user, riscv::Priv::supervisor, riscv::Priv::machine};
    const riscv::TbFlags flags(kPrivs[(choice & 3) % 3], static_cast<riscv::MmuMode>(choice >> 2 & 3),
                               static_cast<riscv::MmuMode>(choice >> 4 & 3), fp, frm);
    const uint32_t page_offset = choice >> 12 & 0xffe;
    // Up to the page's end, or where the first instruction reaches over it, a few bytes into the next page.
    const uint32_t room = 4096 - page_offset + ((choice & 0x800) != 0 ? 2 : 0);
    const std::vector<uint8_t> code(bytes.data(), bytes.data() + std::min<size_t>(bytes.size(), room));
    if (code.size() < 2) {
        return 0;
    }
    const TranslateRequest request{guest().model,
                                   flags.bits(),
                                   code.data(),
                                   static_cast<uint32_t>(code.size()),
                                   page_offset,
                                   1 + (choice >> 24 & 63),
                                   (choice & 1u << 30) != 0,
                                   (choice & 1u << 31) != 0,
                                   (choice & 1u << 10) == 0,
                                   (choice & 1u << 12) == 0,
                                   (choice & 1u << 9) == 0};
    tcg::UnitMemory memory(names().globals);
    ir::Unit& unit = memory.begin_unit();
    const TranslateStatus status = guest().translate(&request, &unit);
    if (status != TranslateStatus::ok) {
        WEFT_ASSERT(status == TranslateStatus::need_more && code.size() < 4);
        return 0;
    }
    WEFT_ASSERT(unit.insn_count >= 1 && unit.insn_count <= request.max_insns);
    WEFT_ASSERT(unit.guest_size <= code.size());
    check_unit(unit);
    tcg::Optimizer().optimize(unit, names().helpers);
    check_unit(unit);
    return 0;
}
