"""For tests of checks that look at a tree of files: trees made for them."""

import pathlib
import subprocess
import sys
import tempfile
import unittest


class TreeCheck(unittest.TestCase):
    """`command`: the check and its first arguments; it is given the tree's folder as its last one."""

    command = []

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path, text=""):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run_script(self):
        result = subprocess.run([sys.executable, "-B", *self.command, self.root], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.splitlines()

    def assert_clean(self):
        self.assertEqual(self.run_script(), (0, []))

    def assert_violation(self, place, part):
        """Exactly one violation, at `place`, whose reason has `part` in it."""
        code, lines = self.run_script()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith(place + ": "), lines[0])
        self.assertIn(part, lines[0])
        self.assertEqual(code, 1)
