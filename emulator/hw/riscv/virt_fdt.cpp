#include "emulator/hw/riscv/virt_fdt.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include <string_view>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/pmu.h"
#include "emulator/hw/boot/device_tree.h"
#include "emulator/hw/char/uart16550.h"
#include "emulator/hw/misc/test_finisher.h"
#include "emulator/hw/pci/function.h"
#include "emulator/hw/riscv/clint.h"
#include "emulator/hw/riscv/plic.h"
#include "emulator/hw/riscv/virt_map.h"

namespace weft::hw::virt {

namespace {

// Handles of nodes that others point to.
constexpr uint32_t kPlicHandle = 1;
constexpr uint32_t kTestHandle = 2;
constexpr uint32_t cpu_handle(unsigned hart) { return 3 + 2 * hart; }
constexpr uint32_t intc_handle(unsigned hart) { return 4 + 2 * hart; }

std::string at(const char* name, uint64_t address) { return fmt::format("{}@{:x}", name, address); }

class Builder {
  public:
    explicit Builder(const DeviceTreeConfig& config) : config_(config) {}

    std::vector<uint8_t> build() {
        {
            const DeviceTreeNode root(tree_, "");
            tree_.cell("#address-cells", 2);
            tree_.cell("#size-cells", 2);
            tree_.text("compatible", "riscv-virtio");
            tree_.text("model", "riscv-virtio,qemu");
            add_chosen();
            add_aliases();
            add_memory();
            add_cpus();
            add_power("poweroff", "syscon-poweroff", TestFinisher::kPass);
            add_power("reboot", "syscon-reboot", TestFinisher::kReset);
            add_flash();
            add_fw_cfg();
            add_pmu();
            add_soc();
        }
        return tree_.finish();
    }

  private:
    void add_chosen() {
        const DeviceTreeNode node(tree_, "chosen");
        if (!config_.bootargs.empty()) {
            tree_.text("bootargs", config_.bootargs);
        }
        tree_.text("stdout-path", "/soc/" + at("serial", kUart.base));
        if (config_.initrd) {
            tree_.wide("linux,initrd-start", config_.initrd->start);
            tree_.wide("linux,initrd-end", config_.initrd->end);
        }
        tree_.bytes("rng-seed", std::array<uint8_t, kRngSeedSize>{});
    }

    void add_aliases() {
        const DeviceTreeNode node(tree_, "aliases");
        tree_.text("serial0", "/soc/" + at("serial", kUart.base));
    }

    void add_memory() {
        if (config_.nodes.empty()) {
            add_memory(kRamBase, config_.ram_size, std::nullopt);
        }
        uint64_t start = kRamBase;
        for (uint32_t node = 0; node < config_.nodes.size(); ++node) {
            add_memory(start, config_.nodes[node].size, node);
            start += config_.nodes[node].size;
        }
    }

    // Devicetree Specification 0.4, 3.4; `numa`: Linux' binding numa.txt.
    void add_memory(uint64_t start, uint64_t size, std::optional<uint32_t> numa) {
        const DeviceTreeNode node(tree_, at("memory", start));
        tree_.text("device_type", "memory");
        tree_.reg(start, size);
        if (numa) {
            tree_.cell("numa-node-id", *numa);
        }
    }

    void add_cpus() {
        const DeviceTreeNode cpus(tree_, "cpus");
        tree_.cell("#address-cells", 1);
        tree_.cell("#size-cells", 0);
        tree_.cell("timebase-frequency", static_cast<uint32_t>(riscv::kTimebaseHz));
        for (unsigned hart = 0; hart < config_.harts; ++hart) {
            add_cpu(hart);
        }
        const DeviceTreeNode map(tree_, "cpu-map");
        const DeviceTreeNode cluster(tree_, "cluster0");
        for (unsigned hart = 0; hart < config_.harts; ++hart) {
            const DeviceTreeNode core(tree_, fmt::format("core{}", hart));
            tree_.cell("cpu", cpu_handle(hart));
        }
    }

    void add_cpu(unsigned hart) {
        const DeviceTreeNode cpu(tree_, at("cpu", hart));
        tree_.cell("phandle", cpu_handle(hart));
        tree_.text("device_type", "cpu");
        tree_.cell("reg", hart);
        tree_.text("status", "okay");
        tree_.text("compatible", "riscv");
        tree_.text("riscv,isa", riscv::isa_string(config_.cpu));
        tree_.text("riscv,isa-base", "rv64i");
        tree_.texts("riscv,isa-extensions", riscv::isa_extensions(config_.cpu));
        for (const auto& [extension, property] :
             {std::pair{riscv::Extension::zicbom, "riscv,cbom-block-size"},
              {riscv::Extension::zicbop, "riscv,cbop-block-size"},
              {riscv::Extension::zicboz, "riscv,cboz-block-size"}}) {
            if (config_.cpu.extensions.has(extension)) {
                tree_.cell(property, riscv::kCacheBlockSize);
            }
        }
        tree_.text("mmu-type", riscv::mmu_type(config_.cpu));
        for (uint32_t node = 0; node < config_.nodes.size(); ++node) {
            if (std::ranges::count(config_.nodes[node].cpus, hart) != 0) {
                tree_.cell("numa-node-id", node);
            }
        }
        const DeviceTreeNode intc(tree_, "interrupt-controller");
        tree_.cell("phandle", intc_handle(hart));
        tree_.cell("#interrupt-cells", 1);
        tree_.flag("interrupt-controller");
        tree_.text("compatible", "riscv,cpu-intc");
    }

