"""Runs the guest that uses flash memories, started by code in flash memory 0, and looks at the images afterwards.

  flash_test.py EMULATOR MODULES WAY PROGRAM

WAY is end (the guest checks itself and powers off) or kill (the emulator is killed while the guest programs words: all that it had
told of are in the image). MODULES may be empty: then EMULATOR takes no such option.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

SIZE = 32 << 20
BLOCK = 256 << 10
# Leaves a mark in RAM and goes on where the kernel is.
STUB = (0x00100293,  # li t0, 1
        0x01F29293,  # slli t0, t0, 31
        0x08700313,  # li t1, 0x87
        0x01831313,  # slli t1, t1, 24
        0x05A00393,  # li t2, 0x5a
        0x00732023,  # sw t2, 0(t1)
        0x00028067)  # jr t0


def main():
    emulator, modules, way, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        code, store = pathlib.Path(folder) / "code", pathlib.Path(folder) / "store"
        with code.open("wb") as file:
            file.write(struct.pack("<7I", *STUB))
            file.truncate(SIZE)
        image = bytearray(SIZE)
        struct.pack_into("<I", image, 2 * BLOCK, 1 if way == "kill" else 0)
        struct.pack_into("<I", image, 2 * BLOCK + 16, 0x89ABCDEF)
        struct.pack_into("<I", image, 2 * BLOCK + 20, 0x89ABCDEF)
        store.write_bytes(image)
        command = [emulator] + (["-module-dir", modules] if modules else [])
        command += ["-machine", "virt,pflash1=store", "-bios", "none", "-kernel", program, "-m", "128M", "-nographic",
                    "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=%s" % code,
                    "-blockdev", "driver=raw,node-name=store,file.driver=file,file.filename=%s" % store]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, told = "", 0
        for line in process.stdout:
            line = line.decode(errors="replace")
            output += line
            found = re.match(r"programmed (?:0x)?([0-9a-f]+)", line)
            told = int(found.group(1), 16) if found else told
            if found and told >= 1024:
                process.kill()
                break
        status = process.wait()
        after = store.read_bytes()
        if way == "kill":
            words = struct.unpack_from("<%dI" % told, after, 3 * BLOCK)
            passed = told >= 1024 and words == tuple(range(told))
        else:
            expected = bytearray(image)
            expected[0:BLOCK] = b"\xff" * BLOCK
            struct.pack_into("<I", expected, 0x100, 0x12345678)
            expected[BLOCK:2 * BLOCK] = b"\xff" * BLOCK
            struct.pack_into("<2I", expected, BLOCK, 0x02A00513, 0x00008067)
            passed = status == 0 and "PASS " in output and after == expected
    if not passed:
        print(output)
        print("exit status", status, "words told of", told)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
