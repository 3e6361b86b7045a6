#!/usr/bin/env python3
"""Checks the documentation against the tree.

  check_docs.py files [ROOT]        every file that README.md and docs/*.md name exists, every link leads somewhere, every
                                    page is linked from README.md, and no line holds a machine's own path or a placeholder
  check_docs.py cases [ROOT]        every test case that a page names is in the file it names, and every rule of
                                    docs/regions.md names one
  check_docs.py concurrency [ROOT]  every atomic and lock that the sources declare has a row in docs/concurrency.md

Prints each violation as FILE:LINE: REASON and exits 1 if there is one. ROOT is the checkout this script is in by default.

What counts as a file's name: a word in backticks, or in a fenced block, that has a '/' in it or ends like a file of this
repository. A name without '/' may lie in any folder. In fenced blocks only words that begin with one of the repository's
folders count. `*` stands for any characters of a name.

A test case is named by its file in backticks, a colon, and its name in quotes, several with commas between them. In C++ it is
a TEST_CASE of that name, in Python a function. A rule is an item of a list.
"""

import fnmatch
import os
import pathlib
import posixpath
import re
import sys

# Names of things that come to be when weft is built or run, or that lie on the user's machine.
MADE_AT_RUN_TIME = {
    "accel-NAME.so", "fw_dynamic.bin", "meson-logs/testlog.txt",
}
MADE_BELOW = ("build/", "/proc/", "/dev/", "/usr/lib/", "/usr/share/", "/chosen/")

SUFFIXES = (".h", ".cpp", ".py", ".md", ".build", ".S", ".ld", ".sh", ".txt")

MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|root|home|Users|tmp|mnt|srv)(?=/|\b)")
PLACEHOLDER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b|lorem ipsum", re.IGNORECASE)

CODE_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")

# A member or variable whose type is an atomic, a lock, or an array of either behind a unique_ptr.
SHARED = re.compile(r"""
    \b(?:std::atomic<(?:[^<>;(]|<[^<>;]*>)*>(?:\[\]>)? | (?:weft::)?(?:Padded)?(?:Mutex|SpinLock) )
    \s+ (?P<name>[A-Za-z_]\w*) \s* (?:\[[^\]]*\])? \s* (?: WEFT_\w+\([^)]*\) \s* )? (?:;|=|\{)""", re.VERBOSE)
# `tests/file`: "a case", "another"
CASES = re.compile(r'`(?P<file>tests/[\w./-]+)`:(?P<names>(?:,?\s+"[^"]+")+)')
RULES = "docs/regions.md"
# Of a list: it reaches to the next one, or to an empty line.
ITEM = re.compile(r"^- .*(?:\n(?!- |\n).+)*", re.MULTILINE)

SOURCE_FOLDERS = ("base", "include", "tcg", "accel", "emulator")


class Tree:
    """The files of a checkout, as paths relative to its root."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = set()
        self.folders = set()
        for folder, names, files in os.walk(self.root):
            here = pathlib.Path(folder)
            top = here == self.root
            names[:] = [name for name in names if name != "__pycache__" and name != ".git"
                        and not (top and name.startswith("build"))]
            relative = here.relative_to(self.root).as_posix()
            self.folders.add(relative)
            self.files.update(posixpath.normpath(posixpath.join(relative, name)) for name in files)
        self.names = {posixpath.basename(file) for file in self.files}
        self.top = {name.split("/")[0] for name in self.files | self.folders} - {"."}

    def has(self, path):
        """Whether a path from the root, from include/ or (without '/') anywhere is a file or a folder."""
        path = posixpath.normpath(path)
        if "*" in path:
            if "/" not in path:
                return any(fnmatch.fnmatchcase(name, path) for name in self.names)
            return any(fnmatch.fnmatchcase(file, path) for file in self.files)
        for candidate in (path, "include/" + path):
            if candidate in self.files or candidate in self.folders:
                return True
        return "/" not in path and path in self.names

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def pages(self):
        """README.md and the pages of docs, in order."""
        pages = [file for file in self.files if posixpath.dirname(file) == "docs" and file.endswith(".md")]
        return [page for page in ["README.md"] if page in self.files] + sorted(pages)


def named_file(word):
    """The file that a word in backticks names, or None."""
    word = word.lstrip("('\"").rstrip(".,;:)'\"").removeprefix("./")
    if not re.fullmatch(r"[\w.*/+@-]+", word) or word.startswith("-"):
        return None
    if word in MADE_AT_RUN_TIME or (word + "/").startswith(MADE_BELOW):
        return None
    if "/" not in word and not word.endswith(SUFFIXES):
        return None
    return word


def slug(heading):
    """The anchor that a heading gets on the common forges."""
    text = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return text.replace(" ", "-")


def anchors(text):
    found = set()
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        heading = HEADING.match(line)
        if heading and not fenced:
            found.add(slug(heading.group(1)))
    return found


def check_link(tree, page, target):
    """Why a link leads nowhere, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    path, _, anchor = target.partition("#")
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    if goal not in tree.files and goal not in tree.folders:
        return f"link to '{target}': there is no {goal}"
    if anchor and goal.endswith(".md") and anchor not in anchors(tree.text(goal)):
        return f"link to '{target}': {goal} has no such heading"
    return None


