import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from script_under_test import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benchlib import Failure, chart, cpio, emulators, oversubscribed, programs, results, runners  # noqa: E402

CHECK = "0123456789abcdef"


def end(name, seconds, size=7, repeats=4, check=CHECK):
    return f"BENCH end {name} size={size} repeats={repeats} check={check} seconds={seconds:.9f}"


class Parse(unittest.TestCase):
    def test_time_is_per_repeat(self):
        samples = results.parse([(1.0, "[    0.1] kernel"), (2.0, "BENCH begin sort"), (4.0, end("sort", 2))])
        self.assertEqual(samples, {"sort": results.Outcome(7, CHECK, 0.5)})

    def test_what_did_not_end_is_wrong(self):
        samples = results.parse([(1, "BENCH begin sort"), (2, "BENCH failed sort exit code 139"), (3, "BENCH begin hash")])
        self.assertEqual(samples, {"sort": results.Wrong("exit code 139"), "hash": results.Wrong("did not end")})

    def test_what_the_program_complains_of_outlives_the_exit_code(self):
        samples = results.parse([(1, "BENCH begin sort"), (2, "BENCH wrong sort: repeats differ"),
                                 (3, "BENCH failed sort exit code 1")])
        self.assertEqual(samples, {"sort": results.Wrong("repeats differ")})

    def test_a_line_that_was_cut_is_no_result(self):
        samples = results.parse([(1, "BENCH begin sort"), (2, end("sort", 1)[:-4])])
        self.assertEqual(samples, {"sort": results.Wrong("did not end")})

    def test_end_without_begin_is_wrong(self):
        self.assertIsInstance(results.parse([(2, end("sort", 1))])["sort"], results.Wrong)

    def test_a_clock_that_goes_slow_or_fast_is_wrong(self):
        for inside, right in ((10.0, True), (8.5, True), (7.0, False), (14.0, False)):
            sample = results.parse([(1, "BENCH begin sort"), (11, end("sort", inside))])["sort"]
            self.assertEqual(isinstance(sample, results.Outcome), right, inside)

    def test_clocks_need_not_be_compared(self):
        for inside in (0.0, 1e6):
            lines = [(1, "BENCH begin sort"), (11, end("sort", inside))]
            self.assertEqual(results.parse(lines, compare_clocks=False)["sort"],
                             results.Outcome(7, CHECK, inside / 4))


class Checked(unittest.TestCase):
    def test_a_different_result_is_wrong(self):
        native = results.Outcome(7, CHECK, 1.0)
        self.assertEqual(results.checked(results.Outcome(7, CHECK, 9.0), native), results.Outcome(7, CHECK, 9.0))
        for other in (results.Outcome(7, CHECK[::-1], 9.0), results.Outcome(8, CHECK, 9.0), None):
            self.assertIsInstance(results.checked(other, native), results.Wrong)

    def test_without_a_reference_a_result_stands(self):
        sample = results.Outcome(7, CHECK, 9.0)
        self.assertIs(results.checked(sample, None), sample)
        self.assertIs(results.checked(sample, results.Wrong("host")), sample)


def outcomes(*seconds):
    return [results.Outcome(7, CHECK, value) for value in seconds]


def line(name, group, native, weft, peer):
    samples = {"native": native, "weft": weft, "peer": peer}
    return results.row(name, group, {machine: results.summary(what) for machine, what in samples.items()})


class Aggregate(unittest.TestCase):
    def rows(self):
        return [line("a", "one", outcomes(1, 3, 2), outcomes(4, 4, 9), outcomes(8, 1, 9)),
                line("b", "one", outcomes(1), outcomes(8), outcomes(2)),
                line("c", "two", outcomes(1), [*outcomes(1), results.Wrong("hung")], outcomes(5))]

    def test_ratios_of_medians(self):
        row = self.rows()[0]
        self.assertEqual((row["weft_over_native"], row["peer_over_native"], row["times_as_fast"]), (2, 4, 2))

    def test_one_wrong_sample_spoils_the_row(self):
        row = self.rows()[2]
        self.assertIsNone(row["weft_over_native"])
        self.assertIsNone(row["times_as_fast"])
        self.assertEqual(row["peer_over_native"], 5)
        self.assertEqual(results.wrongs(self.rows()), [("c", "weft", "hung")])

    def test_geometric_means_leave_out_what_went_wrong(self):
        means = results.means(self.rows(), ["one", "two", "three"])
        self.assertEqual([mean["group"] for mean in means], ["one", "all"])
        for mean in means:
            self.assertEqual(mean["programs"], 2)
            self.assertAlmostEqual(mean["weft_over_native"], 4)
            self.assertAlmostEqual(mean["peer_over_native"], 8 ** 0.5)
            self.assertAlmostEqual(mean["times_as_fast"], (2 * 0.25) ** 0.5)

    def test_without_the_host_one_ratio_remains(self):
        row = results.row("a", "one", {"weft": results.summary(outcomes(2)), "peer": results.summary(outcomes(3))})
        means = results.means([row], ["one"])
        self.assertEqual(means[0], {"group": "one", "programs": 1, "times_as_fast": 1.5})


