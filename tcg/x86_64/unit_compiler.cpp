#include "tcg/x86_64/unit_compiler.h"

#include <algorithm>

#include "base/assert.h"
#include "tcg/x86_64/jump_cache_probe.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;
using ir::Type;

namespace {

// More than units need, and what AccessRecord::back reaches.
constexpr size_t kMaxUnitSize = size_t{1} << 16;

}  // namespace

UnitCompiler::UnitCompiler(const Target& target)
    : target_(target),
      liveness_(target.helpers),
      values_(target.registers, liveness_, target.helpers, *this) {}

CompileStatus UnitCompiler::compile(const ir::Unit& unit, CodeWindow window, uint32_t unit_index,
                                    CompiledUnit* out) {
    const size_t room = std::min(window.size, kMaxUnitSize);
    Assembler assembler({window.bytes(), room});
    unit_ = &unit;
    as_ = &assembler;
    unit_offset_ = static_cast<uint32_t>(window.rx - target_.buffer_start);
    unit_index_ = unit_index;
    check_ = nullptr;
    return_point_ = nullptr;
    page_pc_add_ = nullptr;
    labels_.assign(unit.label_count, Label{});
    stubs_.clear();
    insns_.clear();
    outside_.clear();
    assembler.note_outside(&outside_);
    in_insn_ = false;
    touches_fp_ = false;
    out_ = out;
    *out = CompiledUnit{};

    plan_loop();
    enter_loop();
    if (target_.profile) {
        count_entry();
    }
    find_side_exits();
    groups_.plan(unit, target_.helpers, target_.share_tlb_probes && !unit.ungrouped);
    liveness_.analyse(unit);
    values_.begin(unit, loop_.chosen());
    for (op_index_ = 0; op_index_ < unit.op_count && !assembler.overflowed(); ++op_index_) {
        const ir::Op& op = unit.ops[op_index_];
        if (op.code == Opcode::insn_start) {  // two of five
            insn_start(op);
        } else if (!liveness_.of(op_index_).removed) {
            lower(op);
        }
    }
    end_insn();
    out->host_insns = assembler.instructions();
    write_stubs();
    write_loop_exits();
    out->slow_host_insns = assembler.instructions() - out->host_insns;
    assembler.align_data(16);
    if (values_.out_of_slots()) {
        return CompileStatus::too_big;
    }
    if (assembler.overflowed()) {
        return room < window.size ? CompileStatus::too_big : CompileStatus::region_full;
    }
    WEFT_ASSERT(assembler.awaited_references() == 0);
    out->code_size = assembler.offset();
    out->jump_count = unit.goto_tb_count;
    out->insns = insns_;
    out->outside = outside_;
    return CompileStatus::ok;
}

namespace {

// Whether an op's arguments may lie in xmm registers.
bool touches_fp(const ir::Op& op) { return ir::is_fp(op.type) || ir::shape(op.code).fp_letters; }

}  // namespace

// What the lowering of every op takes for granted: tcg/ir/verify.h has checked the unit, the optimizer may have broken it,
// and the op before has ended.
void UnitCompiler::check_entry([[maybe_unused]] const ir::Op& op) const {
#if WEFT_DEBUG
    WEFT_ASSERT(static_cast<unsigned>(op.code) < ir::kOpcodeCount);
    const ir::OpInfo& info = ir::info(op.code);
    WEFT_ASSERT(values_.locked() == 0);
    WEFT_ASSERT(check_ == nullptr || ir::has_flag(op.code, ir::flag_exit));
    if (ir::has_flag(op.code, ir::flag_call)) {
        WEFT_ASSERT(op.aux < target_.helpers.size());
        return;
    }
    WEFT_ASSERT(info.types == ir::TypeSet::none || ir::is_int(op.type) || info.types != ir::TypeSet::ints);
    WEFT_ASSERT(info.types == ir::TypeSet::none || ir::is_fp(op.type) || info.types != ir::TypeSet::fps);
    unsigned argument = 0;
    for (const std::string_view letters : {info.outputs, info.inputs}) {
        for (const char letter : letters) {
            const ir::TempIndex t = op.args[argument++];
            WEFT_ASSERT(t < unit_->temp_count && values_.temp(t).type == ir::letter_type(letter, op.type));
        }
    }
#endif
}

