#include <fmt/format.h>

#include <array>
#include <string_view>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/dump_registers.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/isa/register_names.h"

namespace weft::riscv {
namespace {

constexpr CsrNumber kShownCsrs[] = {kCsrMhartid,  kCsrMstatus, kCsrMip,   kCsrMie,   kCsrMideleg,
                                    kCsrMedeleg,  kCsrMtvec,   kCsrStvec, kCsrMepc,  kCsrSepc,
                                    kCsrMcause,   kCsrScause,  kCsrMtval, kCsrStval, kCsrMscratch,
                                    kCsrSscratch, kCsrSatp};

class Lines {
  public:
    explicit Lines(const TextSink& sink) : sink_(sink) {}

    void add(std::string_view name, uint64_t value) {
        std::array<char, 64> text;
        const auto end = fmt::format_to_n(text.data(), text.size(), " {:<9} {:016x}\n", name, value).out;
        sink_.write(sink_.opaque, text.data(), static_cast<size_t>(end - text.data()));
    }
    void add_numbered(char letter, unsigned number, std::string_view abi_name, uint64_t value) {
        std::array<char, 16> name;
        const auto end = fmt::format_to_n(name.data(), name.size(), "{}{}/{}", letter, number, abi_name).out;
        add({name.data(), static_cast<size_t>(end - name.data())}, value);
    }
    // What programs have: x0..x31, and where the FP state is on, fcsr and f0..f31.
    void add_programs(const State& state) {
        for (unsigned i = 0; i < kGprNames.size(); ++i) {
            add_numbered('x', i, kGprNames[i], gpr(state, i));
        }
        if ((state.mstatus & kStatusFs) == 0) {
            return;
        }
        add("fcsr", csr_peek(state, kCsrFcsr).value_or(0));
        for (unsigned i = 0; i < kFprNames.size(); ++i) {
            add_numbered('f', i, kFprNames[i], state.fpr[i]);
        }
    }

  private:
    const TextSink& sink_;
};

}  // namespace

void dump_registers(const void* state_pointer, const TextSink* sink) {
    const State& state = *static_cast<const State*>(state_pointer);
    Lines lines(*sink);
    lines.add("pc", state_header(state_pointer).pc);
    lines.add("priv", static_cast<uint64_t>(state.priv));
    for (const CsrNumber number : kShownCsrs) {
        lines.add(csr_name(number), csr_peek(state, number).value_or(0));
    }
    lines.add_programs(state);
}

void dump_user_registers(const void* state_pointer, const TextSink* sink) {
    Lines lines(*sink);
    lines.add("pc", state_header(state_pointer).pc);
    lines.add_programs(*static_cast<const State*>(state_pointer));
}

}  // namespace weft::riscv
