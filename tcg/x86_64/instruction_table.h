// The instructions weft emits, declared once: families of instructions that share operands, and for each
// member its name and what tells it apart in the encoding. The assembler encodes from these rows; its test
// enumerates them, so a row that is added is checked against llvm-mc without further work.
//
// References: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2; AMD64 Architecture
// Programmer's Manual, volumes 3 and 4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::tcg::x86_64 {

// Opcode map; the values are those of VEX.mmmmm.
enum class Map : uint8_t { one_byte, m0f, m0f38, m0f3a };

// Mandatory (or operand size) prefix; the values are those of VEX.pp.
enum class Prefix : uint8_t { none, p66, pf3, pf2 };

// What the legacy, VEX and EVEX encodings of an instruction have in common.
struct Encoding {
    uint8_t opcode;
    Map map = Map::one_byte;
    Prefix prefix = Prefix::none;
    bool wide = false;  // REX.W, VEX.W, EVEX.W

    constexpr Encoding with_wide(bool value) const { return {opcode, map, prefix, value}; }
    constexpr Encoding with_opcode(unsigned value) const {
        return {static_cast<uint8_t>(value), map, prefix, wide};
    }
};

// The row of a family's member. Rows stand in the order of the enumerators.
template <class Row, class Member, size_t kCount>
constexpr const Row& row_of(const std::array<Row, kCount>& table, Member member) {
    return table[static_cast<size_t>(member)];
}

// --- Integer families
// -----------------------------------------------------------------------------------------------

// Two-operand arithmetic; the enumerators are bits 5:3 of the opcode and the /digit of the immediate forms.
enum class Alu : uint8_t { add, or_, adc, sbb, and_, sub, xor_, cmp };
inline constexpr std::array<std::string_view, 8> kAlu = {"add", "or",  "adc", "sbb",
                                                         "and", "sub", "xor", "cmp"};

// An opcode extended by ModRM.reg.
struct DigitRow {
    std::string_view name;
    uint8_t digit;
};

// Shifts and rotations by an immediate (c0/c1), by one (d0/d1), by cl (d2/d3).
enum class Shift : uint8_t { rol, ror, rcl, rcr, shl, shr, sar };
inline constexpr std::array<DigitRow, 7> kShift = {
    {{"rol", 0}, {"ror", 1}, {"rcl", 2}, {"rcr", 3}, {"shl", 4}, {"shr", 5}, {"sar", 7}}};

// One operand (f6/f7). mul, imul: rdx:rax = rax * operand. div, idiv: rax, rdx = rdx:rax / operand.
enum class Unary : uint8_t { not_, neg, mul, imul, div, idiv };
inline constexpr std::array<DigitRow, 6> kUnary = {
    {{"not", 2}, {"neg", 3}, {"mul", 4}, {"imul", 5}, {"div", 6}, {"idiv", 7}}};

// Bit tests by immediate (0f ba) and by register (0f a3 + digit position).
enum class BitTest : uint8_t { bt, bts, btr, btc };
inline constexpr std::array<DigitRow, 4> kBitTest = {{{"bt", 4}, {"bts", 5}, {"btr", 6}, {"btc", 7}}};

// Double shifts by an immediate.
struct EncodingRow {
    std::string_view name;
    Encoding encoding;
};
enum class DoubleShift : uint8_t { shld, shrd };
inline constexpr std::array<EncodingRow, 2> kDoubleShift = {
    {{"shld", {0xa4, Map::m0f}}, {"shrd", {0xac, Map::m0f}}}};

// reg = f(reg or memory); widths 32 and 64. popcnt, tzcnt (BMI1), lzcnt are features of their own; where the
// last two are missing they execute as bsf and bsr.
enum class RegRm : uint8_t { imul, popcnt, tzcnt, lzcnt, bsf, bsr };
inline constexpr std::array<EncodingRow, 6> kRegRm = {{{"imul", {0xaf, Map::m0f}},
                                                       {"popcnt", {0xb8, Map::m0f, Prefix::pf3}},
                                                       {"tzcnt", {0xbc, Map::m0f, Prefix::pf3}},
                                                       {"lzcnt", {0xbd, Map::m0f, Prefix::pf3}},
                                                       {"bsf", {0xbc, Map::m0f}},
                                                       {"bsr", {0xbd, Map::m0f}}}};

