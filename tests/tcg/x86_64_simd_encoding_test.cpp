// Every SSE, AVX, FMA and AVX-512 instruction against llvm-mc.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <vector>

#include "x86_64_corpus.h"

using namespace weft::tcg::x86_64;
using namespace weft::tcg::testing;

namespace {

// Two registers, all pairs; a register and memory.
template <class Emit>
void add_two(Corpus& corpus, std::string_view mnemonic, std::string_view tail, Emit emit) {
    for (const Xmm x : all_xmms()) {
        for (const Xmm y : all_xmms())
            corpus.add(fmt::format("{} {}, {}{}", mnemonic, name(x), name(y), tail),
                       [&](Assembler& a) { emit(a, x, y); });
    }
}
template <class Emit>
void add_two_mem(Corpus& corpus, std::string_view mnemonic, unsigned bytes, std::string_view tail,
                 Emit emit) {
    for (const Xmm x : some_xmms()) {
        for (const Mem& mem : some_mems())
            corpus.add(fmt::format("{} {}, {}{}", mnemonic, name(x), name(bytes, mem), tail),
                       [&](Assembler& a) { emit(a, x, mem); });
    }
}

// Three registers; two and memory.
template <class Emit>
void add_three(Corpus& corpus, std::string_view mnemonic, std::string_view tail, Emit emit) {
    for (const Xmm x : some_xmms()) {
        for (const Xmm y : all_xmms()) {
            for (const Xmm z : all_xmms())
                corpus.add(fmt::format("{} {}, {}, {}{}", mnemonic, name(x), name(y), name(z), tail),
                           [&](Assembler& a) { emit(a, x, y, z); });
        }
    }
}
template <class Emit>
void add_three_mem(Corpus& corpus, std::string_view mnemonic, unsigned bytes, std::string_view tail,
                   Emit emit) {
    for (const Xmm x : some_xmms()) {
        for (const Xmm y : some_xmms()) {
            for (const Mem& mem : some_mems())
                corpus.add(fmt::format("{} {}, {}, {}{}", mnemonic, name(x), name(y), name(bytes, mem), tail),
                           [&](Assembler& a) { emit(a, x, y, mem); });
        }
    }
}

// A general and an xmm register, all pairs.
template <class Emit>
void add_mixed(Corpus& corpus, Emit emit) {
    for (const Gpr gpr : all_gprs()) {
        for (const Xmm xmm : all_xmms())
            emit(corpus, gpr, xmm);
    }
}

constexpr std::array<uint8_t, 3> kImmediates = {0, 3, 7};

}  // namespace

TEST_CASE("legacy arithmetic and logic") {
    Corpus corpus;
    for (const Simd op : members<Simd>(kSimd)) {
        const SimdRow& row = row_of(kSimd, op);
        add_two(corpus, row.name, "", [&](Assembler& a, Xmm x, Xmm y) { a.sse(op, x, y); });
        add_two_mem(corpus, row.name, row.memory_bytes, "",
                    [&](Assembler& a, Xmm x, const Mem& y) { a.sse(op, x, y); });
    }
    for (const SimdImm op : members<SimdImm>(kSimdImm)) {
        const SimdRow& row = row_of(kSimdImm, op);
        for (const uint8_t imm : kImmediates) {
            add_two(corpus, row.name, fmt::format(", {}", imm),
                    [&](Assembler& a, Xmm x, Xmm y) { a.sse(op, x, y, imm); });
            add_two_mem(corpus, row.name, row.memory_bytes, fmt::format(", {}", imm),
                        [&](Assembler& a, Xmm x, const Mem& y) { a.sse(op, x, y, imm); });
        }
    }
    for (const SimdCompare op : members<SimdCompare>(kSimdCompare)) {
        const SimdRow& row = row_of(kSimdCompare, op);
        add_two(corpus, row.name, "", [&](Assembler& a, Xmm x, Xmm y) { a.sse(op, x, y); });
        add_two_mem(corpus, row.name, row.memory_bytes, "",
                    [&](Assembler& a, Xmm x, const Mem& y) { a.sse(op, x, y); });
    }
    for (const SimdShift op : members<SimdShift>(kSimdShift)) {
        for (const Xmm reg : all_xmms())
            corpus.add(fmt::format("{} {}, 13", row_of(kSimdShift, op).name, name(reg)),
                       [&](Assembler& a) { a.sse(op, reg, 13); });
    }
    corpus.check();
}

