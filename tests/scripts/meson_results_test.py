import pathlib
import subprocess
import sys
import tempfile
import unittest

from script_under_test import ROOT


class MesonResults(unittest.TestCase):
    def counts(self, text):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "testlog.json"
            if text is not None:
                log.write_text(text)
            return subprocess.run([sys.executable, "-B", ROOT / "scripts/lib/meson_results.py", log], text=True,
                                  check=True, stdout=subprocess.PIPE).stdout.split()

    def test_every_kind(self):
        results = ["OK", "OK", "EXPECTEDFAIL", "FAIL", "TIMEOUT", "ERROR", "UNEXPECTEDPASS", "SKIP"]
        self.assertEqual(self.counts("".join(f'{{"name": "x", "result": "{r}"}}\n' for r in results)), ["3", "4", "1"])

    def test_no_test_ran(self):
        self.assertEqual(self.counts(None), ["0", "0", "0"])


if __name__ == "__main__":
    unittest.main()
