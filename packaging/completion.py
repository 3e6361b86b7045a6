#!/usr/bin/env python3
"""Writes a program's completion for bash, from its -help.

    completion.py PROGRAM NAME OUTPUT

Names of options come from -help. Values are words that the help shows as alternatives, what the program itself lists for "help", or
names of files. bash-completion's own functions are used where they are loaded, and done without where they are not.
"""

import re
import sys

import help_text

# Options whose "help" prints a list, and the pattern of sed that takes the words out of it.
_LISTS = {
    "accel": r"s/^  *\([a-z][a-z0-9]*\) .*/\1/p",
    "cpu": r"s/^  *\([a-z][a-z0-9-]*\) .*/\1/p",
    "machine": r"s/^\([a-z][a-z0-9.-]*\)  *.*/\1/p",
    "device": r's/^name "\([^"]*\)".*/\1/p',
    "d": r"s/^ *\([a-z_]*\)  .*/\1/p",
}
# What stands for a file or a folder, alone.
_FILE = re.compile(r"(default\|none\|)?(FILE|PATH)")
_FOLDER = re.compile(r"DIR")
_WORDS = re.compile(r"[a-z0-9]+(\|[a-z0-9]+)+")

_TEMPLATE = """\
# Completion of {name} for bash. Made from its -help.
{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
{program}    case $previous in
{cases}    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '{options}' -- "$current")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}}
complete -F {function} {name}
"""

# Behind the program that is run, its own completion is asked for.
_WRAPPER = """\
    local -i at=1
    while ((at < COMP_CWORD)) && [[ ${{COMP_WORDS[at]}} == -* ]]; do
        case ${{COMP_WORDS[at]}} in
        {taking}) at+=1 ;;
        esac
        at+=1
    done
    if ((at < COMP_CWORD)); then
        if declare -F _command_offset >/dev/null; then
            _command_offset $at
        else
            compopt -o default 2>/dev/null
        fi
        return
    fi
"""


def dashed(names):
    return "|".join("-" + name for name in names)


def cases(text):
    """A case of the shell for each option with a value."""
    for group in text.groups:
        for option in group.options:
            if not option.value or option.optional:
                continue
            first = option.value.split("[")[0]
            if option.names[0] in _LISTS:
                # "tcg,thread=multi": what follows the name is the user's.
                words = '$("${COMP_WORDS[0]}" -%s help 2>/dev/null | sed -n \'%s\')' % (
                    option.names[0], _LISTS[option.names[0]])
                action = 'mapfile -t COMPREPLY < <(compgen -W "%s" -- "$current")' % words
            elif _FILE.fullmatch(first):
                action = 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current")'
            elif _FOLDER.fullmatch(first):
                action = 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current")'
            elif _WORDS.fullmatch(option.value):
                action = "mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$current\")" % option.value.replace("|", " ")
            else:
                action = ":"
            yield "    %s) %s; return ;;\n" % (dashed(option.names), action)


def script(name, text):
    every = [option for group in text.groups for option in group.options]
    taking = dashed(n for option in every if option.value and not option.optional for n in option.names)
    return _TEMPLATE.format(
        name=name,
        function="_" + name.replace("-", "_"),
        program=_WRAPPER.format(taking=taking) if "PROGRAM" in text.usage else "",
        cases="".join(cases(text)),
        options=" ".join("-" + name for option in every for name in option.names))


def main():
    program, name, output = sys.argv[1:]
    with open(output, "w", encoding="utf-8") as file:
        file.write(script(name, help_text.of_program(program, name)))


if __name__ == "__main__":
    main()