class Programs(unittest.TestCase):
    def test_choice(self):
        self.assertEqual([program.name for program in programs.chosen(["sort", "recursion"])], ["recursion", "sort"])
        with self.assertRaisesRegex(Failure, "no program 'bogus'"):
            programs.chosen(["sort", "bogus"])

    def test_each_source_is_in_the_table(self):
        # Those that run without a system are other benchmarks'.
        sources = {path.stem for path in (ROOT / programs.SOURCES).glob("*.cpp")
                   if path.stem != "main" and not path.stem.endswith("_main")}
        self.assertEqual(sources, {program.name for program in [*programs.PROGRAMS, *programs.CROWDS]})
        self.assertEqual({program.group for program in programs.PROGRAMS}, set(programs.GROUPS))


class Oversubscribed(unittest.TestCase):
    def test_shares_are_of_the_throughput_with_the_fewest_vcpus(self):
        shares = oversubscribed.shares({2: {"median": 3.0}, 4: {"median": 4.0}, 8: {"median": 12.0}})
        self.assertEqual(shares, {2: 1.0, 4: 0.75, 8: 0.25})

    def test_what_went_wrong_has_no_share(self):
        self.assertEqual(oversubscribed.shares({2: {"median": 3.0}, 4: {"wrong": "did not end"}}), {2: 1.0, 4: None})
        self.assertEqual(oversubscribed.shares({2: {"wrong": "did not end"}, 4: {"median": 3.0}}), {2: None, 4: None})


class FakeEmulator:
    """Prints what a guest would, by a shell; keeps a copy of its initial RAM disk."""

    name = "fake"
    version = "1"

    def __init__(self, script, copy):
        self.script = script
        self.copy = copy

    def command(self, guest, vcpus, append, initramfs):
        return ["sh", "-c", f"cp {initramfs} {self.copy}; {self.script}"]


class InGuest(unittest.TestCase):
    def run_guest(self, script):
        with tempfile.TemporaryDirectory() as folder:
            self.folder = pathlib.Path(folder)
            (self.folder / "riscv64").mkdir()
            for name in ("sort", "hash"):
                (self.folder / "riscv64" / name).write_text(f"program {name}")
            base = self.folder / "base"
            base.write_bytes(b"base!")

            class Guest:
                initramfs = base

            emulator = FakeEmulator(script, self.folder / "seen")
            runner = runners.InGuest(ROOT, Guest, emulator, self.folder, self.folder / "work", None,
                                     compare_clocks=False)
            samples = runner.run([("sort", 7, 4), ("hash", 9, 1)], 2)
            self.seen = (self.folder / "seen").read_bytes()
            return samples

    def test_the_guest_finds_programs_and_jobs(self):
        self.run_guest("echo BENCH done")
        self.assertTrue(self.seen.startswith(b"base!" + bytes(3) + b"070701"))
        self.assertIn(b"sort 7 4\nhash 9 1\n", self.seen)
        self.assertIn(b"program hash", self.seen)

    def test_what_ended_before_the_emulator_broke_counts(self):
        samples = self.run_guest(f"echo BENCH begin sort; echo '{end('sort', 1000)}'; echo BENCH begin hash; exit 3")
        self.assertEqual(samples["sort"], results.Outcome(7, CHECK, 250))
        self.assertEqual(samples["hash"], results.Wrong("did not end"))
        samples = self.run_guest("exit 3")
        self.assertIn("ended with 3", samples["hash"].why)

    def test_lines_come_without_the_terminals_carriage_returns(self):
        lines = [text for _, text in emulators.lines_of(["printf", "one\\r\\ntwo\\nthree"], None)]
        self.assertEqual(lines, ["one", "two", "three"])


class Cpio(unittest.TestCase):
    def test_cpio_reads_it(self):
        files = {"bench/init": b"first", "bench/deep/er": b"", "a": b"four"}
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cpio", "--extract", "--make-directories", "--quiet"], input=cpio.archive(files), cwd=folder,
                           check=True)
            found = {path.relative_to(folder).as_posix(): path.read_bytes()
                     for path in pathlib.Path(folder).rglob("*") if path.is_file()}
            self.assertEqual(found, files)
            self.assertTrue((pathlib.Path(folder) / "a").stat().st_mode & 0o111)


class Chart(unittest.TestCase):
    def test_bars_are_as_long_as_logarithms(self):
        picture = chart.bars("T <1>", "remark", ["weft", "peer"], [("a", [10, 100]), ("b", [None, 0.5])])
        root = xml.etree.ElementTree.fromstring(picture)
        bars = [float(rect.get("width")) for rect in root.iter("{http://www.w3.org/2000/svg}rect")][2:]
        self.assertEqual(len(bars), 3)
        self.assertAlmostEqual(bars[1], 2 * bars[0], delta=0.2)
        self.assertEqual(bars[2], 0)

    def test_the_axis_ends_at_or_behind_the_largest(self):
        self.assertEqual(chart.ticks(1), [1])
        self.assertEqual(chart.ticks(99), [1, 2, 5, 10, 20, 50, 100])

    def test_no_chart_without_the_host(self):
        row = results.row("a", "one", {"weft": results.summary(outcomes(2))})
        self.assertIsNone(chart.system({"results": [{"vcpus": 1, "programs": [row]}]}))


if __name__ == "__main__":
    unittest.main()
