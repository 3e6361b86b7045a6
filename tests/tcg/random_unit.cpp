#include "random_unit.h"

#include <bit>

#include "fp_specials.h"
#include "weft/ir_info.h"

namespace weft::tcg::test {

using ir::Builder;
using ir::Cond;
using ir::MemOp;
using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

constexpr unsigned number(Type type) { return static_cast<unsigned>(type); }

}  // namespace

uint64_t RandomUnit::interesting() {
    constexpr uint64_t kValues[] = {0,
                                    1,
                                    2,
                                    ~uint64_t{0},
                                    0xff,
                                    0xffff,
                                    0xffffffff,
                                    0x80000000,
                                    0x7fffffff,
                                    0x8000000000000000,
                                    0x7fffffffffffffff,
                                    0xffffffff80000000,
                                    0xfff,
                                    8,
                                    31,
                                    32,
                                    63,
                                    0xffffffffffffff00,
                                    4096};
    switch (below(4)) {
        case 0:
            return uint64_t{1} << below(64);
        case 1:
            return static_cast<uint64_t>(int64_t{static_cast<int16_t>(random_())}) >>
                   (chance(50) ? below(16) : 0);
        case 2:
            return random_();
        default:
            return one_of(kValues);
    }
}

RandomUnit::Index RandomUnit::constant(Type type, uint64_t value) {
    return type == Type::i32 ? builder_->imm32(static_cast<uint32_t>(value)).index
                             : builder_->imm(value).index;
}

RandomUnit::Index RandomUnit::pick(Type type) {
    if (ir::is_int(type) && chance(22)) {
        return constant(type, interesting());
    }
    const auto& pool = pool_[number(type)];
    // Newer temps more often, so that chains form.
    if (chance(40)) {
        const auto recent = static_cast<uint32_t>(pool.size() < 5 ? pool.size() : 5);
        return pool[pool.size() - 1 - below(recent)];
    }
    return pool[below(static_cast<uint32_t>(pool.size()))];
}

// Where a result goes: mostly a fresh temp, else a global or a temp that lives on.
RandomUnit::Index RandomUnit::result(Type type) {
    const unsigned choice = below(100);
    if (choice < 20) {
        switch (type) {
            case Type::i64:
                return static_cast<Index>(below(kIntGlobals));
            case Type::i32:
                return static_cast<Index>(kFirstWordGlobal + below(kWordGlobals));
            case Type::f64:
                return static_cast<Index>(kFirstFpGlobal + below(kFpGlobals));
            default:
                break;
        }
    }
    if (choice < 28) {
        return one_of({unit_temps_[number(type)][0], unit_temps_[number(type)][1]});
    }
    switch (type) {
        case Type::i32:
            return builder_->temp<ir::I32>().index;
        case Type::i64:
            return builder_->temp<ir::I64>().index;
        case Type::f32:
            return builder_->temp<ir::F32>().index;
        default:
            return builder_->temp<ir::F64>().index;
    }
}

// A written temp joins the pool; often it is moved to a global, as translators do.
void RandomUnit::keep(Type type, Index index) {
    pool_[number(type)].push_back(index);
    if (chance(50)) {
        if (type == Type::i64) {
            builder_->emit(Opcode::mov, type, 0, 0, below(kIntGlobals), index);
        } else if (type == Type::i32) {
            builder_->emit(Opcode::mov, type, 0, 0, kFirstWordGlobal + below(kWordGlobals), index);
        } else if (type == Type::f64) {
            builder_->emit(Opcode::mov, type, 0, 0, kFirstFpGlobal + below(kFpGlobals), index);
        } else {
            builder_->emit(Opcode::fbox, Type::none, 0, 0, kFirstFpGlobal + below(kFpGlobals), index);
        }
    }
}

void RandomUnit::emit(Opcode code, Type type, uint8_t cond, uint32_t aux, Type result_type,
                      std::initializer_list<Index> inputs) {
    const Index d = result(result_type);
    ir::Op& op = builder_->emit(code, type, cond, aux, d);
    for (const Index input : inputs) {
        op.args[op.arg_count++] = input;
    }
    keep(result_type, d);
}

