// virtio-blk-device and virtio-blk-pci as -device takes them.
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/pci.h"

namespace weft::hw {

namespace {

constexpr uint64_t kMaxQueues = 1024;     // places of notification on PCI
constexpr uint64_t kMaxQueueSize = 1024;  // descriptors of a chain
constexpr uint64_t kMaxBlock = 2 << 20;
constexpr uint64_t kMaxIoSize = 32 << 20;

constexpr DeviceProperty kProperties[] = {
    {"drive", PropertyKind::drive, nullptr, 0, 0, "the disk's image"},
    {"serial", PropertyKind::text, "", 0, VirtioBlk::kSerialSize,
     "the serial number that the guest is told (5.2.6)"},
    {"num-queues", PropertyKind::number, "", 1, kMaxQueues,
     "request queues; none: one for each vCPU on PCI, else one"},
    {"queue-size", PropertyKind::power_of_two, "256", 2, kMaxQueueSize, "requests that a queue holds"},
    {"logical_block_size", PropertyKind::power_of_two, "512", 512, kMaxBlock,
     "bytes that the guest addresses"},
    {"physical_block_size", PropertyKind::power_of_two, "512", 512, kMaxBlock,
     "bytes that the disk is said to write at once"},
    {"min_io_size", PropertyKind::number, "0", 0, kMaxIoSize,
     "bytes of a request that the disk is said to like at least; 0: none"},
    {"opt_io_size", PropertyKind::number, "0", 0, kMaxIoSize,
     "bytes of a request that the disk is said to like best; 0: none"},
    {"discard_granularity", PropertyKind::number, "0", 0, kMaxIoSize,
     "bytes that can be discarded alone; 0: a logical block"},
    {"discard", PropertyKind::on_off, "on", 0, 0,
     "whether the guest may discard (-drive discard= says what becomes of it)"},
    {"write-zeroes", PropertyKind::on_off, "on", 0, 0,
     "whether the guest may ask for zeros instead of writing them"},
    {"write-cache", PropertyKind::on_off_auto, "auto", 0, 0,
     "whether there is a write cache; auto: as -drive cache= says"},
    {"config-wce", PropertyKind::on_off, "on", 0, 0, "whether the guest may switch the write cache"},
    {"seg-max-adjust", PropertyKind::accepted, "on", 0, 0, "accepted"},
    {"request-merging", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"scsi", PropertyKind::accepted, "off", 0, 0, "accepted"},
    {"iothread", PropertyKind::text, "", 0, 64,
     "an -object iothread, which changes nothing: threads of their own serve disks anyway"},
    {"share-rw", PropertyKind::accepted, "off", 0, 0, "accepted"},
    {"rerror", PropertyKind::accepted, "auto|report", 0, 0, "accepted: the guest is told of errors"},
    {"werror", PropertyKind::accepted, "auto|report", 0, 0, "accepted: the guest is told of errors"},
};

BlkSettings settings_of(const DeviceConfig& config, unsigned default_queues) {
    return {
        .serial = config.text("serial"),
        .queues = static_cast<uint16_t>(config.optional_number("num-queues").value_or(default_queues)),
        .queue_size = static_cast<uint16_t>(config.number("queue-size")),
        .logical_block_size = static_cast<uint32_t>(config.number("logical_block_size")),
        .physical_block_size = static_cast<uint32_t>(config.number("physical_block_size")),
        .min_io_size = static_cast<uint32_t>(config.number("min_io_size")),
        .opt_io_size = static_cast<uint32_t>(config.number("opt_io_size")),
        .discard_granularity = static_cast<uint32_t>(config.number("discard_granularity")),
        .discard = config.on("discard"),
        .write_zeroes = config.on("write-zeroes"),
        .config_wce = config.on("config-wce"),
        .write_cache = config.on_off_auto("write-cache"),
    };
}

}  // namespace

constexpr DeviceType kVirtioBlkType = {
    .name = "virtio-blk-device",
    .bus = Bus::virtio,
    .help = "a disk",
    .properties = kProperties,
    .make_virtio = [](const DeviceConfig& config, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<VirtioBlk>(config.drive(), control, settings_of(config, 1));
    },
};

constexpr DeviceType kVirtioBlkPciType = {
    .name = "virtio-blk-pci",
    .bus = Bus::pci,
    .help = "a disk on PCI",
    .properties = kProperties,
    .make_virtio = [](const DeviceConfig& config, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<VirtioBlk>(config.drive(), control, settings_of(config, control.max_vcpus()));
    },
    .make_pci = make_virtio_pci,
};

}  // namespace weft::hw
