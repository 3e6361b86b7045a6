#!/usr/bin/env python3
"""Writes a program's man page, from its -help and from what a man page says besides.

    man_page.py PROGRAM NAME EXTRA VERSION OUTPUT

EXTRA is a file of man(7) source, for after the options: examples, files, see also. Its first line is the page's one-line description.
"""

import re
import sys

import help_text


def escape(text):
    """As man(7) wants it: nothing of it is a request or an escape, dashes are minuses."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def bold(text):
    return "\\fB%s\\fR" % escape(text)


def value(text):
    """Words in capitals stand for something; the rest is written as it is."""
    return re.sub(r"[A-Z][A-Z0-9]*(?![a-z])", lambda word: "\\fI%s\\fR" % word[0], escape(text))


def option_lines(option):
    names = ", ".join(bold("-" + name) for name in option.names)
    separator = "" if option.optional or not option.value else " "
    yield ".TP"
    yield names + separator + value(option.value)
    yield escape(option.text)
    if option.variable:
        yield ".br"
        yield "Variable: " + bold(option.variable)


def page(name, text, extra, version):
    described, _, rest = extra.partition("\n")
    yield '.TH %s 1 "" "weft %s" "User commands"' % (name.upper().replace("-", "\\-"), version)
    yield ".SH NAME"
    yield "%s \\- %s" % (escape(name), escape(described))
    yield ".SH SYNOPSIS"
    yield bold(name) + " " + value(text.usage)
    yield ".SH DESCRIPTION"
    yield escape(text.summary)
    yield ".SH OPTIONS"
    for group in text.groups:
        yield ".SS " + escape(group.title)
        for option in group.options:
            yield from option_lines(option)
    if text.closing:
        for paragraph in text.closing.split("\n\n"):
            yield ".PP"
            yield escape(paragraph)
    if text.variables:
        yield ".SH ENVIRONMENT"
        for variable, meaning in text.variables:
            yield ".TP"
            yield bold(variable)
            yield escape(meaning)
    yield rest.strip("\n")


def main():
    program, name, extra, version, output = sys.argv[1:]
    with open(extra, encoding="utf-8") as file:
        lines = page(name, help_text.of_program(program, name), file.read(), version)
        text = "\n".join(lines) + "\n"
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