void RandomUnit::shift_op(Type type) {
    const Opcode code = one_of({Opcode::shl, Opcode::shr, Opcode::sar, Opcode::rotl, Opcode::rotr});
    const unsigned width = ir::width(type);
    const Index a = pick(type);
    Index count = constant(type, below(width));
    if (chance(35)) {
        const Index masked =
            type == Type::i32 ? builder_->temp<ir::I32>().index : builder_->temp<ir::I64>().index;
        builder_->emit(Opcode::and_, type, 0, 0, masked, pick(type), constant(type, width - 1));
        count = masked;
    }
    emit(code, type, 0, 0, type, {a, count});
}

void RandomUnit::divide_op(Type type) {
    // A divisor that is positive as signed and not zero.
    const Opcode code = one_of({Opcode::divs, Opcode::divu, Opcode::rems, Opcode::remu});
    const Index a = pick(type);
    Index divisor = constant(type, one_of({1ull, 2ull, 3ull, 8ull, 10ull, 0x10000ull}));
    if (chance(70)) {
        const bool narrow = type == Type::i32;
        const Index half = narrow ? builder_->temp<ir::I32>().index : builder_->temp<ir::I64>().index;
        const Index odd = narrow ? builder_->temp<ir::I32>().index : builder_->temp<ir::I64>().index;
        builder_->emit(Opcode::and_, type, 0, 0, half, pick(type),
                       constant(type, narrow ? 0x7fffffff : 0x7fffffffffffffff));
        builder_->emit(Opcode::or_, type, 0, 0, odd, half, constant(type, 1));
        divisor = odd;
    }
    emit(code, type, 0, 0, type, {a, divisor});
}

void RandomUnit::field_op(Type type) {
    const unsigned width = ir::width(type);
    unsigned position = below(width);
    unsigned length = 1 + below(width - position);
    if (chance(40)) {
        position = 0;
        length = one_of({8u, 16u, 32u});
    }
    const uint32_t aux = position | length << 8;
    switch (below(3)) {
        case 0:
            return emit(Opcode::extract, type, 0, aux, type, {pick(type)});
        case 1:
            return emit(Opcode::sextract, type, 0, aux, type, {pick(type)});
        default:
            return emit(Opcode::deposit, type, 0, aux, type, {pick(type), pick(type)});
    }
}

void RandomUnit::integer_op(Type type) {
    using enum Opcode;
    const auto cond = static_cast<uint8_t>(below(12));
    switch (below(12)) {
        case 0:
        case 1:
        case 2:
            return emit(one_of({add, sub, and_, or_, xor_}), type, 0, 0, type, {pick(type), pick(type)});
        case 3:
            return emit(one_of({mul, mulsh, muluh, mulsuh, smin, smax, umin, umax, andc, orc, eqv}), type, 0,
                        0, type, {pick(type), pick(type)});
        case 4:
            return divide_op(type);
        case 5:
        case 6:
            return shift_op(type);
        case 7:
        case 8:
            return field_op(type);
        case 9:
            return emit(one_of({neg, not_, clz, ctz, ctpop, bswap, mov}), type, 0, 0, type, {pick(type)});
        case 10:
            return emit(one_of({setcond, negsetcond}), type, cond, 0, type, {pick(type), pick(type)});
        default:
            return emit(movcond, type, cond, 0, type, {pick(type), pick(type), pick(type), pick(type)});
    }
}

void RandomUnit::conversion_op() {
    switch (below(4)) {
        case 0:
            return emit(Opcode::ext_i32_i64, Type::none, 0, 0, Type::i64, {pick(Type::i32)});
        case 1:
            return emit(Opcode::extu_i32_i64, Type::none, 0, 0, Type::i64, {pick(Type::i32)});
        case 2:
            return emit(Opcode::extrl_i64_i32, Type::none, 0, 0, Type::i32, {pick(Type::i64)});
        default:
            return emit(Opcode::pc_add, Type::none, 0, random_() & 0xffff, Type::i64, {});
    }
}

// slli and srli or srai on one register, as compilers extend with.
void RandomUnit::pair_of_shifts() {
    const unsigned left = below(64);
    const unsigned right = chance(60) ? left : below(64);
    const auto d = static_cast<Index>(below(kIntGlobals));
    const Index source = chance(50) ? d : pick(Type::i64);
    const Index t = builder_->temp<ir::I64>().index;
    const Index u = builder_->temp<ir::I64>().index;
    builder_->emit(Opcode::shl, Type::i64, 0, 0, t, source, constant(Type::i64, left));
    builder_->emit(Opcode::mov, Type::i64, 0, 0, d, t);
    builder_->insn_start(pc_offset_ += 4);
    builder_->emit(chance(50) ? Opcode::shr : Opcode::sar, Type::i64, 0, 0, u, d, constant(Type::i64, right));
    builder_->emit(Opcode::mov, Type::i64, 0, 0, chance(70) ? d : below(kIntGlobals), u);
}

