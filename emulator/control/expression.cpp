#include "emulator/control/expression.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "base/text_values.h"

namespace weft::control {

namespace {

// Parentheses and signs within each other.
constexpr unsigned kMaxDepth = 64;

class Parser {
  public:
    Parser(std::string_view text, const RegisterLookup& lookup) : rest_(text), lookup_(lookup) {}

    Result<uint64_t> all() {
        Result<uint64_t> value = level(0);
        if (value && peek() != 0) {
            return fail(fmt::format("unexpected {}", in_quotes(rest_)));
        }
        return value;
    }

  private:
    char peek() {
        while (!rest_.empty() && rest_.front() == ' ') {
            rest_.remove_prefix(1);
        }
        return rest_.empty() ? 0 : rest_.front();
    }

    Result<uint64_t> level(size_t strength) {
        static constexpr std::string_view kLevels[] = {"+-", "&|^", "*/%"};
        if (strength == std::size(kLevels)) {
            return unary();
        }
        Result<uint64_t> value = level(strength + 1);
        while (value) {
            const char op = peek();
            if (op == 0 || kLevels[strength].find(op) == std::string_view::npos) {
                break;
            }
            rest_.remove_prefix(1);
            const Result<uint64_t> other = level(strength + 1);
            value = other ? apply(op, *value, *other) : other;
        }
        return value;
    }

    static Result<uint64_t> apply(char op, uint64_t a, uint64_t b) {
        switch (op) {
            case '+':
                return a + b;
            case '-':
                return a - b;
            case '&':
                return a & b;
            case '|':
                return a | b;
            case '^':
                return a ^ b;
            case '*':
                return a * b;
            default:
                break;
        }
        if (b == 0) {
            return fail("division by zero");
        }
        // Also of the least number, which has no counterpart.
        if (b == ~uint64_t{0}) {
            return op == '/' ? 0 - a : 0;
        }
        const auto x = static_cast<int64_t>(a);
        const auto y = static_cast<int64_t>(b);
        return static_cast<uint64_t>(op == '/' ? x / y : x % y);
    }

    Result<uint64_t> unary() {
        const char first = peek();
        if (first != '-' && first != '+' && first != '~' && first != '(') {
            return value();
        }
        if (++depth_ > kMaxDepth) {
            return fail("the expression is too deep");
        }
        rest_.remove_prefix(1);
        Result<uint64_t> inner = first == '(' ? level(0) : unary();
        --depth_;
        if (!inner || first == '+') {
            return inner;
        }
        if (first == '(') {
            if (peek() != ')') {
                return fail("')' is missing");
            }
            rest_.remove_prefix(1);
            return inner;
        }
        return first == '-' ? 0 - *inner : ~*inner;
    }

    Result<uint64_t> value() {
        const char first = peek();
        if (first == 0) {
            return fail("a number is missing");
        }
        if (first == '\'' && rest_.size() >= 3 && rest_[2] == '\'') {
            const auto code = static_cast<unsigned char>(rest_[1]);
            rest_.remove_prefix(3);
            return code;
        }
        const size_t begin = first == '$' ? 1 : 0;
        size_t end = begin;
        while (end < rest_.size() && is_word(rest_[end])) {
            ++end;
        }
        const std::string_view word = rest_.substr(begin, end - begin);
        const std::optional<uint64_t> found = first == '$' ? lookup_(word) : number(word);
        if (!found) {
            return first == '$' ? fail(fmt::format("unknown register {}", in_quotes(word)))
                                : fail(fmt::format("{} is no number", in_quotes(rest_)));
        }
        rest_.remove_prefix(end);
        return *found;
    }

    static bool is_word(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
               c == '.';
    }

    static std::optional<uint64_t> number(std::string_view word) {
        int base = 10;
        if (word.starts_with("0x") || word.starts_with("0X")) {
            base = 16;
            word.remove_prefix(2);
        } else if (word.starts_with("0")) {
            base = 8;
        }
        uint64_t result = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), result, base);
        return error == std::errc() && end == word.data() + word.size() ? std::optional(result)
                                                                        : std::nullopt;
    }

    std::string_view rest_;
    const RegisterLookup& lookup_;
    unsigned depth_ = 0;
};

}  // namespace

Result<uint64_t> evaluate(std::string_view text, const RegisterLookup& lookup) {
    return Parser(text, lookup).all();
}

}  // namespace weft::control
