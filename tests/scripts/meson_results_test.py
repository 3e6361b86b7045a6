import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from script_under_test import ROOT


class MesonResults(unittest.TestCase):
    def printed(self, text, *options):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "testlog.json"
            if text is not None:
                log.write_text(text)
            return subprocess.run([sys.executable, "-B", ROOT / "scripts/lib/meson_results.py", *options, log], text=True,
                                  check=True, stdout=subprocess.PIPE).stdout

    def counts(self, text):
        return self.printed(text).split()

    def test_every_kind(self):
        results = ["OK", "OK", "EXPECTEDFAIL", "FAIL", "TIMEOUT", "ERROR", "UNEXPECTEDPASS", "SKIP"]
        self.assertEqual(self.counts("".join(f'{{"name": "x", "result": "{r}"}}\n' for r in results)), ["3", "4", "1"])

    def test_no_test_ran(self):
        self.assertEqual(self.counts(None), ["0", "0", "0"])
        self.assertEqual(self.printed(None, "--failed"), "")

    def test_failed_tests_are_named_with_the_end_of_their_output(self):
        lines = "".join(f"line {i}\n" for i in range(100))
        tests = [{"name": "good", "result": "OK", "returncode": 0, "duration": 1.0, "stdout": "fine"},
                 {"name": "late", "result": "TIMEOUT", "returncode": -15, "duration": 60.04, "stdout": lines},
                 {"name": "bad", "result": "FAIL", "returncode": 1, "duration": 0.5, "stderr": "why"}]
        said = self.printed("".join(json.dumps(t) + "\n" for t in tests), "--failed").splitlines()
        self.assertEqual(said[0], "late: TIMEOUT, exit code -15, 60.0 s")
        self.assertEqual(said[-3:], ["    line 99", "bad: FAIL, exit code 1, 0.5 s", "    why"])
        self.assertEqual(len(said), 2 + 25 + 1)


if __name__ == "__main__":
    unittest.main()
