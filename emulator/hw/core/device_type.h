// Kinds of devices that a user may add, as tables: what -device takes, checks and shows comes from here.
//
// Constant, but for a DeviceConfig, which belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/text_values.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/hw/core/machine_control.h"

namespace weft::hw {

class DeviceConfig;
class VirtioDevice;

enum class PropertyKind {
    text,    // a word of up to `max` bytes
    number,  // from `min` to `max`
    on_off,
    drive,  // the id of a -drive; at most one of a device
};

struct DeviceProperty {
    const char* name;
    PropertyKind kind;
    const char* default_value;  // as text, like the user's; null: it must be given
    uint64_t min, max;
    const char* help;
};

// What a device is plugged into.
enum class Bus {
    virtio,
    board,  // nothing: a part of a board, which -global changes and -device does not add
};

struct DeviceType {
    const char* name;
    Bus bus;
    const char* help;
    std::span<const DeviceProperty> properties;  // besides `id` and `bus`, which every device has
    // Bus::virtio: makes the device. What the configuration names and `control` outlive it.
    std::unique_ptr<VirtioDevice> (*make_virtio)(const DeviceConfig& config, MachineControl& control);
};

// A device that was asked for: its type and the values of its properties.
class DeviceConfig {
  public:
    // All properties with their defaults; what has none is to be connect()ed.
    explicit DeviceConfig(const DeviceType& type);

    // `items` as written after -device NAME; the last of several wins. Errors name device, property, value and what is allowed.
    static Result<DeviceConfig> parse(const DeviceType& type, std::span<const KeyValue> items);

    // Whether the type has that property and the property takes that value.
    static Result<> check(const DeviceType& type, const KeyValue& item);

    const DeviceType& type() const { return *type_; }

    // The bus that was named; empty: any of the type's kind. What buses there are, the board knows.
    const std::string& bus() const { return bus_; }

    // The value of a property of that kind, which the type has.
    const std::string& text(std::string_view property) const;
    uint64_t number(std::string_view property) const;
    bool on(std::string_view property) const;

    // The drive that was named, and the image that it turned out to be. The backend outlives whatever is made from this.
    const std::string& drive_id() const { return drive_id_; }
    void connect(backend::BlockBackend& drive) { drive_ = &drive; }
    backend::BlockBackend& drive() const;

  private:
    // In the order of the type's properties; of a drive, nothing.
    using Value = std::variant<std::monostate, std::string, uint64_t, bool>;

    Result<> set(size_t index, const std::string& text);
    const Value& value(std::string_view property) const;

    Result<> take(const KeyValue& item);

    const DeviceType* type_;
    std::vector<Value> values_;
    std::vector<bool> given_;  // in the order of the properties: by the user
    std::string bus_;
    std::string drive_id_;
    backend::BlockBackend* drive_ = nullptr;
};

// The text of "-device help" and of "-device NAME,help".
std::string device_types_text(std::span<const DeviceType* const> types);
std::string device_properties_text(const DeviceType& type);

}  // namespace weft::hw
