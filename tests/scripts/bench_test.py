import sys
import unittest

from script_under_test import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benchlib import Failure, emulators, measure  # noqa: E402


class Measure(unittest.TestCase):
    def test_each_round_takes_each_case_once(self):
        taken = []
        samples = measure.interleaved([(1, "a"), (1, "b")], 3, lambda case: taken.append(case) or float(len(taken)),
                                      progress=None)
        names = "".join(case[1] for case in taken)
        self.assertEqual(names, "ba" + "ab" + "ba" + "ab")
        self.assertEqual(samples, {(1, "a"): [3.0, 6.0, 7.0], (1, "b"): [4.0, 5.0, 8.0]})

    def test_summary_and_ratio(self):
        weft, peer = measure.summary([3.0, 1.0, 2.0]), measure.summary([4.0, 9.0, 5.0])
        self.assertEqual((weft["median"], weft["min"], weft["max"]), (2.0, 1.0, 3.0))
        self.assertEqual(measure.ratio(peer, weft), 2.5)


class SecondsUntil(unittest.TestCase):
    def run_shell(self, script, timeout=60):
        return emulators.seconds_until(["sh", "-c", script], b"MARK", timeout)

    def test_found(self):
        self.assertGreater(self.run_shell("echo one; echo MARK; echo two"), 0)

    def test_failures_say_why(self):
        for script, reason in [("echo one", "never printed 'MARK'"), ("echo MARK; exit 3", "ended with 3")]:
            with self.assertRaisesRegex(Failure, reason):
                self.run_shell(script)
        with self.assertRaisesRegex(Failure, "still running"):
            self.run_shell("echo MARK; exec tail -f /dev/null", 0.2)


if __name__ == "__main__":
    unittest.main()
