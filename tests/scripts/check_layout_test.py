import shutil
import unittest

from script_under_test import ROOT
from tree_check import TreeCheck


@unittest.skipIf(shutil.which("clang-format-19") is None, "no clang-format 19")
class CheckLayout(TreeCheck):
    command = [ROOT / "scripts/check-layout"]

    def setUp(self):
        super().setUp()
        self.write(".clang-format", (ROOT / ".clang-format").read_text())

    def test_as_it_is_to_be(self):
        self.write("base/a.cpp", "int twice(int x) { return x + x; }\n")
        self.assert_clean()

    def test_otherwise(self):
        self.write("base/b.cpp", "int twice(int x) { return x + x; }\n")
        self.write("tests/base/a.h", "int  twice( int x );\n")
        self.assert_violation("tests/base/a.h:1", "--fix")

    def test_fixed(self):
        self.write("tcg/a.cpp", "int twice( int x ) { return x+x; }\n")
        self.command = [*CheckLayout.command, "--fix"]
        self.assert_clean()
        self.command = CheckLayout.command
        self.assert_clean()


if __name__ == "__main__":
    unittest.main()
