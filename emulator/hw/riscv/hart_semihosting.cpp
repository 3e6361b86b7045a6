#include "emulator/hw/riscv/hart_semihosting.h"

#include <algorithm>
#include <vector>

#include "base/bits.h"

namespace weft::hw {

class HartSemihosting::Caller final : public semihosting::Guest {
  public:
    Caller(HartSemihosting& hart, riscv::State& state) : hart_(hart), state_(state) {}

    size_t read(uint64_t address, std::span<uint8_t> bytes) override {
        return riscv::load_bytes(state_, address, bytes);
    }
    size_t write(uint64_t address, std::span<const uint8_t> bytes) override {
        return riscv::store_bytes(state_, address, bytes);
    }
    void end(int exit_code) override { hart_.control_.request_shutdown(exit_code); }
    uint64_t elapsed_ns() override {
        // Time that the accelerator makes begins with the machine, the host's clock long before.
        const uint64_t now = hart_.control_.now_ns();
        return hart_.control_.random_seed() ? now : now - hart_.made_ns_;
    }
    uint64_t wall_clock_ns() override { return hart_.control_.wall_clock_ns(); }
    Heap heap() override { return hart_.heap_; }
    void guest_error(const char* message) override { hart_.control_.guest_error(message); }

  private:
    HartSemihosting& hart_;
    riscv::State& state_;
};

std::optional<uint64_t> HartSemihosting::call(riscv::State& state, uint64_t operation, uint64_t parameter) {
    Caller caller(*this, state);
    return host_.call(caller, error_, operation, parameter);
}

namespace virt {

semihosting::Guest::Heap largest_gap(uint64_t base, uint64_t end, std::span<const LoadSegment> segments) {
    constexpr uint64_t kAlignment = 16;
    std::vector<std::pair<uint64_t, uint64_t>> used;
    for (const LoadSegment& segment : segments) {
        used.emplace_back(segment.paddr, segment.paddr + segment.memory_size);
    }
    used.emplace_back(end, end);
    std::ranges::sort(used);
    semihosting::Guest::Heap best{base, base};
    uint64_t free = base;
    for (const auto& [low, high] : used) {
        const uint64_t from = align_up(free, kAlignment);
        const uint64_t to = align_down(std::min(low, end), kAlignment);
        if (from < to && to - from > best.limit - best.base) {
            best = {from, to};
        }
        free = std::max(free, high);
    }
    return best;
}

}  // namespace virt

}  // namespace weft::hw
