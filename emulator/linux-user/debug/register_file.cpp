#include "emulator/linux-user/debug/register_file.h"

#include <fmt/format.h>

#include <cstring>

#include "emulator/guest/riscv/isa/register_names.h"

namespace weft::user {

namespace {

constexpr unsigned kIntegers = 32;
constexpr unsigned kPc = kIntegers;
constexpr unsigned kFirstFloat = kPc + 1;
constexpr unsigned kFirstControl = kFirstFloat + 32;

// Fields of fcsr (RISC-V unprivileged, "F: Floating-Point Control and Status Register").
struct Control {
    const char* name;
    unsigned shift;
    uint32_t mask;
};
constexpr Control kControls[] = {{"fflags", 0, 0x1f}, {"frm", 5, 0x7}, {"fcsr", 0, 0xff}};
constexpr unsigned kCount = kFirstControl + std::size(kControls);

template <class T>
std::string bytes_of(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

template <class T>
bool read_bytes(std::string_view bytes, T* value) {
    if (bytes.size() != sizeof(T)) {
        return false;
    }
    std::memcpy(value, bytes.data(), sizeof(T));
    return true;
}

// Of 64 bits; null: another.
uint64_t* wide(FrameRegisters& registers, unsigned number) {
    if (number < kIntegers) {
        return &registers.x[number];
    }
    if (number == kPc) {
        return &registers.pc;
    }
    return number < kFirstControl ? &registers.f[number - kFirstFloat] : nullptr;
}

}  // namespace

unsigned gdb_register_count() { return kCount; }

std::string read_gdb_register(const FrameRegisters& registers, unsigned number) {
    FrameRegisters copy = registers;
    if (const uint64_t* value = wide(copy, number)) {
        return bytes_of(*value);
    }
    const Control& control = kControls[number - kFirstControl];
    return bytes_of(registers.fcsr >> control.shift & control.mask);
}

bool write_gdb_register(FrameRegisters& registers, unsigned number, std::string_view bytes) {
    if (uint64_t* value = wide(registers, number)) {
        const bool done = read_bytes(bytes, value);
        registers.x[0] = 0;
        // As the architecture has it (RISC-V privileged, "Machine Exception Program Counter").
        registers.pc &= ~uint64_t{1};
        return done;
    }
    const Control& control = kControls[number - kFirstControl];
    uint32_t value = 0;
    if (!read_bytes(bytes, &value)) {
        return false;
    }
    registers.fcsr = (registers.fcsr & ~(control.mask << control.shift)) | (value & control.mask)
                                                                               << control.shift;
    return true;
}

std::string gdb_target_description() {
    std::string text =
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
        "<architecture>riscv:rv64</architecture>\n<osabi>GNU/Linux</osabi>\n"
        "<feature name=\"org.gnu.gdb.riscv.cpu\">\n";
    const auto reg = [&](std::string_view name, unsigned bits, std::string_view type) {
        text += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"/>\n", name, bits, type);
    };
    constexpr unsigned kRa = 1;
    constexpr unsigned kTp = 4;
    for (unsigned i = 0; i < kIntegers; ++i) {
        const bool is_data = i > kRa && i <= kTp;
        reg(riscv::kGprNames[i], 64, i == kRa ? "code_ptr" : is_data ? "data_ptr" : "int");
    }
    reg("pc", 64, "code_ptr");
    text +=
        "</feature>\n<feature name=\"org.gnu.gdb.riscv.fpu\">\n"
        "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"
        "<field name=\"double\" type=\"ieee_double\"/></union>\n";
    for (const char* name : riscv::kFprNames) {
        reg(name, 64, "riscv_double");
    }
    for (const Control& control : kControls) {
        reg(control.name, 32, "int");
    }
    return text + "</feature>\n</target>\n";
}

}  // namespace weft::user
