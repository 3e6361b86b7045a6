// Kinds of devices that a user may add, as tables: what -device takes, checks and shows comes from here.
//
// Constant, but for a DeviceConfig, which belongs to one thread.
#pragma once

#include <array>
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
#include "emulator/backend/net/net_backend.h"
#include "emulator/backend/rng/rng_backend.h"
#include "emulator/hw/core/machine_control.h"

namespace weft::backend {
class CharBackend;
class FsBackend;
}  // namespace weft::backend

namespace weft::hw {

class DeviceConfig;
class PciFunction;
class VirtioDevice;
struct PciSite;

enum class PropertyKind {
    text,          // a word of up to `max` bytes
    number,        // from `min` to `max`; with "" for a default, none is one as well
    power_of_two,  // the same, of those alone
    on_off,
    on_off_auto,
    accepted,  // one of the words of `default_value`, with | between them, all of which change nothing
    mac,       // the address of a network card, 52:54:00:12:34:56; at most one of a device
    // References, by id: what the device is to be connected to. At most one of each kind of a device.
    drive,    // a -drive
    rng,      // an -object that gives random bytes
    netdev,   // a -netdev
    fsdev,    // a -fsdev
    chardev,  // a -chardev
};

constexpr bool is_reference(PropertyKind kind) {
    return kind == PropertyKind::drive || kind == PropertyKind::rng || kind == PropertyKind::netdev ||
           kind == PropertyKind::fsdev || kind == PropertyKind::chardev;
}

using MacAddress = std::array<uint8_t, 6>;
// What a network card is given that has no address of its own; others get the numbers that follow in the last byte.
inline constexpr MacAddress kFirstMac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

struct DeviceProperty {
    const char* name;
    PropertyKind kind;
    const char*
        default_value;  // as text, like the user's; null: it must be given. Of a reference or a mac: null, or "" for none
    uint64_t min, max;
    const char* help;
};

// What a device is plugged into.
enum class Bus {
    virtio,
    pci,
    virtio_serial,  // a virtio-serial-bus, which another device has
    board,          // nothing: a part of a board, which -global changes and -device does not add
};

struct DeviceType {
    const char* name;
    Bus bus;
    const char* help;
    std::span<const DeviceProperty>
        properties;  // besides `id`, `bus` and `bootindex`, which every device has
    // Bus::virtio, and what is behind virtio's registers on another bus: makes the device. What the configuration names and `control`
    // outlive it.
    std::unique_ptr<VirtioDevice> (*make_virtio)(const DeviceConfig& config, MachineControl& control);
    // Bus::pci: the same.
    std::unique_ptr<PciFunction> (*make_pci)(const DeviceConfig& config, const PciSite& site,
                                             MachineControl& control) = nullptr;
    // The bus that the device itself has, if any: what is plugged into it are DeviceConfig::children(), which the device makes
    // and the board does not see.
    std::optional<Bus> own_bus = std::nullopt;
    // What does not fit together of the device and its children; null: nothing is to be checked.
    Result<> (*check)(const DeviceConfig& config) = nullptr;
    bool makes_bus = false;  // Bus::pci: others name it by its id as their bus
};

// What every device on PCI may be told.
struct PciProperties {
    std::string address;         // addr=SLOT[.FN]; empty: any slot that is free
    bool multifunction = false;  // others may be in the slot
    bool legacy = true;          // virtio's: with the legacy interface (disable-legacy=off)
    bool legacy_said = false;    // by the user; else a device behind a port has none
};

// A device that was asked for: its type and the values of its properties.
class DeviceConfig {
  public:
    // All properties with their defaults. References that must be given are to be connect()ed.
    explicit DeviceConfig(const DeviceType& type);

    // `items` as written after -device NAME; the last of several wins. Errors name device, property, value and what is allowed.
    static Result<DeviceConfig> parse(const DeviceType& type, std::span<const KeyValue> items);

    // Whether the type has that property and the property takes that value.
    static Result<> check(const DeviceType& type, const KeyValue& item);

