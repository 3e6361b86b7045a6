"""check_docs.py on trees made for it: each rule is seen to hold, and seen to be broken."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE / "check_docs.py"
sys.path.insert(0, str(HERE.parent / "scripts"))

from tree_check import TreeCheck  # noqa: E402


class Files(TreeCheck):
    command = [SCRIPT, "files"]

    def setUp(self):
        super().setUp()
        self.write("README.md", "See [more](docs/more.md).\n")
        self.write("docs/more.md", "# More than that\n")
        self.write("include/weft/ir.h")
        self.write("tcg/ir/print.cpp")
        self.write("scripts/check")

    def more(self, line):
        self.write("docs/more.md", f"# More than that\n{line}\n")

    def test_good_names(self):
        for line in ["`tcg/ir/print.cpp`, `tcg/ir`, `tcg/`, `weft/ir.h`, `include/weft/ir.h` and `print.cpp`.",
                     "`tcg/*/print.*`, `pri*.cpp`", "`scripts/check --full`, `./scripts/check`",
                     "`build/check/x.txt`, `accel-NAME.so`, `-d in_asm`, `a->b`, `x.y`, `std::atomic`, `key=a/b`",
                     "[top](../README.md), [here](#more-than-that), [web](https://example.org/a.h)",
                     "prose tcg/nothing.cpp is nobody's name", "``tcg/ir``"]:
            with self.subTest(line=line):
                self.more(line)
                self.assert_clean()

    def test_names_of_nothing(self):
        for name in ["tcg/ir/prints.cpp", "tcg/nothing", "prints.cpp", "weft/irr.h", "tcg/*.py", "check/scripts"]:
            with self.subTest(name=name):
                self.more(f"`scripts/check` and `{name}`, too.")
                self.assert_violation("docs/more.md:2", f"there is no '{name}'")

    def test_commands(self):
        self.more("```\nscripts/check --full\nother/thing x\nbuild/a/b\n```")
        self.assert_clean()
        self.more("```\nscripts/chekc --full\n```")
        self.assert_violation("docs/more.md:3", "there is no 'scripts/chekc'")

    def test_links(self):
        self.more("[a](print.cpp)")
        self.assert_violation("docs/more.md:2", "there is no docs/print.cpp")
        self.more("[a](../README.md#none)")
        self.assert_violation("docs/more.md:2", "no such heading")
        self.more("[a](#more)")
        self.assert_violation("docs/more.md:2", "no such heading")

    def test_readme(self):
        self.write("README.md", "`docs/more.md`\n")
        self.assert_violation("docs/more.md:1", "README.md has no link to it")
        (self.root / "README.md").unlink()
        self.assert_violation("README.md:1", "is missing")

    def test_machine_paths(self):
        for path in ["/work/x", "/root", "`/home/me/weft`", "(/tmp/a)"]:
            with self.subTest(path=path):
                self.more(f"in {path} there")
                self.assert_violation("docs/more.md:2", "a path of one machine")
        self.more("network/home, artwork/root, the /proc/self/maps, fire/work/shop")
        self.assert_clean()

    def test_placeholders(self):
        for word in ["TODO", "tbd", "FIXME:"]:
            with self.subTest(word=word):
                self.more(f"numbers: {word}")
                self.assert_violation("docs/more.md:2", "placeholder")
        self.more("todos, methodology")
        self.assert_clean()


class Cases(TreeCheck):
    command = [SCRIPT, "cases"]

    def setUp(self):
        super().setUp()
        self.write("README.md", "")
        self.write("tests/a_test.cpp",
                   'TEST_CASE("one") {\n}\nTEST_CASE("two: more, and more", "[tag]") {\n}\nTEST_CASE(\n    "three") {\n'
                   '}\nTEST_CASE_METHOD(Bench, "six") {\n}\n// TEST_CASE("four")\n')
        self.write("tests/b_test.py", "def helper():\n    pass\n\nclass Some:\n    def test_five(self):\n        pass\n")

    def rules(self, text):
        self.write("docs/regions.md", text)

    def test_cases_that_are_there(self):
        for line in ['- A rule. `tests/a_test.cpp`: "one"', '- A rule. `tests/a_test.cpp`: "six"',
                     '- A rule. `tests/a_test.cpp`: "two: more, and\n  more", "three"; `tests/b_test.py`: "test_five".\n',
                     '- A rule. `tests/a_test.cpp`:\n  "one"\n- Another. `tests/a_test.cpp`: "three"',
                     '# Title\n\nNo rule, "no case", `tests/a_test.cpp`.\n\n- A rule. `tests/a_test.cpp`: "one"\n\nText.\n']:
            with self.subTest(line=line):
                self.rules(line)
                self.assert_clean()

    def test_cases_that_are_not(self):
        for line in ['- A rule. `tests/a_test.cpp`: "On"', '- A rule. `tests/a_test.cpp`: "one", "two"',
                     '- A rule. `tests/a_test.cpp`: "four"', '- A rule. `tests/c_test.cpp`: "one"',
                     '- A rule. `tests/b_test.py`: "Some"', '- A rule. `tests/b_test.py`: "five"']:
            with self.subTest(line=line):
                self.rules("\n" + line)
                self.assert_violation("docs/regions.md:2", "has no test case")

    def test_other_pages(self):
        self.write("docs/more.md", 'As in `tests/a_test.cpp`: "seven"')
        self.assert_violation("docs/more.md:1", "tests/a_test.cpp has no test case 'seven'")

    def test_rules_without_a_case(self):
        for text in ['# Title\n\n- A rule.\n- Another. `tests/a_test.cpp`: "one"',
                     '- One. `tests/a_test.cpp`: "one"\n\n- A rule.\n\nAs `tests/a_test.cpp`: "one" shows.',
                     '- One. `tests/a_test.cpp`: "one"\n\n- A rule. `tests/a_test.cpp` shows it.\n']:
            with self.subTest(text=text):
                self.rules(text)
                self.assert_violation("docs/regions.md:3", "a rule without a test case")


class Concurrency(TreeCheck):
    command = [SCRIPT, "concurrency"]

    def declare(self, line, file="base/a.h"):
        self.write("docs/concurrency.md", "| base/a.h `known_` | after `gone_` |\n| base/b.h `x_` |\n `gone_` of base/a.h\n")
        self.write(file, line + "\n")

    def test_declarations(self):
        for line in ["std::atomic<int> gone_;", "std::atomic<int> gone_{0};", "alignas(64) std::atomic<Map*> gone_{a};",
                     "Mutex gone_;", "mutable Mutex gone_;  // a leaf", "SpinLock gone_;", "std::atomic<A<B>> gone_ = 1;",
                     "std::atomic<int> gone_[4]{};", "PaddedSpinLock gone_;", "Mutex gone_ WEFT_ACQUIRED_AFTER(x);",
                     "std::unique_ptr<std::atomic<int>[]> gone_;"]:
            with self.subTest(line=line):
                self.declare(line)
                self.assert_violation("base/a.h:1", "'gone_' is shared")
                self.declare(line.replace("gone_", "known_"))
                self.assert_clean()

    def test_what_is_none(self):
        for line in ["// std::atomic<int> gone_;", "void f(std::atomic<int>& gone_);", "MutexLock lock(gone_);",
                     "std::atomic<int>& gone_ = known_;", "class Mutex {", "Mutex* lock() const;", "SpinLockGuard guard(gone_);"]:
            with self.subTest(line=line):
                self.declare(line)
                self.assert_clean()
        self.declare("Mutex gone_;", "tests/a.h")
        self.assert_clean()

    def test_row_of_another_file(self):
        self.declare("Mutex known_;", "base/b.h")
        self.assert_violation("base/b.h:1", "'known_' is shared")

    def test_no_page(self):
        self.write("base/a.h", "Mutex known_;\n")
        self.assert_violation("docs/concurrency.md:1", "is missing")


if __name__ == "__main__":
    unittest.main()
