#include "tcg/ir/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/text_values.h"
#include "tcg/ir/text.h"
#include "weft/ir_builder.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Aux;
using ir::MemOp;
using ir::Opcode;
using ir::Temp;
using ir::TempKind;
using ir::Type;

namespace {

constexpr uint32_t kMaxLabels = 0xffff;
constexpr std::string_view kBlanks = " \t\r";

// A piece of a line and where it stands.
struct Token {
    std::string_view text;
    uint32_t column;
};

Token trimmed(Token token) {
    const size_t first = token.text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {{}, token.column};
    }
    const size_t last = token.text.find_last_not_of(kBlanks);
    return {token.text.substr(first, last - first + 1), token.column + static_cast<uint32_t>(first)};
}

// What is wrong with a line.
struct Failure {
    uint32_t column;
    std::string reason;
};

// Readers of single words.
std::optional<uint32_t> pc_offset(std::string_view word) { return text::offset_from(word, "pc"); }
std::optional<uint32_t> state_offset(std::string_view word) { return text::offset_from(word, "state"); }
std::optional<uint64_t> slot_number(std::string_view word) { return text::number_after(word, "$"); }
std::optional<uint8_t> condition(std::string_view word) { return text::index_of(text::kConds, word); }
std::optional<uint8_t> rounding(std::string_view word) { return text::index_of(text::kRoundings, word); }
std::optional<uint8_t> reason(std::string_view word) { return text::index_of(text::kReasons, word); }
std::optional<uint64_t> mmu_mode(std::string_view word) {
    const auto number = text::number_after(word, "mmu");
    return number && *number <= 15 ? number : std::nullopt;
}

class Parser {
  public:
    Parser(const PrintNames& names, ir::Unit& unit) : names_(names), builder_(unit), unit_(unit) {}

    std::expected<void, ParseError> run(std::string_view text);

  private:
    // Each false after failed_ was set.
    bool parse_line(Token line);
    bool parse_insn_start(Token rest);
    bool parse_op(const text::OpName& name, std::vector<Token> words);
    bool parse_aux(ir::Op& op, std::vector<Token>& words);
    bool parse_memop(ir::Op& op, std::vector<Token>& words);
    bool parse_helper(ir::Op& op, std::vector<Token>& words);
    bool parse_label(Token word, uint32_t* label);
    bool parse_argument(Token word, Type type, unsigned index, uint16_t* arg);
    bool parse_temp(Token word, Type type, TempKind kind, uint64_t number, uint16_t* arg);
    bool place_constants();

    bool fails(uint32_t column, std::string reason) {
        failed_ = Failure{column, std::move(reason)};
        return false;
    }
    bool not_a(const char* what, Token word) {
        return fails(word.column, word.text.empty() ? fmt::format("{} is missing", what)
                                                    : fmt::format("{} is no {}", in_quotes(word.text), what));
    }
    // The last word, taken off; an empty one where there is none.
    static Token take(std::vector<Token>& words, uint32_t column) {
        if (words.empty()) {
            return {{}, column};
        }
        const Token last = words.back();
        words.pop_back();
        return last;
    }
    // Takes the last word into *value, by `parse`.
    template <class Parse, class Value>
    bool take_as(const char* what, std::vector<Token>& words, Parse parse, Value* value) {
        const Token word = take(words, end_column_);
        const auto parsed = parse(word.text);
        if (!parsed) {
            return not_a(what, word);
        }
        *value = static_cast<Value>(*parsed);
        return true;
    }
    Type argument_type(const ir::Op& op, unsigned index) const;

    const PrintNames names_;
    ir::Builder builder_;
    ir::Unit& unit_;
    // Temps that the text names, by number; the rest of the numbers is free for constants.
    struct Named {
        Type type;
        TempKind kind;
    };
    std::map<uint32_t, Named> temps_;
    // By type and value: number of the constant, in the order of appearance.
    std::map<std::pair<Type, uint64_t>, uint32_t> constants_;
    // Arguments to be filled with constants.
    struct Use {
        uint32_t op;
        unsigned arg;
        uint32_t constant;
    };
    std::vector<Use> uses_;
    uint32_t end_column_ = 1;
    std::optional<Failure> failed_;
};