    void add_power(const char* name, const char* compatible, uint32_t value) {
        const DeviceTreeNode node(tree_, name);
        tree_.text("compatible", compatible);
        tree_.cell("regmap", kTestHandle);
        tree_.cell("offset", 0);
        tree_.cell("value", value);
    }

    // Linux' binding riscv,pmu.yaml: ranges of SBI's events, and the counters that can count them. No events' selectors: then
    // firmware takes the events' own numbers, which are mhpmevent's.
    void add_pmu() {
        const DeviceTreeNode node(tree_, "pmu");
        tree_.text("compatible", "riscv,pmu");
        const auto cycles = static_cast<uint32_t>(riscv::kPmuEventCycles);
        const auto instructions = static_cast<uint32_t>(riscv::kPmuEventInstructions);
        const uint32_t mask = config_.cpu.pmu_mask;
        tree_.cells("riscv,event-to-mhpmcounters",
                    {cycles, cycles, mask | uint32_t{riscv::kCounterCy}, instructions, instructions,
                     mask | uint32_t{riscv::kCounterIr}});
    }

    void add_flash() {
        const DeviceTreeNode node(tree_, at("flash", kFlash.base));
        tree_.text("compatible", "cfi-flash");
        tree_.cells(
            "reg", {0, static_cast<uint32_t>(kFlash.base), 0, static_cast<uint32_t>(kFlash.size), 0,
                    static_cast<uint32_t>(kFlash.base + kFlash.size), 0, static_cast<uint32_t>(kFlash.size)});
        tree_.cell("bank-width", 4);
    }

    void add_fw_cfg() {
        const DeviceTreeNode node(tree_, at("fw-cfg", kFwCfg.base));
        tree_.text("compatible", "qemu,fw-cfg-mmio");
        tree_.reg(kFwCfg.base, kFwCfg.size);
        tree_.flag("dma-coherent");
    }

    void add_soc() {
        const DeviceTreeNode soc(tree_, "soc");
        tree_.cell("#address-cells", 2);
        tree_.cell("#size-cells", 2);
        tree_.text("compatible", "simple-bus");
        tree_.flag("ranges");
        add_test();
        add_rtc();
        if (config_.aclint) {
            add_aclint();
        } else {
            add_clint();
        }
        add_plic();
        add_uart();
        // The highest slot is the first to be filled: kernels number disks in the order of the tree.
        for (unsigned slot = kVirtioSlots; slot-- > 0;) {
            add_virtio(slot);
        }
        add_pci();
    }

    void add_test() {
        const DeviceTreeNode node(tree_, at("test", kTestFinisher.base));
        tree_.cell("phandle", kTestHandle);
        tree_.texts("compatible", {"sifive,test1", "sifive,test0", "syscon"});
        tree_.reg(kTestFinisher.base, kTestFinisher.size);
    }

    void add_interrupt(uint32_t source) {
        tree_.cell("interrupts", source);
        tree_.cell("interrupt-parent", kPlicHandle);
    }

    void add_rtc() {
        const DeviceTreeNode node(tree_, at("rtc", kRtc.base));
        tree_.text("compatible", "google,goldfish-rtc");
        tree_.reg(kRtc.base, kRtc.size);
        add_interrupt(kRtcIrq);
    }

    // Pairs of a hart's interrupt controller and a number, for these interrupts of every hart.
    void add_hart_interrupts(std::initializer_list<riscv::Interrupt> interrupts) {
        std::vector<uint32_t> cells;
        for (unsigned hart = 0; hart < config_.harts; ++hart) {
            for (const riscv::Interrupt interrupt : interrupts) {
                cells.insert(cells.end(), {intc_handle(hart), static_cast<uint32_t>(interrupt)});
            }
        }
        tree_.cells("interrupts-extended", cells);
    }

    void add_clint() {
        const DeviceTreeNode node(tree_, at("clint", kClint.base));
        tree_.texts("compatible", {"sifive,clint0", "riscv,clint0"});
        tree_.reg(kClint.base, kClint.size);
        add_hart_interrupts({riscv::Interrupt::machine_software, riscv::Interrupt::machine_timer});
    }

    void add_aclint() {
        add_software_interrupts("mswi", "riscv,aclint-mswi", kAclintMswi, riscv::Interrupt::machine_software);
        add_machine_timer();
        add_software_interrupts("sswi", "riscv,aclint-sswi", kAclintSswi,
                                riscv::Interrupt::supervisor_software);
    }

