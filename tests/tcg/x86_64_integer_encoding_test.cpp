// Every integer and control instruction against llvm-mc.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

#include "x86_64_corpus.h"

using namespace weft::tcg::x86_64;
using namespace weft::tcg::testing;

namespace {

std::vector<int64_t> immediates(Width width) {
    switch (width) {
        case Width::b8:
            return {1, 127, -1, -128, 128, 255};
        case Width::w16:
            return {1, 127, -1, -128, 128, -129, 255, 32767, -32768, 65535};
        case Width::d32:
            return {1, 127, -1, -128, 128, -129, 255, 0x7fffffff, -0x80000000LL, 0x80000000LL, 0xffffffffLL};
        case Width::q64:
            return {1, 127, -1, -128, 128, -129, 255, 0x7fffffff, -0x80000000LL};
    }
    return {};
}

// llvm-mc reads an unsigned immediate of 32 bits and below as the signed one of the same bits only in part.
int64_t as_signed(Width width, int64_t imm) {
    switch (width) {
        case Width::b8:
            return static_cast<int8_t>(imm);
        case Width::w16:
            return static_cast<int16_t>(imm);
        case Width::d32:
            return static_cast<int32_t>(imm);
        case Width::q64:
            break;
    }
    return imm;
}

// text(dst name, src name), emit(assembler, dst, src), over all pairs of registers.
template <class Emit>
void add_pairs(Corpus& corpus, std::string_view mnemonic, Width dst_width, Width src_width, Emit emit) {
    for (const Gpr dst : all_gprs()) {
        for (const Gpr src : all_gprs()) {
            corpus.add(fmt::format("{} {}, {}", mnemonic, name(dst_width, dst), name(src_width, src)),
                       [&](Assembler& a) { emit(a, dst, src); });
        }
    }
}

template <class Emit>
void add_loads(Corpus& corpus, std::string_view mnemonic, Width reg_width, unsigned bytes, Emit emit) {
    for (const Gpr reg : some_gprs()) {
        for (const Mem& mem : some_mems()) {
            corpus.add(fmt::format("{} {}, {}", mnemonic, name(reg_width, reg), name(bytes, mem)),
                       [&](Assembler& a) { emit(a, reg, mem); });
        }
    }
}

template <class Emit>
void add_stores(Corpus& corpus, std::string_view mnemonic, Width width, Emit emit) {
    for (const Gpr reg : some_gprs()) {
        for (const Mem& mem : some_mems()) {
            corpus.add(fmt::format("{} {}, {}", mnemonic, name(width, mem), name(width, reg)),
                       [&](Assembler& a) { emit(a, mem, reg); });
        }
    }
}

// One register or one memory operand, with a tail such as ", 5".
template <class Emit>
void add_single(Corpus& corpus, std::string_view mnemonic, Width width, std::string_view tail, Emit emit) {
    for (const Gpr reg : all_gprs())
        corpus.add(fmt::format("{} {}{}", mnemonic, name(width, reg), tail),
                   [&](Assembler& a) { emit(a, reg); });
}
template <class Emit>
void add_single_mem(Corpus& corpus, std::string_view mnemonic, unsigned bytes, std::string_view tail,
                    Emit emit) {
    for (const Mem& mem : some_mems())
        corpus.add(fmt::format("{} {}{}", mnemonic, name(bytes, mem), tail),
                   [&](Assembler& a) { emit(a, mem); });
}

}  // namespace

TEST_CASE("every memory operand") {
    Corpus corpus;
    for (const Mem& mem : all_mems()) {
        corpus.add(fmt::format("mov r9, {}", name(Width::q64, mem)),
                   [&](Assembler& a) { a.mov(Width::q64, Gpr::r9, mem); });
        corpus.add(fmt::format("vmovss xmm1, {}", name(4, mem)),
                   [&](Assembler& a) { a.avx(SimdMove::movss, Xmm::xmm1, mem); });
    }
    corpus.check();
}

