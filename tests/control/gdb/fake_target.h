// A target whose threads have three registers and whose memory is 256 bytes at 0x1000. It keeps what it was asked for.
#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "emulator/control/gdb/session.h"

namespace weft::test {

class FakeTarget final : public control::gdb::Target, public control::gdb::Files {
  public:
    static constexpr uint64_t kStart = 0x1000;
    static constexpr size_t kSizes[] = {8, 8, 4};
    using ThreadAction = control::gdb::ThreadAction;

    std::vector<uint64_t> ids = {0x10, 0x20};
    control::gdb::Stop latest{.thread = 0x10};
    std::map<std::pair<uint64_t, unsigned>, std::string> registers;
    std::string memory = std::string(256, 'm');
    std::map<uint64_t, uint64_t> breakpoints;
    std::vector<std::vector<ThreadAction>> resumed;
    unsigned interrupts = 0;
    std::vector<int> passed;
    bool detached = false;
    bool killed = false;
    bool has_files = true;
    // It has what machines have: points of all kinds, a monitor, packets of its own.
    bool is_machine = false;
    std::vector<std::string> points;
    uint64_t looked_at = 0;
    std::string features = "<target>#$}*</target>";

    uint64_t process() override { return 0x99; }
    std::vector<uint64_t> threads() override { return ids; }
    std::string name(uint64_t thread) override { return "t" + std::to_string(thread); }
    control::gdb::Stop stop() override { return latest; }
    unsigned register_count() override { return std::size(kSizes); }
    std::string read_register(uint64_t thread, unsigned number) override {
        const auto found = registers.find({thread, number});
        return found != registers.end() ? found->second : std::string(kSizes[number], '\0');
    }
    bool write_register(uint64_t thread, unsigned number, std::string_view bytes) override {
        if (bytes.size() != kSizes[number]) {
            return false;
        }
        registers[{thread, number}] = bytes;
        return true;
    }
    std::string read_memory(uint64_t address, size_t size) override {
        const uint64_t offset = address - kStart;
        return offset < memory.size() ? memory.substr(offset, size) : std::string();
    }
    bool write_memory(uint64_t address, std::string_view bytes) override {
        const uint64_t offset = address - kStart;
        if (offset > memory.size() || bytes.size() > memory.size() - offset) {
            return false;
        }
        memory.replace(offset, bytes.size(), bytes);
        return true;
    }
    bool insert_breakpoint(uint64_t address, uint64_t kind) override {
        return (kind == 2 || kind == 4) &&
               breakpoints.insert_or_assign(address, kind).first != breakpoints.end();
    }
    bool remove_breakpoint(uint64_t address, uint64_t) override {
        breakpoints.erase(address);
        return true;
    }
    std::optional<bool> point(const char* packet, uint64_t address, uint64_t size) {
        if (!is_machine || size == 0) {
            return is_machine ? std::optional(false) : std::nullopt;
        }
        points.push_back(packet + (" " + control::gdb::to_hex_number(address)) + " " +
                         control::gdb::to_hex_number(size));
        return true;
    }
    static std::string packet_of(char letter, control::gdb::WatchKind kind) {
        return {letter, static_cast<char>('2' + static_cast<int>(kind))};
    }
    std::optional<bool> insert_hardware_breakpoint(uint64_t address, uint64_t kind) override {
        return point("Z1", address, kind);
    }
    std::optional<bool> remove_hardware_breakpoint(uint64_t address, uint64_t kind) override {
        return point("z1", address, kind);
    }
    std::optional<bool> insert_watchpoint(control::gdb::WatchKind kind, uint64_t address,
                                          uint64_t size) override {
        return point(packet_of('Z', kind).c_str(), address, size);
    }
    std::optional<bool> remove_watchpoint(control::gdb::WatchKind kind, uint64_t address,
                                          uint64_t size) override {
        return point(packet_of('z', kind).c_str(), address, size);
    }
    unsigned general_register_count() override { return is_machine ? 1 : register_count(); }
    void look_at(uint64_t thread) override { looked_at = thread; }
    bool attached() override { return is_machine; }
    std::optional<std::string> command(std::string_view text) override {
        return is_machine ? std::optional("<" + std::string(text) + ">") : std::nullopt;
    }
    std::optional<std::string> other_packet(std::string_view packet) override {
        return is_machine && packet == "qfirst" ? std::optional("second") : std::nullopt;
    }
    void resume(std::span<const ThreadAction> actions) override {
        resumed.emplace_back(actions.begin(), actions.end());
    }
    void interrupt() override { ++interrupts; }
    void pass_signals(std::span<const int> signals) override {
        passed.assign(signals.begin(), signals.end());
    }
    std::span<const std::string_view> objects() override {
        static constexpr std::array<std::string_view, 1> kAll = {"features"};
        return kAll;
    }
    std::optional<std::string> object(std::string_view, std::string_view annex, uint64_t) override {
        return annex == "target.xml" ? std::optional(features) : std::nullopt;
    }
    Files* files() override { return has_files ? this : nullptr; }
    void detach() override { detached = true; }
    void kill() override { killed = true; }

    // Files: one, "/f", of which the number is 3.
    Outcome<uint64_t> open(const std::string& path) override {
        return path == "/f" ? Outcome<uint64_t>(3) : std::unexpected(2);
    }
    Outcome<std::string> read(uint64_t file, size_t size, uint64_t offset) override {
        const std::string content = "content";
        return file != 3 ? Outcome<std::string>(std::unexpected(9))
                         : content.substr(std::min<size_t>(offset, content.size()), size);
    }
    Outcome<Status> status(uint64_t file) override {
        return file != 3 ? Outcome<Status>(std::unexpected(9))
                         : Status{.device = 1,
                                  .inode = 2,
                                  .mode = 0100644,
                                  .links = 3,
                                  .owner = 4,
                                  .group = 5,
                                  .special_device = 6,
                                  .size = 7,
                                  .block_size = 8,
                                  .blocks = 9,
                                  .accessed = 10,
                                  .modified = 11,
                                  .changed = 12};
    }
    Outcome<void> close(uint64_t file) override { return file == 3 ? Outcome<void>() : std::unexpected(9); }
    Outcome<std::string> link(const std::string&) override { return "/f"; }
};

}  // namespace weft::test