    // As OpenSBI reads it: first where mtime is, then the compare registers.
    void add_machine_timer() {
        constexpr uint64_t kTime = kClint.base + Clint::kMtime;
        const DeviceTreeNode node(tree_, at("mtimer", kTime));
        tree_.text("compatible", "riscv,aclint-mtimer");
        const std::array<Range, 2> ranges = {{{kTime, kAclintMtimer.base + kAclintMtimer.size - kTime},
                                              {kAclintMtimer.base, kTime - kAclintMtimer.base}}};
        std::vector<uint32_t> cells;
        for (const Range& range : ranges) {
            for (const uint64_t part : {range.base >> 32, range.base, range.size >> 32, range.size}) {
                cells.push_back(static_cast<uint32_t>(part));
            }
        }
        tree_.cells("reg", cells);
        add_hart_interrupts({riscv::Interrupt::machine_timer});
    }

    void add_software_interrupts(const char* name, const char* compatible, Range range,
                                 riscv::Interrupt interrupt) {
        const DeviceTreeNode node(tree_, at(name, range.base));
        tree_.text("compatible", compatible);
        tree_.reg(range.base, range.size);
        tree_.flag("interrupt-controller");
        tree_.cell("#interrupt-cells", 0);
        add_hart_interrupts({interrupt});
    }

    void add_plic() {
        const DeviceTreeNode node(tree_, at("interrupt-controller", kPlic.base));
        tree_.cell("phandle", kPlicHandle);
        tree_.texts("compatible", {"sifive,plic-1.0.0", "riscv,plic0"});
        tree_.reg(kPlic.base, kPlic.size);
        tree_.cell("#address-cells", 0);
        tree_.cell("#interrupt-cells", 1);
        tree_.flag("interrupt-controller");
        tree_.cell("riscv,ndev", Plic::kSources - 1);
        add_hart_interrupts({riscv::Interrupt::machine_external, riscv::Interrupt::supervisor_external});
    }

    void add_uart() {
        const DeviceTreeNode node(tree_, at("serial", kUart.base));
        tree_.text("compatible", "ns16550a");
        tree_.reg(kUart.base, kUart.size);
        tree_.cell("clock-frequency", Uart16550::kClockHz);
        add_interrupt(kUartIrq);
    }

    void add_virtio(unsigned slot) {
        const uint64_t base = kVirtio.base + slot * kVirtio.size;
        const DeviceTreeNode node(tree_, at("virtio_mmio", base));
        tree_.text("compatible", "virtio,mmio");
        tree_.reg(base, kVirtio.size);
        add_interrupt(kVirtioIrq + slot);
    }

    // PCI Bus Binding to IEEE 1275, as Linux' bindings host-generic-pci and pci-iommu have it.
    void add_pci() {
        const DeviceTreeNode node(tree_, at("pci", kPciEcam.base));
        tree_.text("compatible", "pci-host-ecam-generic");
        tree_.text("device_type", "pci");
        tree_.reg(kPciEcam.base, kPciEcam.size);
        tree_.cell("#address-cells", 3);
        tree_.cell("#size-cells", 2);
        tree_.cell("#interrupt-cells", 1);
        tree_.cell("linux,pci-domain", 0);
        tree_.cells("bus-range", {0, 0xff});
        tree_.flag("dma-coherent");
        std::vector<uint32_t> ranges;
        const auto window = [&](uint32_t kind, uint64_t pci, Range cpu) {
            for (const uint64_t part :
                 {uint64_t{kind}, pci >> 32, pci, cpu.base >> 32, cpu.base, cpu.size >> 32, cpu.size}) {
                ranges.push_back(static_cast<uint32_t>(part));
            }
        };
        window(0x01000000, 0, kPciIo);
        window(0x02000000, kPciMemory.base, kPciMemory);
        const Range high = pci_high_memory(config_.ram_size);
        window(0x03000000, high.base, high);
        tree_.cells("ranges", ranges);
        // A slot's pins go to the wires that follow from its number.
        std::vector<uint32_t> map;
        for (unsigned slot = 0; slot < PciWires::kCount; ++slot) {
            for (unsigned pin = 0; pin < PciWires::kCount; ++pin) {
                const unsigned wire = (slot + pin) % PciWires::kCount;
                map.insert(map.end(), {slot << 11, 0, 0, pin + 1, kPlicHandle, kPciIrq + wire});
            }
        }
        tree_.cells("interrupt-map", map);
        tree_.cells("interrupt-map-mask", {(PciWires::kCount - 1) << 11, 0, 0, 7});
    }

    const DeviceTreeConfig& config_;
    DeviceTreeWriter tree_;
};

}  // namespace

std::vector<uint8_t> make_device_tree(const DeviceTreeConfig& config) { return Builder(config).build(); }

}  // namespace weft::hw::virt
