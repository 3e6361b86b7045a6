// A machine around a device under test: time that stands still until told, harts that write down their interrupts.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/memory/reader.h"
#include "emulator/memory/topology.h"

namespace weft::hw::test {

class FakeControl : public MachineControl {
  public:
    std::vector<int> shutdowns;
    int resets = 0;
    std::vector<std::string> errors;
    uint64_t clock = 1'000'000;
    uint64_t wall = 1'700'000'000'123'456'789;
    std::optional<uint64_t> seed;

    void request_shutdown(int exit_code) override { shutdowns.push_back(exit_code); }
    void request_reset() override { ++resets; }
    void guest_error(const char* message) override {
        const MutexLock lock(mutex_);
        errors.push_back(message);
    }
    void unimplemented(const char* message) override { guest_error(message); }
    void set_timer(uint64_t deadline, void (*fn)(void* opaque), void* opaque) override {
        timers_.erase(opaque);
        if (deadline != UINT64_MAX) {
            timers_[opaque] = {deadline, fn};
        }
    }
    uint64_t now_ns() override { return clock; }
    uint64_t wall_clock_ns() override { return wall; }
    std::optional<uint64_t> random_seed() override { return seed; }
    unsigned threads = 1;
    unsigned io_threads() override { return threads; }
    void run_io(void (*fn)(void* opaque), void* opaque) override {
        const MutexLock lock(mutex_);
        io_.push_back({fn, opaque});
    }

    void run_file_io(void (*fn)(void* opaque), void* opaque) override { run_io(fn, opaque); }

    // Both clocks go on; timers that are due are called, in order.
    void advance(uint64_t ns) {
        const uint64_t end = clock + ns;
        while (true) {
            const auto next =
                std::ranges::min_element(timers_, {}, [](const auto& t) { return t.second.first; });
            if (next == timers_.end() || next->second.first > end) {
                break;
            }
            const auto [opaque, timer] = *next;
            wall += timer.first - std::min(timer.first, clock);
            clock = std::max(clock, timer.first);
            timers_.erase(next);
            timer.second(opaque);
        }
        wall += end - clock;
        clock = end;
    }
    size_t timer_count() const { return timers_.size(); }

    // Runs queued I/O; returns how much it was.
    int work() {
        int count = 0;
        while (true) {
            std::pair<void (*)(void*), void*> job;
            {
                const MutexLock lock(mutex_);
                if (io_.empty()) {
                    return count;
                }
                job = io_.front();
                io_.pop_front();
            }
            job.first(job.second);
            ++count;
        }
    }

  private:
    std::map<void*, std::pair<uint64_t, void (*)(void*)>> timers_;
    Mutex mutex_;
    std::deque<std::pair<void (*)(void*), void*>> io_;
};

struct FakeSink : InterruptSink {
    std::map<unsigned, bool> levels;
    void set_input(unsigned number, bool level) override { levels[number] = level; }
    bool level(unsigned number) { return levels[number]; }
};

class FakeChar : public backend::CharBackend {
  public:
    std::string written;
    int accepted = 0;
    Receiver* receiver = nullptr;
    void write(std::span<const uint8_t> data) override { written.append(data.begin(), data.end()); }
    void set_receiver(Receiver* one) override { receiver = one; }
    void accept_input() override { ++accepted; }
    void type(const std::string& text) {
        receiver->receive(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
    }
};

class FakeDisk : public backend::BlockBackend {
  public:
    explicit FakeDisk(size_t size) : data(size) {}
    std::vector<uint8_t> data;
    bool frozen = false;
    int flushes = 0;
    bool broken = false;
    bool broken_flush = false;
    void (*during)(void* opaque) = nullptr;  // called in the middle of reads, writes and flushes
    void* during_opaque = nullptr;

