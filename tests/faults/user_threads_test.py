#!/usr/bin/env python3
"""A guest's threads that the host refuses leave nothing behind in weft.

    user_threads_test.py WEFT INJECTOR GUEST

Each pthread_create fails, a few times and many times: the guest is told so (EAGAIN) each time, and as much is alive at the end.
"""

import subprocess
import sys
import tempfile

import injection

FEW, MANY = 40, 400  # with the fewer, what runs often is translated as well
# weft asks for one as it starts, of which nothing comes anyway (emulator/linux-user/signal/library_signals.h).
OWN = 1


def main():
    weft, library, guest = sys.argv[1:]
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        injector = injection.Injector(library, "thread", "from", folder)
        for number in (FEW, MANY):
            done = subprocess.run([weft, guest, "threads", str(number)], env=injector.environment(0), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True)
            report = injector.report()
            told = (done.returncode, done.stdout, done.stderr, report.calls)
            if told != (0, "%d refused\n" % number, "", number + OWN):
                print("%d threads: %r" % (number, told))
                return 1
            reports.append(report)
    leak = injection.leak(reports[1], reports[0])
    print(leak or "%d allocations, %d bytes mapped" % reports[1][2:4])
    return 1 if leak else 0


if __name__ == "__main__":
    sys.exit(main())
