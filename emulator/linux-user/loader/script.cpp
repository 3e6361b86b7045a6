#include "emulator/linux-user/loader/script.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace weft::user {

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kTerminators{" \t\0", 3};

}  // namespace

ExecResult<ScriptLine> parse_script(std::span<const char> start) {
    // Zeros follow a short file.
    std::array<char, kScriptBytes> bytes{};
    std::ranges::copy(start.first(std::min(start.size(), bytes.size())), bytes.begin());
    std::string_view line(bytes.data(), bytes.size());
    if (!line.starts_with("#!")) {
        return exec_fail(ENOEXEC, "not a script");
    }
    // A newline counts if it comes before the first zero. Without one the last byte does not count, and the path must be seen to
    // end.
    const size_t newline = line.find('\n');
    if (newline < line.find('\0')) {
        line = line.substr(0, newline);
    } else {
        const size_t path = line.find_first_not_of(kBlanks, 2);
        if (path == line.npos || line.find_first_of(kTerminators, path) == line.npos) {
            return exec_fail(ENOEXEC, "the path of the script's interpreter is too long");
        }
        line = line.substr(0, line.size() - 1);
    }
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    const size_t path = line.find_first_not_of(kBlanks, 2);
    if (path == line.npos) {
        return exec_fail(ENOEXEC, "the script names no interpreter");
    }
    const size_t path_end = std::min(line.find_first_of(kTerminators, path), line.size());
    ScriptLine script{std::string(line.substr(path, path_end - path)), std::nullopt};
    const size_t argument = line.find_first_not_of(kBlanks, path_end);
    if (argument != line.npos && line[path_end] != '\0') {
        const size_t argument_end = std::min(line.find('\0', argument), line.size());
        script.argument = std::string(line.substr(argument, argument_end - argument));
    }
    return script;
}

void follow_script(ExecTarget& target, const ScriptLine& line) {
    ++target.scripts;
    std::vector<std::string> arguments{line.interpreter};
    if (line.argument) {
        arguments.push_back(*line.argument);
    }
    arguments.push_back(target.path);
    if (!target.arguments.empty()) {
        arguments.insert(arguments.end(), target.arguments.begin() + 1, target.arguments.end());
    }
    target.arguments = std::move(arguments);
    target.path = line.interpreter;
}

ExecResult<> check_script_count(const ExecTarget& target) {
    if (target.scripts > kMostScripts) {
        return exec_fail(ELOOP, "too many scripts, each the interpreter of the one before");
    }
    return {};
}

}  // namespace weft::user
