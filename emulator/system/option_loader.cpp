// -device loader: bytes that go into memory, and where harts begin, besides what -bios and -kernel say.
#include <fmt/format.h>

#include "emulator/hw/core/device_type.h"
#include "emulator/system/option_loader.h"

namespace weft::sys {

namespace {

constexpr hw::DeviceProperty kProperties[] = {
    {"file", hw::PropertyKind::text, "", 0, 4096, "an ELF file, which says where it goes, or any other"},
    {"addr", hw::PropertyKind::text, "", 0, 32, "where it goes; without a file, where cpu-num begins"},
    {"cpu-num", hw::PropertyKind::text, "", 0, 16, "the hart that begins there"},
    {"force-raw", hw::PropertyKind::on_off, "off", 0, 0, "an ELF file's own bytes are meant"},
    {"data", hw::PropertyKind::text, "", 0, 32, "a number instead of a file"},
    {"data-len", hw::PropertyKind::text, "", 0, 4, "its size in bytes, 1 to 8"},
    {"data-be", hw::PropertyKind::on_off, "off", 0, 0, "its highest byte first"},
};

Result<std::optional<uint64_t>> number_of(const hw::DeviceConfig& config, const char* property) {
    const std::string& text = config.text(property);
    if (text.empty()) {
        return std::nullopt;
    }
    const std::optional<uint64_t> number = parse_uint(text);
    if (!number) {
        return fail(fmt::format("device 'loader': {} is a number, not {}", property, in_quotes(text)));
    }
    return number;
}

std::vector<uint8_t> bytes_of(uint64_t value, uint64_t size, bool big_endian) {
    std::vector<uint8_t> bytes;
    for (uint64_t i = 0; i < size; ++i) {
        bytes.push_back(static_cast<uint8_t>(value >> 8 * (big_endian ? size - 1 - i : i)));
    }
    return bytes;
}

}  // namespace

constexpr hw::DeviceType kLoaderType = {
    .name = "loader",
    .bus = hw::Bus::board,
    .help = "bytes in memory",
    .properties = kProperties,
    .make_virtio = nullptr,
};

Result<LoadChoice> parse_loader(std::span<const KeyValue> items) {
    const Result<hw::DeviceConfig> config = hw::DeviceConfig::parse(kLoaderType, items);
    if (!config) {
        return std::unexpected(config.error());
    }
    LoadChoice load;
    std::optional<uint64_t> cpu, data, size;
    const struct {
        const char* property;
        std::optional<uint64_t>& to;
    } numbers[] = {{"addr", load.address}, {"cpu-num", cpu}, {"data", data}, {"data-len", size}};
    for (const auto& [property, to] : numbers) {
        const Result<std::optional<uint64_t>> number = number_of(*config, property);
        if (!number) {
            return std::unexpected(number.error());
        }
        to = *number;
    }
    load.file = config->text("file");
    load.force_raw = config->on("force-raw");
    if (cpu) {
        load.cpu = *cpu;
    }
    if (data || size) {
        if (!data || !size || *size < 1 || *size > 8 || !load.address || !load.file.empty()) {
            return fail("device 'loader': data= needs addr= and data-len= from 1 to 8, and no file=");
        }
        load.bytes = bytes_of(*data, *size, config->on("data-be"));
    } else if (load.file.empty() && !(load.address && load.cpu)) {
        return fail("device 'loader' needs file=, or addr= and data=, or addr= and cpu-num=");
    }
    return load;
}

}  // namespace weft::sys