void RandomUnit::state_op(Type type) {
    using enum Opcode;
    const bool narrow = type == Type::i32;
    const auto offset = static_cast<uint32_t>(kAreaOffset) + 8 * below(kAreaSize / 8);
    if (chance(50)) {
        emit(one_of({ld8u, ld8s, ld16u, ld16s, ld32u, ld32s, ld}), type, 0,
             offset + (narrow ? 4 * below(2) : 0), type, {});
    } else {
        builder_->emit(one_of({st8, st16, st32, st}), type, 0, offset, pick(type));
    }
}

ir::I64 RandomUnit::address(unsigned size_log2) {
    Builder& b = *builder_;
    const ir::I64 x{pick(Type::i64)};
    if (options_.faults && chance(2)) {
        return x;
    }
    uint64_t mask = kMemorySize - 1;
    if (chance(90)) {
        mask &= ~((uint64_t{1} << size_log2) - 1);
    } else {
        mask -= 8;  // misaligned, and still within
    }
    if (chance(20)) {
        return b.imm(kMemoryBase + (random_() & mask));
    }
    return b.add(b.and_(x, b.imm(mask)), b.imm(kMemoryBase));
}

// One access, or several from one base, with other ops in between now and then.
void RandomUnit::memory_op() {
    if (chance(60)) {
        access_op(std::nullopt);
        return;
    }
    Builder& b = *builder_;
    const ir::I64 x{pick(Type::i64)};
    ir::I64 base = b.add(b.and_(x, b.imm(kMemorySize / 2 - 1)), b.imm(kMemoryBase + kMemorySize / 4));
    if (options_.faults && chance(30)) {  // one that other ops may write
        const ir::I64 global{static_cast<ir::TempIndex>(below(kIntGlobals))};
        b.mov(global, base);
        base = global;
    }
    for (unsigned i = 2 + below(5); i > 0; --i) {
        access_op(base);
        if (chance(20)) {
            integer_op(Type::i64);
        }
    }
}

// A plain access from `base`, or any access anywhere.
void RandomUnit::access_op(std::optional<ir::I64> base) {
    using enum Opcode;
    const Type type = options_.fp ? one_of({Type::i32, Type::i64, Type::i64, Type::f32, Type::f64})
                                  : one_of({Type::i32, Type::i64});
    const unsigned largest = ir::width(type) == 32 ? 2 : 3;
    const unsigned size_log2 = ir::is_fp(type) ? largest : below(largest + 1);
    uint32_t flags = ir::is_int(type) && chance(50) ? MemOp::kSign : 0;
    flags |= chance(base ? 2 : 10) ? MemOp::kAcquire : 0;
    flags |= chance(base ? 2 : 10) ? MemOp::kRelease : 0;
    flags |= options_.faults && chance(5) ? MemOp::kAligned : 0;
    const unsigned mode = base && chance(90) ? 0 : below(kMmuModes);
    const int32_t displacement = base ? static_cast<int32_t>(below(chance(80) ? 100 : 600)) - 50 : 0;
    const ir::I64 at = base ? *base : address(size_log2);
    const unsigned choice = below(base ? 8 : 10);
    if (choice < 5) {
        if ((flags & MemOp::kAligned) != 0 && chance(50)) {
            flags = (flags & ~MemOp::kSign) | MemOp::kReserve;
        }
        return emit(guest_ld, type, 0, MemOp(size_log2, mode, flags).at(displacement).bits(), type,
                    {at.index});
    }
    if (choice < 8 || ir::is_fp(type)) {
        flags &= ~MemOp::kSign;
        builder_->emit(guest_st, type, 0, MemOp(size_log2, mode, flags).at(displacement).bits(), pick(type),
                       at.index);
        return;
    }
    // Atomics are aligned, or fault.
    const uint32_t memop = MemOp(size_log2, mode, flags | MemOp::kAligned).bits();
    const ir::I64 aligned =
        options_.faults ? at : builder_->and_(at, builder_->imm(~((uint64_t{1} << size_log2) - 1)));
    if (chance(25)) {
        return emit(atomic_cmpxchg, type, 0, memop, type, {aligned.index, pick(type), pick(type)});
    }
    emit(one_of({atomic_xchg, atomic_add, atomic_and, atomic_or, atomic_xor, atomic_smin, atomic_smax,
                 atomic_umin, atomic_umax}),
         type, 0, memop, type, {aligned.index, pick(type)});
}