TEST_CASE("mov") {
    Corpus corpus;
    for (const Width width : kWidths) {
        add_pairs(corpus, "mov", width, width,
                  [&](Assembler& a, Gpr dst, Gpr src) { a.mov(width, dst, src); });
        add_loads(corpus, "mov", width, bytes_of(width),
                  [&](Assembler& a, Gpr dst, const Mem& src) { a.mov(width, dst, src); });
        add_stores(corpus, "mov", width,
                   [&](Assembler& a, const Mem& dst, Gpr src) { a.mov(width, dst, src); });
        for (const int64_t imm : immediates(width))
            add_single_mem(corpus, "mov", bytes_of(width), fmt::format(", {}", as_signed(width, imm)),
                           [&](Assembler& a, const Mem& dst) { a.mov(width, dst, imm); });
    }
    corpus.check();
}

TEST_CASE("mov of an immediate takes the shortest form") {
    Corpus corpus;
    const auto mov_imm = [&](uint64_t imm) { return [imm](Assembler& a, Gpr reg) { a.mov_imm(reg, imm); }; };
    for (const uint64_t imm :
         {uint64_t{0}, uint64_t{1}, uint64_t{0x7fffffff}, uint64_t{0x80000000}, uint64_t{0xffffffff}})
        add_single(corpus, "mov", Width::d32, fmt::format(", {}", imm), mov_imm(imm));
    for (const int64_t imm : {int64_t{-1}, int64_t{-129}, -int64_t{0x7fffffff}, -int64_t{0x80000000}})
        add_single(corpus, "mov", Width::q64, fmt::format(", {}", imm), mov_imm(static_cast<uint64_t>(imm)));
    for (const uint64_t imm :
         {uint64_t{0x100000000}, ~uint64_t{0x80000000}, uint64_t{1} << 63, ~uint64_t{0} >> 1})
        add_single(corpus, "movabs", Width::q64, fmt::format(", {}", imm), mov_imm(imm));
    add_single(corpus, "movabs", Width::q64, ", 7", [](Assembler& a, Gpr reg) {
        const uint32_t field = a.mov_imm64(reg, 5);
        a.patch64(field, 7);
    });
    corpus.check();
}

TEST_CASE("extensions") {
    Corpus corpus;
    for (const Width from : {Width::b8, Width::w16}) {
        add_pairs(corpus, "movzx", Width::d32, from,
                  [&](Assembler& a, Gpr dst, Gpr src) { a.movzx(from, dst, src); });
        add_loads(corpus, "movzx", Width::d32, bytes_of(from),
                  [&](Assembler& a, Gpr dst, const Mem& src) { a.movzx(from, dst, src); });
    }
    add_pairs(corpus, "mov", Width::d32, Width::d32,
              [](Assembler& a, Gpr dst, Gpr src) { a.movzx(Width::d32, dst, src); });
    add_loads(corpus, "mov", Width::d32, 4,
              [](Assembler& a, Gpr dst, const Mem& src) { a.movzx(Width::d32, dst, src); });
    for (const Width to : k16To64) {
        for (const Width from : kWidths) {
            if (from >= to)
                continue;
            const std::string_view mnemonic = from == Width::d32 ? "movsxd" : "movsx";
            add_pairs(corpus, mnemonic, to, from,
                      [&](Assembler& a, Gpr dst, Gpr src) { a.movsx(to, from, dst, src); });
            add_loads(corpus, mnemonic, to, bytes_of(from),
                      [&](Assembler& a, Gpr dst, const Mem& src) { a.movsx(to, from, dst, src); });
        }
    }
    corpus.check();
}

TEST_CASE("byte swaps") {
    Corpus corpus;
    for (const Width width : k16To64) {
        add_loads(corpus, "movbe", width, bytes_of(width),
                  [&](Assembler& a, Gpr dst, const Mem& src) { a.movbe(width, dst, src); });
        add_stores(corpus, "movbe", width,
                   [&](Assembler& a, const Mem& dst, Gpr src) { a.movbe(width, dst, src); });
    }
    for (const Width width : k32And64)
        add_single(corpus, "bswap", width, "", [&](Assembler& a, Gpr reg) { a.bswap(width, reg); });
    corpus.check();
}

