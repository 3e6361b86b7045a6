#include "emulator/linux-user/riscv/frame.h"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace weft::user {

namespace {

// Numbers in x (RISC-V calling convention).
constexpr unsigned kRa = 1;
constexpr unsigned kSp = 2;
constexpr unsigned kA0 = 10;
constexpr unsigned kA1 = 11;
constexpr unsigned kA2 = 12;

constexpr uint32_t kFcsrBits = 0xff;        // rounding mode and exceptions (unprivileged specification, "F")
constexpr uint64_t kPcBits = ~uint64_t{1};  // sepc's lowest bit is 0 (privileged specification, 4.1.7)

constexpr uint64_t signal_bit(unsigned signal) { return uint64_t{1} << (signal - 1); }
constexpr uint64_t kNeverBlocked = signal_bit(SIGKILL) | signal_bit(SIGSTOP);

}  // namespace

bool is_on_alt_stack(const abi::Stack& alt, uint64_t sp) {
    return (static_cast<uint32_t>(alt.flags) & kSsAutodisarm) == 0 && sp > alt.sp && sp - alt.sp <= alt.size;
}

std::optional<SignalFrame> make_frame(const FrameRegisters& registers, const SignalDelivery& delivery) {
    const abi::Stack& alt = delivery.alt_stack;
    uint64_t sp = registers.x[kSp];
    if (is_on_alt_stack(alt, sp)) {
        if (!is_on_alt_stack(alt, sp - sizeof(abi::RtSigframe))) {
            return std::nullopt;
        }
    } else if (delivery.use_alt_stack && alt.size != 0) {
        sp = alt.sp + alt.size;
    }

    SignalFrame frame{};
    frame.address = (sp - sizeof(abi::RtSigframe)) & ~(abi::kStackAlign - 1);
    std::ranges::copy(delivery.info, frame.bytes.info);
    abi::Ucontext& uc = frame.bytes.uc;
    uc.stack = {.sp = alt.sp, .flags = alt.flags, .pad = 0, .size = alt.size};
    uc.sigmask = delivery.mask;
    uc.mcontext.regs.pc = registers.pc;
    std::copy(registers.x.begin() + 1, registers.x.end(), uc.mcontext.regs.x);
    std::ranges::copy(registers.f, uc.mcontext.fp.f);
    uc.mcontext.fp.fcsr = registers.fcsr;

    frame.registers = registers;
    frame.registers.pc = delivery.handler & kPcBits;
    frame.registers.x[kRa] = delivery.restorer;
    frame.registers.x[kSp] = frame.address;
    frame.registers.x[kA0] = delivery.signal;
    frame.registers.x[kA1] = frame.address + offsetof(abi::RtSigframe, info);
    frame.registers.x[kA2] = frame.address + offsetof(abi::RtSigframe, uc);
    frame.alt_stack = (static_cast<uint32_t>(alt.flags) & kSsAutodisarm) != 0 ? kNoAltStack : alt;
    return frame;
}

std::optional<RestoredFrame> read_frame(const abi::RtSigframe& frame) {
    const abi::Sigcontext& context = frame.uc.mcontext;
    if (std::ranges::any_of(context.fp.reserved, [](uint32_t word) { return word != 0; })) {
        return std::nullopt;
    }
    RestoredFrame restored{};
    restored.registers.pc = context.regs.pc & kPcBits;
    std::ranges::copy(context.regs.x, restored.registers.x.begin() + 1);
    std::ranges::copy(context.fp.f, restored.registers.f.begin());
    restored.registers.fcsr = context.fp.fcsr & kFcsrBits;
    restored.mask = frame.uc.sigmask & ~kNeverBlocked;
    restored.alt_stack = frame.uc.stack;
    return restored;
}

}  // namespace weft::user