TEST_CASE("VEX arithmetic and logic on registers") {
    Corpus corpus;
    for (const Simd op : members<Simd>(kSimd))
        add_three(corpus, fmt::format("v{}", row_of(kSimd, op).name), "",
                  [&](Assembler& a, Xmm x, Xmm y, Xmm z) { a.avx(op, x, y, z); });
    for (const SimdImm op : members<SimdImm>(kSimdImm))
        add_three(corpus, fmt::format("v{}", row_of(kSimdImm, op).name), ", 5",
                  [&](Assembler& a, Xmm x, Xmm y, Xmm z) { a.avx(op, x, y, z, 5); });
    for (const SimdCompare op : members<SimdCompare>(kSimdCompare))
        add_two(corpus, fmt::format("v{}", row_of(kSimdCompare, op).name), "",
                [&](Assembler& a, Xmm x, Xmm y) { a.avx(op, x, y); });
    for (const SimdShift op : members<SimdShift>(kSimdShift))
        add_two(corpus, fmt::format("v{}", row_of(kSimdShift, op).name), ", 13",
                [&](Assembler& a, Xmm x, Xmm y) { a.avx(op, x, y, 13); });
    corpus.check();
}

TEST_CASE("VEX arithmetic and logic on memory") {
    Corpus corpus;
    for (const Simd op : members<Simd>(kSimd)) {
        const SimdRow& row = row_of(kSimd, op);
        add_three_mem(corpus, fmt::format("v{}", row.name), row.memory_bytes, "",
                      [&](Assembler& a, Xmm x, Xmm y, const Mem& z) { a.avx(op, x, y, z); });
    }
    for (const SimdImm op : members<SimdImm>(kSimdImm)) {
        const SimdRow& row = row_of(kSimdImm, op);
        for (const uint8_t imm : kImmediates)
            add_three_mem(corpus, fmt::format("v{}", row.name), row.memory_bytes, fmt::format(", {}", imm),
                          [&](Assembler& a, Xmm x, Xmm y, const Mem& z) { a.avx(op, x, y, z, imm); });
    }
    for (const SimdCompare op : members<SimdCompare>(kSimdCompare)) {
        const SimdRow& row = row_of(kSimdCompare, op);
        add_two_mem(corpus, fmt::format("v{}", row.name), row.memory_bytes, "",
                    [&](Assembler& a, Xmm x, const Mem& y) { a.avx(op, x, y); });
    }
    corpus.check();
}

TEST_CASE("VEX comparison has 32 predicates") {
    Corpus corpus;
    for (unsigned predicate = 0; predicate < 32; ++predicate)
        corpus.add(fmt::format("vcmpsd xmm1, xmm2, xmm3, {}", predicate), [&](Assembler& a) {
            a.avx(SimdImm::cmpsd, Xmm::xmm1, Xmm::xmm2, Xmm::xmm3, static_cast<uint8_t>(predicate));
        });
    corpus.check();
}