void UnitCompiler::lower(const ir::Op& op) {
    check_entry(op);
    touches_fp_ = touches_fp_ || touches_fp(op);
    const bool done = lower_control(op) || lower_integer(op) || lower_memory(op) || lower_float(op);
    WEFT_ASSERT(done);
}

// At a unit's entry only the pinned registers hold anything.
void UnitCompiler::count_entry() {
    emit_profile_count(*as_, offsetof(ProfileState, entries));
    constexpr size_t kUnitEntries = offsetof(ExecState, profile) + offsetof(ProfileState, unit_entries);
    as_->mov(Width::q64, Gpr::rax, at_state(exec_offset(kUnitEntries)));
    const auto counter = static_cast<int32_t>((unit_offset_ >> kProfileShift) * sizeof(uint64_t));
    as_->lock_alu(Alu::add, Width::q64, Mem(Gpr::rax, counter), 1);
}

// ---- moves on the allocator's behalf ----

void UnitCompiler::move(Type type, HostReg to, HostReg from) {
    if (is_xmm(to)) {
        as_->sse(SimdMove::movaps, xmm(to), xmm(from));
    } else {
        as_->mov(width_of(type), gpr(to), gpr(from));
    }
}

void UnitCompiler::load(Type type, HostReg to, Place from) {
    const Mem mem = place(from);
    if (is_xmm(to)) {
        as_->sse(type == Type::f64 ? SimdMove::movsd : SimdMove::movss, xmm(to), mem);
    } else {
        as_->mov(width_of(type), gpr(to), mem);
    }
}

void UnitCompiler::store(Type type, Place to, HostReg from) {
    const Mem mem = place(to);
    if (is_xmm(from)) {
        as_->sse(type == Type::f64 ? SimdMove::movsd : SimdMove::movss, mem, xmm(from));
    } else {
        as_->mov(width_of(type), mem, gpr(from));
    }
}

void UnitCompiler::constant(Type type, HostReg to, uint64_t value) {
    const uint64_t bits = ir::width(type) == 32 ? static_cast<uint32_t>(value) : value;
    if (!is_xmm(to)) {
        as_->mov_imm(gpr(to), bits);
    } else if (bits == 0) {
        as_->sse(Simd::xorps, xmm(to), xmm(to));
    } else {
        // By way of the red zone (System V ABI, 3.2.2): no register needs to be free.
        as_->mov(Width::d32, Mem(Gpr::rsp, -8), static_cast<int32_t>(static_cast<uint32_t>(bits)));
        as_->mov(Width::d32, Mem(Gpr::rsp, -4), static_cast<int32_t>(static_cast<uint32_t>(bits >> 32)));
        as_->sse(SimdMove::movsd, xmm(to), Mem(Gpr::rsp, -8));
    }
}

bool UnitCompiler::immediate(ir::TempIndex t, Type type, int64_t* value) const {
    if (!values_.is_constant(t)) {
        return false;
    }
    const uint64_t bits = values_.temp(t).value;
    if (type == Type::i32) {
        *value = static_cast<int32_t>(static_cast<uint32_t>(bits));
        return true;
    }
    *value = static_cast<int64_t>(bits);
    return *value == static_cast<int32_t>(*value);
}

// ---- out-of-line code ----

UnitCompiler::Stub& UnitCompiler::stub(Stub::Kind kind) {
    Stub& stub = stubs_.emplace_back();
    stub.kind = kind;
    stub.insn = insn_;
    return stub;
}

