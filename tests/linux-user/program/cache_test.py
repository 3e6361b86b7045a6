#!/usr/bin/env python3
"""Translations kept for the next process, with a guest that closes and takes whatever descriptors it likes.

  cache_test.py WEFT RISCV_CC
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Closes all that it did not open, takes every number that weft may have gone to, forks and executes itself: each part says what it
# sees, which has to be what a process sees that is alone with its descriptors.
GUEST = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int condition, const char *what) {
    if (!condition) {
        printf("%s: %s\n", what, strerror(errno));
        fflush(stdout);
        _exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        printf("executed\n");
        return 0;
    }
    close_range(3, ~0u, 0);
    must(open("/dev/null", O_RDONLY) == 3, "the lowest number");
    for (int fd = 900; fd < 1100; ++fd) {
        must(dup2(3, fd) == fd, "dup2");
        must(fcntl(fd, F_GETFD) == 0, "what was dupped is there");
    }
    for (int fd = 900; fd < 1100; ++fd)
        must(close(fd) == 0, "close");
    close_range(3, ~0u, 0);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", argv[0], "again", (char *)0);
        execl(argv[0], argv[0], "again", (char *)0);
        _exit(2);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    printf("child %d\n", status);
    return 0;
}
"""


def main():
    weft, compiler = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "guest.c").write_text(GUEST)
        program = folder / "guest"
        subprocess.run([compiler, "-O1", "-static", "-o", program, folder / "guest.c"], check=True)
        kept = folder / "kept"
        stored = []
        for run in range(2):
            counters = folder / f"counters{run}"
            done = subprocess.run([weft, "-accel", f"tcg,translate-after=0,cache={kept},stats={counters}", program],
                                  capture_output=True, text=True, timeout=100)
            assert (done.returncode, done.stdout, done.stderr) == (0, "executed\nchild 0\n", ""), done
            stored.append(json.loads(counters.read_text())["translations_stored"])
        assert (kept.stat().st_mode & 0o777) == 0o700
        assert stored[0] < stored[1], stored
        # Whatever is done to it: a program runs.
        for damage in (lambda file: file.write_bytes(file.read_bytes()[:5000]), lambda file: file.write_bytes(b"x" * 100000),
                       lambda file: file.unlink(), lambda file: os.chmod(file, 0o666), lambda file: os.chmod(kept, 0o500)):
            for file in kept.iterdir():
                damage(file)
            done = subprocess.run([weft, "-accel", f"tcg,cache={kept}", program], capture_output=True, text=True, timeout=100)
            assert (done.returncode, done.stdout) == (0, "executed\nchild 0\n"), done
            assert all(line.startswith("weft-riscv64: ") for line in done.stderr.splitlines()), done
        # A folder that cannot be is said once, and no reason not to run.
        done = subprocess.run([weft, "-accel", "tcg,cache=/no/such/folder", program, "again"], capture_output=True, text=True,
                              timeout=100)
        assert (done.returncode, done.stdout) == (0, "executed\n"), done
        assert done.stderr == ("weft-riscv64: warning: translations are not kept: /no/such/folder: No such file or directory\n"), done
    return 0


if __name__ == "__main__":
    sys.exit(main())
