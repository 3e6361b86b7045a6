// What the interpreter holds while it runs: the counterpart of a native backend's registers and stack frame.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "tcg/backend.h"
#include "tcg/interp/code.h"

namespace weft::tcg::interp {

struct Machine;
// Executes one instruction and gives the next one; null when the unit was left (Machine::exit says how).
using Handler = const Insn* (*)(Machine& machine, const Insn& insn);
using HandlerTable = std::array<Handler, kHandlerCount>;

void add_integer_handlers(HandlerTable& table);
void add_memory_handlers(HandlerTable& table);
// With `profile` probes of the jump cache are counted.
void add_control_handlers(HandlerTable& table, bool profile);
void add_fp_handlers(HandlerTable& table);

// Lives on the stack of Backend::run, for one vCPU.
struct Machine {
    // Leaves the frame uninitialised: a run would clear far more than most units touch.
    Machine(void* state_pointer, const BackendConfig& backend_config, RxAddress buffer)
        : state(state_pointer), config(backend_config), code_base(buffer.value()) {
        bases[kBaseState] = reinterpret_cast<uintptr_t>(state_pointer);
        bases[kBaseFrame] = reinterpret_cast<uintptr_t>(frame.data());
    }

    void* const state;
    const BackendConfig& config;
    const uintptr_t code_base;  // start of the code buffer: JumpCacheEntry::code_offset counts from here
    // By Base: the state pointer, the frame, the running unit.
    std::array<uintptr_t, 3> bases{};
    ExitKind exit = ExitKind::lookup;
    // Only ever written, by full_barrier().
    std::atomic<uint32_t> barrier{0};
    // Temps, by the numbers the compiler gave them. A verified unit writes each one before it reads it.
    std::array<uint64_t, ir::kMaxTemps> frame;

    // A sequentially consistent exchange, for a standalone fence is not modelled by ThreadSanitizer. On x86-64 it is a
    // locked instruction and as strong as the fence: earlier stores, relaxed ones too, are visible before later loads.
    void full_barrier() { barrier.exchange(1, std::memory_order_seq_cst); }

    StateHeader& header() { return state_header(state); }
    const UnitHeader& unit() const { return *reinterpret_cast<const UnitHeader*>(bases[kBaseUnit]); }

    // The operand's value; T is as wide as its temp.
    template <class T>
    T get(const Insn& insn, unsigned index) const {
        T value;
        std::memcpy(&value, reinterpret_cast<const void*>(address(insn, index)), sizeof(T));
        return value;
    }
    template <class T>
    void set(const Insn& insn, unsigned index, T value) {
        std::memcpy(reinterpret_cast<void*>(address(insn, index)), &value, sizeof(T));
    }

    // Starts `unit`.
    const Insn* enter(uintptr_t unit_address) {
        bases[kBaseUnit] = unit_address;
        return reinterpret_cast<const Insn*>(unit_address + unit().first_insn);
    }
    const Insn* leave(ExitKind kind) {
        exit = kind;
        return nullptr;
    }
    // Before `insn` calls anything: the address behind it names it, as a return address would.
    void mark(const Insn& insn) {
        exec_state(state).exit_host_pc = reinterpret_cast<uintptr_t>(insn_at(insn, insn.words));
    }
    // Leaves with the exception that `insn` raised; after mark().
    const Insn* fault() { return leave(ExitKind::fault); }

  private:
    uintptr_t address(const Insn& insn, unsigned index) const {
        const auto operand = static_cast<int32_t>(operands(insn)[index]);
        return bases[static_cast<unsigned>(operand) & 3] + static_cast<uintptr_t>(intptr_t{operand & ~3});
    }
};

// The instruction behind one with `kOperands` operand words.
template <unsigned kOperands>
const Insn* next(const Insn& insn) {
    return insn_at(insn, kHeadWords + kOperands);
}

}  // namespace weft::tcg::interp
