// Single instructions, any 32 bits each: run() and the translator agree on what they take for an instruction and on what it
// does, and so do the backends, before the optimizer and after it.
//
// Input: 8 bytes that choose registers and state, then the instructions, one after another, 4 bytes each. Each starts from what
// the one before left, at the pc it led to.
#include <cstdlib>
#include <iostream>
#include <string>

#include "base/assert.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/isa/disassemble.h"
#include "entry.h"
#include "step_machine.h"
#include "tests/riscv/random_program.h"
#include "tests/support/random.h"

using namespace weft;

namespace {

constexpr unsigned kMaxInsns = 16;

[[noreturn]] void stop(uint32_t bits, const std::string& way, const std::string& reason) {
    std::cerr << riscv::format_insn(riscv::decode(bits), bits) << ": " << way << ": " << reason << '\n';
    std::abort();
}

// Corner values, and in some registers addresses in memory or close to its ends.
fuzz::HartImage first_image(uint64_t choice) {
    fuzz::HartImage image;
    const riscv::RandomRegisters registers = riscv::random_registers(choice);
    image.x = registers.x;
    image.f = registers.f;
    test::Random random(choice);
    for (unsigned i = 1; i < 32; ++i) {
        if (random.below(3) == 0) {
            image.x[i] = fuzz::kMemoryBase + random.below(fuzz::kMemorySize + 16) - 8;
        }
    }
    for (uint8_t& byte : image.memory) {
        byte = static_cast<uint8_t>(random.next());
    }
    image.pc = 0x10000 + (choice & 0xffe);
    image.frm = choice >> 12 & 7;
    image.mstatus = (choice >> 15 & 3) << riscv::kStatusFsShift;
    image.fp_flags = choice >> 17 & 31;
    return image;
}

// The instruction in all ways. Gives what they agree on; `before` where that is not known.
fuzz::HartImage step(fuzz::StepMachine& machine, const fuzz::HartImage& before, uint32_t bits) {
    const riscv::Insn insn = riscv::decode(bits);
    const std::optional<fuzz::HartImage> interpreted = machine.interpret(before, bits);
    const ir::Unit& unit = machine.translate(before, bits);
    const bool known = interpreted.has_value();
    if (fuzz::StepMachine::needs_hart(unit)) {
        if (known) {
            stop(bits, "run", "takes on what a translation calls a helper for");
        }
        return before;
    }
    std::optional<fuzz::HartImage> expected = interpreted;
    machine.run_translated(before, [&](const std::string& way, const fuzz::HartImage& after) {
        if (!expected) {
            expected = after;
        }
        const std::string found = fuzz::difference(*expected, after);
        if (!found.empty()) {
            stop(bits, way, found);
        }
    });
    if (insn.desc == nullptr &&
        (known || !expected->raised || expected->cause != 2 || expected->tval != insn.bits)) {
        stop(bits, "all", "no instruction, yet not an illegal-instruction exception");
    }
    return *expected;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // Made once, for it maps memory and generates code. Each run sets all that it reads.
    static fuzz::StepMachine machine;
    fuzz::Bytes bytes(data, size);
    fuzz::HartImage image = first_image(bytes.take<uint64_t>());
    for (unsigned i = 0; i < kMaxInsns && bytes.size() != 0; ++i) {
        image = step(machine, image, bytes.take<uint32_t>());
        // As a handler would that returns behind the instruction.
        image.pc = (image.raised ? image.pc + 4 : image.pc) & ~uint64_t{1};
        image.raised = false;
    }
    return 0;
}
