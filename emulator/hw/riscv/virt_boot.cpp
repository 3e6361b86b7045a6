#include "emulator/hw/riscv/virt_boot.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "base/text_values.h"
#include "emulator/hw/boot/device_tree.h"
#include "emulator/hw/boot/elf_image.h"
#include "emulator/hw/boot/gzip.h"
#include "emulator/hw/boot/kernel_image.h"
#include "emulator/hw/riscv/virt_fdt.h"
#include "emulator/hw/riscv/virt_map.h"
#include "weft/memory.h"

namespace weft::hw::virt {

namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kPlacement =
    2 * kMiB;  // kernels and device trees are aligned for the largest early mappings

class Planner {
  public:
    explicit Planner(const BootConfig& config) : config_(config), ram_end_(kRamBase + config.ram_size) {}

    Result<BootPlan> plan() {
        for (const auto step :
             {&Planner::choose_cpu, &Planner::place_firmware, &Planner::place_kernel, &Planner::place_initrd,
              &Planner::make_tree, &Planner::place_tree, &Planner::place_loads, &Planner::make_fw_cfg}) {
            if (auto done = (this->*step)(); !done) {
                return std::unexpected(done.error());
            }
        }
        make_reset_rom();
        return std::move(plan_);
    }

  private:
    Result<> check_memory(const std::string& name, uint64_t low, uint64_t high) const {
        if (low < kRamBase || high > ram_end_) {
            return fail(
                fmt::format("{}: needs memory at {:#x} to {:#x}, but RAM is at {:#x} to {:#x} ({} MiB)", name,
                            low, high - 1, kRamBase, ram_end_ - 1, config_.ram_size / kMiB));
        }
        return {};
    }

    // Takes an image's segments over, and the memory up to image.high.
    Result<> place(const std::string& name, LoadedImage image) {
        if (auto fits = check_memory(name, image.low, image.high); !fits) {
            return fits;
        }
        for (const LoadSegment& placed : plan_.segments) {
            for (const LoadSegment& segment : image.segments) {
                if (segment.paddr < placed.paddr + placed.memory_size &&
                    placed.paddr < segment.paddr + segment.memory_size) {
                    return fail(fmt::format("{}: overlaps what is loaded at {:#x} to {:#x} already", name,
                                            placed.paddr, placed.paddr + placed.memory_size - 1));
                }
            }
        }
        top_ = std::max(top_, image.high);
        std::ranges::move(image.segments, std::back_inserter(plan_.segments));
        return {};
    }

    Result<> choose_cpu() {
        if (config_.cpu.empty()) {
            return {};
        }
        auto cpu = riscv::parse_cpu_model(config_.cpu);
        if (!cpu) {
            return std::unexpected(cpu.error());
        }
        plan_.cpu = *cpu;
        return {};
    }

    Result<> place_firmware() {
        if (!config_.firmware) {
            return {};
        }
        auto image = load_firmware(*config_.firmware, kRamBase);
        if (!image) {
            return std::unexpected(image.error());
        }
        start_ = image->entry;
        kernel_base_ = align_up(image->high, kPlacement);
        return place(config_.firmware->name, std::move(*image));
    }

    // Loaded by what the flash memory holds, not by us.
    bool kernel_is_for_flash() const { return config_.flash && config_.firmware; }

    Result<> place_kernel() {
        if (!config_.kernel) {
            if (config_.initrd) {
                return fail(
                    fmt::format("{}: an initial RAM disk needs a kernel (-kernel)", config_.initrd->name));
            }
            if (!config_.append.empty()) {
                return fail("a kernel command line (-append) needs a kernel (-kernel)");
            }
            return {};
        }
        if (kernel_is_for_flash()) {
            return {};
        }
        auto image = load_kernel(*config_.kernel, kernel_base_, config_.ram_size);
        if (!image) {
            return std::unexpected(image.error());
        }
        kernel_low_ = image->low;
        kernel_high_ = image->high;
        kernel_entry_ = image->entry;
        if (!config_.firmware) {
            start_ = image->entry;
        }
        return place(config_.kernel->name, std::move(*image));
    }

