"""A guest program that is not there, or empty, ends a test of this folder at once, with a line that names it.

    missing_guest_test.py TEST_PROGRAM ARGUMENTS...
"""

import subprocess
import sys
import tempfile

with tempfile.NamedTemporaryFile() as empty:
    for guest, reason in (("none.bin", "No such file or directory"), (empty.name, "an empty file")):
        done = subprocess.run([sys.argv[1], guest, *sys.argv[2:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if (done.returncode, done.stdout) != (1, "%s: there is no guest program: %s\n" % (guest, reason)):
            sys.exit("%s: exit code %d\n%s" % (guest, done.returncode, done.stdout))
