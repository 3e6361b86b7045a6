// A guest architecture of a few instructions, and an assembler for it: enough to exercise an accelerator.
//
// Sixteen 64-bit registers. An instruction is an opcode byte, a byte of two register numbers (a low, b high), and for some
// a signed 32-bit number: 2 or 6 bytes long, so that instructions cross page ends. Addresses are physical, but for those
// from kSwapped on, which name the same memory with neighbouring pages exchanged. Instructions are fetched in MMU mode 0 or,
// after `enter`, 1; no instruction's data is accessed in another mode than 0. Modes 1 and 2 translate as Cpu::walk says.
// Exceptions and interrupts go to `vector` in mode 0 with the pc in `epc`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "weft/guest.h"
#include "weft/state.h"

namespace toy {

enum class Opcode : uint8_t {
    illegal,
    addi,    // a += number
    li,      // a = number
    add,     // a += b
    bne,     // if a != b: to pc + number
    jmp,     // to pc + number
    jr,      // to a; b not 0: most likely back from a call
    ld,      // a = [b], 8 bytes
    st,      // [b] = a
    amoadd,  // a = [b]; [b] += a, at once
    halt,    // wait for an interrupt
    yield,
    fence_i,
    ecall,  // exception
    iret,   // to epc, interrupts enabled
    flush,  // forget translations
    timer,  // interrupt in a nanoseconds
    id,     // a = number of the vCPU
    ei,     // interrupts enabled
    di,
    time,     // a = nanoseconds
    retired,  // a = instructions without those that raised an exception
    skip,     // after an exception by ecall: epc to the next instruction
    ldd,      // a = [b + number], 8 bytes
    std,      // [b + number] = a
    loads,    // a = [b], 8 bytes, as often as number says: much code for one instruction
    enter,    // to a, in mode 1 of address space b
    call,     // a = the next instruction's pc; to pc + number
    callr,    // a = the same; to b
    count_,
};

enum Cause : uint64_t {
    kIllegal = 1,
    kEcall,
    kLoadFault,
    kStoreFault,
    kFetchFault,
    kMisaligned,
    kInterrupt,
    kTimer,
    kMemoryFault = 16,  // and above: see memory_fault_cause
};

// Of GuestArch::memory_fault.
constexpr uint64_t memory_fault_cause(weft::MemoryFault kind, weft::Access access) {
    return kMemoryFault + 4 * static_cast<uint64_t>(kind) + static_cast<uint64_t>(access);
}

inline constexpr uint64_t kSwapped = uint64_t{1} << 40;

struct State {
    uint64_t gpr[16];
    uint64_t epc;
    uint64_t cause;
    uint64_t tval;
    uint64_t vector;
    uint64_t interrupts_enabled;
    uint64_t fetch_mode;             // 0 or 1
    uint64_t space;                  // its root and its ASID
    std::atomic<uint64_t> pending;   // set by any thread, with a kick
    std::atomic<uint64_t> timer_ns;  // UINT64_MAX: never
    uint64_t exception_cause;
    uint64_t exception_tval;
};

// VcpuConfig::guest.
struct Cpu {
    uint64_t id = 0;
    uint64_t reset_pc = 0;
    uint64_t vector = 0;
    // GuestArch::walk of modes 1 and 2, which depend on the address space. Where there is none, nothing is mapped in them.
    // Where it gives false there is a fault of that access.
    std::function<bool(const weft::WalkRequest&, weft::WalkResult*)> walk{};
};

// Whether an instruction has 6 bytes.
bool is_long(Opcode opcode);

const weft::GuestArch& guest_arch();
// The same with GuestArch::run: additions, jumps, loads and stores are run without a translation first.
const weft::GuestArch& interpreting_arch();
// process_arch(), the same.
const weft::GuestArch& interpreting_process_arch();
// The same in process mode: exceptions stay recorded in exception_cause and exception_tval.
const weft::GuestArch& process_arch();

inline State& state_of(void* state) { return *static_cast<State*>(state); }

// Makes an interrupt pending, as a device does. Any thread.
void interrupt(void* state);

// Writes instructions to memory that nobody runs yet.
class Assembler {
  public:
    // `pc`: where the first byte will be.
    explicit Assembler(uint64_t pc) : start_(pc) {}

    uint64_t pc() const { return start_ + bytes_.size(); }
    const std::vector<uint8_t>& bytes() const { return bytes_; }

    void op(Opcode opcode, unsigned a = 0, unsigned b = 0);
    void op(Opcode opcode, unsigned a, unsigned b, int64_t number);
    void li(unsigned a, int64_t number) { op(Opcode::li, a, 0, number); }
    void addi(unsigned a, int64_t number) { op(Opcode::addi, a, 0, number); }
    void bne(unsigned a, unsigned b, uint64_t to) { op(Opcode::bne, a, b, static_cast<int64_t>(to - pc())); }
    void call(unsigned a, uint64_t to) { op(Opcode::call, a, 0, static_cast<int64_t>(to - pc())); }
    void ret(unsigned a) { op(Opcode::jr, a, 1); }
    void jmp(uint64_t to) { op(Opcode::jmp, 0, 0, static_cast<int64_t>(to - pc())); }
    // A jump forwards: land() says where to.
    using Fixup = size_t;
    Fixup bne_later(unsigned a, unsigned b);
    Fixup jmp_later();
    // li of an address that land() says.
    Fixup li_later(unsigned a);
    void land(Fixup fixup);
    // Fills with two-byte instructions that do nothing, up to `address`.
    void fill_to(uint64_t address);

  private:
    const uint64_t start_;
    std::vector<uint8_t> bytes_;
};

}  // namespace toy