    uint64_t size() const override { return data.size(); }
    bool read_only() const override { return frozen; }
    Result<> read(uint64_t offset, std::span<uint8_t> to) override {
        interrupt();
        if (broken || offset > data.size() || to.size() > data.size() - offset) {
            return fail("disk is broken");
        }
        std::copy_n(data.begin() + static_cast<ptrdiff_t>(offset), to.size(), to.begin());
        return {};
    }
    Result<> write(uint64_t offset, std::span<const uint8_t> from) override {
        interrupt();
        if (broken || offset > data.size() || from.size() > data.size() - offset) {
            return fail("disk is broken");
        }
        std::ranges::copy(from, data.begin() + static_cast<ptrdiff_t>(offset));
        return {};
    }
    Result<> flush() override {
        interrupt();
        ++flushes;
        return broken || broken_flush ? Result<>(fail("disk is broken")) : Result<>();
    }

    struct Cleared {
        uint64_t offset, length;
        enum Kind { discarded, zeroed, unmapped } kind;
        bool operator==(const Cleared&) const = default;
    };
    std::vector<Cleared> cleared;
    bool at_once = false;
    bool read_at_once(uint64_t offset, std::span<uint8_t> to) override { return at_once && read(offset, to); }
    bool write_at_once(uint64_t offset, std::span<const uint8_t> from) override {
        return at_once && write(offset, from);
    }
    Result<> discard(uint64_t offset, uint64_t length) override {
        cleared.push_back({offset, length, Cleared::discarded});
        return clear(offset, length);
    }
    Result<> write_zeroes(uint64_t offset, uint64_t length, bool unmap) override {
        cleared.push_back({offset, length, unmap ? Cleared::unmapped : Cleared::zeroed});
        return clear(offset, length);
    }

  private:
    Result<> clear(uint64_t offset, uint64_t length) {
        interrupt();
        if (broken || offset > data.size() || length > data.size() - offset) {
            return fail("disk is broken");
        }
        std::fill_n(data.begin() + static_cast<ptrdiff_t>(offset), length, uint8_t{0});
        return {};
    }
    void interrupt() {
        if (during != nullptr) {
            during(during_opaque);
        }
    }
};

// A hart with a state of its own. What the harts' functions do is in fake_hart.cpp.
class TestHart {
  public:
    explicit TestHart(uint64_t id = 0) : owned_(std::in_place, id, 0x1000), hart_(&*owned_) {
        hart_->attach(&block_->state);
    }
    // For a hart that somebody else owns.
    explicit TestHart(riscv::Hart& hart) : hart_(&hart) { hart_->attach(&block_->state); }

    riscv::Hart& hart() { return *hart_; }
    bool pending(riscv::Interrupt interrupt) const {
        return (block_->state.mip.load() >> static_cast<unsigned>(interrupt) & 1) != 0;
    }
    uint64_t mtimecmp() const { return block_->state.mtimecmp.load(); }

  private:
    struct alignas(64) Block {
        StateHeader header;
        riscv::State state;
    };
    std::unique_ptr<Block> block_ = std::make_unique<Block>();
    std::optional<riscv::Hart> owned_;
    riscv::Hart* hart_;
};

// The time that fake harts show, in ticks.
inline constexpr uint64_t kFakeTime = 0x123456789abc;

// An address space with one device at address 0.
class Bench {
  public:
    mem::Topology topology;
    mem::RegionPtr root = topology.container("root", mem::kEntireSpace);
    mem::AddressSpace space{topology, "cpu", root};
    FakeControl control;
    FakeSink sink;

    void plug(const mem::RegionPtr& region) {
        root->add_subregion(0, region);
        reader_.emplace(space);
    }
    uint64_t read(uint64_t offset, unsigned size = 4) {
        uint64_t value = 0;
        status = reader_->device_read(offset, size, &value);
        return value;
    }
    void write(uint64_t offset, uint64_t value, unsigned size = 4) {
        status = reader_->device_write(offset, size, value);
    }
    DeviceStatus status = DeviceStatus::ok;

  private:
    std::optional<mem::Reader> reader_;
};

}  // namespace weft::hw::test
