"""What the programs' -help says, taken apart: man pages and completions are made from it, so that options are told once, in the tables
that the programs have (emulator/system/options.cpp, emulator/linux-user/options.cpp)."""

import dataclasses
import re
import subprocess

_OPTION = re.compile(r"  -(?P<name>\S+?)(?:, -(?P<alias>[^\s=\[]+))?(?P<value>\[=[^ ]*| (?! ).*?)?(?:  \((?P<variable>[A-Z0-9_]+)\))?")
_VARIABLE = re.compile(r"  ([A-Z][A-Z0-9_]+) +(.*)")


@dataclasses.dataclass
class Option:
    names: list[str]
    value: str  # as the help shows it, "" for none
    optional: bool  # the value follows the name, with "=", or is left out
    variable: str
    text: str


@dataclasses.dataclass
class Group:
    title: str
    options: list[Option]


@dataclasses.dataclass
class Help:
    usage: str  # without the program's name
    summary: str
    groups: list[Group]
    variables: list[tuple[str, str]]
    closing: str  # one paragraph


class NotUnderstood(Exception):
    """The text has another shape than this module knows."""


def _option(line):
    parts = _OPTION.fullmatch(line)
    if not parts:
        raise NotUnderstood("no option: %r" % line)
    name, value = parts["name"], (parts["value"] or "").strip()
    if "[=" in name:
        name, value = name.split("[=", 1)
        value = "[=" + value
    names = [name] + ([parts["alias"]] if parts["alias"] else [])
    return Option(names, value, value.startswith("[="), parts["variable"] or "", "")


def parse(text, program):
    """-help's text as Help."""
    head, *blocks = text.rstrip("\n").split("\n\n")
    usage = re.search(r"^Usage: %s (.*)\n(.*)$" % re.escape(program), head, re.M)
    if not usage:
        raise NotUnderstood("no line of usage")
    groups, variables, closing = [], [], []
    for block in blocks:
        title, *lines = block.split("\n")
        if title == "Environment:":
            for line in lines:
                variable = _VARIABLE.fullmatch(line)
                if not variable:
                    raise NotUnderstood("no variable: %r" % line)
                variables.append((variable[1], variable[2]))
        elif lines and lines[0].startswith("  -"):
            groups.append(Group(title.removesuffix(":"), []))
            for line in lines:
                if line.startswith("        "):
                    option = groups[-1].options[-1]
                    option.text = (option.text + " " + line.strip()).strip()
                else:
                    groups[-1].options.append(_option(line))
        else:
            closing.append(" ".join([title] + lines))
    if not groups:
        raise NotUnderstood("no options")
    return Help(usage[1], usage[2], groups, variables, "\n\n".join(closing))


def of_program(path, program):
    """What the program at `path`, which is called `program` where it is installed, says of itself."""
    done = subprocess.run([path, "-help"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return parse(done.stdout, program)
