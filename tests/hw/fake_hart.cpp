// The part of a hart that devices call, without an accelerator behind it: levels and compare values end in its state.
#include "emulator/guest/riscv/cpu/debug_registers.h"
#include "emulator/guest/riscv/cpu/saved_state.h"
#include "emulator/guest/riscv/cpu/semihosting.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "tests/hw/support.h"

namespace weft::riscv {

void Hart::set_interrupt(Interrupt interrupt, bool level) {
    const uint64_t bit = uint64_t{1} << static_cast<unsigned>(interrupt);
    if (level) {
        state_->mip.fetch_or(bit);
    } else {
        state_->mip.fetch_and(~bit);
    }
}

void Hart::set_mtimecmp(uint64_t ticks) { state_->mtimecmp.store(ticks); }
uint64_t Hart::mtimecmp() const { return state_->mtimecmp.load(); }
uint64_t Hart::clock_ticks() const { return hw::test::kFakeTime; }
uint64_t Hart::time() const { return hw::test::kFakeTime + state_->time_offset.load(); }
void Hart::set_time_offset(uint64_t ticks) { state_->time_offset.store(ticks); }

// Nobody debugs here.
std::optional<std::string> debug_description(std::string_view, const CpuModel&) { return std::nullopt; }
std::string read_debug_register(const State&, unsigned) { return {}; }
bool write_debug_register(State&, unsigned, std::string_view) { return false; }
std::optional<uint64_t> debug_translate(State&, uint64_t) { return std::nullopt; }

// Nor are harts saved.
void visit_state(State&, StateVisitor&) {}

// Nothing runs here.
size_t load_bytes(State&, uint64_t, std::span<uint8_t>) { return 0; }
size_t store_bytes(State&, uint64_t, std::span<const uint8_t>) { return 0; }
GuestArch guest_arch(const CpuModel&) { return {}; }

}  // namespace weft::riscv