TEST_CASE("lea, cmov, set") {
    Corpus corpus;
    for (const Width width : k32And64)
        add_loads(corpus, "lea", width, 0,
                  [&](Assembler& a, Gpr dst, const Mem& src) { a.lea(width, dst, src); });
    for (const Cond cond : members<Cond>(kCond)) {
        const std::string_view suffix = kCond[static_cast<size_t>(cond)];
        for (const Width width : k32And64) {
            add_pairs(corpus, fmt::format("cmov{}", suffix), width, width,
                      [&](Assembler& a, Gpr dst, Gpr src) { a.cmov(cond, width, dst, src); });
            add_loads(corpus, fmt::format("cmov{}", suffix), width, bytes_of(width),
                      [&](Assembler& a, Gpr dst, const Mem& src) { a.cmov(cond, width, dst, src); });
        }
        add_single(corpus, fmt::format("set{}", suffix), Width::b8, "",
                   [&](Assembler& a, Gpr dst) { a.set(cond, dst); });
        add_single_mem(corpus, fmt::format("set{}", suffix), 1, "",
                       [&](Assembler& a, const Mem& dst) { a.set(cond, dst); });
    }
    corpus.check();
}

TEST_CASE("push and pop") {
    Corpus corpus;
    add_single(corpus, "push", Width::q64, "", [](Assembler& a, Gpr reg) { a.push(reg); });
    add_single(corpus, "pop", Width::q64, "", [](Assembler& a, Gpr reg) { a.pop(reg); });
    add_single_mem(corpus, "push", 8, "", [](Assembler& a, const Mem& mem) { a.push(mem); });
    add_single_mem(corpus, "pop", 8, "", [](Assembler& a, const Mem& mem) { a.pop(mem); });
    for (const int32_t imm : {0, 127, -128, 128, -129, 0x7fffffff})
        corpus.add(fmt::format("push {}", imm), [&](Assembler& a) { a.push(imm); });
    corpus.check();
}

TEST_CASE("two-operand arithmetic on registers and memory") {
    Corpus corpus;
    for (const Alu op : members<Alu>(kAlu)) {
        const std::string_view mnemonic = row_of(kAlu, op);
        for (const Width width : kWidths) {
            for (const Gpr dst : all_gprs()) {
                for (const Gpr src : all_gprs()) {
                    // The zeroing idioms do not need 64 bits.
                    const bool zero = dst == src && (op == Alu::xor_ || op == Alu::sub);
                    const Width shown = zero ? std::min(width, Width::d32) : width;
                    corpus.add(fmt::format("{} {}, {}", mnemonic, name(shown, dst), name(shown, src)),
                               [&](Assembler& a) { a.alu(op, width, dst, src); });
                }
            }
            add_loads(corpus, mnemonic, width, bytes_of(width),
                      [&](Assembler& a, Gpr dst, const Mem& src) { a.alu(op, width, dst, src); });
            add_stores(corpus, mnemonic, width,
                       [&](Assembler& a, const Mem& dst, Gpr src) { a.alu(op, width, dst, src); });
        }
    }
    corpus.check();
}

TEST_CASE("two-operand arithmetic with immediates") {
    Corpus corpus;
    for (const Alu op : members<Alu>(kAlu)) {
        const std::string_view mnemonic = row_of(kAlu, op);
        for (const Width width : kWidths) {
            for (const int64_t imm : immediates(width)) {
                const bool narrow = op == Alu::and_ && width == Width::q64 && imm >= 0;
                add_single(corpus, mnemonic, narrow ? Width::d32 : width,
                           fmt::format(", {}", as_signed(width, imm)),
                           [&](Assembler& a, Gpr reg) { a.alu(op, width, reg, imm); });
                add_single_mem(corpus, mnemonic, bytes_of(width), fmt::format(", {}", as_signed(width, imm)),
                               [&](Assembler& a, const Mem& mem) { a.alu(op, width, mem, imm); });
            }
            add_single_mem(corpus, mnemonic, bytes_of(width), ", 0",
                           [&](Assembler& a, const Mem& mem) { a.alu(op, width, mem, 0); });
        }
    }
    for (const Width width : kWidths) {
        for (const Gpr reg : all_gprs())
            corpus.add(fmt::format("test {0}, {0}", name(width, reg)),
                       [&](Assembler& a) { a.alu(Alu::cmp, width, reg, 0); });
    }
    corpus.check();
}

