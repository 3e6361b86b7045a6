// Text tests' own reading, writing and comparing.
#include "file_cases.h"

#include <catch2/catch.hpp>

#include "file_kinds.h"
#include "file_run.h"
#include "ir_fixture.h"
#include "tcg/ir/parse.h"

namespace weft::tcg::test {

namespace {

const std::string kFile =
    "; test run fast\n"
    "; About it.\n"
    "\n"
    "# one\n"
    " mb none\n"
    "-> r1=0x1 w0=0x2\n"
    " lookup pc=0x0\n"
    "->\n"
    "\n"
    "# another\n"
    " ---- pc+0x0\n"
    "\n"
    " ---- pc+0x4\n"
    "->\n"
    " first\n"
    "\n"
    " second\n";

std::string error_of(const std::string& text) {
    const auto file = TestFile::read(text);
    return file ? "no error" : file.error().message();
}

std::string outcome(const std::string& text) {
    const auto file = TestFile::read(text);
    REQUIRE(file);
    const auto result = outcome_of(*file, file->cases[0], file->cases[0].checks[0]);
    return result ? *result : "error: " + result.error().message();
}

const std::string kLeave = " ---- pc+0x0\n exit_tb r1,lookup\n";

}  // namespace

TEST_CASE("a file is its head, cases and checks") {
    const auto file = TestFile::read(kFile);
    REQUIRE(file);
    CHECK(file->kind == "run");
    CHECK(file->words == std::vector<std::string>{"fast"});
    CHECK(file->head == "; test run fast\n; About it.\n");
    REQUIRE(file->cases.size() == 2);
    CHECK(file->cases[0].title == "one");
    CHECK(file->cases[0].line == 4);
    CHECK(file->cases[0].unit == " mb none\n");
    REQUIRE(file->cases[0].checks.size() == 2);
    CHECK(file->cases[0].checks[0].words == std::vector<std::string>{"r1=0x1", "w0=0x2"});
    CHECK(file->cases[0].checks[0].expected == " lookup pc=0x0\n");
    CHECK(file->cases[0].checks[1].line == 8);
    CHECK(file->cases[0].checks[1].expected.empty());
    CHECK(file->cases[1].unit == " ---- pc+0x0\n\n ---- pc+0x4\n");
    CHECK(file->cases[1].checks[0].expected == " first\n\n second\n");
}

TEST_CASE("a file is written as it was read") {
    CHECK(TestFile::read(kFile)->write() == kFile);
    CHECK(TestFile::read("; test run\n# one  \n->\n a  \n\n\n# two\n->")->write() ==
          "; test run\n\n# one  \n->\n a\n\n# two\n->\n");
}

TEST_CASE("what is no file of cases is refused") {
    CHECK(error_of("") == "line 0: there is no case");
    CHECK(error_of("test run\n") == "line 1: a file begins with '; test KIND'");
    CHECK(error_of("; test \n") == "line 1: a file begins with '; test KIND'");
    CHECK(error_of("; test run\n->\n") == "line 2: '->' stands before the first case");
    CHECK(error_of("; test run\n# one\n# two\n->\n") == "line 3: the case before has no '->'");
    CHECK(error_of("; test run\n# one\n") == "line 2: the last case has no '->'");
    CHECK(error_of("; test run\n") == "line 1: there is no case");
}

TEST_CASE("differences are shown line by line") {
    CHECK(line_difference("a\nb\n", "a\nb\n").empty());
    CHECK(line_difference("a\nb\nc\n", "a\nx\nc\nd\n") == "  a\n- b\n+ x\n  c\n+ d\n");
    CHECK(line_difference("", "a\n") == "+ a\n");
    CHECK(line_difference("a\nb\n", "") == "- a\n- b\n");
}

TEST_CASE("what cannot be checked is an error that says why") {
    CHECK(outcome("; test frobnicate\n# a\n->\n") == "error: there is no kind 'frobnicate'");
    CHECK(outcome("; test optimize\n# a\n\n frob r1\n->\n") == "error: line 4, column 2: 'frob' is no op");
    CHECK(outcome("; test optimize\n# a\n mb none\n->\n") ==
          "error: op 0 (mb none): control leaves the unit behind its last op");
    CHECK(outcome("; test optimize\n# a\n" + kLeave + "-> only speed\n") ==
          "error: the word 'speed' means nothing here");
    CHECK(outcome("; test optimize fast\n# a\n" + kLeave + "->\n") ==
          "error: the word 'fast' means nothing here");
    CHECK(outcome("; test verify\n# a\n" + kLeave + "-> now\n") ==
          "error: the word 'now' means nothing here");
    for (const char* word :
         {"r12=1", "r1", "r1=x", "w2=1", "f6=1", "area[57]=1", "[0x7f1ff9]=1", "[]=1", "=1"}) {
        INFO(word);
        CHECK(outcome("; test run\n# a\n" + kLeave + "-> " + word + "\n").ends_with("' sets nothing"));
    }
#if WEFT_HAVE_X86_64_BACKEND
    CHECK(outcome("; test compile\n# a\n" + kLeave + "-> without=x87\n").starts_with("error: "));
    CHECK(outcome("; test compile\n# a\n" + kLeave + "-> speed=off\n") ==
          "error: the word 'speed=off' means nothing here");
#endif
}

TEST_CASE("a run says how the unit left and what has changed") {
    const std::string unit =
        " ---- pc+0x8\n add_i64 r1,r1,$0x1\n mov_i32 w1,$0x7\n st_i64 r1,state+0xa0\n"
        " guest_st_i64 r1,r2,64,mmu0\n exit_check 1\n goto_tb $0,pc+0x10\n";
    CHECK(
        outcome("; test run\n# a\n" + unit + "-> r1=0x10 r2=0x7f0010 [0x7f0010]=5 page=0x3000 budget=9\n") ==
        " goto_tb pc=0x3010 r1=0x11 w1=0x7 area[8]=0x11 [0x7f0010]=0x11 budget=8\n");
    CHECK(outcome("; test run\n# a\n" + unit + "-> r2=0xfff0\n").starts_with(" fault pc+0x8 r1=0x1 w1=0x7 "));
}

TEST_CASE("two units that do not do the same are told apart") {
    UnitUnderTest one;
    UnitUnderTest other;
    REQUIRE(parse_unit(" ---- pc+0x0\n add_i64 r1,r1,$0x1\n exit_tb r3,lookup", test_names(), one.unit));
    REQUIRE(parse_unit(" ---- pc+0x0\n add_i64 r1,r1,$0x2\n exit_tb r3,lookup", test_names(), other.unit));
    const auto outcome = run_everywhere(one.unit, other.unit, {"r1=7"});
    REQUIRE(!outcome);
    CHECK(outcome.error().message() == "interp backend, optimized, way 0: r1: 0x9 instead of 0x8");
    CHECK(!same_from_random_states(one.unit, other.unit));
    CHECK(same_from_random_states(one.unit, one.unit));
}

}  // namespace weft::tcg::test
