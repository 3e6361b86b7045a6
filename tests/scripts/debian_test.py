import pathlib
import tempfile
import unittest

from script_under_test import load

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


if __name__ == "__main__":
    unittest.main()
