// Ties the runtime code, the compilers and the state together.
#include "tcg/x86_64/backend.h"

#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/hash.h"
#include "base/signal_safe.h"
#include "tcg/x86_64/disassemble.h"
#include "tcg/x86_64/fault_operand.h"
#include "tcg/x86_64/host_features.h"
#include "tcg/x86_64/host_layout.h"
#include "tcg/x86_64/runtime_code.h"
#include "tcg/x86_64/unit_compiler.h"

namespace weft::tcg::x86_64 {
namespace {

// The best-ranked integer globals, in the order of kPinnable.
void choose_pinned(const GuestArch& guest, bool pin, RuntimeContext* context, RegisterFile* file) {
    file->int_regs = kLocalGprs;
    file->fp_regs = kLocalXmms;
    file->frame_slots = kSpillSlots;
    file->pinned.assign(guest.global_count, kNoReg);
    std::vector<std::pair<uint16_t, uint16_t>> ranked;  // rank, number
    for (uint32_t i = 0; i < guest.global_count; ++i) {
        const GlobalDesc& global = guest.globals[i];
        if (pin && global.type == ir::Type::i64 && global.pin_rank != 0) {
            ranked.emplace_back(global.pin_rank, static_cast<uint16_t>(i));
        }
    }
    std::sort(ranked.begin(), ranked.end());
    context->pinned_count = static_cast<unsigned>(std::min(ranked.size(), kPinnable.size()));
    for (unsigned i = 0; i < context->pinned_count; ++i) {
        const uint16_t number = ranked[i].second;
        context->pinned[i] = PinnedGlobal{number, host(kPinnable[i]), guest.globals[number].offset};
        file->pinned[number] = host(kPinnable[i]);
    }
}

constexpr size_t kMaxInstructionLength = 15;  // SDM volume 2, 2.3.11

// Of code that this thread executes: whoever wrote it was done before it could be reached, by jumps between units, of which
// ThreadSanitizer knows nothing. Byte by byte, as memcpy would be the sanitizer's.
WEFT_SIGNAL_SAFE void copy_executed(const uint8_t* from, size_t size, uint8_t* to) {
    for (size_t i = 0; i < size; ++i) {
        to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    }
}

class X86Backend final : public Backend {
  public:
    X86Backend(const BackendConfig& config, const NativeOptions& options) : guest_(*config.guest) {
        context_.hooks = config.hooks;
        context_.count_insns = config.count_insns;
        target_.features = options.features ? *options.features : HostFeatures::detect();
        target_.helpers = {guest_.helpers, guest_.helper_count};
        target_.count_insns = config.count_insns;
        target_.profile = config.profile;
        context_.profile = config.profile;
        context_.check_helpers = options.check_helpers;
        target_.own_probes = options.own_probes;
        target_.direct_side_exits = options.direct_side_exits;
        target_.share_tlb_probes = options.share_tlb_probes && config.memory.kind == MemoryModel::Kind::table;
        target_.carrying_modes =
            options.carry_pages && config.memory.kind == MemoryModel::Kind::table ? guest_.steady_modes : 0;
        target_.memory = config.memory;
        context_.memory = config.memory;
        WEFT_ASSERT(config.memory.bounds == 0 || (config.memory.bounds >= 12 && config.memory.bounds < 64));
        target_.inline_fp_flags = options.inline_fp_flags;
        target_.loop_registers = options.loop_registers;
        target_.fold_loads = options.fold_loads;
        target_.fences = options.fences;
        target_.atomic_additions = options.atomic_additions;
        choose_pinned(guest_, options.pin_registers, &context_, &target_.registers);
    }

    const char* name() const override { return "native"; }
    bool executes() const override { return true; }