TEST_CASE("vector moves") {
    Corpus corpus;
    for (const SimdMove op : members<SimdMove>(kSimdMove)) {
        const SimdMoveRow& row = row_of(kSimdMove, op);
        const std::string vex = fmt::format("v{}", row.name);
        add_two_mem(corpus, row.name, row.memory_bytes, "",
                    [&](Assembler& a, Xmm x, const Mem& m) { a.sse(op, x, m); });
        add_two_mem(corpus, vex, row.memory_bytes, "",
                    [&](Assembler& a, Xmm x, const Mem& m) { a.avx(op, x, m); });
        for (const Xmm x : some_xmms()) {
            for (const Mem& mem : some_mems()) {
                corpus.add(fmt::format("{} {}, {}", row.name, name(row.memory_bytes, mem), name(x)),
                           [&](Assembler& a) { a.sse(op, mem, x); });
                corpus.add(fmt::format("{} {}, {}", vex, name(row.memory_bytes, mem), name(x)),
                           [&](Assembler& a) { a.avx(op, mem, x); });
            }
        }
        if (op == SimdMove::movd)
            continue;
        add_two(corpus, row.name, "", [&](Assembler& a, Xmm x, Xmm y) { a.sse(op, x, y); });
        if (op == SimdMove::movss || op == SimdMove::movsd)
            add_three(corpus, vex, "", [&](Assembler& a, Xmm x, Xmm y, Xmm z) { a.avx(op, x, y, z); });
        else
            add_two(corpus, vex, "", [&](Assembler& a, Xmm x, Xmm y) { a.avx(op, x, y); });
    }
    corpus.check();
}

TEST_CASE("between general and xmm registers") {
    Corpus corpus;
    for (const Width width : k32And64) {
        const char suffix = width == Width::d32 ? 'd' : 'q';
        add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
            const std::string_view g = name(width, gpr);
            const std::string x = name(xmm);
            c.add(fmt::format("mov{} {}, {}", suffix, x, g),
                  [&](Assembler& a) { a.sse_move(width, xmm, gpr); });
            c.add(fmt::format("mov{} {}, {}", suffix, g, x),
                  [&](Assembler& a) { a.sse_move(width, gpr, xmm); });
            c.add(fmt::format("vmov{} {}, {}", suffix, x, g),
                  [&](Assembler& a) { a.avx_move(width, xmm, gpr); });
            c.add(fmt::format("vmov{} {}, {}", suffix, g, x),
                  [&](Assembler& a) { a.avx_move(width, gpr, xmm); });
            c.add(fmt::format("pinsr{} {}, {}, 1", suffix, x, g),
                  [&](Assembler& a) { a.sse_insert(width, xmm, gpr, 1); });
            c.add(fmt::format("pextr{} {}, {}, 1", suffix, g, x),
                  [&](Assembler& a) { a.sse_extract(width, gpr, xmm, 1); });
            c.add(fmt::format("vpextr{} {}, {}, 1", suffix, g, x),
                  [&](Assembler& a) { a.avx_extract(width, gpr, xmm, 1); });
            for (const Xmm y : some_xmms())
                c.add(fmt::format("vpinsr{} {}, {}, {}, 1", suffix, x, name(y), g),
                      [&](Assembler& a) { a.avx_insert(width, xmm, y, gpr, 1); });
        });
        const unsigned bytes = bytes_of(width);
        add_two_mem(corpus, fmt::format("pinsr{}", suffix), bytes, ", 1",
                    [&](Assembler& a, Xmm x, const Mem& mem) { a.sse_insert(width, x, mem, 1); });
        add_three_mem(corpus, fmt::format("vpinsr{}", suffix), bytes, ", 1",
                      [&](Assembler& a, Xmm x, Xmm y, const Mem& mem) { a.avx_insert(width, x, y, mem, 1); });
        for (const Xmm x : some_xmms()) {
            for (const Mem& mem : some_mems()) {
                corpus.add(fmt::format("pextr{} {}, {}, 1", suffix, name(bytes, mem), name(x)),
                           [&](Assembler& a) { a.sse_extract(width, mem, x, 1); });
                corpus.add(fmt::format("vpextr{} {}, {}, 1", suffix, name(bytes, mem), name(x)),
                           [&](Assembler& a) { a.avx_extract(width, mem, x, 1); });
            }
        }
    }
    corpus.check();
}

