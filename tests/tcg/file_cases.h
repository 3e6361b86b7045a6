// Tests that are text: units of IR and what becomes of them.
//
//   ; test optimize            the kind, and words for it
//   ; Comments.
//
//   # constants are folded     a case: its title,
//    ---- pc+0x0               its unit,
//    ...
//   -> only fold_constants     and its checks: words that say what is done,
//    ---- pc+0x0               and what must come of it, to the next check or case
//    ...
//
// What the kinds are is in file_kinds.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft::tcg::test {

struct FileCheck {
    uint32_t line;  // of the "->", from 1
    std::vector<std::string> words;
    std::string expected;  // lines, each with its end; no empty ones at the end
};

struct FileCase {
    uint32_t line;  // of the title
    std::string title;
    std::string unit;
    std::vector<FileCheck> checks;  // at least one
};

struct TestFile {
    std::string kind;
    std::vector<std::string> words;  // after the kind
    std::string head;                // the lines before the first case
    std::vector<FileCase> cases;

    // Fails with "line N: reason".
    static Result<TestFile> read(std::string_view text);
    // The text of the file. read() gives the same file of it, and of what read() accepted it changes blanks alone.
    std::string write() const;
};

// Without blanks at the ends of lines and without empty lines at the end; each line has its end.
std::string tidy(std::string_view text);

// What must be changed to make `expected` of `actual`: lines that are only expected after '-', only actual ones after '+', the
// others after ' '. Empty where both are equal.
std::string line_difference(std::string_view expected, std::string_view actual);

}  // namespace weft::tcg::test
