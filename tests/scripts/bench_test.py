import sys
import unittest

from script_under_test import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benchlib import Failure, bare_metal, emulators, hash_boot, latency, measure, qht, smc  # noqa: E402


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


class Tables(unittest.TestCase):
    def test_cells_of_a_hash_table(self):
        cells = qht.cells_of("1 0 10.5 11.5\n2 20 3.0 8.0\n")
        self.assertEqual(cells, {(1, 0): (10.5, 11.5), (2, 20): (3.0, 8.0)})
        self.assertAlmostEqual(float(qht.Sample({(1, 0): (1.0, 2.0), (2, 0): (1.0, 8.0)})), 4.0)

    def test_a_plot_has_a_point_for_each_size(self):
        picture = hash_boot.plot({10: (1.0, 1.5, 2.0), 12: (1.0, 1.25, 1.5)})
        self.assertEqual(picture.count("<circle"), 2)
        self.assertIn("2^12", picture)


class BareMetal(unittest.TestCase):
    def test_ticks_become_nanoseconds(self):
        lines = [f"{name} 64 {number:x}" for number, name in enumerate(smc.CASES)]
        self.assertEqual(list(bare_metal.nanoseconds(lines, smc.CASES).values()), [float(number) for number in range(len(smc.CASES))])
        with self.assertRaisesRegex(Failure, "printed 5 of 6"):
            bare_metal.nanoseconds(lines[:-1], smc.CASES)
        with self.assertRaisesRegex(Failure, "printed 'wrong: routine'"):
            bare_metal.nanoseconds(["wrong: routine"], smc.CASES)

    def test_ticks_become_microseconds(self):
        lines = [f"{name} a 14 1e" for name in latency.CASES]
        values = latency.microseconds(lines)
        self.assertEqual(values["ipi-halted p50"], 1.0)
        self.assertEqual(values["timer-running largest"], 3.0)
        with self.assertRaisesRegex(Failure, "printed 3 of 4"):
            latency.microseconds(lines[1:])


if __name__ == "__main__":
    unittest.main()