    Result<size_t> emit_runtime(CodeWindow window, size_t buffer_size) override {
        if (!target_.features.popcnt) {
            return fail(
                "the host's processor lacks popcnt, which backend=native needs; backend=interp runs without "
                "it");
        }
        auto code = emit_runtime_code(window, context_, target_.helpers);
        if (!code) {
            return std::unexpected(code.error());
        }
        target_.runtime = std::move(*code);
        target_.buffer_start = window.rx;
        units_begin_ = window.rx + target_.runtime.size;
        units_size_ = buffer_size - target_.runtime.size;
        return target_.runtime.size;
    }

    std::unique_ptr<Compiler> make_compiler() const override {
        return std::make_unique<UnitCompiler>(target_);
    }
    const RuntimeMap* runtime_map() const override { return &target_.runtime.map; }

    // By a system call, which all kernels have; no thread does it twice.
    Result<> prepare_thread() const override {
        if (target_.memory.kind == MemoryModel::Kind::direct && target_.memory.base != 0 &&
            syscall(SYS_arch_prctl, ARCH_SET_GS, target_.memory.base) != 0) {
            return fail_errno("the host does not set the base of gs to the guest's base");
        }
        return {};
    }

    bool redirect(HostContext& context, uint64_t address, uint32_t code, void* state) const override {
        const uint64_t offset = context.pc() - units_begin_.value();
        if (target_.memory.kind != MemoryModel::Kind::direct || offset >= units_size_) {
            return false;
        }
        std::array<uint64_t, kGprCount> regs;
        for (unsigned i = 0; i < kGprCount; ++i) {
            regs[i] = context.reg(i);
        }
        std::array<uint8_t, kMaxInstructionLength> insn;
        const size_t size = std::min<size_t>(insn.size(), units_size_ - offset);
        copy_executed(RxAddress(context.pc()).as<const uint8_t>(), size, insn.data());
        const auto operand = fault_operand({insn.data(), size}, regs);
        const uint64_t base = target_.memory.base;
        if (!operand || operand->gs != (base != 0) || operand->base == kState || operand->base == Gpr::rsp) {
            return false;
        }
        ExecState& exec = exec_state(state);
        if (context.page_fault()) {
            exec.fault.address = address - base;
            exec.fault.access = context.access() == HostContext::Access::store ? Access::store : Access::load;
        } else {
            exec.fault.address = operand->address;
            exec.fault.access = operand->store ? Access::store : Access::load;
        }
        exec.fault.code = code;
        exec.fault.noted = true;
        exec.exit_host_pc = context.pc() + 1;
        context.set_pc(exec.fault_entry != 0 ? exec.fault_entry
                                             : (target_.buffer_start + target_.runtime.fault_user).value());
        return true;
    }

    // UndefinedBehaviorSanitizer would look for type data in front of the function, where code of ours has none.
#if defined(__clang__)
    __attribute__((no_sanitize("function")))
#endif
    ExitKind
    run(void* state, RxAddress code) const override {
        using Prologue = uint32_t (*)(void* state, uintptr_t code);
        const auto prologue =
            reinterpret_cast<Prologue>((target_.buffer_start + target_.runtime.prologue).value());
        return static_cast<ExitKind>(prologue(state, code.value()));
    }

    // The displacement of a jmp rel32, aligned to its size: one store, which other threads that execute it see whole
    // (SDM volume 3, 9.1.1 and 12.1.3: naturally aligned code modification by the same bytes' length).
    void link(RwAddress unit, const JumpSite& site, RwAddress target) const override {
        aim(unit + site.site_offset, target == unit ? unit + site.own_entry : target);
    }
    void unlink(RwAddress unit, const JumpSite& site) const override {
        aim(unit + site.site_offset, unit + site.stub_offset);
    }
    RwAddress jump_target(RwAddress unit, const JumpSite& site) const override {
        const RwAddress field = unit + site.site_offset;
        const int32_t displacement =
            std::atomic_ref<int32_t>(*field.as<int32_t>()).load(std::memory_order_relaxed);
        const RwAddress to((field + 4).value() + static_cast<uintptr_t>(static_cast<intptr_t>(displacement)));
        return to == unit + site.own_entry ? unit : to;
    }