void RandomUnit::call_op() {
    switch (below(kTestHelperCount)) {
        case kHelperMix:
            return emit(Opcode::call, Type::none, 0, kHelperMix, Type::i64,
                        {pick(Type::i64), pick(Type::i32)});
        case kHelperTrace:
            builder_->emit(Opcode::call, Type::none, 0, kHelperTrace, pick(Type::i64));
            return;
        case kHelperReadGlobals:
            return emit(Opcode::call, Type::none, 0, kHelperReadGlobals, Type::i64, {pick(Type::i32)});
        case kHelperTwist:
            builder_->emit(Opcode::call, Type::none, 0, kHelperTwist, pick(Type::i64));
            return;
        case kHelperMaybeRaise: {
            ir::I64 a{pick(Type::i64)};
            if (!options_.faults || chance(80)) {
                a = builder_->or_(a, builder_->imm(1));
            }
            return emit(Opcode::call, Type::none, 0, kHelperMaybeRaise, Type::i64,
                        {a.index, pick(Type::i64)});
        }
        case kHelperMany:
            return emit(
                Opcode::call, Type::none, 0, kHelperMany, Type::i32,
                {pick(Type::i32), pick(Type::i64), pick(Type::i32), pick(Type::i64), pick(Type::i32)});
        default:
            return emit(
                Opcode::call, Type::none, 0, kHelperManyState, Type::i64,
                {pick(Type::i64), pick(Type::i32), pick(Type::i64), pick(Type::i32), pick(Type::i64)});
    }
}

uint8_t RandomUnit::rounding() {
    return static_cast<uint8_t>(chance(60) ? static_cast<unsigned>(builder_->unit().fp_rounding) : below(5));
}

void RandomUnit::fp_op(Type type) {
    using enum Opcode;
    switch (below(5)) {
        case 0:
        case 1:
            return emit(one_of({fadd, fsub, fmul, fdiv}), type, rounding(), 0, type,
                        {pick(type), pick(type)});
        case 2:
            return emit(one_of({fmin, fmax, fsgnj, fsgnjn, fsgnjx}), type, 0, 0, type,
                        {pick(type), pick(type)});
        case 3:
            return emit(fsqrt, type, rounding(), 0, type, {pick(type)});
        default:
            return emit(one_of({fmadd, fmsub, fnmadd, fnmsub}), type, rounding(), 0, type,
                        {pick(type), pick(type), pick(type)});
    }
}

// Between formats, registers and flags.
void RandomUnit::fp_transfer_op(Type type) {
    using enum Opcode;
    const Type word = ir::width(type) == 32 ? Type::i32 : Type::i64;
    switch (below(11)) {
        case 0:
            return emit(one_of({feq, flt, fle}), type, 0, 0, Type::i64, {pick(type), pick(type)});
        case 1:
            return emit(fclass, type, 0, 0, Type::i64, {pick(type)});
        case 2:
            return emit(fcvt_to_int, type, rounding(), below(4), Type::i64, {pick(type)});
        case 3:
            return emit(fcvt_from_int, type, rounding(), below(4), type, {pick(Type::i64)});
        case 4:
            return emit(fcvt_f32_f64, Type::none, 0, 0, Type::f64, {pick(Type::f32)});
        case 5:
            return emit(fcvt_f64_f32, Type::none, rounding(), 0, Type::f32, {pick(Type::f64)});
        case 6:
            return emit(bitcast_int, type, 0, 0, word, {pick(type)});
        case 7:
            return emit(bitcast_fp, type, 0, 0, type, {pick(word)});
        case 8:
            return emit(fbox, Type::none, 0, 0, Type::f64, {pick(Type::f32)});
        case 9:
            return emit(funbox, Type::none, 0, 0, Type::f32, {pick(Type::f64)});
        default:
            return fp_flags_op();
    }
}