std::expected<void, ParseError> Parser::run(std::string_view text) {
    uint32_t line = 0;
    while (!text.empty()) {
        ++line;
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view whole = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const Token code = trimmed({whole.substr(0, whole.find(';')), 1});
        end_column_ = code.column + static_cast<uint32_t>(code.text.size());
        if (!code.text.empty() && !parse_line(code)) {
            return std::unexpected(ParseError{line, failed_->column, std::move(failed_->reason)});
        }
    }
    if (!place_constants()) {
        return std::unexpected(ParseError{line, failed_->column, std::move(failed_->reason)});
    }
    return {};
}

bool Parser::parse_line(Token line) {
    const size_t end = std::min(line.text.find_first_of(kBlanks), line.text.size());
    const auto name = text::op_name(line.text.substr(0, end));
    if (!name) {
        return not_a("op", {line.text.substr(0, end), line.column});
    }
    const Token rest = trimmed({line.text.substr(end), line.column + static_cast<uint32_t>(end)});
    if (name->code == Opcode::insn_start) {
        return parse_insn_start(rest);
    }
    std::vector<Token> words;
    size_t begin = 0;
    while (!rest.text.empty() && begin != std::string_view::npos) {
        const size_t comma = rest.text.find(',', begin);
        words.push_back(
            trimmed({rest.text.substr(begin, comma - begin), rest.column + static_cast<uint32_t>(begin)}));
        begin = comma == std::string_view::npos ? comma : comma + 1;
    }
    return parse_op(*name, std::move(words));
}

bool Parser::parse_insn_start(Token rest) {
    const auto offset = pc_offset(rest.text);
    if (!offset) {
        return not_a("offset from the pc", rest);
    }
    builder_.insn_start(static_cast<int32_t>(*offset));
    ++unit_.insn_count;
    return builder_.ok() || fails(rest.column, "the unit is too big");
}

bool Parser::parse_op(const text::OpName& name, std::vector<Token> words) {
    ir::Op op{name.code, name.type, 0, 0, 0, {}};
    if (!parse_aux(op, words)) {
        return false;
    }
    if (words.size() > ir::kMaxArgs) {
        return fails(words[ir::kMaxArgs].column, fmt::format("more than {} arguments", ir::kMaxArgs));
    }
    for (unsigned i = 0; i < words.size(); ++i) {
        if (!parse_argument(words[i], argument_type(op, i), i, &op.args[i])) {
            return false;
        }
    }
    op.arg_count = static_cast<uint8_t>(words.size());
    builder_.emit(op.code, op.type, op.cond, op.aux) = op;
    return builder_.ok() || fails(end_column_, "the unit is too big");
}