TEST_CASE("the named functions are the rows of their names") {
    Corpus corpus;
    const auto add = [&](std::string_view mnemonic, auto emit) {
        corpus.add(fmt::format("{} rcx, r9", mnemonic), [&](Assembler& a) { emit(a, Gpr::r9); });
        corpus.add(fmt::format("{} rcx, qword ptr [rsi + 8]", mnemonic),
                   [&](Assembler& a) { emit(a, Mem(Gpr::rsi, 8)); });
        corpus.add(fmt::format("{} rcx, -77", mnemonic), [&](Assembler& a) { emit(a, -77); });
    };
    add("add", [](Assembler& a, auto src) { a.add(Width::q64, Gpr::rcx, src); });
    add("or", [](Assembler& a, auto src) { a.or_(Width::q64, Gpr::rcx, src); });
    add("adc", [](Assembler& a, auto src) { a.adc(Width::q64, Gpr::rcx, src); });
    add("sbb", [](Assembler& a, auto src) { a.sbb(Width::q64, Gpr::rcx, src); });
    add("and", [](Assembler& a, auto src) { a.and_(Width::q64, Gpr::rcx, src); });
    add("sub", [](Assembler& a, auto src) { a.sub(Width::q64, Gpr::rcx, src); });
    add("xor", [](Assembler& a, auto src) { a.xor_(Width::q64, Gpr::rcx, src); });
    add("cmp", [](Assembler& a, auto src) { a.cmp(Width::q64, Gpr::rcx, src); });
    corpus.add("not r9d", [](Assembler& a) { a.not_(Width::d32, Gpr::r9); });
    corpus.add("neg r9d", [](Assembler& a) { a.neg(Width::d32, Gpr::r9); });
    corpus.add("imul r9d, ecx", [](Assembler& a) { a.imul(Width::d32, Gpr::r9, Gpr::rcx); });
    corpus.add("imul r9d, dword ptr [rcx]", [](Assembler& a) { a.imul(Width::d32, Gpr::r9, Mem(Gpr::rcx)); });
    corpus.add("shl r9d, 3", [](Assembler& a) { a.shl(Width::d32, Gpr::r9, 3); });
    corpus.add("shr r9d, 3", [](Assembler& a) { a.shr(Width::d32, Gpr::r9, 3); });
    corpus.add("sar r9d, 3", [](Assembler& a) { a.sar(Width::d32, Gpr::r9, 3); });
    corpus.add("rol r9d, 3", [](Assembler& a) { a.rol(Width::d32, Gpr::r9, 3); });
    corpus.add("ror r9d, 3", [](Assembler& a) { a.ror(Width::d32, Gpr::r9, 3); });
    corpus.add("cdq", [](Assembler& a) { a.cdq(); });
    corpus.add("cqo", [](Assembler& a) { a.cqo(); });
    corpus.add("ret", [](Assembler& a) { a.ret(); });
    corpus.add("ud2", [](Assembler& a) { a.ud2(); });
    corpus.check();
}

TEST_CASE("test") {
    Corpus corpus;
    for (const Width width : kWidths) {
        add_pairs(corpus, "test", width, width, [&](Assembler& a, Gpr x, Gpr y) { a.test(width, x, y); });
        add_stores(corpus, "test", width, [&](Assembler& a, const Mem& x, Gpr y) { a.test(width, x, y); });
        for (const int64_t imm : immediates(width)) {
            // The narrowest width that gives the same flags.
            Width shown = width;
            const int64_t value = as_signed(width, imm);
            if (value >= 0 && value < 128)
                shown = Width::b8;
            else if (width == Width::q64 && value >= 0)
                shown = Width::d32;
            add_single(corpus, "test", shown, fmt::format(", {}", value),
                       [&](Assembler& a, Gpr reg) { a.test(width, reg, imm); });
            add_single_mem(corpus, "test", bytes_of(width), fmt::format(", {}", value),
                           [&](Assembler& a, const Mem& mem) { a.test(width, mem, imm); });
        }
    }
    corpus.check();
}

