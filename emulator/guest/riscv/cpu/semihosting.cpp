#include "emulator/guest/riscv/cpu/semihosting.h"

#include <algorithm>
#include <cstring>

#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/mmu.h"

namespace weft::riscv {
namespace {

constexpr uint32_t kBefore = 0x01f01013;  // slli x0, x0, 0x1f
constexpr uint32_t kEbreak = 0x00100073;
constexpr uint32_t kBehind = 0x40705013;  // srai x0, x0, 7

constexpr unsigned kA0 = 10;
constexpr unsigned kA1 = 11;

// The instruction at `pc`, fetched halfword by halfword, as instructions are; nothing where that cannot be.
std::optional<uint32_t> fetch(State& state, uint64_t pc) {
    const StateHeader& header = state_header(&state);
    const uint8_t mode = fetch_mmu_mode(tb_flags(&state));
    uint32_t insn = 0;
    for (unsigned i = 0; i < 2; ++i) {
        const WalkRequest request{pc + 2 * i, Access::fetch, mode, 2, true};
        WalkResult result{};
        uint64_t half = 0;
        if (!walk(&state, &request, &result) ||
            header.services->phys_load(header.vcpu, result.paddr, 2, &half) != MemoryStatus::ok) {
            return std::nullopt;
        }
        insn |= static_cast<uint32_t>(half) << 16 * i;
    }
    return insn;
}

bool is_call(State& state, uint64_t pc) {
    const uint64_t in_page = pc & (kPageSize - 1);
    // All three in one page, or a debugger would have to have two of them.
    return in_page >= 4 && in_page <= kPageSize - 8 && fetch(state, pc) == kEbreak &&
           fetch(state, pc - 4) == kBefore && fetch(state, pc + 4) == kBehind;
}

// Calls piece(physical address, offset, size) for the naturally aligned pieces of a range, 8 bytes at most, until it is false or memory
// may not be accessed. How many bytes were done.
template <class Piece>
size_t for_each_piece(State& state, uint64_t vaddr, size_t size, Access access, Piece&& piece) {
    const auto mode = static_cast<uint8_t>(TbFlags(tb_flags(&state)).data_mode());
    size_t done = 0;
    while (done < size) {
        const uint64_t from = vaddr + done;
        const size_t in_page = std::min<uint64_t>(size - done, kPageSize - (from & (kPageSize - 1)));
        const size_t end = done + in_page;
        WalkResult found{};
        while (done < end) {
            const uint64_t at = vaddr + done;
            uint64_t bytes = 8;
            while ((at & (bytes - 1)) != 0 || bytes > end - done) {
                bytes /= 2;
            }
            if (at == from || found.once) {
                // Marks pages as accessed and dirty, as an instruction's access does.
                const WalkRequest request{at, access, mode, static_cast<uint8_t>(bytes), false};
                const uint64_t cause = state.exception_cause;
                const uint64_t tval = state.exception_tval;
                if (!walk(&state, &request, &found)) {
                    record_exception(state, static_cast<Exception>(cause), tval);
                    return done;
                }
            }
            const uint64_t paddr = (found.paddr & ~(kPageSize - 1)) | (at & (kPageSize - 1));
            if (!piece(paddr, done, static_cast<unsigned>(bytes))) {
                return done;
            }
            done += bytes;
        }
    }
    return done;
}

}  // namespace

bool semihosting_call(State& state) {
    StateHeader& header = state_header(&state);
    if (state.exception_cause != static_cast<uint64_t>(Exception::breakpoint) || header.guest == nullptr) {
        return false;
    }
    SemihostingCalls* const calls = hart_of(state).semihosting();
    if (calls == nullptr || (state.priv == Priv::user && !calls->in_user_mode()) ||
        !is_call(state, header.pc)) {
        return false;
    }
    if (const auto result = calls->call(state, gpr(state, kA0), gpr(state, kA1))) {
        gpr(state, kA0) = *result;
        header.pc += 4;
    }
    return true;
}

size_t load_bytes(State& state, uint64_t vaddr, std::span<uint8_t> bytes) {
    const StateHeader& header = state_header(&state);
    return for_each_piece(
        state, vaddr, bytes.size(), Access::load, [&](uint64_t paddr, size_t at, unsigned size) {
            uint64_t value = 0;
            const bool ok = header.services->phys_load(header.vcpu, paddr, size, &value) == MemoryStatus::ok;
            std::memcpy(bytes.data() + at, &value, ok ? size : 0);
            return ok;
        });
}

size_t store_bytes(State& state, uint64_t vaddr, std::span<const uint8_t> bytes) {
    const StateHeader& header = state_header(&state);
    return for_each_piece(
        state, vaddr, bytes.size(), Access::store, [&](uint64_t paddr, size_t at, unsigned size) {
            uint64_t value = 0;
            std::memcpy(&value, bytes.data() + at, size);
            return header.services->phys_store(header.vcpu, paddr, size, value) == MemoryStatus::ok;
        });
}

}  // namespace weft::riscv
