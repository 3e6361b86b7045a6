// A machine of toy vCPUs: RAM, a device that tells the test what the guest stores to it, and an accelerator.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/accel/toy_guest.h"
#include "weft/accel.h"

namespace toy {

inline constexpr uint64_t kRamSize = 4 << 20;
// Stores of 8 bytes here are events. Loads give the number of events so far.
inline constexpr uint64_t kDevice = 0x40000000;
// A store to kIpi + 8 * n interrupts vCPU n.
inline constexpr uint64_t kIpi = kDevice + 0x800;
// A page of code that only device reads give.
inline constexpr uint64_t kDeviceCode = 0x50000000;

struct Event {
    uint64_t offset;  // from kDevice
    uint64_t value;
    bool operator==(const Event&) const = default;
};

using Properties = std::map<std::string, std::string>;

// In the order of the accelerator's table; those not given have their defaults. `given` outlives the values.
std::vector<weft::PropertyValue> property_values(const Properties& given);
// Adds cache=$WEFT_TEST_CACHE, if that is set and goes with the others.
void keep_translations(Properties* properties);

class Machine {
  public:
    using Properties = toy::Properties;

    // `properties` as the user gives them; unless they or the environment say otherwise, backend=interp (WEFT_TEST_BACKEND), and
    // as many threads as vCPUs (WEFT_TEST_THREADS). WEFT_TEST_WORKERS: code is interpreted first, and so many threads translate beside
    // the vCPUs.
    explicit Machine(uint32_t max_vcpus, Properties properties = {});
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // "" or the accelerator's error.
    const std::string& error() const { return error_; }

    // ---- before resume(), or while nobody runs the bytes ----
    void load(const Assembler& code) { poke(code.pc() - code.bytes().size(), code.bytes()); }
    void poke(uint64_t address, const std::vector<uint8_t>& bytes);
    uint64_t peek(uint64_t address) const;
    // As a device does. Any thread.
    void write_by_dma(uint64_t address, const std::vector<uint8_t>& bytes);
    void write_by_dma(const Assembler& code) { write_by_dma(code.pc() - code.bytes().size(), code.bytes()); }
    // Says that bytes were written, and changes none.
    void announce_write(uint64_t address, uint64_t size);

    // ---- vCPUs: each starts at `pc`, its handler at `vector` ----
    uint32_t add(uint64_t pc, uint64_t vector = 0);
    void remove(uint32_t index);
    void* state(uint32_t index) const { return cpus_[index]->state; }
    weft::Vcpu* vcpu(uint32_t index) const { return cpus_[index]->vcpu; }
    Cpu& cpu(uint32_t index) const { return cpus_[index]->cpu; }

    const weft::AccelOps& ops() const;
    weft::AccelInstance* instance() const { return instance_; }
    void resume();
    void pause() { ops().pause(instance_); }
    void reset() { ops().reset(instance_); }
    // The value in the "stats" report.
    uint64_t stat(const std::string& name) const;
    std::string report(const std::string& topic) const;

    // The instruction clock is held with this event. Before resume().
    void set_hold_at(size_t event) { hold_at_ = event; }

    // ---- events ----
    // Waits until there are at least `count` events; wait_for() returns all there are then.
    void await_events(size_t count);
    std::vector<Event> wait_for(size_t count);
    std::vector<Event> events();

    // What the accelerator says.
    std::string log();
    // Fatal errors are collected instead of ending the test's program. Before resume().
    void expect_fatal() { expects_fatal_ = true; }
    // Waits until there are at least `count` of them.
    std::vector<std::string> wait_for_fatal(size_t count);
    void set_log(uint32_t items) { log_items_.store(items); }

  private:
    struct Owned {
        Cpu cpu;
        weft::Vcpu* vcpu = nullptr;
        void* state = nullptr;
    };

    static weft::DeviceStatus device_read(void* reader, uint64_t paddr, unsigned size, uint64_t* value);
    static weft::DeviceStatus device_write(void* reader, uint64_t paddr, unsigned size, uint64_t value);
    static void lookup(void* reader, uint64_t paddr, weft::PageTarget* target);

    struct Free {
        void operator()(uint8_t* memory) const;
    };
    const std::unique_ptr<uint8_t, Free> ram_;
    weft::MemoryOps memory_{};
    weft::HostServices host_{};
    weft::AccelInstance* instance_ = nullptr;
    std::string error_;
    std::vector<std::unique_ptr<Owned>> cpus_;
    std::atomic<uint32_t> log_items_{0};

    weft::Mutex mutex_;
    weft::CondVar changed_;
    std::vector<Event> events_ WEFT_GUARDED_BY(mutex_);
    std::string log_ WEFT_GUARDED_BY(mutex_);
    std::vector<std::string> fatal_ WEFT_GUARDED_BY(mutex_);
    bool expects_fatal_ = false;
    size_t hold_at_ = 0;                // 0: never
    std::vector<uint8_t> device_code_;  // at kDeviceCode

    std::function<void(uint64_t pc)> on_translation_;

  public:
    // Before resume().
    void set_device_code(const Assembler& code) { device_code_ = code.bytes(); }
    // Called by whoever translates, between reading the guest's bytes and publishing the translation of `pc`. Nothing is
    // logged of translations then. Before resume().
    void set_on_translation(std::function<void(uint64_t pc)> fn) { on_translation_ = std::move(fn); }
};

// What a front end does with -accel tcg,name=value. The texts stay the caller's.
std::vector<weft::PropertyValue> property_values(const Machine::Properties& given);

}  // namespace toy
