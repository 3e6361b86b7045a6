import unittest

from script_under_test import ROOT
from tree_check import TreeCheck


class CheckLayers(TreeCheck):
    command = [ROOT / "scripts/check-layers"]

    def test_allowed_directions(self):
        self.write("base/error.h", "#include <expected>\n#include <fmt/format.h>\n")
        self.write("include/weft/ir.h", '#include "base/error.h"\n#include "weft/abi.h"\n#include <cstdint>\n')
        self.write("include/weft/abi.h", "#include <stdint.h>\n")
        self.write("tcg/opt/fold.cpp", '#include "base/error.h"\n#include "weft/ir.h"\n#include "tcg/ir/table.h"\n')
        self.write("tcg/ir/table.h", "")
        self.write("accel/tcg/loop.cpp", '#include "tcg/ir/table.h"\n#include "weft/ir.h"\n#include <glib.h>\n')
        self.write("emulator/hw/uart.cpp", '#include "emulator/memory/region.h"\n#include "weft/abi.h"\n')
        self.write("emulator/memory/region.h", "")
        self.write("emulator/system/main.cpp", '#include "emulator/memory/region.h"\n#include "softfloat/f64.h"\n')
        for includer, included in [
                ("guest/riscv/cpu/csr.cpp", "guest/riscv/isa/table.h"), ("guest/riscv/translate/a.cpp", "guest/riscv/cpu/csr.h"),
                ("guest/riscv/guest_arch.cpp", "guest/riscv/translate/a.h"), ("backend/char/stdio.h", "backend/event_loop.h"),
                ("backend/char/stdio.h", "backend/char/char_backend.h"), ("hw/core/board.h", "backend/block/block_backend.h"),
                ("hw/char/uart.cpp", "backend/char/char_backend.h"), ("hw/char/uart.cpp", "hw/core/irq.h"),
                ("hw/nvme/nvme.cpp", "hw/core/irq.h"), ("hw/riscv/plic.cpp", "guest/riscv/cpu/hart.h"),
                ("hw/riscv/virt.h", "hw/char/uart.h"), ("hw/riscv/virt.h", "hw/virtio/mmio.h"),
                ("hw/riscv/virt.cpp", "guest/riscv/guest_arch.h"), ("hw/machine_types.cpp", "hw/riscv/virt.h"),
                ("hw/device_types.cpp", "hw/virtio/blk.h"), ("machine/machine.h", "hw/core/board.h"),
                ("machine/main_loop.h", "backend/event_loop.h"), ("machine/machine.h", "accel/loader.h"),
                ("control/monitor.h", "machine/operations.h"), ("system/main.cpp", "control/monitor.h"),
                ("system/main.cpp", "hw/machine_types.h"), ("system/main.cpp", "backend/block/raw.h"),
                ("linux-user/main.cpp", "guest/riscv/cpu/csr.h"), ("linux-user/main.cpp", "accel/loader.h"),
                ("linux-user/debug/a.cpp", "control/gdb/session.h"), ("control/monitor.cpp", "control/gdb/session.h")]:
            file = self.root / "emulator" / includer
            text = file.read_text() if file.exists() else ""
            self.write(f"emulator/{includer}", text + f'#include "emulator/{included}"\n')
        self.write("subprojects/softfloat/include/softfloat/f64.h", "#include <cstdint>\n")
        self.write("subprojects/softfloat/src/f64.cpp", '#include "softfloat/f64.h"\n#include "base/own.h"\n')
        self.write("subprojects/softfloat/src/base/own.h", "")
        self.write("tests/tcg/all.cpp", '#include "tcg/ir/table.h"\n#include "emulator/memory/region.h"\n')
        self.assert_clean()

    def test_each_forbidden_direction(self):
        for includer, included in [
                ("base/a.h", "weft/ir.h"), ("base/a.cpp", "tcg/a.h"), ("include/weft/a.h", "tcg/a.h"),
                ("include/weft/a.h", "emulator/hw/a.h"), ("tcg/ir/a.cpp", "accel/tcg/a.h"),
                ("tcg/ir/a.cpp", "emulator/guest/riscv/isa/a.h"), ("accel/tcg/a.cpp", "emulator/memory/a.h"),
                ("accel/tcg/a.cpp", "emulator/system/a.h"), ("emulator/system/a.cpp", "accel/tcg/a.h"),
                ("emulator/hw/a.cpp", "tcg/a.h"), ("emulator/guest/riscv/isa/a.cpp", "emulator/system/a.h"),
                ("emulator/memory/a.cpp", "emulator/system/a.h"), ("emulator/hw/a.cpp", "emulator/system/a.h"),
                ("emulator/hw/a.cpp", "emulator/linux-user/a.h"), ("base/a.cpp", "softfloat/f64.h"),
                ("include/weft/a.h", "softfloat/f64.h"), ("tcg/a.cpp", "tests/helper.h"),
                ("subprojects/softfloat/src/a.cpp", "base/error.h"),
                ("subprojects/softfloat/src/a.cpp", "weft/ir.h")]:
            with self.subTest(includer=includer, included=included):
                self.setUp()
                self.write("subprojects/softfloat/include/softfloat/f64.h", "")
                self.write(includer, f'#pragma once\n#include "{included}"\n')
                self.assert_violation(f"{includer}:2", included)

    def test_each_forbidden_direction_within_the_emulator(self):
        for includer, included in [
                ("memory/a.h", "guest/riscv/cpu/a.h"), ("memory/a.h", "hw/core/a.h"), ("memory/a.h", "backend/a.h"),
                ("memory/a.h", "accel/a.h"), ("memory/a.h", "machine/a.h"), ("memory/a.h", "control/a.h"),
                ("guest/riscv/isa/a.h", "memory/a.h"), ("guest/riscv/cpu/a.h", "memory/a.h"),
                ("guest/riscv/cpu/a.h", "hw/core/a.h"), ("guest/riscv/translate/a.h", "accel/a.h"),
                ("guest/riscv/guest_arch.cpp", "machine/a.h"), ("guest/riscv/isa/a.h", "guest/riscv/cpu/a.h"),
                ("guest/riscv/isa/a.h", "guest/riscv/translate/a.h"), ("guest/riscv/cpu/a.h", "guest/riscv/translate/a.h"),
                ("guest/riscv/translate/a.h", "guest/riscv/guest_arch.h"), ("guest/arm/isa/a.h", "guest/riscv/isa/a.h"),
                ("hw/char/a.h", "guest/riscv/cpu/a.h"), ("hw/core/a.h", "guest/riscv/cpu/a.h"),
                ("hw/virtio/a.h", "guest/riscv/guest_arch.h"), ("hw/device_types.cpp", "guest/riscv/cpu/a.h"),
                ("hw/riscv/a.h", "guest/riscv/translate/a.h"), ("hw/char/a.h", "backend/char/char_stdio.h"),
                ("hw/core/a.h", "backend/event_loop.h"), ("hw/virtio/a.h", "backend/block/raw.h"),
                ("hw/core/a.h", "hw/virtio/a.h"), ("hw/boot/a.h", "hw/core/a.h"), ("hw/virtio/a.h", "hw/riscv/a.h"),
                ("hw/char/a.h", "machine/a.h"), ("hw/riscv/a.h", "machine/a.h"), ("hw/riscv/a.h", "system/a.h"),
                ("hw/riscv/a.h", "accel/a.h"), ("backend/char/a.h", "hw/core/a.h"), ("backend/a.h", "machine/a.h"),
                ("backend/block/a.h", "memory/a.h"), ("backend/char/char_backend.h", "backend/event_loop.h"),
                ("accel/a.h", "machine/a.h"), ("accel/a.h", "memory/a.h"), ("machine/a.h", "control/a.h"),
                ("machine/a.h", "system/a.h"), ("machine/a.h", "guest/riscv/cpu/a.h"),
                ("machine/a.h", "guest/riscv/guest_arch.h"), ("machine/a.h", "hw/riscv/a.h"), ("machine/a.h", "hw/char/a.h"),
                ("control/a.h", "system/a.h"), ("control/gdb/a.h", "machine/a.h"), ("linux-user/a.h", "control/a.h"),
                ("control/a.h", "hw/riscv/a.h"), ("control/a.h", "backend/char/char_mux.h"),
                ("system/a.h", "linux-user/a.h"), ("system/a.h", "hw/riscv/a.h"), ("linux-user/a.h", "system/a.h"),
                ("linux-user/a.h", "machine/a.h"), ("linux-user/a.h", "hw/core/a.h")]:
            with self.subTest(includer=includer, included=included):
                self.setUp()
                self.write("emulator/" + includer, f'#pragma once\n#include "emulator/{included}"\n')
                self.assert_violation(f"emulator/{includer}:2", included)

    def test_relative_path_does_not_hide_the_layer(self):
        self.write("emulator/system/options.h", "")
        self.write("accel/tcg/a.cpp", '#include "../../emulator/system/options.h"\n')
        self.assert_violation("accel/tcg/a.cpp:1", "emulator/system")

    def test_angle_brackets_do_not_hide_the_layer(self):
        self.write("tcg/a.cpp", "\n#  include  <emulator/hw/uart.h>\n")
        self.assert_violation("tcg/a.cpp:2", "emulator/hw")

    def test_public_headers_take_nothing_foreign(self):
        self.write("include/weft/a.h", "#include <vector>\n#include <glib.h>\n")
        self.assert_violation("include/weft/a.h:2", "glib.h")

    def test_textual_includes(self):
        for name in ("table.inc", "other.cpp", "decode.c.inc"):
            with self.subTest(name=name):
                self.setUp()
                self.write("tests/tcg/a.cpp", f'#include "{name}"\n')
                self.assert_violation("tests/tcg/a.cpp:1", "textual include")

    def test_computed_include(self):
        self.write("base/a.cpp", "#include WEFT_TABLE\n")
        self.assert_violation("base/a.cpp:1", "WEFT_TABLE")

    def test_comments_and_raw_strings_are_no_includes(self):
        self.write("tcg/a.cpp", '/* " \n#include "emulator/hw/a.h"\n*/\n// "/*\n'
                                'auto s = R"x(/* "\n#include "emulator/hw/b.h"\n)x";\n'
                                'auto t = "/*";\n#include "emulator/hw/c.h"\n/* */\n')
        self.assert_violation("tcg/a.cpp:9", "emulator/hw/c.h")

    def test_long_files(self):
        self.write("base/fits.cpp", "\n" * 800)
        self.write("docs/long.md", "\n" * 900)
        self.assert_clean()
        for path, first in [("base/long.h", "\n"), ("scripts/long", "#!/bin/sh\n"), ("scripts/long.py", "\n")]:
            with self.subTest(path=path):
                self.write(path, first + "\n" * 800)
                self.assert_violation(f"{path}:801", "801 lines")
                (self.root / path).unlink()

    def test_build_folders_are_left_out(self):
        self.write("build/generated/a.cpp", '#include "x.cpp"\n')
        self.write("build-clang/a.cpp", '#include "x.cpp"\n')
        self.write(".cache/a.cpp", '#include "x.cpp"\n')
        self.assert_clean()


if __name__ == "__main__":
    unittest.main()