TEST_CASE("conversions") {
    Corpus corpus;
    for (const Width width : k32And64) {
        for (const ToInt op : members<ToInt>(kToInt)) {
            const SimdRow& row = row_of(kToInt, op);
            add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
                const std::string operands = fmt::format("{}, {}", name(width, gpr), name(xmm));
                c.add(fmt::format("{} {}", row.name, operands),
                      [&](Assembler& a) { a.sse(op, width, gpr, xmm); });
                c.add(fmt::format("v{} {}", row.name, operands),
                      [&](Assembler& a) { a.avx(op, width, gpr, xmm); });
            });
            for (const Gpr gpr : some_gprs()) {
                for (const Mem& mem : some_mems()) {
                    const std::string operands =
                        fmt::format("{}, {}", name(width, gpr), name(row.memory_bytes, mem));
                    corpus.add(fmt::format("{} {}", row.name, operands),
                               [&](Assembler& a) { a.sse(op, width, gpr, mem); });
                    corpus.add(fmt::format("v{} {}", row.name, operands),
                               [&](Assembler& a) { a.avx(op, width, gpr, mem); });
                }
            }
        }
        for (const FromInt op : members<FromInt>(kFromInt)) {
            const std::string_view mnemonic = row_of(kFromInt, op).name;
            add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
                c.add(fmt::format("{} {}, {}", mnemonic, name(xmm), name(width, gpr)),
                      [&](Assembler& a) { a.sse(op, width, xmm, gpr); });
                for (const Xmm y : some_xmms())
                    c.add(fmt::format("v{} {}, {}, {}", mnemonic, name(xmm), name(y), name(width, gpr)),
                          [&](Assembler& a) { a.avx(op, width, xmm, y, gpr); });
            });
            add_two_mem(corpus, mnemonic, bytes_of(width), "",
                        [&](Assembler& a, Xmm x, const Mem& mem) { a.sse(op, width, x, mem); });
            add_three_mem(corpus, fmt::format("v{}", mnemonic), bytes_of(width), "",
                          [&](Assembler& a, Xmm x, Xmm y, const Mem& mem) { a.avx(op, width, x, y, mem); });
        }
    }
    corpus.check();
}

TEST_CASE("blends and MXCSR") {
    Corpus corpus;
    for (const Blend op : members<Blend>(kBlend)) {
        for (const Xmm mask : some_xmms()) {
            const std::string mnemonic = fmt::format("v{}", row_of(kBlend, op).name);
            add_three(corpus, mnemonic, fmt::format(", {}", name(mask)),
                      [&](Assembler& a, Xmm x, Xmm y, Xmm z) { a.avx(op, x, y, z, mask); });
            add_three_mem(corpus, mnemonic, 16, fmt::format(", {}", name(mask)),
                          [&](Assembler& a, Xmm x, Xmm y, const Mem& z) { a.avx(op, x, y, z, mask); });
        }
    }
    for (const Mxcsr op : members<Mxcsr>(kMxcsr)) {
        for (const Mem& mem : some_mems()) {
            corpus.add(fmt::format("{} {}", row_of(kMxcsr, op).name, name(4, mem)),
                       [&](Assembler& a) { a.sse(op, mem); });
            corpus.add(fmt::format("v{} {}", row_of(kMxcsr, op).name, name(4, mem)),
                       [&](Assembler& a) { a.avx(op, mem); });
        }
    }
    corpus.check();
}

TEST_CASE("FMA") {
    Corpus corpus;
    for (const Fma op : members<Fma>(kFma)) {
        for (const FmaOrder order : members<FmaOrder>(kFmaOrder)) {
            for (const Precision precision : {Precision::ss, Precision::sd}) {
                const bool is_double = precision == Precision::sd;
                const std::string mnemonic = fmt::format("{}{}{}", row_of(kFma, op).name,
                                                         row_of(kFmaOrder, order), is_double ? "sd" : "ss");
                add_three(corpus, mnemonic, "",
                          [&](Assembler& a, Xmm x, Xmm y, Xmm z) { a.fma(op, order, precision, x, y, z); });
                add_three_mem(
                    corpus, mnemonic, is_double ? 8 : 4, "",
                    [&](Assembler& a, Xmm x, Xmm y, const Mem& z) { a.fma(op, order, precision, x, y, z); });
            }
        }
    }
    corpus.check();
}

