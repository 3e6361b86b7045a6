"""Runs a fuzz entry that was linked with libFuzzer.

    run_libfuzzer.py PROGRAM RUNS SECONDS FOUND CORPUS [OPTION...]

Does RUNS inputs from the seed WEFT_TEST_SEED, or 1: the same ones each time, and nothing is kept of what they reach. With
WEFT_TEST_FULL it goes on for SECONDS with a seed of libFuzzer's choice, and inputs that reach something new are left in the
folder FOUND for the next time.
"""
import os
import subprocess
import sys
import tempfile


def main(arguments):
    program, runs, seconds, found, corpus = arguments[:5]
    options = arguments[5:]
    if os.environ.get("WEFT_TEST_FULL"):
        os.makedirs(found, exist_ok=True)
        return subprocess.call([program, f"-max_total_time={seconds}", *options, found, corpus])
    seed = int(os.environ.get("WEFT_TEST_SEED", "1"), 0)
    print(f"WEFT_TEST_SEED={seed}", flush=True)
    # libFuzzer writes into the first folder that it is given. Its seeds have 32 bits, and 0 stands for any.
    with tempfile.TemporaryDirectory() as scratch:
        return subprocess.call([program, f"-runs={runs}", f"-seed={seed & 0xffffffff or 1}", *options, scratch, corpus])


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