    Result<> place_initrd() {
        if (!config_.initrd || kernel_is_for_flash()) {
            return {};
        }
        // Far enough up for the kernel to unpack itself.
        const uint64_t distance = std::min(config_.ram_size / 2, 512 * kMiB);
        const uint64_t start = align_up(std::max(kernel_low_ + distance, kernel_high_), kPageSize);
        auto image = load_raw(*config_.initrd, start);
        if (!image) {
            return std::unexpected(image.error());
        }
        initrd_ = DeviceTreeConfig::Initrd{image->low, image->high};
        return place(config_.initrd->name, std::move(*image));
    }

    Result<> make_tree() {
        if (!config_.dtb) {
            plan_.device_tree = make_device_tree({.harts = config_.cpus,
                                                  .cpu = plan_.cpu,
                                                  .ram_size = config_.ram_size,
                                                  .nodes = config_.nodes,
                                                  .bootargs = config_.append,
                                                  .aclint = config_.aclint,
                                                  .initrd = initrd_});
            return {};
        }
        auto tree = DeviceTreeEditor::open(config_.dtb->name, config_.dtb->bytes);
        if (!tree) {
            return std::unexpected(tree.error());
        }
        Result<> done;
        if (!config_.append.empty()) {
            done = tree->set_text("/chosen", "bootargs", config_.append);
        }
        if (done && initrd_) {
            done = tree->set_wide("/chosen", "linux,initrd-start", initrd_->start);
        }
        if (done && initrd_) {
            done = tree->set_wide("/chosen", "linux,initrd-end", initrd_->end);
        }
        if (done) {
            plan_.device_tree = tree->finish();
        }
        return done;
    }

    Result<> place_tree() {
        // Below 3 GiB if that is possible, for early code with 32-bit addresses; otherwise at the end of RAM.
        constexpr uint64_t kLowEnd = 3072 * kMiB;
        const uint64_t size = plan_.device_tree.size();
        for (const uint64_t end : {std::min(ram_end_, kLowEnd), ram_end_}) {
            const uint64_t address = align_down(end - std::min(end, size), kPlacement);
            // Not at the very start of RAM either: what a debugger or the guest itself puts there is run.
            if (address > kRamBase && address >= top_) {
                plan_.device_tree_address = address;
                return {};
            }
        }
        return fail(fmt::format(
            "memory of {} MiB has no room for the device tree ({} KiB) above what is loaded up to {:#x}",
            config_.ram_size / kMiB, size / 1024 + 1, std::max(top_, kRamBase)));
    }

    // Wherever the user says, so they move nothing else.
    Result<> place_loads() {
        for (const BootLoad& load : config_.loads) {
            uint64_t entry = load.address.value_or(0);
            if (!load.file.bytes.empty()) {
                const bool elf = is_elf(load.file.bytes) && !load.force_raw;
                auto image = elf ? load_elf(load.file) : load_raw(load.file, entry);
                if (!image) {
                    return std::unexpected(image.error());
                }
                entry = image->entry;
                const uint64_t tree_end = plan_.device_tree_address + plan_.device_tree.size();
                if (image->low < tree_end && plan_.device_tree_address < image->high) {
                    return fail(fmt::format("{}: overlaps the device tree at {:#x} to {:#x}", load.file.name,
                                            plan_.device_tree_address, tree_end - 1));
                }
                if (auto placed = place(load.file.name, std::move(*image)); !placed) {
                    return placed;
                }
            }
            if (load.cpu && *load.cpu >= config_.cpus) {
                return fail(fmt::format("{}: there is no CPU {} (0 to {})", load.file.name, *load.cpu,
                                        config_.cpus - 1));
            }
            if (load.cpu) {
                plan_.beginnings[*load.cpu] = entry;
            }
        }
        return {};
    }

