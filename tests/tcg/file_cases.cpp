#include "file_cases.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text_values.h"

namespace weft::tcg::test {

namespace {

constexpr std::string_view kHead = "; test ";
constexpr std::string_view kTitle = "# ";
constexpr std::string_view kCheck = "->";

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (std::string& word : split(text, ' ')) {
        if (!word.empty()) {
            words.push_back(std::move(word));
        }
    }
    return words;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += ' ' + word;
    }
    return text;
}

}  // namespace

std::string tidy(std::string_view text) {
    std::string result;
    size_t empty_lines = 0;
    for (const std::string_view line : lines_of(text)) {
        const size_t last = line.find_last_not_of(" \t\r");
        if (last == std::string_view::npos) {
            ++empty_lines;
            continue;
        }
        result.append(empty_lines, '\n');
        empty_lines = 0;
        result.append(line.substr(0, last + 1));
        result += '\n';
    }
    return result;
}

Result<TestFile> TestFile::read(std::string_view text) {
    TestFile file;
    uint32_t number = 0;
    std::string* part = &file.head;
    for (const std::string_view line : lines_of(text)) {
        ++number;
        const auto wrong = [&](const char* reason) {
            return fail(fmt::format("line {}: {}", number, reason));
        };
        if (number == 1) {
            file.words = words_of(line.starts_with(kHead) ? line.substr(kHead.size()) : "");
            if (file.words.empty()) {
                return wrong("a file begins with '; test KIND'");
            }
            file.kind = file.words.front();
            file.words.erase(file.words.begin());
        }
        if (line.starts_with(kTitle)) {
            if (!file.cases.empty() && file.cases.back().checks.empty()) {
                return wrong("the case before has no '->'");
            }
            file.cases.push_back(FileCase{number, std::string(line.substr(kTitle.size())), {}, {}});
            part = &file.cases.back().unit;
        } else if (line.starts_with(kCheck)) {
            if (file.cases.empty()) {
                return wrong("'->' stands before the first case");
            }
            auto& checks = file.cases.back().checks;
            checks.push_back(FileCheck{number, words_of(line.substr(kCheck.size())), {}});
            part = &checks.back().expected;
        } else {
            part->append(line);
            *part += '\n';
        }
    }
    if (file.cases.empty()) {
        return fail(fmt::format("line {}: there is no case", number));
    }
    if (file.cases.back().checks.empty()) {
        return fail(fmt::format("line {}: the last case has no '->'", number));
    }
    file.head = tidy(file.head);
    for (FileCase& entry : file.cases) {
        entry.unit = tidy(entry.unit);
        for (FileCheck& check : entry.checks) {
            check.expected = tidy(check.expected);
        }
    }
    return file;
}

std::string TestFile::write() const {
    std::string text = head;
    for (const FileCase& entry : cases) {
        text += fmt::format("\n{}{}\n{}", kTitle, entry.title, entry.unit);
        for (const FileCheck& check : entry.checks) {
            text += fmt::format("{}{}\n{}", kCheck, joined(check.words), check.expected);
        }
    }
    return text;
}

std::string line_difference(std::string_view expected, std::string_view actual) {
    if (expected == actual) {
        return {};
    }
    const auto old_lines = lines_of(expected);
    const auto new_lines = lines_of(actual);
    // By where one stands in both: length of the longest common run of lines from there on.
    const size_t width = new_lines.size() + 1;
    std::vector<uint32_t> common((old_lines.size() + 1) * width, 0);
    for (size_t i = old_lines.size(); i-- > 0;) {
        for (size_t j = new_lines.size(); j-- > 0;) {
            common[i * width + j] = old_lines[i] == new_lines[j]
                                        ? common[(i + 1) * width + j + 1] + 1
                                        : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
        }
    }
    std::string text;
    size_t i = 0;
    size_t j = 0;
    while (i < old_lines.size() || j < new_lines.size()) {
        const bool both = i < old_lines.size() && j < new_lines.size();
        if (both && old_lines[i] == new_lines[j]) {
            text += fmt::format("  {}\n", old_lines[i]);
            ++i;
            ++j;
        } else if (j == new_lines.size() ||
                   (both && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            text += fmt::format("- {}\n", old_lines[i++]);
        } else {
            text += fmt::format("+ {}\n", new_lines[j++]);
        }
    }
    return text;
}

}  // namespace weft::tcg::test