// Takes what aux says off the words: the last ones, but for a call's first.
bool Parser::parse_aux(ir::Op& op, std::vector<Token>& words) {
    switch (ir::info(op.code).aux) {
        case Aux::none:
            return true;
        case Aux::helper:
            return parse_helper(op, words);
        case Aux::label:
            return parse_label(take(words, end_column_), &op.aux);
        case Aux::cond_label: {
            uint32_t label = 0;
            if (!parse_label(take(words, end_column_), &label)) {
                return false;
            }
            op.args[ir::kBrcondLabelArg] = static_cast<uint16_t>(label);
            [[fallthrough]];
        }
        case Aux::cond:
            return take_as("condition", words, condition, &op.cond);
        case Aux::field: {
            uint64_t length = 0;
            uint64_t position = 0;
            const uint32_t column = words.empty() ? end_column_ : words.back().column;
            if (!take_as("length", words, parse_uint, &length) ||
                !take_as("position", words, parse_uint, &position)) {
                return false;
            }
            op.aux = static_cast<uint32_t>(position | length << 8);
            return (length < 1u << 24 && position < 1u << 8) || fails(column, "the field is too large");
        }
        case Aux::offset:
            return take_as("offset from the state", words, state_offset, &op.aux);
        case Aux::memop:
            return parse_memop(op, words);
        case Aux::slot: {
            uint64_t slot = 0;
            const uint32_t column = words.empty() ? end_column_ : words.back().column;
            if (!take_as("offset from the pc", words, pc_offset, &op.aux) ||
                !take_as("slot", words, slot_number, &slot)) {
                return false;
            }
            if (slot >= 0xff) {
                return fails(column, "the slot is too large");
            }
            op.cond = static_cast<uint8_t>(slot);
            unit_.goto_tb_count = std::max(unit_.goto_tb_count, static_cast<uint8_t>(slot + 1));
            return true;
        }
        case Aux::reason:
            return take_as("reason", words, reason, &op.aux);
        case Aux::pc_offset:
            return take_as("offset from the pc", words, pc_offset, &op.aux);
        case Aux::barrier:
            return take_as("barrier", words, text::barrier, &op.aux);
        case Aux::returns:
            if (!words.empty() && words.back().text == "returns") {
                words.pop_back();
                op.cond = 1;
            }
            return true;
        case Aux::insns: {
            if (words.size() > 1 && words.back().text == "cycle") {
                words.pop_back();
                op.cond = 1;
            }
            const uint32_t column = words.empty() ? end_column_ : words.back().column;
            uint64_t insns = 0;
            if (!take_as("number of instructions", words, parse_uint, &insns)) {
                return false;
            }
            op.aux = static_cast<uint32_t>(insns);
            return insns <= UINT32_MAX || fails(column, "too many instructions");
        }
        case Aux::convert:
        case Aux::rounding: {
            const bool converts = ir::info(op.code).aux == Aux::convert;
            return take_as("rounding", words, rounding, &op.cond) &&
                   (!converts || take_as("conversion", words, text::conversion, &op.aux));
        }
    }
    return true;
}

bool Parser::parse_memop(ir::Op& op, std::vector<Token>& words) {
    int32_t displacement = 0;
    if (!words.empty() && (words.back().text.starts_with('+') || words.back().text.starts_with('-'))) {
        const Token word = take(words, end_column_);
        const auto value = parse_uint(word.text.substr(1));
        const bool negative = word.text.front() == '-';
        if (!value || *value > (negative ? 32768u : 32767u)) {
            return not_a("displacement", word);
        }
        displacement = negative ? -static_cast<int32_t>(*value) : static_cast<int32_t>(*value);
    }
    uint32_t bits = 0;
    uint32_t mode = 0;
    if (!take_as("MMU mode", words, mmu_mode, &mode) ||
        !take_as("size of an access", words, text::access, &bits)) {
        return false;
    }
    op.aux = MemOp(bits | mode << 8).at(displacement).bits();
    return true;
}

bool Parser::parse_helper(ir::Op& op, std::vector<Token>& words) {
    if (words.empty()) {
        return not_a("helper", {{}, end_column_});
    }
    const Token word = words.front();
    words.erase(words.begin());
    const auto found = std::ranges::find(names_.helpers, word.text, &HelperDesc::name);
    if (found != names_.helpers.end()) {
        op.aux = static_cast<uint32_t>(found - names_.helpers.begin());
        return true;
    }
    const auto number = text::number_after(word.text, "?");
    if (!number || *number > UINT32_MAX) {
        return not_a("helper", word);
    }
    op.aux = static_cast<uint32_t>(*number);
    return true;
}

bool Parser::parse_label(Token word, uint32_t* label) {
    const auto number = text::number_after(word.text, "$L");
    if (!number || *number >= kMaxLabels) {
        return not_a("label", word);
    }
    *label = static_cast<uint32_t>(*number);
    unit_.label_count = std::max(unit_.label_count, *label + 1);
    return true;
}