def check_page(tree, page):
    """Yields (line number, reason) of each violation in a page."""
    fenced = False
    for number, line in enumerate(tree.text(page).splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield number, "names a path of one machine"
            continue
        if PLACEHOLDER.search(line):
            yield number, "placeholder text"
        if FENCE.match(line):
            fenced = not fenced
            continue
        if fenced:
            words = [word for word in line.split() if word.split("/")[0] in tree.top and "/" in word]
        else:
            words = [word for span in CODE_SPAN.finditer(line) for word in span.group(2).split()]
            for link in LINK.finditer(CODE_SPAN.sub("", line)):
                reason = check_link(tree, page, link.group(1))
                if reason:
                    yield number, reason
        for word in words:
            name = named_file(word)
            if name and not tree.has(name):
                yield number, f"there is no '{name}'"


def check_files(tree):
    for page in tree.pages():
        for number, reason in check_page(tree, page):
            yield page, number, reason
    if "README.md" not in tree.files:
        yield "README.md", 1, "is missing"
        return
    linked = {posixpath.normpath(link.group(1).partition("#")[0]) for link in LINK.finditer(tree.text("README.md"))}
    for page in tree.pages():
        if page != "README.md" and page not in linked:
            yield page, 1, "README.md has no link to it"


def one_line(text):
    return " ".join(text.split())


def cases_in(tree, file):
    """The names of the test cases in a file."""
    text = tree.text(file)
    if file.endswith(".py"):
        return set(re.findall(r"^\s*def (\w+)\(", text, re.MULTILINE))
    return {one_line(name) for name in re.findall(r'^TEST_CASE(?:\(|_METHOD\(\w+,)\s*"([^"]+)"', text, re.MULTILINE)}


def check_cases(tree):
    for page in tree.pages():
        text = tree.text(page)
        for match in CASES.finditer(text):
            file = match.group("file")
            number = text.count("\n", 0, match.start()) + 1
            known = cases_in(tree, file) if file in tree.files else set()
            for name in re.findall(r'"([^"]+)"', match.group("names")):
                if one_line(name) not in known:
                    yield page, number, f"{file} has no test case '{one_line(name)}'"
    if RULES in tree.files:
        text = tree.text(RULES)
        for item in ITEM.finditer(text):
            if not CASES.search(item.group()):
                yield RULES, text.count("\n", 0, item.start()) + 1, "a rule without a test case"


def shared_data(tree):
    """Yields (file, line number, name) of each atomic and lock that is declared."""
    for file in sorted(tree.files):
        if file.split("/")[0] in SOURCE_FOLDERS and file.endswith((".h", ".cpp")):
            for number, line in enumerate(tree.text(file).splitlines(), 1):
                for match in SHARED.finditer(line.split("//")[0]):
                    yield file, number, match.group("name")


def check_concurrency(tree):
    page = "docs/concurrency.md"
    if page not in tree.files:
        yield page, 1, "is missing"
        return
    # The first cell of a row names the file, and in backticks what is shared.
    cells = [line.split("|")[1] for line in tree.text(page).splitlines() if line.startswith("|")]
    rows = [(cell, {word for span in CODE_SPAN.finditer(cell) for word in re.findall(r"\w+", span.group(2))})
            for cell in cells]
    for file, number, name in shared_data(tree):
        if not any(file in cell and name in words for cell, words in rows):
            yield file, number, f"'{name}' is shared; no row of {page} names it and its file"


def main(arguments):
    checks = {"files": check_files, "cases": check_cases, "concurrency": check_concurrency}
    if not 1 <= len(arguments) <= 2 or arguments[0] not in checks:
        sys.exit(__doc__)
    root = arguments[1] if len(arguments) == 2 else pathlib.Path(__file__).resolve().parents[2]
    violations = sorted(set(checks[arguments[0]](Tree(root))))
    for file, number, reason in violations:
        print(f"{file}:{number}: {reason}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
