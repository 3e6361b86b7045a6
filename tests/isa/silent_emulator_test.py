"""isa-system-test fails where both emulators report the same, but nothing, or no end.

    silent_emulator_test.py TEST_PROGRAM ARGUMENTS...
"""

import os
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as directory:
    os.mkdir(directory + "/bin")
    emulator = directory + "/bin/qemu-system-riscv64"
    guest = directory + "/guest.bin"
    with open(guest, "wb") as file:
        file.write(bytes(8))
    for report, reason in (("", "its report has no end"), ("0123456789abcdef\\n", "its report has no end"),
                           ("end of the report\\n", "it reports nothing")):
        with open(emulator, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nprintf '%s'\n" % report)
        os.chmod(emulator, 0o755)
        done = subprocess.run([sys.argv[1], guest, *sys.argv[2:], "--weft=" + emulator], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=dict(os.environ, WEFT_PEER_DIR=directory))
        if done.returncode != 1 or done.stdout.count(reason) != 2:
            sys.exit("%r: exit code %d\n%s" % (report, done.returncode, done.stdout))
