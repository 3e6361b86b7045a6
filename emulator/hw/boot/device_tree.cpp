#include "emulator/hw/boot/device_tree.h"

#include <fmt/format.h>
#include <libfdt.h>

#include <cstring>

#include "base/assert.h"

namespace weft::hw {

namespace {

constexpr size_t kFirstSize = 16 << 10;

// Devicetree Specification 0.4, 5.2: version 17 reads what is compatible back to 16. libfdt knows older ones too, but its check
// follows a null pointer where a root node has no name as they write it.
constexpr uint32_t kOldestVersion = 16;

void put_cell(std::vector<uint8_t>& bytes, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes.push_back(static_cast<uint8_t>(value >> shift));
    }
}

}  // namespace

template <class Step>
void DeviceTreeWriter::append(const Step& step) {
    int status = step(blob_.data());
    while (status == -FDT_ERR_NOSPACE) {
        std::vector<uint8_t> larger(blob_.size() * 2);
        WEFT_ASSERT(fdt_resize(blob_.data(), larger.data(), static_cast<int>(larger.size())) == 0);
        blob_.swap(larger);
        status = step(blob_.data());
    }
    WEFT_ASSERT(status == 0);
}

DeviceTreeWriter::DeviceTreeWriter() : blob_(kFirstSize) {
    WEFT_ASSERT(fdt_create(blob_.data(), static_cast<int>(blob_.size())) == 0);
    append([](void* fdt) { return fdt_finish_reservemap(fdt); });
}

void DeviceTreeWriter::begin_node(const std::string& name) {
    append([&](void* fdt) { return fdt_begin_node(fdt, name.c_str()); });
}

void DeviceTreeWriter::end_node() {
    append([](void* fdt) { return fdt_end_node(fdt); });
}

void DeviceTreeWriter::bytes(const char* name, std::span<const uint8_t> value) {
    append([&](void* fdt) { return fdt_property(fdt, name, value.data(), static_cast<int>(value.size())); });
}

void DeviceTreeWriter::flag(const char* name) { bytes(name, {}); }

void DeviceTreeWriter::cells(const char* name, std::span<const uint32_t> values) {
    std::vector<uint8_t> value;
    for (uint32_t cell : values) {
        put_cell(value, cell);
    }
    bytes(name, value);
}

void DeviceTreeWriter::wide(const char* name, uint64_t value) {
    cells(name, {static_cast<uint32_t>(value >> 32), static_cast<uint32_t>(value)});
}

void DeviceTreeWriter::reg(uint64_t address, uint64_t size) {
    cells("reg", {static_cast<uint32_t>(address >> 32), static_cast<uint32_t>(address),
                  static_cast<uint32_t>(size >> 32), static_cast<uint32_t>(size)});
}

void DeviceTreeWriter::texts(const char* name, std::span<const std::string_view> values) {
    std::vector<uint8_t> value;
    for (std::string_view text : values) {
        value.insert(value.end(), text.begin(), text.end());
        value.push_back(0);
    }
    bytes(name, value);
}

std::vector<uint8_t> DeviceTreeWriter::finish() {
    append([](void* fdt) { return fdt_finish(fdt); });
    blob_.resize(fdt_totalsize(blob_.data()));
    return std::move(blob_);
}

Result<DeviceTreeEditor> DeviceTreeEditor::open(std::string name, std::span<const uint8_t> blob) {
    if (blob.size() >= FDT_V1_SIZE && fdt_magic(blob.data()) == FDT_MAGIC &&
        fdt_version(blob.data()) < kOldestVersion) {
        return fail(fmt::format("{}: device tree of version {}; versions from {} on can be read", name,
                                fdt_version(blob.data()), kOldestVersion));
    }
    if (const int status = fdt_check_full(blob.data(), blob.size()); status != 0) {
        return fail(fmt::format("{}: not a device tree ({})", name, fdt_strerror(status)));
    }
    DeviceTreeEditor editor;
    editor.name_ = std::move(name);
    editor.blob_.resize(fdt_totalsize(blob.data()) + kFirstSize);
    const int status = fdt_open_into(blob.data(), editor.blob_.data(), static_cast<int>(editor.blob_.size()));
    if (status != 0) {
        return fail(
            fmt::format("{}: device tree cannot be changed ({})", editor.name_, fdt_strerror(status)));
    }
    return editor;
}

Result<> DeviceTreeEditor::set(const std::string& path, const char* property,
                               std::span<const uint8_t> value) {
    while (true) {
        int node = fdt_path_offset(blob_.data(), path.c_str());
        if (node == -FDT_ERR_NOTFOUND) {
            node = fdt_add_subnode(blob_.data(), 0, path.c_str() + 1);
        }
        const int status = node >= 0 ? fdt_setprop(blob_.data(), node, property, value.data(),
                                                   static_cast<int>(value.size()))
                                     : node;
        if (status == 0) {
            return {};
        }
        if (status != -FDT_ERR_NOSPACE) {
            return fail(fmt::format("{}: {} of {}: {}", name_, property, path, fdt_strerror(status)));
        }
        std::vector<uint8_t> larger(blob_.size() * 2);
        WEFT_ASSERT(fdt_open_into(blob_.data(), larger.data(), static_cast<int>(larger.size())) == 0);
        blob_.swap(larger);
    }
}

Result<> DeviceTreeEditor::set_text(const std::string& path, const char* property, const std::string& value) {
    return set(path, property, std::span(reinterpret_cast<const uint8_t*>(value.c_str()), value.size() + 1));
}

Result<> DeviceTreeEditor::set_wide(const std::string& path, const char* property, uint64_t value) {
    std::vector<uint8_t> bytes;
    put_cell(bytes, static_cast<uint32_t>(value >> 32));
    put_cell(bytes, static_cast<uint32_t>(value));
    return set(path, property, bytes);
}

std::vector<uint8_t> DeviceTreeEditor::finish() {
    WEFT_ASSERT(fdt_pack(blob_.data()) == 0);
    blob_.resize(fdt_totalsize(blob_.data()));
    return std::move(blob_);
}

std::span<uint8_t> device_tree_property(std::vector<uint8_t>& blob, const char* path, const char* property) {
    const int node = fdt_path_offset(blob.data(), path);
    int size = 0;
    void* const value = node >= 0 ? fdt_getprop_w(blob.data(), node, property, &size) : nullptr;
    return value != nullptr ? std::span(static_cast<uint8_t*>(value), static_cast<size_t>(size))
                            : std::span<uint8_t>();
}

}  // namespace weft::hw
