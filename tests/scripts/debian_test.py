import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

from script_under_test import ROOT, load

sys.path.insert(0, str(ROOT / "scripts/lib"))
import packages  # noqa: E402

debian = load("scripts/lib/debian.py")


class MachineMirrors(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.etc = pathlib.Path(folder.name)
        (self.etc / "sources.list.d").mkdir()

    def mirrors(self):
        return debian.machine_mirrors(self.etc, "bookworm")

    def test_deb822(self):
        (self.etc / "sources.list.d/debian.sources").write_text("""\
Types: deb deb-src
# a comment
URIs: https://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main
""")
        self.assertEqual(self.mirrors(), ["https://mirror.example/debian"])

    def test_one_line(self):
        (self.etc / "sources.list").write_text("""\
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm contrib main # x
deb http://mirror.example/debian-security bookworm-security main
""")
        self.assertEqual(self.mirrors(), ["http://mirror.example/debian"])

    def test_third_parties_come_last_or_not_at_all(self):
        folder = self.etc / "sources.list.d"
        (folder / "a.list").write_text("deb [signed-by=/etc/apt/keyrings/a.gpg] https://a.example/apt bookworm main\n")
        (folder / "b.list").write_text("deb https://b.example/linux/debian bookworm stable\n")
        (folder / "c.sources").write_text("Types: deb\nURIs: https://c.example/debian\nSuites: bookworm\n"
                                          "Components: main\nEnabled: no\n")
        (folder / "d.list.disabled").write_text("deb https://d.example/debian bookworm main\n")
        (folder / "z.list").write_text("deb http://mirror.example/debian bookworm main\n")
        self.assertEqual(self.mirrors(), ["http://mirror.example/debian", "https://a.example/apt"])

    def test_none(self):
        self.assertEqual(self.mirrors(), [])


ONE, TWO = "1" * 64, "2" * 64


def entry(version, sha256=ONE):
    return packages.Entry(version, sha256)


class Recorded(unittest.TestCase):
    def test_what_is_written_is_read_back(self):
        record = {"peer": {"qemu": entry("1:11+ds-1"), "libc6": entry("2.43-7", TWO)}, "guest": {"opensbi": entry("1.6-1")}}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "packages.list"
            self.assertEqual(packages.read(path), {})
            packages.write(path, record)
            self.assertEqual(packages.read(path), record)
            self.assertEqual([line.split()[:2] for line in path.read_text().splitlines()[1:]],
                             [["guest", "opensbi"], ["peer", "libc6"], ["peer", "qemu"]])
            self.assertEqual([file.name for file in path.parent.iterdir()], ["packages.list"])

    def test_wrong_lines(self):
        good = f"guest opensbi 1.6-1 {ONE}\n"
        self.assertEqual(packages.parse(f"# comment\n\n{good}", "f"), {"guest": {"opensbi": entry("1.6-1")}})
        for text, where in ((good + "guest opensbi 1.6-1\n", "f, line 2: not SET PACKAGE VERSION SHA256"),
                            (good.replace("1" * 64, "1" * 63), "f, line 1: not SET PACKAGE VERSION SHA256"),
                            (good + good, "f, line 2: opensbi stands twice in guest")):
            with self.assertRaises(packages.Failure) as raised:
                packages.parse(text, "f")
            self.assertEqual(str(raised.exception), where)

    def test_differences_are_one_line(self):
        recorded = {"a": entry("1"), "b": entry("1"), "c": entry("1")}
        self.assertEqual(packages.difference(recorded, dict(recorded)), "")
        self.assertEqual(packages.difference(recorded, {"a": entry("2", TWO), "b": entry("1"), "d": entry("3")}),
                         "a 1 -> 2, c 1 is gone, d 3 is new")
        self.assertEqual(packages.difference({}, {name: entry("1") for name in "abcde"}),
                         "a 1 is new, b 1 is new, c 1 is new and 2 more")

    def test_one_version_has_one_hash(self):
        recorded = {"a": entry("1", ONE)}
        packages.check_hashes(recorded, {"a": entry("1", ONE), "b": entry("1", TWO)})
        packages.check_hashes(recorded, {"a": entry("2", TWO)})
        with self.assertRaises(packages.Failure) as raised:
            packages.check_hashes(recorded, {"a": entry("1", TWO)})
        self.assertEqual(str(raised.exception), f"a 1 has the SHA-256 {TWO}, not the recorded {ONE}")

    def test_the_tree_records_what_its_scripts_fetch(self):
        record = packages.read(packages.RECORD)
        self.assertEqual(set(record), {"guest", "guests-debian", "guests-firmware", "guests-grub", "guests-hello",
                                       "guests-modules", "native-root", "peer", "riscv-compiler", "riscv-packed",
                                       "riscv-root", "riscv-root-full", "schema-rules", "schema-tools"})
        for set_name, name in (("guest", "opensbi"), ("peer", "qemu-system-riscv"), ("schema-tools", "dt-schema")):
            self.assertIn(name, record[set_name])


class FakeArchive(debian.Archive):
    """Answers for apt; `versions_of` gives the versions of each package, newest first."""

    def __init__(self, folder, versions_of):
        self.name = "suite-arch"
        self.updated = True
        self.debs = folder / "debs"
        self.versions_of = versions_of
        self.installs = []  # what the closure is

    def run(self, *command):
        if command[:2] == ("apt-cache", "policy"):
            table = "".join(f"     {version} 500\n        500 http://mirror.example suite/main Packages\n"
                            for version in self.versions_of.get(command[2], []))
            return f"{command[2]}:\n  Installed: (none)\n  Version table:\n{table}" if table else ""
        if command[0] == "apt-get" and "--simulate" in command:
            return "".join(f"Inst {name} ({version} Debian:suite [arch])\n" for name, version in self.installs)
        if command[:2] == ("apt-get", "download"):
            self.debs.mkdir()
            for package in command[2:]:
                name, version = package.split("=")
                (self.debs / f"{name}_{version.replace(':', '%3a')}_arch.deb").write_text(f"{name} {version}")
            return ""
        raise AssertionError(command)


class Fetching(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_the_recorded_version_is_taken_where_the_archive_has_it(self):
        archive = FakeArchive(self.folder, {"a": ["3", "2", "1"], "b": ["5"]})
        self.assertEqual(archive.versions(["a", "b"], False, {"a": entry("2")}), [("a", "2"), ("b", "5")])
        self.assertEqual(archive.versions(["a", "b"], False, {"a": entry("0"), "b": entry("4")}),
                         [("a", "3"), ("b", "5")])
        self.assertEqual(archive.versions(["a"], False, {}), [("a", "3")])
        with self.assertRaisesRegex(debian.Failure, "no package c for suite-arch"):
            archive.versions(["c"], False, {"c": entry("1")})

    def test_a_closure_is_what_apt_says(self):
        archive = FakeArchive(self.folder, {})
        archive.installs = [("libc6", "2.43-7"), ("qemu", "1:11-1")]
        self.assertEqual(archive.versions(["qemu"], True, {"qemu": entry("1:10-1")}), archive.installs)

    def test_hashes_are_those_of_the_files_and_checked_before_anything_is_unpacked(self):
        archive = FakeArchive(self.folder, {"a": ["1:2"]})
        seen = []

        def refuse(entries):
            seen.append(entries)
            raise debian.Failure("refused")

        with self.assertRaisesRegex(debian.Failure, "refused"):
            archive.fetch(["a"], False, self.folder / "into", {}, refuse)
        self.assertEqual(seen, [{"a": entry("1:2", hashlib.sha256(b"a 1:2").hexdigest())}])
        self.assertEqual([path.name for path in self.folder.iterdir()], ["debs"])

    def test_packed_packages_come_with_an_index(self):
        tree = self.folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        control = "Package: a\nVersion: 1:2\nArchitecture: all\nMaintainer: n <n@e>\nDescription: d\n more of it\n"
        (tree / "DEBIAN/control").write_text(control)

        class RealPackage(FakeArchive):
            def run(self, *command):
                text = super().run(*command)
                if command[:2] == ("apt-get", "download"):
                    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(self.debs / "a_1%3a2_arch.deb")],
                                   check=True, stdout=subprocess.DEVNULL)
                return text

        into = self.folder / "into"
        entries = RealPackage(self.folder, {"a": ["1:2"]}).fetch(["a"], False, into, {}, lambda entries: None, packed=True)
        file = into / "a_1%3a2_arch.deb"
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        self.assertEqual(entries, {"a": entry("1:2", sha256)})
        self.assertEqual((into / "Packages").read_text(),
                         f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {sha256}\n\n")
        self.assertEqual(sorted(path.name for path in into.iterdir()), ["Packages", file.name])


if __name__ == "__main__":
    unittest.main()
