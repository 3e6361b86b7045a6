// Collects emitted instructions with the text they are meant to be, and has llvm-mc judge them all at once.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llvm_mc.h"
#include "tcg/x86_64/assembler.h"

namespace weft::tcg::testing {

inline constexpr std::array<x86_64::Width, 4> kWidths = {x86_64::Width::b8, x86_64::Width::w16,
                                                         x86_64::Width::d32, x86_64::Width::q64};
inline constexpr std::span<const x86_64::Width> k16To64 = std::span(kWidths).subspan(1);
inline constexpr std::span<const x86_64::Width> k32And64 = std::span(kWidths).subspan(2);

// Text as llvm-mc reads it.
std::string_view name(x86_64::Width width, x86_64::Gpr reg);
std::string name(x86_64::Xmm reg);
// "qword ptr [rax + 4*rcx - 8]"; with 0 bytes, without the size.
std::string name(unsigned bytes, const x86_64::Mem& mem);
inline std::string name(x86_64::Width width, const x86_64::Mem& mem) {
    return name(x86_64::bytes_of(width), mem);
}

// The numbers of a table's rows, as the enumeration that they are.
template <class Member, class Table>
std::vector<Member> members(const Table& table) {
    std::vector<Member> all;
    for (size_t i = 0; i < table.size(); ++i)
        all.push_back(static_cast<Member>(i));
    return all;
}

std::vector<x86_64::Gpr> all_gprs();
std::vector<x86_64::Xmm> all_xmms();
// Those whose encodings differ in kind: rax, cl's register, rsp and dil (bytes that need REX), low, high.
std::span<const x86_64::Gpr> some_gprs();
std::span<const x86_64::Xmm> some_xmms();
// Every kind of memory operand: bases that are special, no, small and large displacements, indices, rip.
std::span<const x86_64::Mem> some_mems();
// Every base, index, scale and kind of displacement.
std::vector<x86_64::Mem> all_mems();

class Corpus {
  public:
    // `emit(assembler)` emits one instruction, which is meant to be `text`.
    template <class Emit>
    void add(std::string text, Emit emit) {
        std::array<uint8_t, 64> buffer;
        x86_64::Assembler assembler(buffer);
        emit(assembler);
        const std::span<const uint8_t> bytes = assembler.bytes();
        texts_.push_back(std::move(text));
        codes_.emplace_back(bytes.begin(), bytes.end());
    }

    size_t size() const { return texts_.size(); }

    // Our code equals llvm-mc's for the text, or disassembles to the same and is not longer. Fails the test
    // with the first few that do not. Ends the program as skipped if there is no llvm-mc.
    void check() const;

    // The disassembled code equals the text, for what depends on where it stands and for what has no text of
    // its own.
    void check_disassembly() const;

  private:
    std::vector<std::string> texts_;
    std::vector<Code> codes_;
};

}  // namespace weft::tcg::testing
