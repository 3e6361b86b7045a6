// What tests of process mode run.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/accel/toy_process.h"

namespace toy {

inline constexpr uint64_t kCode = page_address(0);
inline constexpr uint64_t kData = page_address(20);

// li is sign-extended from 32 bits: larger numbers are put into registers before.
inline Assembler at(uint64_t pc) { return Assembler(pc); }

// A function, for any place: r1 := number, and a system call.
inline std::vector<uint8_t> returns(int64_t number) {
    Assembler code = at(0);
    code.li(1, number);
    code.op(Opcode::ecall);
    return code.bytes();
}

}  // namespace toy