void RandomUnit::fp_flags_op() {
    if (chance(60)) {
        return emit(Opcode::fpflags_get, Type::none, 0, 0, Type::i64, {});
    }
    builder_->fpflags_set(builder_->and_(ir::I64{pick(Type::i64)}, builder_->imm(31)));
}

void RandomUnit::guest_insn() {
    builder_->insn_start(pc_offset_ += 2 + static_cast<int32_t>(2 * below(2)));
    const unsigned ops = 1 + below(4);
    for (unsigned i = 0; i < ops; ++i) {
        const unsigned choice = below(100);
        if (choice < 45) {
            integer_op(chance(70) ? Type::i64 : Type::i32);
        } else if (choice < 52) {
            conversion_op();
        } else if (choice < 57) {
            pair_of_shifts();
        } else if (choice < 63) {
            state_op(chance(70) ? Type::i64 : Type::i32);
        } else if (choice < 78) {
            options_.memory ? memory_op() : integer_op(Type::i64);
        } else if (choice < 82) {
            options_.helpers ? call_op() : integer_op(Type::i64);
        } else if (choice < 83) {
            builder_->mb(below(16));
        } else if (options_.fp) {
            const Type type = chance(50) ? Type::f32 : Type::f64;
            chance(50) ? fp_op(type) : fp_transfer_op(type);
        } else {
            integer_op(Type::i32);
        }
    }
}

// After a label: temps of the block before are gone.
void RandomUnit::start_block() {
    for (auto& pool : pool_) {
        pool.clear();
    }
    for (unsigned i = 0; i < kIntGlobals; ++i) {
        pool_[number(Type::i64)].push_back(static_cast<Index>(i));
    }
    for (unsigned i = 0; i < kWordGlobals; ++i) {
        pool_[number(Type::i32)].push_back(static_cast<Index>(kFirstWordGlobal + i));
    }
    for (unsigned i = 0; i < kFpGlobals; ++i) {
        pool_[number(Type::f64)].push_back(static_cast<Index>(kFirstFpGlobal + i));
    }
    for (const Type type : {Type::i32, Type::i64, Type::f32, Type::f64}) {
        auto& pool = pool_[number(type)];
        pool.insert(pool.end(), unit_temps_[number(type)].begin(), unit_temps_[number(type)].end());
    }
}

// Branches of a unit that lead back to its start, at most.
constexpr size_t kMostBack = 3;

// Where a goto_tb may lead.
int32_t RandomUnit::linked_offset() {
    return builder_->unit().fixed_pages ? static_cast<int32_t>(below(UINT32_MAX) & ~1u)
                                        : static_cast<int32_t>(below(4096) & ~1u);
}

void RandomUnit::leave() {
    Builder& b = *builder_;
    const unsigned choice = below(4);
    // Those that lead back need theirs.
    const unsigned slots = ir::kMaxGotoTb - (options_.rounds ? kMostBack + 1 : 0);
    const bool calls = choice < 3 && b.unit().goto_tb_count + 2u <= slots && chance(30);
    if (calls) {
        b.return_point(ir::I64{pick(Type::i64)}, linked_offset());
    }
    if (choice < 2 && b.unit().goto_tb_count < slots) {
        b.exit_check(below(6), chance(50));
        b.goto_tb(linked_offset());
        return;
    }
    if (choice < 3) {
        b.exit_check(below(6), true);
        b.lookup_and_goto_ptr(ir::I64{pick(Type::i64)}, !calls && chance(30));
        return;
    }
    const ir::I64 pc =
        chance(50) ? b.pc_add(static_cast<int32_t>(below(1u << 16)) - (1 << 15)) : ir::I64{pick(Type::i64)};
    if (chance(30)) {
        b.exit_check(below(6), chance(50));
    }
    b.exit_tb(static_cast<ir::ExitReason>(below(3)), pc);
}

// A forward branch over something, or an if with an else.
void RandomUnit::branch_over() {
    Builder& b = *builder_;
    ++depth_;
    const Type type = chance(70) ? Type::i64 : Type::i32;
    const ir::Label skip = b.new_label();
    ir::Op& op = b.emit(Opcode::brcond, type, static_cast<uint8_t>(below(12)), 0, pick(type), pick(type));
    op.args[ir::kBrcondLabelArg] = skip.index;
    for (unsigned i = below(3); i > 0; --i) {
        guest_insn();
    }
    if (depth_ < 3 && chance(30)) {
        branch_over();
    }
    switch (below(4)) {
        case 0:
            leave();
            b.set_label(skip);
            break;
        case 1: {
            const ir::Label join = b.new_label();
            b.br(join);
            b.set_label(skip);
            start_block();
            guest_insn();
            b.set_label(join);
            break;
        }
        default:
            b.set_label(skip);
            break;
    }
    start_block();
    --depth_;
}

