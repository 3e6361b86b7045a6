// The device tree as dtc reads it.
#include "emulator/hw/riscv/virt_fdt.h"

#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "emulator/hw/boot/device_tree.h"

namespace weft::hw::virt {
namespace {

struct Decompiled {
    std::string source;
    std::string complaints;
};

std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Decompiled decompile(const std::vector<uint8_t>& blob) {
    char folder[] = "/tmp/weft-fdt-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string base(folder);
    std::ofstream(base + "/blob", std::ios::binary)
        .write(reinterpret_cast<const char*>(blob.data()), static_cast<std::streamsize>(blob.size()));
    const char* dtc = std::getenv("WEFT_DTC");
    // dtc 1.6.1 asks for #address-cells in every interrupt controller. Only an interrupt-map needs them (Devicetree
    // Specification 2.4.3), and the binding riscv,cpu-intc.yaml forbids them.
    const std::string command = std::string(dtc != nullptr ? dtc : "dtc") +
                                " -W no-interrupt_provider -I dtb -O dts -o " + base + "/source " + base +
                                "/blob 2>" + base + "/complaints";
    CHECK(std::system(command.c_str()) == 0);
    Decompiled result{slurp(base + "/source"), slurp(base + "/complaints")};
    for (const char* name : {"/blob", "/source", "/complaints"}) {
        unlink((base + name).c_str());
    }
    rmdir(folder);
    return result;
}

// The properties of a node, one a line, without those of its subnodes; empty if there is none.
std::string properties(const std::string& source, const std::string& node) {
    const size_t start = source.find("\t" + node + " {\n");
    std::string result;
    if (start == std::string::npos) {
        return result;
    }
    size_t line = source.find('\n', start) + 1;
    for (int depth = 1; depth > 0 && line < source.size();) {
        const size_t end = source.find('\n', line);
        std::string text = source.substr(line, end - line);
        text.erase(0, text.find_first_not_of('\t'));
        if (text.ends_with("{")) {
            ++depth;
        } else if (text == "};") {
            --depth;
        } else if (depth == 1 && !text.empty()) {
            result += text + "\n";
        }
        line = end + 1;
    }
    return result;
}

TEST_CASE("the tree of two harts says what the board has") {
    const auto blob = make_device_tree({.harts = 2,
                                        .ram_size = 0x140000000,
                                        .bootargs = "root=/dev/vda ro",
                                        .initrd = DeviceTreeConfig::Initrd{0x90000000, 0x90012345}});
    const Decompiled tree = decompile(blob);
    INFO(tree.source);
    CHECK(tree.complaints == "");

    CHECK(tree.source.find("compatible = \"riscv-virtio\";\n\tmodel = \"riscv-virtio,qemu\";") !=
          std::string::npos);
    const std::string chosen = properties(tree.source, "chosen");
    CHECK(chosen.find("bootargs = \"root=/dev/vda ro\";") != std::string::npos);
    CHECK(chosen.find("stdout-path = \"/soc/serial@10000000\";") != std::string::npos);
    CHECK(chosen.find("linux,initrd-start = <0x00 0x90000000>;") != std::string::npos);
    CHECK(chosen.find("linux,initrd-end = <0x00 0x90012345>;") != std::string::npos);
    CHECK(chosen.find("rng-seed") != std::string::npos);
    CHECK(properties(tree.source, "memory@80000000") ==
          "device_type = \"memory\";\nreg = <0x00 0x80000000 0x01 0x40000000>;\n");
    CHECK(properties(tree.source, "cpus") ==
          "#address-cells = <0x01>;\n#size-cells = <0x00>;\ntimebase-frequency = <0x989680>;\n");
    CHECK(properties(tree.source, "cpu@1") ==
          "phandle = <0x05>;\n"
          "device_type = \"cpu\";\n"
          "reg = <0x01>;\n"
          "status = \"okay\";\n"
          "compatible = \"riscv\";\n"
          "riscv,isa = \"rv64imafdc_zic64b_zicbom_zicbop_zicboz_ziccamoa_zicclsm_ziccrse_zicntr_zicsr_zif"
          "encei_zihintntl_zihintpause_zihpm_zmmul_za64rs_zaamo_zalrsc_zawrs_zfa_zca_zcd_zb"
          "a_zbb_zbc_zbs_ssccptr_sscounterenw_ssstrict_sstc_sstvala_sstvecd_ssu64xl_svadu_svinval_sv"
          "vptc\";\n"
          "riscv,isa-base = \"rv64i\";\n"
          "riscv,isa-extensions = "
          "\"i\\0m\\0a\\0f\\0d\\0c\\0zic64b\\0zicbom\\0zicbop\\0zicboz\\0ziccamoa\\0"
          "zicclsm\\0ziccrse\\0zicntr\\0zicsr\\0zifencei\\0zihintntl\\0zihintpause\\0"
          "zihpm\\0zmmul\\0za64rs\\0zaamo\\0zalrsc\\0zawrs\\0zfa\\0zca\\0zcd\\0zba\\0zbb\\0"
          "zbc\\0zbs\\0ssccptr\\0sscounterenw\\0ssstrict\\0sstc\\0sstvala\\0sstvecd\\0ssu64xl\\0"
          "svadu\\0svinval\\0svvptc\";\n"
          "riscv,cbom-block-size = <0x40>;\n"
          "riscv,cbop-block-size = <0x40>;\n"
          "riscv,cboz-block-size = <0x40>;\n"
          "mmu-type = \"riscv,sv57\";\n");
    CHECK(properties(tree.source, "cpu@2").empty());
    CHECK(properties(tree.source, "interrupt-controller") ==
          "phandle = <0x04>;\n#interrupt-cells = <0x01>;\ninterrupt-controller;\n"
          "compatible = \"riscv,cpu-intc\";\n");
    CHECK(properties(tree.source, "core0") == "cpu = <0x03>;\n");
    CHECK(properties(tree.source, "core1") == "cpu = <0x05>;\n");
    CHECK(properties(tree.source, "clint@2000000") ==
          "compatible = \"sifive,clint0\\0riscv,clint0\";\n"
          "reg = <0x00 0x2000000 0x00 0x10000>;\n"
          "interrupts-extended = <0x04 0x03 0x04 0x07 0x06 0x03 0x06 0x07>;\n");
    CHECK(properties(tree.source, "interrupt-controller@c000000") ==
          "phandle = <0x01>;\n"
          "compatible = \"sifive,plic-1.0.0\\0riscv,plic0\";\n"
          "reg = <0x00 0xc000000 0x00 0x600000>;\n"
          "#address-cells = <0x00>;\n"
          "#interrupt-cells = <0x01>;\n"
          "interrupt-controller;\n"
          "riscv,ndev = <0x5f>;\n"
          "interrupts-extended = <0x04 0x0b 0x04 0x09 0x06 0x0b 0x06 0x09>;\n");
    CHECK(properties(tree.source, "serial@10000000") ==
          "compatible = \"ns16550a\";\n"
          "reg = <0x00 0x10000000 0x00 0x100>;\n"
          // 3686400, which dtc takes for two strings.
          "clock-frequency = \"\\08@\";\n"
          "interrupts = <0x0a>;\n"
          "interrupt-parent = <0x01>;\n");
    CHECK(properties(tree.source, "rtc@101000") ==
          "compatible = \"google,goldfish-rtc\";\n"
          "reg = <0x00 0x101000 0x00 0x1000>;\n"
          "interrupts = <0x0b>;\n"
          "interrupt-parent = <0x01>;\n");
    CHECK(properties(tree.source, "test@100000") ==
          "phandle = <0x02>;\n"
          "compatible = \"sifive,test1\\0sifive,test0\\0syscon\";\n"
          "reg = <0x00 0x100000 0x00 0x1000>;\n");
    CHECK(properties(tree.source, "poweroff") ==
          "compatible = \"syscon-poweroff\";\nregmap = <0x02>;\noffset = <0x00>;\nvalue = <0x5555>;\n");
    CHECK(properties(tree.source, "reboot") ==
          "compatible = \"syscon-reboot\";\nregmap = <0x02>;\noffset = <0x00>;\nvalue = <0x7777>;\n");
    // Two flash memories side by side in one node, and the configuration device.
    CHECK(properties(tree.source, "flash@20000000") ==
          "compatible = \"cfi-flash\";\n"
          "reg = <0x00 0x20000000 0x00 0x2000000 0x00 0x22000000 0x00 0x2000000>;\n"
          "bank-width = <0x04>;\n");
    CHECK(properties(tree.source, "fw-cfg@10100000") ==
          "compatible = \"qemu,fw-cfg-mmio\";\n"
          "reg = <0x00 0x10100000 0x00 0x18>;\n"
          "dma-coherent;\n");
    CHECK(properties(tree.source, "pmu") ==
          "compatible = \"riscv,pmu\";\n"
          "riscv,event-to-mhpmcounters = <0x01 0x01 0x7fff9 0x02 0x02 0x7fffc>;\n");
    // Values that QEMU's tree has (-M virt,dumpdtb=), but for the order and the window behind 5 GiB of RAM.
    CHECK(properties(tree.source, "pci@30000000") ==
          "compatible = \"pci-host-ecam-generic\";\n"
          "device_type = \"pci\";\n"
          "reg = <0x00 0x30000000 0x00 0x10000000>;\n"
          "#address-cells = <0x03>;\n"
          "#size-cells = <0x02>;\n"
          "#interrupt-cells = <0x01>;\n"
          "linux,pci-domain = <0x00>;\n"
          "bus-range = <0x00 0xff>;\n"
          "dma-coherent;\n"
          "ranges = <0x1000000 0x00 0x00 0x00 0x3000000 0x00 0x10000 0x2000000 0x00 0x40000000 0x00 "
          "0x40000000 0x00 "
          "0x40000000 0x3000000 0x04 0x00 0x04 0x00 0x04 0x00>;\n"
          "interrupt-map = <0x00 0x00 0x00 0x01 0x01 0x20 0x00 0x00 0x00 0x02 0x01 0x21 0x00 0x00 0x00 0x03 "
          "0x01 0x22 "
          "0x00 0x00 0x00 0x04 0x01 0x23 0x800 0x00 0x00 0x01 0x01 0x21 0x800 0x00 0x00 0x02 0x01 0x22 0x800 "
          "0x00 0x00 "
          "0x03 0x01 0x23 0x800 0x00 0x00 0x04 0x01 0x20 0x1000 0x00 0x00 0x01 0x01 0x22 0x1000 0x00 0x00 "
          "0x02 0x01 "
          "0x23 0x1000 0x00 0x00 0x03 0x01 0x20 0x1000 0x00 0x00 0x04 0x01 0x21 0x1800 0x00 0x00 0x01 0x01 "
          "0x23 0x1800 "
          "0x00 0x00 0x02 0x01 0x20 0x1800 0x00 0x00 0x03 0x01 0x21 0x1800 0x00 0x00 0x04 0x01 0x22>;\n"
          "interrupt-map-mask = <0x1800 0x00 0x00 0x07>;\n");
    size_t place = 0;
    for (int slot = 7; slot >= 0; --slot) {
        const std::string name = "virtio_mmio@1000" + std::to_string(slot + 1) + "000";
        char expected[160];
        std::snprintf(
            expected, sizeof expected,
            "compatible = \"virtio,mmio\";\nreg = <0x00 0x1000%d000 0x00 0x1000>;\ninterrupts = <0x%02x>;\n"
            "interrupt-parent = <0x01>;\n",
            slot + 1, slot + 1);
        CHECK(properties(tree.source, name) == expected);
        // The highest slot comes first.
        const size_t found = tree.source.find(name);
        CHECK(found > place);
        place = found;
    }
    // Nothing that is not there.
    for (const char* absent : {"platform"}) {
        CHECK(tree.source.find(absent) == std::string::npos);
    }
}

// Values that QEMU's tree has (-M virt,aclint=on -smp 2,dumpdtb=), but for the order of properties, harts and handles, and
// for the size of mtime, which QEMU makes as large as reaches to the end of a CLINT.
TEST_CASE("with aclint=on there are three devices in the place of the CLINT") {
    const Decompiled tree = decompile(make_device_tree({.harts = 2, .ram_size = 0x8000000, .aclint = true}));
    INFO(tree.source);
    CHECK(tree.complaints == "");
    CHECK(tree.source.find("clint@") == std::string::npos);
    CHECK(properties(tree.source, "mswi@2000000") ==
          "compatible = \"riscv,aclint-mswi\";\n"
          "reg = <0x00 0x2000000 0x00 0x4000>;\n"
          "interrupt-controller;\n"
          "#interrupt-cells = <0x00>;\n"
          "interrupts-extended = <0x04 0x03 0x06 0x03>;\n");
    CHECK(properties(tree.source, "mtimer@200bff8") ==
          "compatible = \"riscv,aclint-mtimer\";\n"
          "reg = <0x00 0x200bff8 0x00 0x08 0x00 0x2004000 0x00 0x7ff8>;\n"
          "interrupts-extended = <0x04 0x07 0x06 0x07>;\n");
    CHECK(properties(tree.source, "sswi@2f00000") ==
          "compatible = \"riscv,aclint-sswi\";\n"
          "reg = <0x00 0x2f00000 0x00 0x4000>;\n"
          "interrupt-controller;\n"
          "#interrupt-cells = <0x00>;\n"
          "interrupts-extended = <0x04 0x01 0x06 0x01>;\n");
}

TEST_CASE("large and small trees") {
    CHECK(decompile(make_device_tree({.harts = 1, .ram_size = 0x8000000})).complaints == "");
    const Decompiled large = decompile(
        make_device_tree({.harts = 512, .ram_size = 0x8000000, .bootargs = std::string(5000, 'x')}));
    CHECK(large.complaints == "");
    CHECK(large.source.find("cpu@1ff") != std::string::npos);
    CHECK(large.source.find(std::string(5000, 'x')) != std::string::npos);
    // Without a command line or a RAM disk there is no property for them.
    const Decompiled small = decompile(make_device_tree({.harts = 1, .ram_size = 0x8000000}));
    CHECK(small.source.find("bootargs") == std::string::npos);
    CHECK(small.source.find("initrd") == std::string::npos);
}

TEST_CASE("a tree of the user's is changed, and left as it is otherwise") {
    const auto blob = make_device_tree({.harts = 1, .ram_size = 0x8000000, .bootargs = "old"});
    auto editor = DeviceTreeEditor::open("my.dtb", blob);
    REQUIRE(editor);
    REQUIRE(editor->set_text("/chosen", "bootargs", "new " + std::string(40000, 'y')));
    REQUIRE(editor->set_wide("/fresh", "value", 0x123456789));
    const Decompiled tree = decompile(editor->finish());
    CHECK(tree.source.find("bootargs = \"new yyy") != std::string::npos);
    CHECK(properties(tree.source, "fresh") == "value = <0x01 0x23456789>;\n");
    CHECK(properties(tree.source, "memory@80000000") ==
          properties(decompile(blob).source, "memory@80000000"));

    CHECK(!DeviceTreeEditor::open("x", std::vector<uint8_t>{}));
    CHECK(!DeviceTreeEditor::open("x", std::vector<uint8_t>(100, 0)));
    CHECK(!DeviceTreeEditor::open("x", std::span(blob).first(blob.size() - 1)));
    for (size_t i = 0; i < blob.size(); i += 7) {
        auto damaged = blob;
        damaged[i] ^= 0xff;
        if (auto opened = DeviceTreeEditor::open("x", damaged)) {
            opened->set_text("/chosen", "bootargs", "still works");
        }
    }
}

TEST_CASE("a tree of the user's of a version before 16 is refused") {
    // Its root node has neither a name nor a path: libfdt's own check does not survive that (found by fuzzing).
    auto blob = make_device_tree({.harts = 1, .ram_size = 0x8000000});
    constexpr size_t kVersionAt = 0x14;
    constexpr size_t kOldestCompatibleAt = 0x18;
    for (const uint8_t version : {1, 4, 15}) {
        blob[kVersionAt + 3] = version;
        blob[kOldestCompatibleAt + 3] = 1;
        const auto opened = DeviceTreeEditor::open("old.dtb", blob);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().message() == "old.dtb: device tree of version " + std::to_string(version) +
                                              "; versions from 16 on can be read");
    }
    blob[kVersionAt + 3] = 16;
    CHECK(DeviceTreeEditor::open("x", blob));
}

}  // namespace
}  // namespace weft::hw::virt
