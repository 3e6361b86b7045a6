#!/usr/bin/env python3
"""Writes the C++ source of COUNT different small functions: make_cold.py COUNT >FILE (see cold.h).

The same count gives the same source.
"""

import random
import sys


def expression(draw):
    other = draw.choice(["a", "b", "c"])
    return draw.choice([
        f"a + {other} * {draw.randrange(3, 1 << 12)}u",
        f"b ^ ({other} << {draw.randrange(1, 40)})",
        f"(a - {other}) >> {draw.randrange(1, 24)}",
        f"c | ({other} & {draw.randrange(1, 1 << 30)}u)",
        f"(({other} >> 3) < b ? a : c + {draw.randrange(1, 2000)}u)",
        f"a * ({other} | 1) + b",
    ])


def function(index, draw):
    lines = [f"u64 f{index}(u64 a, u64 b)", "{", f"    u64 c = a ^ {draw.randrange(1 << 32)}u;"]
    for _ in range(draw.randrange(2, 6)):
        lines.append(f"    {draw.choice('abc')} = {expression(draw)};")
    if draw.randrange(2):
        lines += [f"    if ((a & {draw.randrange(1, 64)}u) == 0)", f"        b += {expression(draw)};"]
    return lines + [f"    return a + b * {draw.randrange(3, 99)}u + c;", "}", ""]


def main():
    count = int(sys.argv[1])
    draw = random.Random(20000)
    lines = ['#include "cold.h"', "", "namespace {", "", "using u64 = std::uint64_t;", ""]
    for index in range(count):
        lines += function(index, draw)
    lines += ["} // namespace", "", "extern \"C\" const bench::cold::Part bench_cold = {"]
    lines += ["    " + ", ".join(f"f{i}" for i in range(start, min(start + 10, count))) + ","
              for start in range(0, count, 10)]
    lines += ["};"]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
