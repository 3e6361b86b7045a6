// Decoder and disassembler: any bytes are instructions or none, the table's rules and the decoder agree, and each is a line.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/guest/riscv/isa/disassemble.h"
#include "entry.h"

using namespace weft;

namespace {

void check_insn(uint32_t bits) {
    const riscv::Insn insn = riscv::decode(bits);
    WEFT_ASSERT(insn.size == riscv::insn_size(static_cast<uint16_t>(bits)));
    WEFT_ASSERT(insn.desc == nullptr || riscv::matches(*insn.desc, insn.bits));
    WEFT_ASSERT(insn.rd < 32 && insn.rs1 < 32 && insn.rs2 < 32 && insn.rs3 < 32 && insn.rm < 8);
    const std::string text = riscv::format_insn(insn, bits);
    WEFT_ASSERT(!text.empty() && text.find('\n') == std::string::npos);
    WEFT_ASSERT((insn.desc == nullptr) == text.starts_with('.'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Bytes bytes(data, size);
    const auto pc = bytes.take<uint64_t>();
    std::string listing;
    const TextSink sink{[](void* opaque, const char* text, size_t length) {
                            static_cast<std::string*>(opaque)->append(text, length);
                        },
                        &listing};
    riscv::disassemble(&riscv::kMax, bytes.data(), bytes.size(), pc, &sink);
    const auto lines = static_cast<size_t>(std::ranges::count(listing, '\n'));
    WEFT_ASSERT(lines <= bytes.size() && (lines != 0) == (bytes.size() != 0));
    while (bytes.size() != 0) {
        check_insn(bytes.take<uint32_t>());
    }
    return 0;
}
