#!/usr/bin/env python3
"""Writes the C source of a guest load with a large code footprint, for `scripts/bench cache`.

    make_cache_load.py OUTPUT

What a compiler does to a code cache: several processes of one program run one after another, two at a time; each goes
through phases; a phase calls functions of its own, a few of them often and most of them now and then, and functions that
all phases share. The program is the guest's first process. Compiled for the host, with an argument, it prints what the
guest has to print: the oracle.
"""

import random
import sys

PHASES = 10
OF_PHASE = 256    # functions of a phase
SHARED = 128      # functions of all phases
CALLS = 500_000   # in a phase
PROCESSES = 4
SIDE_BY_SIDE = 2
SEED = 20240607

PROLOGUE = """\
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t data[1024];
typedef uint64_t Function(uint64_t x);
"""

MAIN = """\
static uint64_t next(uint64_t* state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* One process: all phases. */
static uint64_t work(unsigned process) {
    uint64_t state = process + 1;
    uint64_t sum = 0;
    for (unsigned i = 0; i < 1024; ++i) {
        data[i] = next(&state);
    }
    for (unsigned phase = 0; phase < PHASES; ++phase) {
        for (unsigned call = 0; call < CALLS; ++call) {
            const uint64_t choice = next(&state);
            const uint64_t place = next(&state) & 1023;
            if ((choice & 3) == 0) {
                sum += functions[PHASES * OF_PHASE + (choice >> 2) % SHARED](sum ^ choice);
            } else {
                /* The square: a quarter of the functions gets half of the calls. */
                sum += functions[phase * OF_PHASE + (place * place >> 10) * OF_PHASE / 1024](sum ^ choice);
            }
        }
    }
    return sum;
}

int main(int count, char** arguments) {
    const int guest = getpid() == 1;
    if (count == 3 && strcmp(arguments[1], "work") == 0) {
        printf("WEFT cache process=%s sum=%016llx\\n", arguments[2], (unsigned long long)work(atoi(arguments[2])));
        return 0;
    }
    puts("WEFT cache begin");
    fflush(stdout);
    int bad = 0;
    for (unsigned process = 0; process < PROCESSES + SIDE_BY_SIDE; ++process) {
        int status = 0;
        if (process >= SIDE_BY_SIDE && (wait(&status) < 0 || status != 0)) {
            bad = 1;
        }
        if (process < PROCESSES && fork() == 0) {
            char number[16];
            snprintf(number, sizeof number, "%u", process);
            execl(guest ? "/init" : "/proc/self/exe", "init", "work", number, (char*)0);
            _exit(127);
        }
    }
    puts(bad ? "WEFT cache failed" : "WEFT cache end");
    fflush(stdout);
    if (guest) {
        reboot(RB_POWER_OFF);
    }
    return bad;
}
"""


def function(number, rng):
    """Branches, arithmetic, loads and stores: about fifty instructions, which depend on `x`."""
    lines = [f"static uint64_t f{number}(uint64_t x) {{", f"    uint64_t y = x ^ {rng.getrandbits(32)}u;"]
    for _ in range(rng.randint(4, 7)):
        bit, shift, place = rng.randrange(40), rng.randrange(1, 30), rng.randrange(1024)
        constant = rng.getrandbits(rng.choice((8, 11, 16)))
        step = rng.choice((
            f"y += (x >> {shift}) * {constant | 1}u;",
            f"y ^= data[(x >> {shift}) & 1023] + {constant}u;",
            f"data[{place}] += y ^ {constant}u;",
            f"y = (y << {shift}) | (y >> {64 - shift});",
            f"for (unsigned i = 0; i < {rng.randint(2, 4)}; ++i) {{ y += y >> {shift}; x ^= y + i; }}",
        ))
        lines.append(f"    if (x >> {bit} & 1) {{ {step} }} else {{ y -= x + {constant}u; }}")
        lines.append(f"    x += y ^ data[{rng.randrange(1024)}];")
    return "\n".join(lines + ["    return x ^ y;", "}"])


def main():
    rng = random.Random(SEED)
    count = PHASES * OF_PHASE + SHARED
    with open(sys.argv[1], "w", encoding="utf-8") as output:
        output.write(PROLOGUE)
        for name in ("PHASES", "OF_PHASE", "SHARED", "CALLS", "PROCESSES", "SIDE_BY_SIDE"):
            output.write(f"#define {name} {globals()[name]}u\n")
        for number in range(count):
            output.write(function(number, rng) + "\n")
        output.write("static Function* const functions[] = {\n")
        # In another order than in memory, as a linker's order is none of the phases'.
        order = list(range(count))
        rng.shuffle(order)
        output.write("".join(f"    f{number},\n" for number in order) + "};\n")
        output.write(MAIN)


main()