// VEX: reg = f(vvvv, reg or memory). andn is BMI1, the others BMI2. andn: dst = ~a & b. mulx: high half to
// dst, low half to a, of rdx * b. pdep, pext: mask is b.
enum class BmiNds : uint8_t { andn, mulx, pdep, pext };
inline constexpr std::array<EncodingRow, 4> kBmiNds = {{{"andn", {0xf2, Map::m0f38}},
                                                        {"mulx", {0xf6, Map::m0f38, Prefix::pf2}},
                                                        {"pdep", {0xf5, Map::m0f38, Prefix::pf2}},
                                                        {"pext", {0xf5, Map::m0f38, Prefix::pf3}}}};

// VEX: reg = f(reg or memory, vvvv): the second source is the count or the control. bextr is BMI1, the others
// BMI2.
enum class BmiCount : uint8_t { shlx, shrx, sarx, bextr, bzhi };
inline constexpr std::array<EncodingRow, 5> kBmiCount = {{{"shlx", {0xf7, Map::m0f38, Prefix::p66}},
                                                          {"shrx", {0xf7, Map::m0f38, Prefix::pf2}},
                                                          {"sarx", {0xf7, Map::m0f38, Prefix::pf3}},
                                                          {"bextr", {0xf7, Map::m0f38}},
                                                          {"bzhi", {0xf5, Map::m0f38}}}};

// VEX 0f38 f3 /digit: vvvv = f(reg or memory). BMI1.
enum class BmiUnary : uint8_t { blsr, blsmsk, blsi };
inline constexpr std::array<DigitRow, 3> kBmiUnary = {{{"blsr", 1}, {"blsmsk", 2}, {"blsi", 3}}};

// Prefetch hints (0f 18 /digit).
enum class Prefetch : uint8_t { nta, t0, t1, t2 };
inline constexpr std::array<DigitRow, 4> kPrefetch = {
    {{"prefetchnta", 0}, {"prefetcht0", 1}, {"prefetcht1", 2}, {"prefetcht2", 3}}};

// Instructions without operands; at most four bytes each.
struct PlainRow {
    std::string_view name;
    uint8_t size;
    std::array<uint8_t, 4> bytes;
};
enum class Plain : uint8_t {
    cdq,
    cqo,
    ret,
    mfence,
    lfence,
    sfence,
    pause,
    ud2,
    int3,
    cmc,
    clc,
    stc,
    vzeroupper
};
inline constexpr std::array<PlainRow, 13> kPlain = {{{"cdq", 1, {0x99}},
                                                     {"cqo", 2, {0x48, 0x99}},
                                                     {"ret", 1, {0xc3}},
                                                     {"mfence", 3, {0x0f, 0xae, 0xf0}},
                                                     {"lfence", 3, {0x0f, 0xae, 0xe8}},
                                                     {"sfence", 3, {0x0f, 0xae, 0xf8}},
                                                     {"pause", 2, {0xf3, 0x90}},
                                                     {"ud2", 2, {0x0f, 0x0b}},
                                                     {"int3", 1, {0xcc}},
                                                     {"cmc", 1, {0xf5}},
                                                     {"clc", 1, {0xf8}},
                                                     {"stc", 1, {0xf9}},
                                                     {"vzeroupper", 3, {0xc5, 0xf8, 0x77}}}};

// The suffixes of jcc, setcc and cmovcc, in the order of Cond.
inline constexpr std::array<std::string_view, 16> kCond = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                                           "s", "ns", "p", "np", "l", "ge", "le", "g"};

// --- SSE, AVX, FMA, AVX-512 families
// --------------------------------------------------------------------------------

