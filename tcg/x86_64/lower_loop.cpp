// Units that are loops: globals that stay in registers of the unit's own from round to round (tcg/regalloc/loop_registers.h).
//
// Between the loop's head and its exits those registers hold the globals, and their homes are stale. Each way out stores what the
// unit writes: exits before they jump, slow paths before they call what may fault, faults of direct memory in loop_fault_.
#include <cstddef>

#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

namespace {

constexpr int32_t kFaultEntry = exec_offset(offsetof(ExecState, fault_entry));
constexpr int32_t kExitRequest =
    exec_offset(offsetof(ExecState, header) + offsetof(StateHeader, exit_request));

// What is left is enough for any op: five for the FP ops, with three operands and a result; four for the others but atomics.
constexpr HostReg kLoopXmms[] = {host(Xmm::xmm14), host(Xmm::xmm13), host(Xmm::xmm12), host(Xmm::xmm11),
                                 host(Xmm::xmm10), host(Xmm::xmm9),  host(Xmm::xmm8),  host(Xmm::xmm7),
                                 host(Xmm::xmm6),  host(Xmm::xmm5)};
constexpr HostReg kLoopGprs[] = {host(Gpr::rdi), host(Gpr::rsi)};

}  // namespace

void UnitCompiler::plan_loop() {
    loop_.clear();
    if (target_.loop_registers) {
        loop_.plan(*unit_, target_.helpers, target_.registers.pinned, {kLoopGprs, kLoopXmms});
    }
    store_loop_ = leave_loop_ = loop_fault_ = Label{};
}

void UnitCompiler::enter_loop() {
    loop_head_ = 0;
    if (!loop_.any()) {
        return;
    }
    if (is_direct()) {
        as_->lea(Width::q64, Gpr::rax, Mem::rip_label(loop_fault_));
        as_->mov(Width::q64, at_state(kFaultEntry), Gpr::rax);
    }
    load_loop_registers();
    loop_head_ = as_->offset();
}

void UnitCompiler::load_loop_registers() {
    for (const UnitPin& pin : loop_.chosen()) {
        const ir::Temp& global = unit_->temps[pin.global];
        load(global.type, pin.reg, Place{true, global.offset});
    }
}

void UnitCompiler::store_loop_registers() {
    for (const UnitPin& pin : loop_.chosen()) {
        const ir::Temp& global = unit_->temps[pin.global];
        if (pin.written) {
            store(global.type, Place{true, global.offset}, pin.reg);
        }
    }
}

void UnitCompiler::leave_loop() {
    if (!loop_.any()) {
        return;
    }
    store_loop_registers();
    if (is_direct()) {
        as_->mov(Width::q64, at_state(kFaultEntry), 0);
    }
}

void UnitCompiler::store_for_fault() {
    if (loop_.any()) {
        as_->call(store_loop_);
    }
}

void UnitCompiler::branch_back(uint32_t transfer, Cond cond) {
    Label on;
    as_->jcc(invert(cond), on);
    Stub& exit = linkable(unit_->ops[transfer]);
    if ((unit_->ops[transfer - 1].cond & 1) != 0) {
        as_->cmp(Width::d32, at_state(kExitRequest), 0);
        exit.jump.site = patchable_jcc(Cond::e);
        as_->jmp(exit.entry);
    } else {
        exit.jump.site = as_->jmp_patchable(0);
    }
    as_->bind(on);
}

void UnitCompiler::write_loop_exits() {
    if (!loop_.any() || as_->overflowed()) {
        return;
    }
    if (is_direct()) {
        as_->bind(loop_fault_);
        store_loop_registers();
        as_->jmp_rel32(runtime(target_.runtime.fault_user));
    }
    as_->bind(leave_loop_);
    if (is_direct()) {
        as_->mov(Width::q64, at_state(kFaultEntry), 0);
    }
    as_->bind(store_loop_);
    store_loop_registers();
    as_->ret();
}

}  // namespace weft::tcg::x86_64
