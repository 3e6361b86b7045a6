"""Runs the methods of a class as tests, and what they say."""

import re
import sys
import traceback


def expect(text, *patterns):
    """All of them, in this order."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(text, at)
        assert found, f"no {pattern!r} from {at} on in:\n{text}"
        at = found.end()


def run(test, helpers, names):
    """Runs the methods `names` of `test`; without any, all but `helpers` and those that begin with "_". The exit code."""
    every = [name for name, value in vars(type(test)).items()
             if callable(value) and not name.startswith("_") and name not in helpers]
    failed = 0
    for name in names or every:
        try:
            getattr(test, name)()
            print(f"{name}: ok")
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"{name}: failed")
            traceback.print_exc()
        sys.stdout.flush()
    return 1 if failed else 0
