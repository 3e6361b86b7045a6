#include "emulator/guest/riscv/cpu/debug_registers.h"

#include <fmt/format.h>

#include <cstring>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/mmu.h"
#include "emulator/guest/riscv/isa/register_names.h"

namespace weft::riscv {

namespace {

constexpr unsigned kPc = 32;
constexpr unsigned kFirstFloat = kPc + 1;
constexpr unsigned kPriv = kFirstFloat + 32;
constexpr unsigned kFirstCsr = kPriv + 1;
static_assert(kPc + 1 == kDebugGeneralRegisters && kFirstCsr + 4096 == kDebugRegisters);

std::string feature(std::string_view name, std::string_view content) {
    return fmt::format(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE feature SYSTEM \"gdb-target.dtd\">\n<feature "
        "name=\"org.gnu.gdb.riscv.{}\">\n"
        "{}</feature>\n",
        name, content);
}

std::string reg(std::string_view name, unsigned number, std::string_view type) {
    return fmt::format("<reg name=\"{}\" bitsize=\"64\" regnum=\"{}\" type=\"{}\"/>\n", name, number, type);
}

std::string integers() {
    constexpr unsigned kRa = 1;
    constexpr unsigned kTp = 4;
    constexpr unsigned kFp = 8;
    std::string text;
    for (unsigned i = 0; i < 32; ++i) {
        const bool is_data = (i > kRa && i <= kTp) || i == kFp;
        text += reg(i == kFp ? "fp" : kGprNames[i], i, i == kRa ? "code_ptr" : is_data ? "data_ptr" : "int");
    }
    return text + reg("pc", kPc, "code_ptr");
}

std::string floats() {
    std::string text =
        "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"
        "<field name=\"double\" type=\"ieee_double\"/></union>\n";
    for (unsigned i = 0; i < 32; ++i) {
        text += reg(kFprNames[i], kFirstFloat + i, "riscv_double");
    }
    return text;
}

std::string csrs(const ExtensionSet& extensions) {
    std::string text;
    for (unsigned number = 0; kFirstCsr + number < kDebugRegisters; ++number) {
        if (find_csr(number, extensions) != nullptr) {
            text += reg(csr_name(number), kFirstCsr + number, "int");
        }
    }
    return text;
}

// Of 64 bits that nothing else depends on; null: another.
template <class AnyState>
auto* plain(AnyState& state, unsigned number) {
    const unsigned f = number - kFirstFloat;
    return number < kPc ? &state.gpr[kGprSlot[number]] : f < 32 ? &state.fpr[f] : nullptr;
}

}  // namespace

std::optional<std::string> debug_description(std::string_view file, const CpuModel& model) {
    if (file == "target.xml") {
        return "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n"
               "<architecture>riscv:rv64</architecture>\n<xi:include href=\"riscv-64bit-cpu.xml\"/>\n"
               "<xi:include href=\"riscv-64bit-fpu.xml\"/>\n<xi:include href=\"riscv-64bit-virtual.xml\"/>\n"
               "<xi:include href=\"riscv-csr.xml\"/>\n</target>\n";
    }
    if (file == "riscv-64bit-cpu.xml") {
        return feature("cpu", integers());
    }
    if (file == "riscv-64bit-fpu.xml") {
        return feature("fpu", floats());
    }
    if (file == "riscv-64bit-virtual.xml") {
        return feature("virtual", reg("priv", kPriv, "int"));
    }
    return file == "riscv-csr.xml" ? std::optional(feature("csr", csrs(model.extensions))) : std::nullopt;
}

std::string read_debug_register(const State& state, unsigned number) {
    uint64_t value = 0;
    if (const uint64_t* word = plain(state, number)) {
        value = *word;
    } else if (number == kPc) {
        value = state_header(&state).pc;
    } else if (number == kPriv) {
        value = static_cast<uint64_t>(state.priv);
    } else if (const auto csr =
                   number < kDebugRegisters ? csr_peek(state, number - kFirstCsr) : std::nullopt) {
        value = *csr;
    } else {
        return {};
    }
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

bool write_debug_register(State& state, unsigned number, std::string_view bytes) {
    uint64_t value = 0;
    if (bytes.size() != sizeof(value) || number >= kDebugRegisters) {
        return false;
    }
    std::memcpy(&value, bytes.data(), sizeof(value));
    if (uint64_t* word = plain(state, number)) {
        *word = value;
        gpr(state, 0) = 0;
        return true;
    }
    if (number == kPc) {
        // As the architecture has it ("Machine Exception Program Counter": the lowest bit is zero).
        state_header(&state).pc = value & ~uint64_t{1};
        return true;
    }
    if (number != kPriv) {
        return csr_poke(state, number - kFirstCsr, value);
    }
    // Mode 2 is reserved (privileged specification 1.2).
    if (value > static_cast<uint64_t>(Priv::machine) || value == 2) {
        return false;
    }
    state.priv = static_cast<Priv>(value);
    end_reservation(state);  // addresses may mean something else
    interrupts_changed(state);
    return true;
}

std::optional<uint64_t> debug_translate(State& state, uint64_t vaddr) {
    const auto mode = static_cast<uint8_t>(TbFlags(tb_flags(&state)).data_mode());
    const WalkRequest request{vaddr, Access::load, mode, 1, true};
    return walk_for_debugger(state, request);
}

}  // namespace weft::riscv
