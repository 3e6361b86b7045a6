#include "file_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/text_values.h"
#include "file_run.h"
#include "ir_fixture.h"
#include "optimization_names.h"
#include "tcg/ir/parse.h"
#include "tcg/opt/optimizer.h"
#include "tcg/regalloc/liveness.h"

namespace weft::tcg::test {

namespace {

std::unexpected<Error> unknown_word(const std::string& word) {
    return fail(fmt::format("the word {} means nothing here", in_quotes(word)));
}

// Reads the case's unit.
Result<> read_unit(const FileCase& entry, UnitUnderTest& t) {
    const auto parsed = parse_unit(entry.unit, test_names(), t.unit);
    if (!parsed) {
        ParseError error = parsed.error();
        error.line += entry.line;
        return fail(error.message());
    }
    return {};
}

Result<> read_valid_unit(const FileCase& entry, UnitUnderTest& t) {
    const Result<> read = read_unit(entry, t);
    return read ? verify(t.unit, UnitUnderTest::helpers()) : read;
}

Result<OptimizeOptions> optimizations(const std::vector<std::string>& words) {
    OptimizeOptions options;
    if (words.empty()) {
        return options;
    }
    const bool only = words.front() == "only";
    if (!only && words.front() != "without") {
        return unknown_word(words.front());
    }
    for (const auto& [name, flag] : kOptimizationNames) {
        options.*flag = !only;
    }
    for (size_t i = 1; i < words.size(); ++i) {
        bool OptimizeOptions::* const flag = find_optimization(words[i]);
        if (flag == nullptr) {
            return unknown_word(words[i]);
        }
        options.*flag = only;
    }
    return options;
}

// The text of what is left when nobody's results are gone.
std::string text_of_live_ops(const ir::Unit& unit) {
    Liveness liveness(UnitUnderTest::helpers());
    liveness.analyse(unit);
    std::vector<ir::Op> kept;
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        if (!liveness.of(i).removed) {
            kept.push_back(unit.ops[i]);
        }
    }
    ir::Unit live = unit;
    live.ops = kept.data();
    live.op_count = static_cast<uint32_t>(kept.size());
    return print_unit(live, test_names());
}

Result<std::string> optimize_outcome(const TestFile& file, const FileCase& entry, const FileCheck& check) {
    const bool run = file.words.empty();
    if (!run && file.words != std::vector<std::string>{"norun"}) {
        return unknown_word(file.words.front());
    }
    const auto options = optimizations(check.words);
    UnitUnderTest plain;
    UnitUnderTest optimized;
    Result<> valid = options ? read_valid_unit(entry, plain) : std::unexpected(options.error());
    if (valid) {
        valid = read_valid_unit(entry, optimized);
    }
    if (valid) {
        Optimizer(*options).optimize(optimized.unit, UnitUnderTest::helpers());
        valid = verify(optimized.unit, UnitUnderTest::helpers());
    }
    if (valid && run) {
        valid = same_from_random_states(plain.unit, optimized.unit);
    }
    return valid ? Result<std::string>(text_of_live_ops(optimized.unit)) : std::unexpected(valid.error());
}

Result<std::string> verify_outcome(const TestFile&, const FileCase& entry, const FileCheck& check) {
    const bool redo = check.words == std::vector<std::string>{"redo"};
    if (!redo && !check.words.empty()) {
        return unknown_word(check.words.front());
    }
    UnitUnderTest t;
    if (const Result<> read = read_unit(entry, t); !read) {
        return std::unexpected(read.error());
    }
    const std::string error = t.error(redo ? RedoRule::on : RedoRule::off);
    return ' ' + (error.empty() ? "valid" : error);
}

Result<std::string> run_outcome(const TestFile&, const FileCase& entry, const FileCheck& check) {
    UnitUnderTest plain;
    UnitUnderTest optimized;
    Result<> valid = read_valid_unit(entry, plain);
    if (valid) {
        valid = read_valid_unit(entry, optimized);
    }
    if (valid) {
        Optimizer().optimize(optimized.unit, UnitUnderTest::helpers());
        valid = verify(optimized.unit, UnitUnderTest::helpers());
    }
    return valid ? run_everywhere(plain.unit, optimized.unit, check.words) : std::unexpected(valid.error());
}

Result<std::string> compile_outcome(const TestFile&, const FileCase& entry, const FileCheck& check) {
    UnitUnderTest t;
    const Result<> valid = read_valid_unit(entry, t);
    return valid ? compile_for_x86_64(t.unit, check.words) : std::unexpected(valid.error());
}

}  // namespace

Result<std::string> outcome_of(const TestFile& file, const FileCase& entry, const FileCheck& check) {
    using Kind = Result<std::string> (*)(const TestFile&, const FileCase&, const FileCheck&);
    constexpr std::pair<std::string_view, Kind> kKinds[] = {
        {"optimize", &optimize_outcome},
        {"verify", &verify_outcome},
        {"run", &run_outcome},
        {"compile", &compile_outcome},
    };
    for (const auto& [name, kind] : kKinds) {
        if (file.kind == name) {
            return kind(file, entry, check);
        }
    }
    return fail(fmt::format("there is no kind {}", in_quotes(file.kind)));
}

}  // namespace weft::tcg::test