void UnitCompiler::write_stub(Stub& stub) {
    const RuntimeCode& runtime_code = target_.runtime;
    as_->bind(stub.entry);
    switch (stub.kind) {
        case Stub::Kind::access:
            store_for_fault();
            as_->call_rel32(runtime(touches_fp_ ? runtime_code.access_fp : runtime_code.access));
            stub.access.back = static_cast<uint16_t>(as_->offset() + sizeof(AccessRecord) - stub.resume);
            as_->data({reinterpret_cast<const uint8_t*>(&stub.access), sizeof(AccessRecord)});
            break;
        case Stub::Kind::carried:
            write_carried(stub.carried);
            store_for_fault();
            as_->call_rel32(runtime(touches_fp_ ? runtime_code.access_fp : runtime_code.access));
            stub.carried.access.back =
                static_cast<uint16_t>(as_->offset() + sizeof(AccessRecord) - stub.resume);
            as_->data({reinterpret_cast<const uint8_t*>(&stub.carried.access), sizeof(AccessRecord)});
            break;
        case Stub::Kind::leader:
            store_for_fault();
            as_->call_rel32(runtime(touches_fp_ ? runtime_code.leader_fp : runtime_code.leader));
            stub.leader.access.back =
                static_cast<uint16_t>(as_->offset() + sizeof(LeaderRecord) - stub.resume);
            as_->data({reinterpret_cast<const uint8_t*>(&stub.leader), sizeof(LeaderRecord)});
            break;
        case Stub::Kind::atomic:
            store_for_fault();
            as_->call_rel32(runtime(touches_fp_ ? runtime_code.atomic_fp : runtime_code.atomic));
            write_record(stub.atomic, stub.resume);
            break;
        case Stub::Kind::soft_float:
            as_->call_rel32(runtime(runtime_code.soft_float));
            write_record(stub.soft, stub.resume);
            return;
        case Stub::Kind::canonical_nan:
            as_->sse(
                stub.nan.f64 ? SimdMove::movsd : SimdMove::movss, stub.nan.reg,
                runtime_constant(stub.nan.f64 ? runtime_code.canonical_f64 : runtime_code.canonical_f32));
            as_->jmp_rel32(stub.resume);
            return;
        case Stub::Kind::goto_tb: {
            const uint32_t entry = stub.entry.position();
            as_->patch_rel32(stub.jump.site, entry);
            out_->jumps[stub.jump.slot] =
                JumpSite{stub.jump.site, entry, stub.jump.pc_offset, stub.jump.back ? loop_head_ : 0};
            if (stub.jump.back) {
                as_->call(leave_loop_);
            }
            as_->call_rel32(runtime(runtime_code.exit_goto_tb));
            as_->data32(unit_index_);
            const uint32_t page_offset = static_cast<uint32_t>(stub.jump.pc_offset) & (kPageSize - 1);
            const uint8_t tail[] = {static_cast<uint8_t>(page_offset), static_cast<uint8_t>(page_offset >> 8),
                                    stub.jump.slot};
            as_->data(tail);
            return;
        }
        case Stub::Kind::call_missed:
            as_->lea(Width::q64, Gpr::rax, runtime_constant(runtime_code.lookup));
            as_->jmp_rel32(stub.resume);
            return;
        case Stub::Kind::return_stack_full:
            as_->mov(Width::q64, Gpr::rsp, at_state(exec_offset(offsetof(ExecState, frame))));
            as_->jmp_rel32(stub.resume);
            return;
    }
    InsnRow row = stub.insn;
    row.host_end = as_->offset();
    insns_.push_back(row);
}

void UnitCompiler::write_stubs() {
    for (Stub& stub : stubs_) {
        if (as_->overflowed()) {
            return;
        }
        write_stub(stub);
    }
}

void UnitCompiler::end_insn() {
    if (in_insn_) {
        insn_.host_end = as_->offset();
        insns_.push_back(insn_);
        in_insn_ = false;
    }
}

}  // namespace weft::tcg::x86_64
