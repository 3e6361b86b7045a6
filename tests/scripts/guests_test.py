#!/usr/bin/env python3
"""scripts/guests with made-up emulators: what it waits for, and what it says where that does not come."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from guestlib import cli, run, table  # noqa: E402
from guestlib.console import Console, Failure  # noqa: E402
from guestlib.table import end, mark, types, wait  # noqa: E402


def play(program, steps, limit=None):
    console = Console([sys.executable, "-c", program], limit)
    try:
        return run.play(console, steps)
    finally:
        console.close()


ASKS = "print('boot'); print('> ', end='', flush=True); print('got ' + input())"


class Steps(unittest.TestCase):
    def refused(self, program, steps, limit=None):
        with self.assertRaises(Failure) as raised:
            play(program, steps, limit)
        return str(raised.exception)

    def test_typed_text_arrives_and_the_mark_is_timed(self):
        self.assertGreater(play(ASKS, [wait("^boot$"), mark("^> "), types("word\n"), wait("^got word$"), end()]), 0)

    def test_what_was_matched_is_not_matched_again(self):
        self.assertIn("without printing /boot/", self.refused(ASKS, [wait("boot"), types("\n"), wait("boot")]))

    def test_an_end_that_comes_early_is_a_failure(self):
        self.assertEqual(self.refused("raise SystemExit(3)", [wait("never")]), "ended (3) without printing /never/")
        self.assertIn("was typed", self.refused("print(1)", [wait("1"), end(), types("x")]))

    def test_the_exit_code_counts(self):
        self.assertEqual(self.refused("raise SystemExit(3)", [end()]), "ended with exit code 3 instead of 0")
        play("raise SystemExit(3)", [end(3)])

    def test_what_must_not_be_printed_ends_it(self):
        program = "print('panic'); print('fine')"
        self.assertEqual(self.refused(program, [wait("fine", "pani.")]), "printed 'panic' before /fine/")
        play("print('fine'); print('panic')", [wait("fine", "pani."), end()])

    def test_the_limit_ends_what_hangs(self):
        self.assertEqual(self.refused("input()", [wait("x")], limit=1), "still running after 1 s")

    def test_escape_sequences_and_carriage_returns_are_no_text(self):
        play(r"print('\x1b[2J\x1b[01;01H\x1b[=3hSh\x1b[0mell\r')", [wait("^Shell$"), end()])


class Guests(unittest.TestCase):
    def guest(self, **more):
        program = "import sys; print(sys.argv[1], flush=True); print(open(sys.argv[2]).read())"
        return table.Guest("x", "about", lambda files, work: ["-c", program, "mark", work / "image"],
                           [[mark("^mark$"), wait("^made$"), end()]] * 2,
                           prepare=lambda files, work: (work / "image").write_text("made\n"), **more)

    class Files:
        kernel = "/nowhere"

    def test_images_are_made_first_and_looked_at_last(self):
        seen = []
        guest = self.guest(finish=lambda files, work: seen.append((work / "image").read_text()))
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "logs/x.log"
            self.assertGreater(run.run(guest, [sys.executable], self.Files, log=log), 0)
            self.assertEqual(log.read_text().count("mark\nmade\n"), 2)
        self.assertEqual(seen, ["made\n"])

    def test_names(self):
        self.assertEqual(len(table.BY_NAME), len(table.GUESTS))
        self.assertEqual([guest.name for guest in cli.chosen(["uboot", "edk2"])], ["uboot", "edk2"])
        self.assertEqual(cli.chosen(["all"]), table.GUESTS)
        with self.assertRaisesRegex(Failure, "no guest 'uboat'"):
            cli.chosen(["uboat"])

    def test_each_guest_has_a_mark_and_ends(self):
        for guest in table.GUESTS:
            self.assertIn("mark", [step.kind for step in guest.boots[0]], guest.name)
            for steps in guest.boots:
                self.assertEqual(steps[-1].kind, "end", guest.name)


if __name__ == "__main__":
    unittest.main()