// Legacy: dst = f(dst, reg or memory). VEX (name with a "v"): dst = f(a, reg or memory).
struct SimdRow {
    std::string_view name;
    Encoding encoding;
    uint8_t memory_bytes;
    bool commutative = false;        // in every bit of the result, so that operands may be swapped
    bool embedded_rounding = false;  // the EVEX form takes {rn,rd,ru,rz}-sae
};
enum class Simd : uint8_t {
    addss,
    addsd,
    mulss,
    mulsd,
    subss,
    subsd,
    minss,
    minsd,
    divss,
    divsd,
    maxss,
    maxsd,
    sqrtss,
    sqrtsd,
    cvtss2sd,
    cvtsd2ss,
    andps,
    andnps,
    orps,
    xorps,
    unpcklps,
    pand,
    pandn,
    por,
    pxor,
    pcmpeqd,
    pcmpeqq,
    paddd,
    paddq,
    psubd,
    psubq,
    punpckldq,
    punpcklqdq,
};
inline constexpr std::array<SimdRow, 33> kSimd = {{
    {"addss", {0x58, Map::m0f, Prefix::pf3}, 4, false, true},
    {"addsd", {0x58, Map::m0f, Prefix::pf2}, 8, false, true},
    {"mulss", {0x59, Map::m0f, Prefix::pf3}, 4, false, true},
    {"mulsd", {0x59, Map::m0f, Prefix::pf2}, 8, false, true},
    {"subss", {0x5c, Map::m0f, Prefix::pf3}, 4, false, true},
    {"subsd", {0x5c, Map::m0f, Prefix::pf2}, 8, false, true},
    {"minss", {0x5d, Map::m0f, Prefix::pf3}, 4},
    {"minsd", {0x5d, Map::m0f, Prefix::pf2}, 8},
    {"divss", {0x5e, Map::m0f, Prefix::pf3}, 4, false, true},
    {"divsd", {0x5e, Map::m0f, Prefix::pf2}, 8, false, true},
    {"maxss", {0x5f, Map::m0f, Prefix::pf3}, 4},
    {"maxsd", {0x5f, Map::m0f, Prefix::pf2}, 8},
    {"sqrtss", {0x51, Map::m0f, Prefix::pf3}, 4, false, true},
    {"sqrtsd", {0x51, Map::m0f, Prefix::pf2}, 8, false, true},
    {"cvtss2sd", {0x5a, Map::m0f, Prefix::pf3}, 4},
    {"cvtsd2ss", {0x5a, Map::m0f, Prefix::pf2}, 8, false, true},
    {"andps", {0x54, Map::m0f}, 16, true},
    {"andnps", {0x55, Map::m0f}, 16},
    {"orps", {0x56, Map::m0f}, 16, true},
    {"xorps", {0x57, Map::m0f}, 16, true},
    {"unpcklps", {0x14, Map::m0f}, 16},
    {"pand", {0xdb, Map::m0f, Prefix::p66}, 16, true},
    {"pandn", {0xdf, Map::m0f, Prefix::p66}, 16},
    {"por", {0xeb, Map::m0f, Prefix::p66}, 16, true},
    {"pxor", {0xef, Map::m0f, Prefix::p66}, 16, true},
    {"pcmpeqd", {0x76, Map::m0f, Prefix::p66}, 16, true},
    {"pcmpeqq", {0x29, Map::m0f38, Prefix::p66}, 16, true},
    {"paddd", {0xfe, Map::m0f, Prefix::p66}, 16, true},
    {"paddq", {0xd4, Map::m0f, Prefix::p66}, 16, true},
    {"psubd", {0xfa, Map::m0f, Prefix::p66}, 16},
    {"psubq", {0xfb, Map::m0f, Prefix::p66}, 16},
    {"punpckldq", {0x62, Map::m0f, Prefix::p66}, 16},
    {"punpcklqdq", {0x6c, Map::m0f, Prefix::p66}, 16},
}};

