// Building and changing flattened device trees (Devicetree Specification 0.4) with libfdt.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft::hw {

// Writes a tree from front to back. The blob grows as needed; a failure of libfdt other than that is a broken invariant.
class DeviceTreeWriter {
  public:
    DeviceTreeWriter();

    void begin_node(const std::string& name);
    void end_node();

    void flag(const char* name);  // a property without value
    void cell(const char* name, uint32_t value) { cells(name, std::initializer_list<uint32_t>{value}); }
    void cells(const char* name, std::span<const uint32_t> values);
    void cells(const char* name, std::initializer_list<uint32_t> values) {
        cells(name, std::span<const uint32_t>(values.begin(), values.size()));
    }
    void wide(const char* name, uint64_t value);  // two cells
    // reg with two cells each for address and size.
    void reg(uint64_t address, uint64_t size);
    void text(const char* name, const std::string& value) { texts(name, {value}); }
    void texts(const char* name, std::span<const std::string_view> values);
    void texts(const char* name, std::initializer_list<std::string_view> values) {
        texts(name, std::span<const std::string_view>(values.begin(), values.size()));
    }
    void bytes(const char* name, std::span<const uint8_t> value);

    // The finished blob, no larger than it must be.
    std::vector<uint8_t> finish();

  private:
    template <class Step>
    void append(const Step& step);

    std::vector<uint8_t> blob_;
};

// A node for the time it is written.
class DeviceTreeNode {
  public:
    DeviceTreeNode(DeviceTreeWriter& writer, const std::string& name) : writer_(writer) {
        writer_.begin_node(name);
    }
    ~DeviceTreeNode() { writer_.end_node(); }
    DeviceTreeNode(const DeviceTreeNode&) = delete;
    DeviceTreeNode& operator=(const DeviceTreeNode&) = delete;

  private:
    DeviceTreeWriter& writer_;
};

// Changes properties of a finished tree, such as one that the user gave.
class DeviceTreeEditor {
  public:
    // Checks the whole blob first. `name` is for messages. Refused: what is no tree, and trees of versions below 16.
    static Result<DeviceTreeEditor> open(std::string name, std::span<const uint8_t> blob);

    // Sets a property, making the node (a path below the root) if it is not there.
    Result<> set(const std::string& path, const char* property, std::span<const uint8_t> value);
    Result<> set_text(const std::string& path, const char* property, const std::string& value);
    Result<> set_wide(const std::string& path, const char* property, uint64_t value);

    std::vector<uint8_t> finish();

  private:
    DeviceTreeEditor() = default;
    std::string name_;
    std::vector<uint8_t> blob_;
};

// The value of a property in a tree that was checked or made here, for overwriting in place; empty if there is none.
std::span<uint8_t> device_tree_property(std::vector<uint8_t>& blob, const char* path, const char* property);

}  // namespace weft::hw