TEST_CASE("multiplication, division, negation, bit counts") {
    Corpus corpus;
    for (const Unary op : members<Unary>(kUnary)) {
        for (const Width width : kWidths) {
            add_single(corpus, row_of(kUnary, op).name, width, "",
                       [&](Assembler& a, Gpr reg) { a.unary(op, width, reg); });
            add_single_mem(corpus, row_of(kUnary, op).name, bytes_of(width), "",
                           [&](Assembler& a, const Mem& mem) { a.unary(op, width, mem); });
        }
    }
    for (const Width width : k32And64) {
        for (const RegRm op : members<RegRm>(kRegRm)) {
            add_pairs(corpus, row_of(kRegRm, op).name, width, width,
                      [&](Assembler& a, Gpr dst, Gpr src) { a.reg_rm(op, width, dst, src); });
            add_loads(corpus, row_of(kRegRm, op).name, width, bytes_of(width),
                      [&](Assembler& a, Gpr dst, const Mem& src) { a.reg_rm(op, width, dst, src); });
        }
        for (const int64_t imm : immediates(width)) {
            const int64_t value = as_signed(width, imm);
            for (const Gpr dst : all_gprs()) {
                for (const Gpr src : some_gprs())
                    corpus.add(fmt::format("imul {}, {}, {}", name(width, dst), name(width, src), value),
                               [&](Assembler& a) { a.imul(width, dst, src, imm); });
            }
            for (const Mem& mem : some_mems())
                corpus.add(fmt::format("imul {}, {}, {}", name(width, Gpr::r10), name(width, mem), value),
                           [&](Assembler& a) { a.imul(width, Gpr::r10, mem, imm); });
        }
    }
    corpus.check();
}

TEST_CASE("shifts") {
    Corpus corpus;
    for (const Width width : kWidths) {
        const unsigned bits = bytes_of(width) * 8;
        for (const Shift op : members<Shift>(kShift)) {
            const std::string_view mnemonic = row_of(kShift, op).name;
            for (const unsigned count : {0U, 1U, 3U, bits - 1}) {
                add_single(corpus, mnemonic, width, fmt::format(", {}", count),
                           [&](Assembler& a, Gpr reg) { a.shift(op, width, reg, count); });
                add_single_mem(corpus, mnemonic, bytes_of(width), fmt::format(", {}", count),
                               [&](Assembler& a, const Mem& mem) { a.shift(op, width, mem, count); });
            }
            add_single(corpus, mnemonic, width, ", cl",
                       [&](Assembler& a, Gpr reg) { a.shift_cl(op, width, reg); });
            add_single_mem(corpus, mnemonic, bytes_of(width), ", cl",
                           [&](Assembler& a, const Mem& mem) { a.shift_cl(op, width, mem); });
        }
        if (width == Width::b8)
            continue;
        for (const DoubleShift op : members<DoubleShift>(kDoubleShift)) {
            for (const Gpr dst : all_gprs()) {
                for (const Gpr src : all_gprs())
                    corpus.add(fmt::format("{} {}, {}, {}", row_of(kDoubleShift, op).name, name(width, dst),
                                           name(width, src), bits - 1),
                               [&](Assembler& a) { a.double_shift(op, width, dst, src, bits - 1); });
            }
        }
    }
    corpus.check();
}

TEST_CASE("bit tests") {
    Corpus corpus;
    for (const BitTest op : members<BitTest>(kBitTest)) {
        const std::string_view mnemonic = row_of(kBitTest, op).name;
        for (const Width width : k16To64) {
            add_pairs(corpus, mnemonic, width, width,
                      [&](Assembler& a, Gpr reg, Gpr bit) { a.bit_test(op, width, reg, bit); });
            for (const unsigned bit : {0U, 7U, bytes_of(width) * 8 - 1}) {
                add_single(corpus, mnemonic, width, fmt::format(", {}", bit),
                           [&](Assembler& a, Gpr reg) { a.bit_test(op, width, reg, bit); });
                add_single_mem(corpus, mnemonic, bytes_of(width), fmt::format(", {}", bit),
                               [&](Assembler& a, const Mem& mem) { a.bit_test(op, width, mem, bit); });
            }
        }
    }
    corpus.check();
}

