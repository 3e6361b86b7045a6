// A machine and a line that are none, for tests of what attends to machines.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "emulator/backend/char/char_backend.h"
#include "emulator/control/facts.h"
#include "emulator/machine/operations.h"

namespace weft::test {

inline void put(const TextSink& sink, const std::string& text) {
    sink.write(sink.opaque, text.data(), text.size());
}

// Three CPUs. RAM: 64 bytes at 0x1000, each of which is its offset; virtual addresses of CPU N are N * 0x10000 further.
struct FakeMachine final : machine::MachineOperations {
    static constexpr uint64_t kRam = 0x1000, kRamSize = 64;

    void quit() override { calls += "quit;"; }
    void system_reset() override {
        calls += "reset;";
        for (auto* listener : listeners) {
            listener->was_reset(machine::MachineCause::operator_reset);
        }
    }
    void system_powerdown() override {
        for (auto* listener : listeners) {
            listener->powerdown_requested();
        }
    }
    Result<> set_running(bool on) override {
        if (refuse) {
            return fail("out of threads");
        }
        if (on != is_running) {
            is_running = on;
            for (auto* listener : listeners) {
                listener->running_changed(on);
            }
        }
        return {};
    }
    bool running() const override { return is_running; }
    bool started() const override { return was_started; }
    bool shut_down() const override { return is_shut_down; }
    Result<> plug(const hw::DeviceConfig&) override { return fail("nothing can be plugged in"); }
    Result<> ask_to_release(const std::string&) override { return fail("nothing can be taken out"); }
    hw::Balloon* balloon() override { return fake_balloon; }
    unsigned cpu_count() const override { return cpus; }
    void dump_registers(unsigned cpu, const TextSink& sink) override {
        put(sink, "x" + std::to_string(cpu) + "\n pc        0000000080000010\n x2/sp     0000000000001008\n");
    }
    void dump_cpus(const TextSink& sink) override { put(sink, "cpus\n"); }
    void dump_memory(bool flat, const TextSink& sink) override { put(sink, flat ? "flat\n" : "tree\n"); }
    Result<> dump_accelerator(const std::string& topic, const TextSink& sink) override {
        if (topic == "stats") {
            return fail("no such report");
        }
        put(sink, topic + "\n");
        return {};
    }
    Result<> read_memory(std::optional<unsigned> cpu, uint64_t address, std::span<uint8_t> data) override {
        for (uint8_t& byte : data) {
            const uint64_t offset = address++ - kRam - cpu.value_or(0) * 0x10000;
            if (offset >= kRamSize) {
                return fail("there is no memory");
            }
            byte = static_cast<uint8_t>(offset);
        }
        return {};
    }
    // Instructions of two bytes.
    void disassemble(std::span<const uint8_t> code, uint64_t address, const TextSink& sink) override {
        for (size_t i = 0; i + 1 < code.size(); i += 2) {
            put(sink, "insn " + std::to_string(address + i) + "\n");
        }
    }
    void add_listener(machine::MachineListener& listener) override { listeners.push_back(&listener); }
    void remove_listener(machine::MachineListener& listener) override { std::erase(listeners, &listener); }

    std::string calls;
    bool is_running = true;
    bool was_started = true;
    bool is_shut_down = false;
    hw::Balloon* fake_balloon = nullptr;
    bool refuse = false;
    unsigned cpus = 3;
    std::vector<machine::MachineListener*> listeners;
};

// Keeps what is written, and gives what is typed to whoever listens.
struct FakeLine final : backend::CharBackend {
    void write(std::span<const uint8_t> data) override {
        output.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void set_receiver(Receiver* to) override { receiver = to; }
    void accept_input() override {}
    UniqueFd take_descriptor() override { return std::move(descriptor); }
    std::string type(std::string_view text) {
        output.clear();
        receiver->receive({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
        return output;
    }

    Receiver* receiver = nullptr;
    std::string output;
    UniqueFd descriptor;  // that came last
};

}  // namespace weft::test