    void set_rounding(void* state, ir::Rounding rounding) const override {
        ExecState& exec = exec_state(state);
        const uint32_t sticky = exec.guest_mxcsr & kMxcsrExceptions;
        exec.guest_mxcsr = clear_mxcsr(rounding) | sticky;
    }
    void collect_fp_flags(void* state) const override {
        ExecState& exec = exec_state(state);
        exec.header.fp_flags |= fp_flags_of_mxcsr(exec.guest_mxcsr);
        exec.guest_mxcsr &= ~kMxcsrExceptions;
    }

    uint64_t code_identity() const override {
        const RuntimeCode& code = target_.runtime;
        uint64_t hash = hash_words(
            code.probe, code.return_missed, code.lookup, code.exit_lookup, code.exit_indirect, code.exit_halt,
            code.exit_yield, code.exit_goto_tb, code.access, code.access_fp, code.leader, code.leader_fp,
            code.atomic, code.atomic_fp, code.soft_float, code.box_mask, code.sign_f32, code.sign_f64,
            code.canonical_f32, code.canonical_f64, code.fp_flags, code.size);
        for (const uint32_t helper : code.helpers) {
            hash = hash_step(hash, helper);
        }
        for (const HostFeatureName& feature : kHostFeatureNames) {
            hash = hash_step(hash, target_.features.*feature.flag);
        }
        hash = hash_step(hash,
                         hash_words(target_.own_probes, target_.direct_side_exits, target_.share_tlb_probes,
                                    target_.carrying_modes, target_.inline_fp_flags, target_.fences,
                                    target_.atomic_additions, target_.loop_registers, target_.fold_loads,
                                    context_.pinned_count, target_.count_insns, target_.profile));
        const MemoryModel& memory = target_.memory;
        // Where direct memory begins is in gs, unless that is at 0.
        hash = hash_step(hash, hash_words(memory.kind, memory.base != 0, memory.bounds));
        return hash | 1;
    }

    void move(const MovingUnit& unit) const override {
        for (const uint16_t field : unit.outside) {
            add_to_field(unit.code, field, -unit.distance);
        }
        for (const JumpSite& jump : unit.jumps) {
            if (jump.stub_offset == 0) {
                continue;
            }
            const uint32_t stub = jump.stub_offset + (jump.own_entry != 0 ? kLeavingCall : 0);
            std::memcpy(unit.code.data() + stub + kUnitIndexInStub, &unit.unit_index,
                        sizeof(unit.unit_index));
        }
    }

    std::string disassemble(CodeWindow code) const override { return x86_64::disassemble(code); }

  private:
    static void add_to_field(std::span<uint8_t> code, uint32_t field, int64_t amount) {
        uint32_t value = 0;
        std::memcpy(&value, code.data() + field, sizeof(value));
        value += static_cast<uint32_t>(amount);
        std::memcpy(code.data() + field, &value, sizeof(value));
    }

    static void aim(RwAddress field, RwAddress target) {
        patch(field, static_cast<int32_t>(target - (field + 4)));
    }
    static void patch(RwAddress field, int32_t displacement) {
        WEFT_DEBUG_ASSERT(field.value() % 4 == 0);
        // Sequentially consistent: pairs with the flags of the TBs at either end (accel/tcg/linking.h).
        std::atomic_ref<int32_t>(*field.as<int32_t>()).store(displacement);
    }

    const GuestArch& guest_;
    RuntimeContext context_{};
    Target target_{};
    RxAddress units_begin_;  // these two: from emit_runtime() on, and 0 before
    size_t units_size_ = 0;
};

}  // namespace
}  // namespace weft::tcg::x86_64

namespace weft::tcg {

std::unique_ptr<Backend> make_x86_64_backend(const BackendConfig& config, const NativeOptions& options) {
    return std::make_unique<x86_64::X86Backend>(config, options);
}

}  // namespace weft::tcg