TEST_CASE("BMI1 and BMI2") {
    Corpus corpus;
    const auto three = [](std::string_view mnemonic, Width width, Gpr x, auto y, auto z) {
        return fmt::format("{} {}, {}, {}", mnemonic, name(width, x), name(width, y), name(width, z));
    };
    for (const Width width : k32And64) {
        for (const Gpr dst : all_gprs()) {
            for (const Gpr x : some_gprs()) {
                for (const BmiNds op : members<BmiNds>(kBmiNds)) {
                    for (const Gpr y : all_gprs())
                        corpus.add(three(row_of(kBmiNds, op).name, width, dst, x, y),
                                   [&](Assembler& a) { a.bmi(op, width, dst, x, y); });
                }
                for (const BmiCount op : members<BmiCount>(kBmiCount)) {
                    for (const Gpr y : all_gprs())
                        corpus.add(three(row_of(kBmiCount, op).name, width, dst, x, y),
                                   [&](Assembler& a) { a.bmi(op, width, dst, x, y); });
                }
            }
        }
        for (const Mem& mem : some_mems()) {
            for (const Gpr dst : some_gprs()) {
                for (const BmiNds op : members<BmiNds>(kBmiNds))
                    corpus.add(three(row_of(kBmiNds, op).name, width, dst, Gpr::r10, mem),
                               [&](Assembler& a) { a.bmi(op, width, dst, Gpr::r10, mem); });
                for (const BmiCount op : members<BmiCount>(kBmiCount))
                    corpus.add(three(row_of(kBmiCount, op).name, width, dst, mem, Gpr::r10),
                               [&](Assembler& a) { a.bmi(op, width, dst, mem, Gpr::r10); });
                corpus.add(fmt::format("rorx {}, {}, 31", name(width, dst), name(width, mem)),
                           [&](Assembler& a) { a.rorx(width, dst, mem, 31); });
            }
        }
        for (const BmiUnary op : members<BmiUnary>(kBmiUnary)) {
            add_pairs(corpus, row_of(kBmiUnary, op).name, width, width,
                      [&](Assembler& a, Gpr dst, Gpr src) { a.bmi(op, width, dst, src); });
            add_loads(corpus, row_of(kBmiUnary, op).name, width, bytes_of(width),
                      [&](Assembler& a, Gpr dst, const Mem& src) { a.bmi(op, width, dst, src); });
        }
        for (const Gpr dst : all_gprs()) {
            for (const Gpr src : all_gprs())
                corpus.add(fmt::format("rorx {}, {}, 7", name(width, dst), name(width, src)),
                           [&](Assembler& a) { a.rorx(width, dst, src, 7); });
        }
    }
    corpus.check();
}

TEST_CASE("atomics") {
    Corpus corpus;
    for (const Width width : kWidths) {
        for (const Gpr x : all_gprs()) {
            for (const Gpr y : all_gprs()) {
                if (x != y)
                    corpus.add(fmt::format("xchg {}, {}", name(width, x), name(width, y)),
                               [&](Assembler& a) { a.xchg(width, x, y); });
            }
        }
        add_stores(corpus, "xchg", width,
                   [&](Assembler& a, const Mem& mem, Gpr reg) { a.xchg(width, mem, reg); });
        add_stores(corpus, "lock cmpxchg", width,
                   [&](Assembler& a, const Mem& mem, Gpr reg) { a.lock_cmpxchg(width, mem, reg); });
        add_stores(corpus, "lock xadd", width,
                   [&](Assembler& a, const Mem& mem, Gpr reg) { a.lock_xadd(width, mem, reg); });
        for (const Alu op : members<Alu>(kAlu)) {
            if (op == Alu::cmp)
                continue;
            const std::string mnemonic = fmt::format("lock {}", row_of(kAlu, op));
            add_stores(corpus, mnemonic, width,
                       [&](Assembler& a, const Mem& mem, Gpr reg) { a.lock_alu(op, width, mem, reg); });
            for (const int64_t imm : immediates(width))
                add_single_mem(corpus, mnemonic, bytes_of(width), fmt::format(", {}", as_signed(width, imm)),
                               [&](Assembler& a, const Mem& mem) { a.lock_alu(op, width, mem, imm); });
        }
    }
    add_single_mem(corpus, "lock cmpxchg16b", 16, "",
                   [](Assembler& a, const Mem& mem) { a.lock_cmpxchg16b(mem); });
    corpus.check();
}

