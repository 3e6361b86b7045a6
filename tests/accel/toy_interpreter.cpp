// GuestArch::run of the toy guest: what it does without a translation.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "tests/accel/toy_guest.h"
#include "weft/guest_ram.h"
#include "weft/ir.h"

namespace toy {

using namespace weft;

namespace {

class Interpreter {
  public:
    Interpreter(State& state, const uint8_t* code, uint32_t size)
        : state_(state), header_(state_header(&state)), code_(code), size_(size), begin_pc_(header_.pc) {}

    RunResult run() {
        while (true) {
            const auto offset = static_cast<uint32_t>(header_.pc - begin_pc_);
            if (offset == size_) {
                return {RunStop::jump, insns_};
            }
            if (!read(offset)) {
                return {RunStop::translate, insns_};
            }
            const uint64_t next = header_.pc + length_;
            to_ = next;
            switch (step()) {
                case Step::done:
                    break;
                case Step::other:
                    return {RunStop::translate, insns_};
                case Step::exception:
                    return {RunStop::exception, insns_};
            }
            header_.pc = to_;
            ++insns_;
            if (to_ != next) {
                return {RunStop::jump, insns_};
            }
        }
    }

  private:
    enum class Step : uint8_t { done, other, exception };

    // The instruction at `offset`, which others may write meanwhile. False: its bytes are not all there.
    bool read(uint32_t offset) {
        const uint32_t left = size_ - offset;
        guest_ram::read(insn_.data(), code_ + offset, std::min<size_t>(left, insn_.size()));
        length_ = is_long(opcode()) ? 6 : 2;
        return left >= length_;
    }

    Opcode opcode() const {
        return insn_[0] < static_cast<uint8_t>(Opcode::count_) ? static_cast<Opcode>(insn_[0])
                                                               : Opcode::illegal;
    }
    int64_t number() const {
        uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i) {
            value |= uint32_t{insn_[2 + i]} << 8 * i;
        }
        return static_cast<int32_t>(value);
    }

    Step load(uint64_t& to, uint64_t address) const {
        return header_.services->load(header_.vcpu, address, kMemOp, &to) ? Step::done : Step::exception;
    }
    Step store(uint64_t address, uint64_t value) const {
        return header_.services->store(header_.vcpu, address, kMemOp, value) ? Step::done : Step::exception;
    }

    Step step() {
        uint64_t& a = state_.gpr[insn_[1] & 15];
        const uint64_t b = state_.gpr[insn_[1] >> 4];
        switch (opcode()) {
            case Opcode::addi:
                a += static_cast<uint64_t>(number());
                return Step::done;
            case Opcode::li:
                a = static_cast<uint64_t>(number());
                return Step::done;
            case Opcode::add:
                a += b;
                return Step::done;
            case Opcode::bne:
                to_ = a != b ? header_.pc + static_cast<uint64_t>(number()) : to_;
                return Step::done;
            case Opcode::jmp:
                to_ = header_.pc + static_cast<uint64_t>(number());
                return Step::done;
            case Opcode::jr:
                to_ = a;
                return Step::done;
            case Opcode::ld:
                return load(a, b);
            case Opcode::ldd:
                return load(a, b + static_cast<uint64_t>(number()));
            case Opcode::st:
                return store(b, a);
            case Opcode::std:
                return store(b + static_cast<uint64_t>(number()), a);
            default:
                return Step::other;
        }
    }

    static constexpr uint32_t kMemOp = ir::MemOp(3, 0).bits();

    State& state_;
    StateHeader& header_;
    const uint8_t* const code_;
    const uint32_t size_;
    const uint64_t begin_pc_;
    std::array<uint8_t, 6> insn_{};
    uint32_t length_ = 0;
    uint64_t to_ = 0;  // where it goes on
    uint32_t insns_ = 0;
};

GuestArch with_interpreter(GuestArch arch) {
    arch.run = [](void* state, uint64_t, const uint8_t* code, uint32_t size) {
        return Interpreter(*static_cast<State*>(state), code, size).run();
    };
    return arch;
}

}  // namespace

const GuestArch& interpreting_arch() {
    static const GuestArch arch = with_interpreter(guest_arch());
    return arch;
}

const GuestArch& interpreting_process_arch() {
    static const GuestArch arch = with_interpreter(process_arch());
    return arch;
}

}  // namespace toy
