// What -d says of translations: in_asm, op, op_opt, out_asm.
#pragma once

#include <cstdint>
#include <span>

#include "tcg/backend.h"
#include "weft/accel.h"
#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::accel {

class TranslationLog {
  public:
    TranslationLog(const GuestArch& guest, const HostServices& host) : guest_(guest), host_(host) {}

    // Whether op or op_opt is wanted: then a unit's IR has to be made.
    bool wants_ir() const;

    void in_asm(std::span<const uint8_t> code, uint64_t pc) const;
    void op(const ir::Unit& unit, uint64_t pc) const;
    void op_opt(const ir::Unit& unit, uint64_t pc) const;
    void out_asm(const tcg::Backend& backend, tcg::CodeWindow code, uint64_t pc, uint64_t guest_size) const;

  private:
    bool wanted(unsigned item, uint64_t pc, uint64_t size) const;
    void unit(const char* title, const ir::Unit& unit, uint64_t pc) const;

    const GuestArch& guest_;
    const HostServices& host_;
};

}  // namespace weft::accel