Type Parser::argument_type(const ir::Op& op, unsigned index) const {
    const Type other = op.type == Type::none ? Type::i64 : op.type;
    if (op.code == Opcode::call) {
        if (op.aux >= names_.helpers.size()) {
            return other;
        }
        const HelperSignature& signature = names_.helpers[op.aux].signature;
        if (signature.result != Type::none && index-- == 0) {
            return signature.result;
        }
        return index < signature.arg_count ? signature.args[index] : other;
    }
    const ir::OpInfo& info = ir::info(op.code);
    if (index < info.outputs.size()) {
        return ir::letter_type(info.outputs[index], op.type);
    }
    index -= static_cast<unsigned>(info.outputs.size());
    return index < info.inputs.size() ? ir::letter_type(info.inputs[index], op.type) : other;
}

bool Parser::parse_argument(Token word, Type type, unsigned index, uint16_t* arg) {
    if (const auto number = text::number_after(word.text, "tmp")) {
        return parse_temp(word, type, TempKind::ebb, *number, arg);
    }
    if (const auto number = text::number_after(word.text, "loc")) {
        return parse_temp(word, type, TempKind::unit, *number, arg);
    }
    if (const auto value = text::number_after(word.text, "$")) {
        const auto next = static_cast<uint32_t>(constants_.size());
        const auto [found, is_new] = constants_.try_emplace({type, *value}, next);
        uses_.push_back(Use{unit_.op_count, index, found->second});
        return true;
    }
    const size_t named = std::min<size_t>(names_.globals.size(), unit_.global_count);
    for (size_t i = 0; i < named; ++i) {
        if (word.text == names_.globals[i].name) {
            *arg = static_cast<uint16_t>(i);
            return true;
        }
    }
    if (const auto number = text::number_after(word.text, "g");
        number && *number >= named && *number < unit_.global_count) {
        *arg = static_cast<uint16_t>(*number);
        return true;
    }
    return not_a("temp", word);
}

bool Parser::parse_temp(Token word, Type type, TempKind kind, uint64_t number, uint16_t* arg) {
    if (number < unit_.global_count || number >= ir::kMaxTemps) {
        return fails(word.column,
                     fmt::format("temps are numbered {} to {}", unit_.global_count, ir::kMaxTemps - 1));
    }
    const auto [found, is_new] = temps_.try_emplace(static_cast<uint32_t>(number), Named{type, kind});
    if (found->second.kind != kind) {
        return fails(word.column, fmt::format("temp {} is both tmp and loc", number));
    }
    *arg = static_cast<uint16_t>(number);
    return true;
}

// Gives the temps that the text names their places, and the constants what is left.
bool Parser::place_constants() {
    std::vector<Temp> constants(constants_.size());
    for (const auto& [key, number] : constants_) {
        constants[number] = Temp{key.first, TempKind::constant, 0, 0, key.second};
    }
    std::vector<uint16_t> places;
    const uint32_t first = unit_.global_count;
    const uint32_t named_end = temps_.empty() ? first : temps_.rbegin()->first + 1;
    for (uint32_t index = first; index < named_end || places.size() < constants.size(); ++index) {
        if (index == ir::kMaxTemps) {
            return fails(end_column_, fmt::format("more than {} temps", ir::kMaxTemps));
        }
        Temp temp{Type::i64, TempKind::ebb, 0, 0, 0};
        if (const auto named = temps_.find(index); named != temps_.end()) {
            temp.type = named->second.type;
            temp.kind = named->second.kind;
        } else if (places.size() < constants.size()) {
            temp = constants[places.size()];
            places.push_back(static_cast<uint16_t>(index));
        }
        if (unit_.temp_count == unit_.temp_capacity && !unit_.storage->grow_temps(&unit_)) {
            return fails(end_column_, "the unit is too big");
        }
        unit_.temps[unit_.temp_count++] = temp;
    }
    for (const Use& use : uses_) {
        unit_.ops[use.op].args[use.arg] = places[use.constant];
    }
    return true;
}

}  // namespace

std::string ParseError::message() const {
    return fmt::format("line {}, column {}: {}", line, column, reason);
}

std::expected<void, ParseError> parse_unit(std::string_view text, const PrintNames& names, ir::Unit& unit) {
    return Parser(names, unit).run(text);
}

}  // namespace weft::tcg
