import sys
import unittest

from script_under_test import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benchlib import (Failure, bare_metal, callgrind, disk_net, emulators, hash_boot, inflation, latency,  # noqa: E402
                      measure, programs, qht, results, smc)


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


class DisksAndNetworks(unittest.TestCase):
    def test_what_the_guest_printed(self):
        lines = ["[    0.1] noise", "BENCH io read-seq-4096-1 1000 4096000 500000000", "BENCH io ask 30 30 10000000", "BENCH done"]
        values = disk_net.parse(lines, [("read", "seq", 4096, 1), "ask"])
        self.assertEqual(values, {"read-seq-4096-1": 8192000.0, "ask": 3000.0})
        self.assertEqual(disk_net.speed(("read", "seq", 4096, 1), values["read-seq-4096-1"]), "2.0 k/s")
        self.assertEqual(disk_net.speed(("read", "seq", 1 << 20, 1), 3 << 20), "3 MiB/s")
        self.assertEqual(disk_net.speed("send", 3 << 20), "3 MiB/s")
        self.assertEqual(disk_net.speed("ask", values["ask"]), "3.0 k/s")

    def test_what_was_not_measured_is_a_failure(self):
        with self.assertRaisesRegex(Failure, "measured nothing of send"):
            disk_net.parse(["BENCH done"], ["send"])
        with self.assertRaisesRegex(Failure, "BENCH io failed: connect: Connection refused"):
            disk_net.parse(["BENCH io failed: connect: Connection refused"], ["send"])

    def test_each_case_is_named_once(self):
        names = [disk_net.case_name(case) for case in [*disk_net.DISK_CASES, *disk_net.NET_CASES]]
        self.assertEqual(len(names), len(set(names)))


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


# An emulator's 30 instructions call generated code (100 and 7), which calls the emulator 5 times and itself 3 times; the cost
# after a "calls" line is the called function's, in which it stands once more.
PROFILE = """\
# callgrind format
positions: line
events: Ir
summary: 147

ob=(1) /usr/bin/emulator
fl=(1) ???
fn=(1) main
0 30
cob=(2) ???
cfi=(1)
cfn=(2) 0x0000000004000000
calls=2 0
0 107

ob=(2)
fl=(1)
fn=(2)
0 90
+3 10
cob=(1)
cfn=(3) helper
calls=5 0
* 10
cfn=(4) 0x0000000004000100
calls=3 0
* 7

fn=(4)
-2 7

ob=(1)
fn=(3)
0 10

totals: 147
"""


class Inflation(unittest.TestCase):
    def test_a_profile_becomes_counts(self):
        self.assertEqual(callgrind.parse(PROFILE.splitlines(keepends=True)),
                         callgrind.Counts(generated=107, elsewhere=40, calls=5))
        with self.assertRaisesRegex(Failure, "empty profile"):
            callgrind.parse(["events: Ir\n"])

    def test_what_both_runs_have_falls_out(self):
        few, many = callgrind.Counts(5000, 900, 7), callgrind.Counts(9000, 1300, 27)
        self.assertEqual(inflation.per_guest(few, many, 2000), {"generated": 2.0, "all": 2.2, "calls": 10.0})

    def test_guest_instructions_are_entries_in_the_log(self):
        log = [b"Trace 0: 0x7f00 [0000/0001/00/ff] main\n", b"Stopped execution of TB chain before 0x7f00\n",
               b"Trace 0: 0x7f40 [0000/0002/00/ff] main\n"]
        self.assertEqual(inflation.entries(log), 2)

    def test_means_are_geometric_and_of_groups(self):
        rows = [{"group": group, "weft": {"generated": value, "all": value}}
                for group, value in (("integer", 2.0), ("integer", 8.0), ("float", 4.0))]
        self.assertEqual([(mean["group"], mean["programs"], round(mean["weft"]["all"], 9))
                          for mean in inflation.means(rows, ["weft"])],
                         [("integer", 2, 4.0), ("float", 1, 4.0), ("all", 3, 4.0)])

    def test_each_size_is_of_a_program(self):
        self.assertEqual({program.name for program in inflation.COUNTED}, set(inflation.SIZES))
        self.assertLess(set(inflation.SIZES), {program.name for program in programs.PROGRAMS})


class Results(unittest.TestCase):
    def test_the_hosts_are_the_right_ones_whoever_comes_first(self):
        def outcome(check):
            return results.Outcome(size=1, check=check, seconds=0.1)

        references = results.References()
        self.assertEqual(references.checked("peer", {"spawn": outcome("00")}, ["spawn"]), {"spawn": outcome("00")})
        for machine, check, right in (("native", "32", True), ("weft", "32", True), ("peer", "00", False)):
            found = references.checked(machine, {"spawn": outcome(check)}, ["spawn"])["spawn"]
            self.assertEqual(isinstance(found, results.Outcome), right, machine)
        self.assertIsInstance(references.checked("weft", {}, ["spawn"])["spawn"], results.Wrong)


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