    Result<> make_fw_cfg() {
        FwCfgItems& items = plan_.fw_cfg;
        items.add_number(FwCfgItems::kCpuCount, config_.cpus, 2);
        items.add_number(FwCfgItems::kRamSize, config_.ram_size, 8);
        if (kernel_is_for_flash() && config_.kernel) {
            SharedBytes kernel = config_.kernel->bytes;
            if (is_gzip(kernel)) {
                auto unpacked = unpack_gzip(config_.kernel->name, kernel, config_.ram_size);
                if (!unpacked) {
                    return std::unexpected(unpacked.error());
                }
                kernel = std::move(*unpacked);
            }
            add_sized(FwCfgItems::kKernelSize, FwCfgItems::kKernelData, std::move(kernel));
            if (config_.initrd) {
                add_sized(FwCfgItems::kInitrdSize, FwCfgItems::kInitrdData, config_.initrd->bytes);
            }
            std::vector<uint8_t> line(config_.append.begin(), config_.append.end());
            line.push_back(0);
            add_sized(FwCfgItems::kCommandLineSize, FwCfgItems::kCommandLineData, std::move(line));
        }
        for (const BootFile& file : config_.fw_cfg) {
            if (Result<> added = items.add_file(file.name, file.bytes); !added) {
                return std::unexpected(added.error().within("-fw_cfg"));
            }
        }
        items.finish();
        return {};
    }

    void add_sized(uint16_t size_key, uint16_t data_key, SharedBytes bytes) {
        plan_.fw_cfg.add_number(size_key, bytes.size(), 4);
        plan_.fw_cfg.add(data_key, std::move(bytes));
    }

    void make_reset_rom() {
        if (config_.flash) {
            (config_.firmware ? kernel_entry_ : start_) = kFlash.base;
        }
        // RISC-V unprivileged specification, chapter "RV32/64G Instruction Set Listings".
        for (const uint32_t instruction : {
                 0x00000297u,  // 0x1000: auipc t0, 0
                 0x02828613u,  //         addi  a2, t0, 0x28   fw_dynamic information
                 0xf1402573u,  //         csrr  a0, mhartid
                 0x0202b583u,  //         ld    a1, 0x20(t0)   device tree
                 0x0182b283u,  //         ld    t0, 0x18(t0)   start
                 0x00028067u,  //         jr    t0
             }) {
            put(instruction, 4);
        }
        put(start_, 8);
        put(plan_.device_tree_address, 8);
        // OpenSBI, include/sbi/fw_dynamic.h: struct fw_dynamic_info, version 2.
        put(0x4942534f, 8);  // "OSBI"
        put(2, 8);
        put(kernel_entry_, 8);  // next_addr
        put(1, 8);              // next_mode: S
        put(0, 8);              // options
        put(0, 8);              // boot_hart
    }

    void put(uint64_t value, unsigned size) {
        for (unsigned i = 0; i < size; ++i) {
            plan_.reset_rom.push_back(static_cast<uint8_t>(value >> 8 * i));
        }
    }

    const BootConfig& config_;
    const uint64_t ram_end_;
    BootPlan plan_;
    uint64_t top_ = 0;                 // above everything placed
    uint64_t start_ = kRamBase;        // where the reset vector jumps to
    uint64_t kernel_base_ = kRamBase;  // of raw kernels
    uint64_t kernel_low_ = 0, kernel_high_ = 0, kernel_entry_ = 0;
    std::optional<DeviceTreeConfig::Initrd> initrd_;
};

}  // namespace

Result<BootPlan> plan_boot(const BootConfig& config) {
    // Far above any host's memory, and nothing here wraps.
    if (config.ram_size > uint64_t{1} << 55) {
        return fail(
            fmt::format("memory of {} MiB is more than the board can address", config.ram_size / kMiB));
    }
    return Planner(config).plan();
}

}  // namespace weft::hw::virt
