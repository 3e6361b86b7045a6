#!/usr/bin/env python3
"""Tests check_model.py with small models that are right, wrong, or check nothing."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_model.py")

# Two add to a number; MUTANT_1 takes no lock.
GOOD = """/* Adders.
   MUTANT_1  no lock
   CASE -DTIMES=1 */
byte number, done;
bit mutex;
proctype Adder() {
    byte old;
#ifndef MUTANT_1
    atomic { !mutex -> mutex = 1 }
#endif
    old = number;
    number = old + TIMES;
#ifndef MUTANT_1
    mutex = 0;
#endif
    done++
}
init {
    run Adder();
    run Adder();
    done == 2;
    assert(number == 2 * TIMES)
}
"""


def check(text, spin=True):
    """Exit code and output of the check."""
    with tempfile.TemporaryDirectory(prefix="weft-model-") as folder:
        model = pathlib.Path(folder, "model.pml")
        model.write_text(text, encoding="utf-8")
        environment = dict(os.environ, WEFT_TEST_FULL="0")
        if not spin:
            environment["PATH"] = folder
        done = subprocess.run([sys.executable, "-B", str(CHECK), str(model)], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, text=True)
        return done.returncode, done.stdout


class WithoutSpin(unittest.TestCase):
    def test_skipped(self):
        self.assertEqual(check(GOOD, spin=False)[0], 77)


@unittest.skipIf(shutil.which("spin") is None, "spin is not installed")
class WithSpin(unittest.TestCase):
    def refused(self, text, reason):
        status, output = check(text)
        self.assertEqual(status, 1, output)
        self.assertIn(reason, output)

    def test_right(self):
        status, output = check(GOOD)
        self.assertEqual(status, 0, output)
        self.assertIn("MUTANT_1: found", output)

    def test_an_error(self):
        self.refused(GOOD.replace("number == 2", "number == 3"), "assertion violated")

    def test_a_process_that_waits_for_ever(self):
        self.refused(GOOD.replace("    mutex = 0;\n", ""), "invalid end state")

    def test_a_mutant_that_lives(self):
        self.refused(GOOD.replace("number == 2 * TIMES", "number <= 2 * TIMES"), "MUTANT_1 is not found")

    def test_what_is_never_reached(self):
        never = GOOD.replace("    done++", "    if\n    :: number == 9 -> number = 0\n    :: else\n    fi;\n    done++")
        self.refused(never, "no case comes to 'number = 0' of Adder")
        status, output = check(never.replace("CASE", "UNREACHED Adder number = 0\n   CASE"))
        self.assertEqual(status, 0, output)

    def test_no_case(self):
        self.refused(GOOD.replace("CASE", "case"), "there must be a case")

    def test_what_is_no_model(self):
        self.refused(GOOD.replace("proctype", "protype"), "not completed")


if __name__ == "__main__":
    unittest.main()