TEST_CASE("instructions without operands, prefetches, indirect jumps") {
    Corpus corpus;
    for (const Plain op : members<Plain>(kPlain))
        corpus.add(std::string(row_of(kPlain, op).name), [&](Assembler& a) { a.plain(op); });
    for (const Prefetch hint : members<Prefetch>(kPrefetch))
        add_single_mem(corpus, row_of(kPrefetch, hint).name, 1, "",
                       [&](Assembler& a, const Mem& mem) { a.prefetch(hint, mem); });
    add_single(corpus, "jmp", Width::q64, "", [](Assembler& a, Gpr reg) { a.jmp(reg); });
    add_single(corpus, "call", Width::q64, "", [](Assembler& a, Gpr reg) { a.call(reg); });
    add_single_mem(corpus, "jmp", 8, "", [](Assembler& a, const Mem& mem) { a.jmp(mem); });
    add_single_mem(corpus, "call", 8, "", [](Assembler& a, const Mem& mem) { a.call(mem); });
    corpus.check();
}

// llvm-mc prints the displacement of a direct jump as it stands.
TEST_CASE("direct jumps and nops read back as what they are") {
    Corpus corpus;
    corpus.add("jmp 1000", [](Assembler& a) { a.jmp_rel32(1005); });
    corpus.add("jmp -1000", [](Assembler& a) { a.jmp_rel32(-995); });
    corpus.add("call 305419896", [](Assembler& a) { a.call_rel32(0x12345678 + 5); });
    corpus.add("nop; jmp -5", [](Assembler& a) {
        a.nop(1);
        Label label;
        a.bind(label);
        a.jmp_rel32(1);
    });
    corpus.add("jmp -2", [](Assembler& a) {
        Label label;
        a.bind(label);
        a.jmp(label);
    });
    corpus.add("call -5", [](Assembler& a) {
        Label label;
        a.bind(label);
        a.call(label);
    });
    corpus.add("call 1; ret", [](Assembler& a) {
        Label label;
        a.call(label);
        a.ret();
        a.bind(label);
    });
    corpus.add("jmp 1; ret", [](Assembler& a) {
        Label label;
        a.jmp_short(label);
        a.ret();
        a.bind(label);
    });
    for (const Cond cond : members<Cond>(kCond)) {
        const std::string_view suffix = kCond[static_cast<size_t>(cond)];
        corpus.add(fmt::format("j{} 994", suffix), [&](Assembler& a) { a.jcc_rel32(cond, 1000); });
        corpus.add(fmt::format("j{} 1; ret", suffix), [&](Assembler& a) {
            Label label;
            a.jcc(cond, label);
            a.ret();
            a.bind(label);
        });
        corpus.add(fmt::format("j{} 1; ret", suffix), [&](Assembler& a) {
            Label label;
            a.jcc_short(cond, label);
            a.ret();
            a.bind(label);
        });
        corpus.add(fmt::format("ret; j{} -3", suffix), [&](Assembler& a) {
            Label label;
            a.bind(label);
            a.ret();
            a.jcc(cond, label);
        });
    }
    const std::vector<std::string> nops = {"nop",
                                           "nop",
                                           "nop dword ptr [rax]",
                                           "nop dword ptr [rax]",
                                           "nop dword ptr [rax + rax]",
                                           "nop word ptr [rax + rax]",
                                           "nop dword ptr [rax]",
                                           "nop dword ptr [rax + rax]",
                                           "nop word ptr [rax + rax]"};
    for (unsigned count = 1; count <= nops.size(); ++count)
        corpus.add(nops[count - 1], [&](Assembler& a) {
            a.nop(count);
            CHECK(a.offset() == count);
        });
    corpus.add("nop word ptr [rax + rax]; nop", [](Assembler& a) { a.nop(11); });
    corpus.check_disassembly();
}
