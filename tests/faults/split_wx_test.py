#!/usr/bin/env python3
"""weft-system-riscv64 on a host that refuses what split-wx needs: memory files, or execute permission.

    split_wx_test.py EMULATOR MODULE_DIR INJECTOR GUEST

Each test runs the whole program with a short guest, which prints a line and powers off.
"""

import subprocess
import sys
import tempfile
import unittest

import injection

EMULATOR, MODULES, INJECTOR, GUEST = sys.argv[1:5]
APART = "weft-system-riscv64: accelerator 'tcg': cannot keep the code buffer's writable and executable view apart: "
AT_ONCE = "code is writable and executable at once: cannot keep the code buffer's writable and executable view apart: "


class SplitWx(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_program(self, refused, properties, *options):
        """Exit code, standard output, lines of standard error; how many calls were refused is in self.refusals."""
        injector = injection.Injector(INJECTOR, refused, "at", self.folder)
        done = subprocess.run([EMULATOR, "-module-dir", MODULES, "-accel", "tcg,tb-size=8" + properties, "-bios", GUEST,
                               "-smp", "4", "-m", "16M", "-serial", "stdio", *options],
                              env=injector.environment(0), text=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.refusals = injector.report().calls
        return done.returncode, done.stdout, done.stderr.splitlines()

    def assert_refused(self, result, begin, end):
        """One line, exit code 1, and the guest never ran."""
        code, output, lines = result
        self.assertEqual((code, output, len(lines)), (1, "", 1), lines)
        self.assertTrue(lines[0].startswith(begin), lines[0])
        self.assertTrue(lines[0].endswith(end), lines[0])
        self.assertGreater(self.refusals, 0)

    def assert_ran(self, result):
        self.assertEqual(result, (0, "0\n", []))

    def test_on_without_memory_files(self):
        self.assert_refused(self.run_program("memfd", ",split-wx=on"), APART, "Too many open files")

    def test_on_without_execute_permission(self):
        self.assert_refused(self.run_program("exec", ",split-wx=on"), APART, "Cannot allocate memory")

    def test_unspecified_carries_on(self):
        self.assert_ran(self.run_program("memfd", ""))
        self.assertEqual(self.refusals, 1)

    def test_unspecified_says_so_in_the_log(self):
        code, output, lines = self.run_program("memfd", "", "-d", "out_asm")
        self.assertEqual((code, output), (0, "0\n"))
        self.assertEqual(sum(line.startswith(AT_ONCE) for line in lines), 1)
        code, output, lines = self.run_program("memfd", ",split-wx=off", "-d", "out_asm")
        self.assertEqual((code, output), (0, "0\n"))
        self.assertEqual(sum(line.startswith(AT_ONCE) for line in lines), 0)

    def test_off_needs_no_memory_file(self):
        self.assert_ran(self.run_program("memfd", ",split-wx=off"))
        self.assertEqual(self.refusals, 0)

    def test_on_never_asks_for_writing_and_executing_at_once(self):
        self.assert_ran(self.run_program("wx", ",split-wx=on"))
        self.assertEqual(self.refusals, 0)
        # The other way around: off does, and cannot do without.
        self.assert_refused(self.run_program("wx", ",split-wx=off"),
                            "weft-system-riscv64: accelerator 'tcg': the code regions: ", "Cannot allocate memory")

    def test_no_region_without_execute_permission(self):
        for split in (",split-wx=off", ""):
            with self.subTest(split=split):
                self.assert_refused(self.run_program("exec", split),
                                    "weft-system-riscv64: accelerator 'tcg': the code regions: ", "Cannot allocate memory")

    def test_the_interpreter_asks_for_no_execute_permission(self):
        for split in ("", ",split-wx=on", ",split-wx=off"):
            with self.subTest(split=split):
                self.assert_ran(self.run_program("exec", ",backend=interp" + split))
                self.assertEqual(self.refusals, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