// A loop that ends: its counter is no operand of anything else.
void RandomUnit::loop() {
    Builder& b = *builder_;
    const ir::I64 counter = b.local<ir::I64>();
    b.mov(counter, b.imm(1 + below(4)));
    const ir::Label top = b.new_label();
    b.set_label(top);
    start_block();
    guest_insn();
    if (chance(50)) {
        branch_over();
    }
    b.op_into(Opcode::sub, counter, counter, b.imm(1));
    b.brcond(Cond::ne, counter, b.imm(0), top);
}

// At the start: leaves when there is no round left.
void RandomUnit::count_round(ir::Label done) {
    Builder& b = *builder_;
    const auto place = static_cast<uint32_t>(offsetof(GuestState, rounds));
    const ir::I64 left = b.local<ir::I64>();
    b.emit(Opcode::ld, Type::i64, 0, place, left.index);
    b.op_into(Opcode::sub, left, left, b.imm(1));
    b.emit(Opcode::st, Type::i64, 0, place, left.index);
    b.brcond(Cond::eq, left, b.imm(0), done);
}

void RandomUnit::branch_back() {
    Builder& b = *builder_;
    back_.push_back(b.new_label());
    const Type type = chance(70) ? Type::i64 : Type::i32;
    ir::Op& op = b.emit(Opcode::brcond, type, static_cast<uint8_t>(below(12)), 0, pick(type), pick(type));
    op.args[ir::kBrcondLabelArg] = back_.back().index;
}

void RandomUnit::jump_back() {
    builder_->exit_check(below(6), true);
    builder_->goto_tb(start_);
}

void RandomUnit::write(ir::Unit& unit) {
    Builder builder(unit);
    builder_ = &builder;
    pc_offset_ = static_cast<int32_t>(2 * below(1000));
    unit.fp_rounding = static_cast<ir::Rounding>(below(4));
    unit.fixed_pages = chance(30);
    for (auto& temps : unit_temps_) {
        temps.clear();
    }
    start_ = pc_offset_;
    back_.clear();
    builder.insn_start(pc_offset_);
    for (unsigned i = 0; i < 2; ++i) {
        const ir::I64 wide = builder.local<ir::I64>();
        const ir::I32 narrow = builder.local<ir::I32>();
        const ir::F64 d = builder.local<ir::F64>();
        const ir::F32 s = builder.local<ir::F32>();
        builder.mov(
            wide, chance(50) ? builder.imm(interesting()) : ir::I64{static_cast<Index>(below(kIntGlobals))});
        builder.mov(narrow, builder.imm32(static_cast<uint32_t>(interesting())));
        builder.mov(d, ir::F64{static_cast<Index>(kFirstFpGlobal + below(kFpGlobals))});
        builder.emit(Opcode::bitcast_fp, Type::f32, 0, 0, s.index,
                     builder.imm32(one_of(kFp32Specials)).index);
        unit_temps_[number(Type::i64)].push_back(wide.index);
        unit_temps_[number(Type::i32)].push_back(narrow.index);
        unit_temps_[number(Type::f64)].push_back(d.index);
        unit_temps_[number(Type::f32)].push_back(s.index);
    }
    start_block();
    const ir::Label done = builder.new_label();
    if (options_.rounds) {
        count_round(done);
    }
    unsigned loops = 0;
    for (unsigned i = 0; i < options_.insns; ++i) {
        guest_insn();
        if (options_.branches && chance(12)) {
            branch_over();
        }
        if (options_.loops && loops < 2 && chance(5)) {
            ++loops;
            loop();
        }
        if (options_.rounds && back_.size() < kMostBack && chance(20)) {
            branch_back();
        }
    }
    if (!options_.rounds) {
        leave();
    } else {
        chance(50) ? jump_back() : leave();
        for (const ir::Label label : back_) {
            builder.set_label(label);
            jump_back();
        }
        builder.set_label(done);
        start_block();
        leave();
    }
    unit.insn_count = options_.insns;
    builder_ = nullptr;
}

}  // namespace weft::tcg::test
