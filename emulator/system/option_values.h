// The values of single options; each message is to follow "-option: ".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "emulator/system/options.h"

namespace weft::sys {

// What options.cpp collects before the options are looked at together.
struct RawOptions {
    Options options;
    std::vector<loader::AccelChoice> machine_accels;  // -machine virt,accel=a:b
    // A -device, of which the rest waits until all of the command line is known.
    struct Device {
        const hw::DeviceType* type;
        std::vector<KeyValue> items;
    };
    std::vector<Device> devices;
    std::optional<SerialChoice> serial;
    std::optional<SerialChoice> monitor_line;  // -monitor, -mon: a line of its own, or that of a -chardev
    std::vector<SerialChoice> chardevs;
    std::vector<QmpChoice> qmp;
    std::optional<SerialChoice> gdb_line;
    bool semihosting = false;
    SemihostingChoice semihosting_choice;  // as far as it is known; `line` has the chardev's id alone
    bool nographic = false;
    std::vector<SerialChoice> further_serials;  // lead nowhere
    // -numa node.
    struct Node {
        std::optional<uint64_t> id;  // none: the next one
        std::vector<unsigned> cpus;
        std::string memory;  // an object's id; empty: all of the board's RAM
    };
    std::vector<Node> nodes;
    std::string memory_path;                                      // -mem-path; empty: none
    bool memory_populate = false;                                 // -mem-prealloc
    std::vector<std::pair<std::string, std::string>> insn_clock;  // -icount: properties for each accelerator
    bool memory_given = false;                                    // -m
    std::string memory_backend;  // -machine memory-backend=, an object's id; empty: none
    bool no_defaults = false;    // -nodefaults: no serial port and monitor but those that are asked for
    bool snapshot = false;
    std::map<uint64_t, std::string> flash_names;  // -machine pflashN=: drives or block nodes, by unit
};

Result<> parse_accel(RawOptions& raw, const std::string& value);
Result<> parse_machine(RawOptions& raw, const std::string& value);
Result<> parse_cpu(RawOptions& raw, const std::string& value);
Result<> parse_smp(RawOptions& raw, const std::string& value);
Result<> parse_memory(RawOptions& raw, const std::string& value);
// Whether a board may have so much RAM.
Result<> check_memory_size(uint64_t bytes);
// option_chars.cpp
Result<> parse_serial(RawOptions& raw, const std::string& value);
Result<> parse_monitor(RawOptions& raw, const std::string& value);
Result<> parse_chardev(RawOptions& raw, const std::string& value);
Result<> parse_mon(RawOptions& raw, const std::string& value);
Result<> parse_qmp(RawOptions& raw, const std::string& value);
Result<> parse_qmp_pretty(RawOptions& raw, const std::string& value);
Result<> parse_gdb(RawOptions& raw, const std::string& value);
Result<> parse_gdb_usual(RawOptions& raw, const std::string& value);  // -s
// Puts the -chardev in the place of its name, if the line has one.
Result<> look_up_chardev(const RawOptions& raw, SerialChoice& line);
bool on_stdio(const SerialChoice& line);
// Who has the terminal, and which lines there are: the serial port's, the monitor's, or one for both.
Result<> choose_lines(RawOptions& raw);

// option_semihosting.cpp
Result<> parse_semihosting(RawOptions& raw, const std::string& value);
Result<> parse_semihosting_config(RawOptions& raw, const std::string& value);
// After choose_lines().
Result<> choose_semihosting(RawOptions& raw);

// option_blocks.cpp
Result<> parse_drive(RawOptions& raw, const std::string& value);
Result<> parse_hard_disk(RawOptions& raw, const std::string& value);
Result<> parse_cdrom(RawOptions& raw, const std::string& value);
Result<> parse_blockdev(RawOptions& raw, const std::string& value);
// One more node, and the drive that it is, behind the others; its file's drive is none any more. And one less, which is there and no
// other node's file, with its drive; its file is a drive again. Drives keep their places in the list, where those that went leave one
// without a name.
Result<> add_block_node(Options& options, const std::string& value);
Result<> remove_block_node(Options& options, const std::string& name);
// Makes drives of block nodes, before devices look for them.
Result<> choose_blocks(RawOptions& raw);

// option_flash.cpp
Result<> parse_flash(RawOptions& raw, const std::string& value);
Result<> parse_fw_cfg(RawOptions& raw, const std::string& value);
// Makes Options::flash, before devices look for drives.
Result<> choose_flash(RawOptions& raw);

// option_accepted.cpp: options that ask for what is so anyway.
Result<> accept_display(RawOptions& raw, const std::string& value);
Result<> accept_vga(RawOptions& raw, const std::string& value);
Result<> accept_parallel(RawOptions& raw, const std::string& value);
Result<> accept_name(RawOptions& raw, const std::string& value);
Result<> accept_uuid(RawOptions& raw, const std::string& value);
Result<> accept_boot(RawOptions& raw, const std::string& value);
Result<> accept_overcommit(RawOptions& raw, const std::string& value);
Result<> accept_msg(RawOptions& raw, const std::string& value);
Result<> accept_compat(RawOptions& raw, const std::string& value);
Result<> accept_run_with(RawOptions& raw, const std::string& value);
Result<> accept_watchdog_action(RawOptions& raw, const std::string& value);
Result<> accept_audiodev(RawOptions& raw, const std::string& value);
Result<> accept_keyboard(RawOptions& raw, const std::string& value);
Result<> parse_escape(RawOptions& raw, const std::string& value);
Result<> accept_sandbox(RawOptions& raw, const std::string& value);
Result<> parse_action(RawOptions& raw, const std::string& value);

// The reason why there is no such option of QEMU's here; empty: there is none.
std::string_view refused_option(std::string_view name);

// option_descriptors.cpp
Result<> parse_add_fd(RawOptions& raw, const std::string& value);
// Puts descriptors in the place of the names /dev/fdset/N, once everything else is chosen.
Result<> choose_descriptors(RawOptions& raw);

// option_memory.cpp
Result<> parse_numa(RawOptions& raw, const std::string& value);
Result<> parse_memory_path(RawOptions& raw, const std::string& value);
// Makes Options::memory and nodes, once the objects are known.
Result<> choose_memory(RawOptions& raw);

// option_time.cpp
Result<> parse_rtc(RawOptions& raw, const std::string& value);
Result<> parse_icount(RawOptions& raw, const std::string& value);

// option_devices.cpp
Result<> parse_device(RawOptions& raw, const std::string& value);
Result<> parse_global(RawOptions& raw, const std::string& value);
// A device as the user describes it, with what -global says of its kind, and the drive that it names. What it refers to is there and
// free; a network card has an address.
Result<DeviceChoice> make_device(const Options& options, const hw::DeviceType& type,
                                 std::span<const KeyValue> items);
// Makes Options::devices and parts: looks drives and buses up.
Result<> choose_devices(RawOptions& raw);

// option_objects.cpp, option_net.cpp
Result<> parse_object(RawOptions& raw, const std::string& value);
Result<> parse_netdev(RawOptions& raw, const std::string& value);
Result<> parse_nic(RawOptions& raw, const std::string& value);
Result<> parse_net(RawOptions& raw, const std::string& value);
// Whether what devices and the board refer to by an id is there, besides drives and networks.
Result<> check_references(RawOptions& raw);
Result<> check_object_reference(const Options& options, const hw::DeviceConfig& device);
// The id of the I/O thread that the device names; empty: none.
std::string iothread_of(const hw::DeviceConfig& device);
// Whether the device's network is there, and no other's.
Result<> check_network_reference(const Options& options, const hw::DeviceConfig& device);
// The first address from `first` on that no card has.
hw::MacAddress free_mac(std::span<const DeviceChoice> devices);
// The same of networks; gives addresses to cards that have none.
Result<> check_networks(RawOptions& raw);

// option_ports.cpp
// Plugs a device into the bus of another one, of those there are.
Result<> plug_into_device(Options& options, hw::DeviceConfig child);
// Makes Options::device_lines, after choose_lines() and choose_devices().
Result<> choose_device_lines(RawOptions& raw);
// Whether a device is to have the terminal.
bool device_on_stdio(const RawOptions& raw);

// option_folders.cpp
Result<> parse_fsdev(RawOptions& raw, const std::string& value);
Result<> parse_virtfs(RawOptions& raw, const std::string& value);

Result<> parse_log_items(RawOptions& raw, const std::string& value);

bool is_help(const std::string& word);

// The value of a key that cannot do without; that of a switch, which is on by its name alone.
Result<std::string> value_of(const KeyValue& item);
Result<bool> switch_of(const KeyValue& item);

// For messages: 'a', 'b' and so on, the names of a table's rows.
template <class Rows>
std::string names_of(const Rows& rows) {
    std::string names;
    for (const auto& row : rows) {
        names += (names.empty() ? "" : ", ") + in_quotes(row.name);
    }
    return names;
}

// Records a request for help, unless an earlier one stands.
void request_help(RawOptions& raw, HelpTopic topic, std::string subject = {});

}  // namespace weft::sys