// The same shape with an immediate byte. cmp*: predicate (0-7 legacy, 0-31 VEX). round*: bits 1:0 mode, bit 2
// MXCSR's mode, bit 3 no inexact (SSE4.1). insertps: source, destination, zero mask (SSE4.1).
enum class SimdImm : uint8_t { cmpss, cmpsd, roundss, roundsd, insertps, shufps };
inline constexpr std::array<SimdRow, 6> kSimdImm = {{
    {"cmpss", {0xc2, Map::m0f, Prefix::pf3}, 4},
    {"cmpsd", {0xc2, Map::m0f, Prefix::pf2}, 8},
    {"roundss", {0x0a, Map::m0f3a, Prefix::p66}, 4},
    {"roundsd", {0x0b, Map::m0f3a, Prefix::p66}, 8},
    {"insertps", {0x21, Map::m0f3a, Prefix::p66}, 4},
    {"shufps", {0xc6, Map::m0f}, 16},
}};

// Comparisons into ZF, PF, CF. Two operands in both encodings.
enum class SimdCompare : uint8_t { ucomiss, ucomisd, comiss, comisd };
inline constexpr std::array<SimdRow, 4> kSimdCompare = {{
    {"ucomiss", {0x2e, Map::m0f}, 4},
    {"ucomisd", {0x2e, Map::m0f, Prefix::p66}, 8},
    {"comiss", {0x2f, Map::m0f}, 4},
    {"comisd", {0x2f, Map::m0f, Prefix::p66}, 8},
}};

// Shifts of the elements by an immediate; the register is ModRM.rm, the VEX destination is vvvv.
struct SimdShiftRow {
    std::string_view name;
    Encoding encoding;
    uint8_t digit;
};
enum class SimdShift : uint8_t { psrld, psrad, pslld, psrlq, psrldq, psllq, pslldq };
inline constexpr std::array<SimdShiftRow, 7> kSimdShift = {{
    {"psrld", {0x72, Map::m0f, Prefix::p66}, 2},
    {"psrad", {0x72, Map::m0f, Prefix::p66}, 4},
    {"pslld", {0x72, Map::m0f, Prefix::p66}, 6},
    {"psrlq", {0x73, Map::m0f, Prefix::p66}, 2},
    {"psrldq", {0x73, Map::m0f, Prefix::p66}, 3},
    {"psllq", {0x73, Map::m0f, Prefix::p66}, 6},
    {"pslldq", {0x73, Map::m0f, Prefix::p66}, 7},
}};

// Moves between xmm registers and memory. Loads of d, q, ss, sd clear the rest of the register.
struct SimdMoveRow {
    std::string_view name;
    Encoding load;
    Encoding store;
    uint8_t memory_bytes;
};
enum class SimdMove : uint8_t { movd, movq, movss, movsd, movaps, movups, movdqa, movdqu };
inline constexpr std::array<SimdMoveRow, 8> kSimdMove = {{
    {"movd", {0x6e, Map::m0f, Prefix::p66}, {0x7e, Map::m0f, Prefix::p66}, 4},
    {"movq", {0x7e, Map::m0f, Prefix::pf3}, {0xd6, Map::m0f, Prefix::p66}, 8},
    {"movss", {0x10, Map::m0f, Prefix::pf3}, {0x11, Map::m0f, Prefix::pf3}, 4},
    {"movsd", {0x10, Map::m0f, Prefix::pf2}, {0x11, Map::m0f, Prefix::pf2}, 8},
    {"movaps", {0x28, Map::m0f}, {0x29, Map::m0f}, 16},
    {"movups", {0x10, Map::m0f}, {0x11, Map::m0f}, 16},
    {"movdqa", {0x6f, Map::m0f, Prefix::p66}, {0x7f, Map::m0f, Prefix::p66}, 16},
    {"movdqu", {0x6f, Map::m0f, Prefix::pf3}, {0x7f, Map::m0f, Prefix::pf3}, 16},
}};

