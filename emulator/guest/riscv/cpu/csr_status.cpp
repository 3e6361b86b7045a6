#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kFflagsMask = 0x1f;
constexpr uint64_t kFrmMask = 7;
constexpr unsigned kFrmShift = 5;

// 3.1.6.6: SD sums up FS, the only one of FS, VS and XS that there is.
uint64_t dirty_summary(const State& state) {
    return (state.mstatus & kStatusFs) == kStatusFs ? kStatusSd : 0;
}

// 3.1.6: fields of what the hart does not have are read-only zero.
uint64_t mstatus_writable(const State& state) {
    constexpr uint64_t kSupervisor =
        kStatusSie | kStatusSpie | kStatusSpp | kStatusSum | kStatusMxr | kStatusTvm | kStatusTsr;
    uint64_t writable = kMstatusWritable;
    writable &= has(state, Extension::s) ? ~uint64_t{0} : ~kSupervisor;
    writable &= has(state, Extension::f) ? ~uint64_t{0} : ~kStatusFs;
    writable &= has(state, Extension::smdbltrp) ? ~uint64_t{0} : ~kStatusMdt;
    // "Ssdbltrp": while DTE is zero, it is as if it were not there.
    return (state.menvcfg & kEnvcfgDte) != 0 ? writable : writable & ~kStatusSdt;
}

void set_status(State& state, uint64_t value, uint64_t writable) {
    const uint64_t old = state.mstatus;
    uint64_t status = (old & ~writable) | (value & writable);
    const auto mpp = (status & kStatusMpp) >> kStatusMppShift;
    if (mpp == 2 || (mpp == static_cast<uint64_t>(Priv::supervisor) && !has(state, Extension::s))) {
        status = (status & ~kStatusMpp) | (old & kStatusMpp);  // mode 2 is reserved
    }
    // "Ssdbltrp", "Smdbltrp": while a trap would be one too many, there are no interrupts.
    status &= (status & kStatusSdt) != 0 ? ~kStatusSie : ~uint64_t{0};
    status &= (status & kStatusMdt) != 0 ? ~kStatusMie : ~uint64_t{0};
    state.mstatus = status;
    if (((old ^ status) & (kStatusMprv | kStatusMpp)) != 0) {
        end_reservation(state);  // other addresses: 3.1.6.3
    }
    if (((old ^ status) & kStatusMxr) != 0) {
        flush_translations(state);  // MXR is no part of the MMU mode
    }
    if ((status & ~old & (kStatusMie | kStatusSie)) != 0) {
        interrupts_changed(state);
    }
}

bool has_mode(const State& state, SatpMode mode) {
    switch (mode) {
        case SatpMode::bare:
            return true;
        case SatpMode::sv39:
            return has(state, Extension::sv39);
        case SatpMode::sv48:
            return has(state, Extension::sv48);
        case SatpMode::sv57:
            return has(state, Extension::sv57);
    }
    return false;
}

}  // namespace

void flush_translations(State& state) {
    const StateHeader& header = state_header(&state);
    const TlbFlush flush{true, true, 0, 0};
    header.services->tlb_flush(header.vcpu, &flush);
}

uint64_t read_mstatus(const State& state, unsigned) {
    // State::mstatus may have SD: generated code sets it together with FS.
    return (state.mstatus & kMstatusWritable) | kStatusUxl64 | (has(state, Extension::s) ? kStatusSxl64 : 0) |
           dirty_summary(state);
}

void write_mstatus(State& state, unsigned, uint64_t value, uint64_t) {
    set_status(state, value, mstatus_writable(state));
}

uint64_t read_sstatus(const State& state, unsigned) {
    return (state.mstatus & kSstatusWritable) | kStatusUxl64 | dirty_summary(state);
}

void write_sstatus(State& state, unsigned, uint64_t value, uint64_t) {
    set_status(state, value, kSstatusWritable & mstatus_writable(state));
}

uint64_t read_misa(const State& state, unsigned) { return misa(*state.model); }

bool fp_enabled(const State& state, unsigned) { return (state.mstatus & kStatusFs) != 0; }

uint64_t read_fp(const State& state, unsigned number) {
    const uint64_t flags = state_header(&state).fp_flags & kFflagsMask;
    const uint64_t rounding = state.frm & kFrmMask;
    return number == kCsrFflags ? flags : number == kCsrFrm ? rounding : flags | rounding << kFrmShift;
}

void write_fp(State& state, unsigned number, uint64_t value, uint64_t) {
    if (number != kCsrFrm) {
        state_header(&state).fp_flags = static_cast<uint32_t>(value & kFflagsMask);
    }
    if (number != kCsrFflags) {
        state.frm = static_cast<uint32_t>((number == kCsrFrm ? value : value >> kFrmShift) & kFrmMask);
    }
    state.mstatus |= kStatusFs;
}

bool satp_mode_there(const State& state, uint64_t satp) { return has_mode(state, satp_mode(satp)); }

// 3.1.6.5: TVM takes satp (and SFENCE.VMA) from S mode.
bool satp_allowed(const State& state, unsigned) {
    return state.priv == Priv::machine || (state.mstatus & kStatusTvm) == 0;
}

void write_satp(State& state, unsigned, uint64_t value, uint64_t) {
    if (!has_mode(state, satp_mode(value))) {
        return;  // "if satp is written with an unsupported MODE, the entire write has no effect"
    }
    // Another address-space key is all it takes: 4.1.11 leaves ordering to SFENCE.VMA.
    state.satp = value;
    end_reservation(state);
}

}  // namespace weft::riscv
