"""scripts/check-programs: the list, and what is said of a weft that prints something else."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from script_under_test import ROOT, load

SCRIPT = "scripts/check-programs"
check_programs = load(SCRIPT)

LIST = """# A comment.

== here: bash
echo one
exit 3
--
one
exit code 3

== absent: bash nonesuch-of-weft
echo two
--
two

== large full recorded: bash
echo three; echo never mind >&2
--
four
"""

# Does as weft with -L: runs the command, here on the host, and then may change what it printed.
WEFT = """#!/bin/sh
shift 2
shift
bash "$@" > out 2>&1
status=$?
sed '{change}' out
exit $status
"""


class List(unittest.TestCase):
    def test_read_and_written(self):
        here, absent, large = check_programs.sections(LIST)
        self.assertEqual((here.name, here.words, here.programs), ("here", [], ["bash"]))
        self.assertEqual((here.script, here.expected), ("echo one\nexit 3", "one\nexit code 3"))
        self.assertEqual((large.name, large.words), ("large", ["full", "recorded"]))
        self.assertEqual(absent.programs, ["bash", "nonesuch-of-weft"])
        self.assertEqual(check_programs.recorded(LIST, {}), LIST)
        self.assertEqual(check_programs.recorded(LIST, {"here": "new"}), LIST.replace("one\nexit code 3", "new"))

    def test_of_the_checkout(self):
        text = (ROOT / "scripts/lib/programs.list").read_text()
        self.assertEqual(check_programs.recorded(text, {}), text)
        found = check_programs.sections(text)
        self.assertGreater(len(found), 10)
        self.assertEqual(len({section.name for section in found}), len(found))
        for section in found:
            self.assertTrue(section.programs and section.script, section.name)


class Run(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)
        for program in ("bash", "nonesuch-of-weft"):
            file = self.folder / "root/usr/bin" / program
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (self.folder / "list").write_text(LIST)

    def run_with(self, change, *options, **variables):
        weft = self.folder / "weft"
        weft.write_text(WEFT.format(change=change))
        weft.chmod(0o755)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
        done = subprocess.run([ROOT / SCRIPT, "--weft", weft, "--root", self.folder / "root", "--list", self.folder / "list",
                               *options], check=False, capture_output=True, text=True, env={**environment, **variables})
        return done.returncode, done.stdout

    def test_equal(self):
        status, text = self.run_with("")
        self.assertEqual(status, 0, text)
        self.assertIn("2 sections, 0 differences", text)
        self.assertRegex(text, r"here +run +equal")
        self.assertRegex(text, r"absent +recorded +equal")

    def test_other_output_of_either_kind(self):
        for change, name, line in [("s/one/eins/", "here", "+eins"), ("s/two/zwei/", "absent", "+zwei")]:
            status, text = self.run_with(change)
            self.assertEqual(status, 1, text)
            self.assertIn("2 sections, 1 differences", text)
            self.assertIn(f"{name} by -L:", text)
            self.assertIn(line, text)

    def test_what_is_recorded_is_not_run_on_the_host(self):
        status, text = self.run_with("", "--full")
        self.assertEqual(status, 1, text)
        self.assertIn("-four", text)
        self.assertIn("+never mind", text)

    def test_one_for_a_chroot_is_not_run_by_L(self):
        (self.folder / "list").write_text(LIST + "\n== rooted chroot: bash\necho five\n--\nsix\n")
        status, text = self.run_with("", "--only", "rooted")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"rooted +run, other +- +not run: needs root and weft-riscv64-static")

    def test_a_program_named_by_a_pattern(self):
        (self.folder / "list").write_text(LIST + "\n== far: /opt/*/bin/far-of-weft\necho five\n--\nfive\n")
        status, text = self.run_with("", "--only", "far")
        self.assertEqual(status, 1, text)
        self.assertRegex(text, "lacks /opt/.*far-of-weft")
        there = self.folder / "root/opt/of-any-version/bin/far-of-weft"
        there.parent.mkdir(parents=True)
        there.touch()
        status, text = self.run_with("", "--only", "far")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, "far +recorded +equal")

    def test_a_program_that_the_root_lacks(self):
        (self.folder / "root/usr/bin/nonesuch-of-weft").unlink()
        status, text = self.run_with("")
        self.assertEqual(status, 1, text)
        self.assertRegex(text, "lacks .*nonesuch-of-weft")

    def test_no_root(self):
        self.assertEqual(self.run_with("", "--root", str(self.folder / "none"))[0], 77)
        self.assertEqual(self.run_with("", "--test")[0], 77)
        self.assertEqual(self.run_with("", "--test", WEFT_RISCV_ROOT=str(self.folder / "root"))[0], 0)


if __name__ == "__main__":
    unittest.main()