TEST_CASE("AVX-512 unsigned conversions") {
    Corpus corpus;
    for (const Width width : k32And64) {
        for (const ToUnsigned op : members<ToUnsigned>(kToUnsigned))
            add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
                c.add(fmt::format("v{} {}, {}", row_of(kToUnsigned, op).name, name(width, gpr), name(xmm)),
                      [&](Assembler& a) { a.evex(op, width, gpr, xmm); });
            });
        for (const FromUnsigned op : members<FromUnsigned>(kFromUnsigned))
            add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
                for (const Xmm y : some_xmms())
                    c.add(fmt::format("v{} {}, {}, {}", row_of(kFromUnsigned, op).name, name(xmm), name(y),
                                      name(width, gpr)),
                          [&](Assembler& a) { a.evex(op, width, xmm, y, gpr); });
            });
    }
    corpus.check();
}

TEST_CASE("AVX-512 embedded rounding") {
    Corpus corpus;
    for (const Rounding rounding : members<Rounding>(kRounding)) {
        const std::string mode = fmt::format(", {}", row_of(kRounding, rounding));
        for (const Simd op : members<Simd>(kSimd)) {
            if (row_of(kSimd, op).embedded_rounding)
                add_three(corpus, fmt::format("v{}", row_of(kSimd, op).name), mode,
                          [&](Assembler& a, Xmm x, Xmm y, Xmm z) { a.evex(op, rounding, x, y, z); });
        }
        for (const Fma op : members<Fma>(kFma)) {
            for (const FmaOrder order : members<FmaOrder>(kFmaOrder)) {
                for (const Precision precision : {Precision::ss, Precision::sd})
                    add_three(corpus,
                              fmt::format("{}{}{}", row_of(kFma, op).name, row_of(kFmaOrder, order),
                                          precision == Precision::sd ? "sd" : "ss"),
                              mode, [&](Assembler& a, Xmm x, Xmm y, Xmm z) {
                                  a.evex(op, order, precision, rounding, x, y, z);
                              });
            }
        }
        for (const Width width : k32And64) {
            const auto add_to = [&](const SimdRow& row, auto op) {
                if (row.embedded_rounding)
                    add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
                        c.add(fmt::format("v{} {}, {}{}", row.name, name(width, gpr), name(xmm), mode),
                              [&](Assembler& a) { a.evex(op, rounding, width, gpr, xmm); });
                    });
            };
            const auto add_from = [&](std::string_view mnemonic, auto op) {
                if (width == Width::d32 && mnemonic.ends_with("sd"))
                    return;
                add_mixed(corpus, [&](Corpus& c, Gpr gpr, Xmm xmm) {
                    for (const Xmm y : some_xmms())
                        c.add(fmt::format("v{} {}, {}{}, {}", mnemonic, name(xmm), name(y), mode,
                                          name(width, gpr)),
                              [&](Assembler& a) { a.evex(op, rounding, width, xmm, y, gpr); });
                });
            };
            for (const ToInt op : members<ToInt>(kToInt))
                add_to(row_of(kToInt, op), op);
            for (const ToUnsigned op : members<ToUnsigned>(kToUnsigned))
                add_to(row_of(kToUnsigned, op), op);
            for (const FromInt op : members<FromInt>(kFromInt))
                add_from(row_of(kFromInt, op).name, op);
            for (const FromUnsigned op : members<FromUnsigned>(kFromUnsigned))
                add_from(row_of(kFromUnsigned, op).name, op);
        }
    }
    corpus.check();
}
