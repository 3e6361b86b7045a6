// The values of single options; each message is to follow "-option: ".
#pragma once

#include <string>
#include <vector>

#include "emulator/system/options.h"

namespace weft::sys {

// What options.cpp collects before the options are looked at together.
struct RawOptions {
    Options options;
    std::vector<loader::AccelChoice> machine_accels;  // -machine virt,accel=a:b
    std::vector<hw::DeviceConfig> devices;
    std::optional<SerialChoice> serial;
    std::optional<bool> monitor;  // -monitor: true stdio, false none
    bool nographic = false;
};

Result<> parse_accel(RawOptions& raw, const std::string& value);
Result<> parse_machine(RawOptions& raw, const std::string& value);
Result<> parse_cpu(RawOptions& raw, const std::string& value);
Result<> parse_smp(RawOptions& raw, const std::string& value);
Result<> parse_memory(RawOptions& raw, const std::string& value);
Result<> parse_serial(RawOptions& raw, const std::string& value);
Result<> parse_monitor(RawOptions& raw, const std::string& value);
Result<> parse_drive(RawOptions& raw, const std::string& value);
Result<> parse_device(RawOptions& raw, const std::string& value);
Result<> parse_object(RawOptions& raw, const std::string& value);
Result<> parse_netdev(RawOptions& raw, const std::string& value);
Result<> parse_nic(RawOptions& raw, const std::string& value);
Result<> parse_net(RawOptions& raw, const std::string& value);
Result<> parse_log_items(RawOptions& raw, const std::string& value);

// Whether what devices refer to by an id is there, besides drives.
Result<> check_references(RawOptions& raw);
// The same of networks; gives addresses to cards that have none.
Result<> check_networks(RawOptions& raw);

// The value of a key that cannot do without.
Result<std::string> value_of(const KeyValue& item);

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