// Floating point to integer register; cvtt truncates, cvt rounds by MXCSR. Out of range gives 80..0.
enum class ToInt : uint8_t { cvtss2si, cvttss2si, cvtsd2si, cvttsd2si };
inline constexpr std::array<SimdRow, 4> kToInt = {{
    {"cvtss2si", {0x2d, Map::m0f, Prefix::pf3}, 4, false, true},
    {"cvttss2si", {0x2c, Map::m0f, Prefix::pf3}, 4},
    {"cvtsd2si", {0x2d, Map::m0f, Prefix::pf2}, 8, false, true},
    {"cvttsd2si", {0x2c, Map::m0f, Prefix::pf2}, 8},
}};

// The same to unsigned integers; AVX-512F. Out of range gives ff..f.
enum class ToUnsigned : uint8_t { cvtss2usi, cvttss2usi, cvtsd2usi, cvttsd2usi };
inline constexpr std::array<SimdRow, 4> kToUnsigned = {{
    {"cvtss2usi", {0x79, Map::m0f, Prefix::pf3}, 4, false, true},
    {"cvttss2usi", {0x78, Map::m0f, Prefix::pf3}, 4},
    {"cvtsd2usi", {0x79, Map::m0f, Prefix::pf2}, 8, false, true},
    {"cvttsd2usi", {0x78, Map::m0f, Prefix::pf2}, 8},
}};

// Integer register or memory to floating point; usi is AVX-512F.
enum class FromInt : uint8_t { cvtsi2ss, cvtsi2sd };
inline constexpr std::array<EncodingRow, 2> kFromInt = {
    {{"cvtsi2ss", {0x2a, Map::m0f, Prefix::pf3}}, {"cvtsi2sd", {0x2a, Map::m0f, Prefix::pf2}}}};
enum class FromUnsigned : uint8_t { cvtusi2ss, cvtusi2sd };
inline constexpr std::array<EncodingRow, 2> kFromUnsigned = {
    {{"cvtusi2ss", {0x7b, Map::m0f, Prefix::pf3}}, {"cvtusi2sd", {0x7b, Map::m0f, Prefix::pf2}}}};

// VEX only: dst = mask < 0 ? b : a, element by element.
enum class Blend : uint8_t { blendvps, blendvpd };
inline constexpr std::array<EncodingRow, 2> kBlend = {
    {{"blendvps", {0x4a, Map::m0f3a, Prefix::p66}}, {"blendvpd", {0x4b, Map::m0f3a, Prefix::p66}}}};

// FMA3. The digits name the operands (dst = 1, a = 2, b = 3): 132 is dst * b + a, 213 is a * dst + b, 231 is
// a * b + dst. The row's digit is what the kind adds to the opcode 0x98 + 0x10 * order of the packed form.
enum class Fma : uint8_t { madd, msub, nmadd, nmsub };
inline constexpr std::array<DigitRow, 4> kFma = {
    {{"vfmadd", 1}, {"vfmsub", 3}, {"vfnmadd", 5}, {"vfnmsub", 7}}};
enum class FmaOrder : uint8_t { o132, o213, o231 };
inline constexpr std::array<std::string_view, 3> kFmaOrder = {"132", "213", "231"};

// Embedded rounding (EVEX): the enumerators are EVEX.L'L, which is MXCSR's coding too. Suppresses all
// exceptions: no flag of MXCSR is set.
enum class Rounding : uint8_t { nearest_even, down, up, zero };
inline constexpr std::array<std::string_view, 4> kRounding = {"{rn-sae}", "{rd-sae}", "{ru-sae}", "{rz-sae}"};

// ldmxcsr, stmxcsr (0f ae /digit), legacy and VEX.
enum class Mxcsr : uint8_t { ldmxcsr, stmxcsr };
inline constexpr std::array<DigitRow, 2> kMxcsr = {{{"ldmxcsr", 2}, {"stmxcsr", 3}}};

}  // namespace weft::tcg::x86_64
