#include "tcg/ir/text.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text_values.h"
#include "tcg/ir/print.h"
#include "weft/ir_info.h"

namespace weft::tcg::text {

using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

std::optional<uint32_t> place_in(std::span<const std::string_view> list, std::string_view word) {
    const auto found = std::ranges::find(list, word);
    return found != list.end() ? std::optional(static_cast<uint32_t>(found - list.begin())) : std::nullopt;
}

}  // namespace

std::optional<uint64_t> number_after(std::string_view word, std::string_view prefix) {
    return word.starts_with(prefix) ? parse_uint(word.substr(prefix.size())) : std::nullopt;
}

std::optional<uint32_t> offset_from(std::string_view word, std::string_view name) {
    if (!word.starts_with(name) || word.size() == name.size()) {
        return std::nullopt;
    }
    const bool negative = word[name.size()] == '-';
    if (!negative && word[name.size()] != '+') {
        return std::nullopt;
    }
    const auto value = parse_uint(word.substr(name.size() + 1));
    if (!value || *value > (uint64_t{1} << 31) - (negative ? 0 : 1)) {
        return std::nullopt;
    }
    return static_cast<uint32_t>(negative ? ~*value + 1 : *value);
}

std::optional<uint8_t> index_of(std::span<const std::string_view> list, std::string_view word) {
    std::optional<uint64_t> index = place_in(list, word);
    if (!index) {
        index = number_after(word, "?");
    }
    return index && *index <= 0xff ? std::optional(static_cast<uint8_t>(*index)) : std::nullopt;
}

std::optional<uint32_t> access(std::string_view word) {
    uint32_t bits = 0;
    constexpr std::pair<std::string_view, uint32_t> kFlags[] = {{"+res", MemOp::kReserve},
                                                                {"+rl", MemOp::kRelease},
                                                                {"+aq", MemOp::kAcquire},
                                                                {"+al", MemOp::kAligned}};
    for (const auto& [text, flag] : kFlags) {
        if (word.ends_with(text)) {
            bits |= flag;
            word.remove_suffix(text.size());
        }
    }
    if (word.starts_with('s')) {
        bits |= MemOp::kSign;
    }
    if (word.starts_with('s') || word.starts_with('u')) {
        word.remove_prefix(1);
    }
    for (unsigned size_log2 = 0; size_log2 <= 3; ++size_log2) {
        if (word == std::to_string(8u << size_log2)) {
            return bits | size_log2;
        }
    }
    return std::nullopt;
}

std::optional<uint32_t> barrier(std::string_view word) {
    if (word == "none") {
        return 0;
    }
    uint32_t kinds = 0;
    for (const std::string& kind : split(word, '|')) {
        const auto place = place_in(kBarriers, kind);
        if (!place) {
            return std::nullopt;
        }
        kinds |= 1u << *place;
    }
    return kinds;
}

std::optional<uint32_t> conversion(std::string_view word) { return place_in(kConversions, word); }

std::optional<OpName> op_name(std::string_view word) {
    if (word == kInsnStart) {
        return OpName{Opcode::insn_start, Type::none};
    }
    const size_t cut = word.rfind('_');
    const std::string_view stem = word.substr(0, cut);
    const auto type = cut != std::string_view::npos ? place_in(kTypes, word.substr(cut + 1)) : std::nullopt;
    for (unsigned i = 0; i < ir::kOpcodeCount; ++i) {
        const auto code = static_cast<Opcode>(i);
        if (ir::info(code).types == ir::TypeSet::none) {
            if (code != Opcode::insn_start && opcode_name(code) == word) {
                return OpName{code, Type::none};
            }
        } else if (type && opcode_name(code) == stem) {
            return OpName{code, static_cast<Type>(*type)};
        }
    }
    return std::nullopt;
}

}  // namespace weft::tcg::text
