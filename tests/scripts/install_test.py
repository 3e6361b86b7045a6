#!/usr/bin/env python3
"""What `meson install` puts in place: the programs find their accelerator, another one is built against the headers by pkg-config and
found, man pages are pages, and completion completes.

    install_test.py BUILD MOCK PROGRAM...

BUILD is a build folder, MOCK the source of an accelerator; PROGRAMs are names, of the machine's and perhaps of the process's.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

BUILD, MOCK = sys.argv[1:3]
PROGRAMS = sys.argv[3:]
SYSTEM = "weft-system-riscv64"

# Calls the completion of the words after the script, the last of which is to be completed.
COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
name=${1##*/}
"_${name//-/_}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def output_of(command, **keywords):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **keywords)
    if done.returncode != 0:
        raise AssertionError("%s: exit code %d\n%s%s" % (command[0], done.returncode, done.stdout, done.stderr))
    return done.stdout


class Installed(unittest.TestCase):
    """As in its place, but for the folder that stands before it."""

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._folder.cleanup)
        stage = cls._folder.name
        output_of(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage])
        options = json.loads(output_of(["meson", "introspect", "--buildoptions", BUILD]))
        prefix = next(option["value"] for option in options if option["name"] == "prefix")
        cls.stage, cls.prefix = stage, stage + prefix
        cls.environment = {key: value for key, value in os.environ.items() if not key.startswith(("WEFT_", "QEMU_"))}
        # Where there is no terminal for man, nothing is to ask for one.
        cls.environment.update(MANWIDTH="80", LC_ALL="C.UTF-8")

    def program(self, name):
        return os.path.join(self.prefix, "bin", name)

    def find(self, name):
        found = [os.path.join(folder, name) for folder, _, files in os.walk(self.prefix) if name in files]
        self.assertEqual(len(found), 1, name)
        return found[0]

    def test_programs_find_their_accelerator(self):
        for name in PROGRAMS:
            text = output_of([self.program(name), "-accel", "tcg,help"], env=self.environment)
            self.assertIn("tb-size", text, name)

    def test_another_accelerator_is_built_and_found(self):
        environment = dict(self.environment, PKG_CONFIG_PATH=os.path.dirname(self.find("weft.pc")),
                           PKG_CONFIG_SYSROOT_DIR=self.stage)
        flags = output_of(["pkg-config", "--cflags", "weft"], env=environment).split()
        modules = self.stage + output_of(["pkg-config", "--variable=moduledir", "weft"], env=dict(
            environment, PKG_CONFIG_SYSROOT_DIR="")).strip()
        self.assertTrue(os.path.isdir(modules), modules)
        output_of(["c++", *flags, "-fPIC", "-shared", MOCK, "-o", os.path.join(modules, "accel-mock.so")])
        self.assertIn("mock", output_of([self.program(SYSTEM), "-accel", "help"], env=self.environment))
        self.assertIn("pokes", output_of([self.program(SYSTEM), "-accel", "mock,help"], env=self.environment))

    def test_man_pages(self):
        for name in PROGRAMS:
            page = self.find(name + ".1")
            done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, env=self.environment,
                                  stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            said = output_of([self.program(name), "-help"], env=self.environment)
            # A value that may begin with a bracket is a word of its own; one that may follow "=" is not.
            self.assertNotRegex(said, r"(?m)^  -\S+\[[^=]")
            for line in said.splitlines():
                if line.startswith("  -"):
                    option = line.split()[0].rstrip(",").split("[")[0]
                    self.assertRegex(done.stdout, r"(?m)^ +(\S+, )?%s\b" % option.replace("-", "[-\u2010]"), option)

    def complete(self, *words):
        script = self.find(words[0])
        text = output_of(["bash", "--norc", "-c", COMPLETE, "bash", script, self.program(words[0]), *words[1:]],
                         env=self.environment, cwd=self.stage)
        return set(text.split("\n")) - {""}

    def find_completion(self, name):
        return os.path.join(self.prefix, "share/bash-completion/completions", name)

    def test_completion(self):
        self.find = self.find_completion
        system = SYSTEM
        self.assertEqual(self.complete(system, "-ker"), {"-kernel"})
        self.assertEqual(self.complete(system, "-accel", "t"), {"tcg"})
        self.assertIn("virt", self.complete(system, "-M", ""))
        self.assertIn("rv64", self.complete(system, "-cpu", ""))
        self.assertIn("virtio-blk-device", self.complete(system, "-device", "virtio-b"))
        self.assertIn("in_asm", self.complete(system, "-d", "in"))
        self.assertEqual(self.complete(system, "-display", ""), set())
        with open(os.path.join(self.stage, "a file"), "w"):
            pass
        self.assertEqual(self.complete(system, "-kernel", "a"), {"a file"})
        for user in set(PROGRAMS) - {SYSTEM}:
            self.assertEqual(self.complete(user, "-spl"), {"-split-wx"})
            self.assertEqual(self.complete(user, "-split-wx", ""), {"on", "off"})
            # The program's own words.
            self.assertEqual(self.complete(user, "-L", "root", "prog", "-spl"), set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