    const DeviceType& type() const { return *type_; }

    // How it is called; empty: not at all.
    const std::string& id() const { return id_; }

    // The bus that was named; empty: any of the type's kind. What buses there are, the board knows, and of those that devices
    // have, whoever makes the tree of devices.
    const std::string& bus() const { return bus_; }

    // What is plugged into the device's own bus, in the order of the command line.
    const std::vector<DeviceConfig>& children() const { return children_; }
    std::vector<DeviceConfig>& children() { return children_; }

    // Bus::pci.
    const PciProperties& pci() const { return pci_; }

    // The value of a property of that kind, which the type has. number() is also that of a power of two; none: there is no number, or it is
    // "auto".
    const std::string& text(std::string_view property) const;
    uint64_t number(std::string_view property) const;
    std::optional<uint64_t> optional_number(std::string_view property) const;
    bool on(std::string_view property) const;
    std::optional<bool> on_off_auto(std::string_view property) const;

    // The address that was given to a network card, if any; and whether a device is one.
    std::optional<MacAddress> mac() const;
    void set_mac(MacAddress mac);
    bool has_mac() const;

    // The id that a reference of that kind was given; empty: none, or the device has no such property.
    std::string reference(PropertyKind kind) const;
    std::string drive_id() const { return reference(PropertyKind::drive); }

    // What references turned out to mean. The backends outlive whatever is made from this.
    void connect(backend::BlockBackend& drive) { drive_ = &drive; }
    void connect(backend::RngBackend& rng) { rng_ = &rng; }
    void connect(backend::NetBackend& netdev) { netdev_ = &netdev; }
    void connect(backend::FsBackend& fsdev) { fsdev_ = &fsdev; }
    void connect(backend::CharBackend& chardev) { chardev_ = &chardev; }
    // Of a reference that must be given; the others may be null.
    backend::BlockBackend& drive() const;
    backend::RngBackend* rng() const { return rng_; }
    backend::NetBackend* netdev() const { return netdev_; }
    backend::FsBackend& fsdev() const;
    backend::CharBackend* chardev() const { return chardev_; }

  private:
    // In the order of the type's properties; of a reference, its id.
    using Value = std::variant<std::monostate, std::string, uint64_t, bool, MacAddress>;

    Result<> set(size_t index, const std::string& text);
    const Value& value(std::string_view property) const;
    std::optional<size_t> index_of(PropertyKind kind) const;

    Result<> take(const KeyValue& item);
    Result<> take_pci(const KeyValue& item);
    Result<> take_virtio(const KeyValue& item, const char* values);

    const DeviceType* type_;
    std::vector<Value> values_;
    std::vector<bool> given_;  // in the order of the properties: by the user
    std::string id_, bus_;
    std::vector<DeviceConfig> children_;
    PciProperties pci_;
    backend::BlockBackend* drive_ = nullptr;
    backend::RngBackend* rng_ = nullptr;
    backend::NetBackend* netdev_ = nullptr;
    backend::FsBackend* fsdev_ = nullptr;
    backend::CharBackend* chardev_ = nullptr;
};

// What every device on PCI may be told, besides its type's own: name, the type that QMP gives it, a line of help.
struct PciPropertyText {
    const char* name;
    const char* type;
    const char* help;
};
std::span<const PciPropertyText> pci_properties();

// Names of a virtio device on PCI that say whether it has the legacy interface: what is added to the type's name, and the value of
// disable-legacy that it stands for. None: the type is not of that kind.
struct PciVariant {
    const char* suffix;
    const char* disable_legacy;
};
std::span<const PciVariant> pci_variants(const DeviceType& type);

// 52:54:00:12:34:56, either case; not that of a group.
std::optional<MacAddress> parse_mac(std::string_view text);

// The text of "-device help" and of "-device NAME,help".
std::string device_types_text(std::span<const DeviceType* const> types);
std::string device_properties_text(const DeviceType& type);

}  // namespace weft::hw
