// A hash of the state that a machine ended with: with the instruction clock runs are deterministic, and so is the hash.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// One thread at a time.
class FinalState {
  public:
    explicit FinalState(uint32_t max_vcpus) : registers_(max_vcpus) {}

    // Of a vCPU that runs no more: its registers, as the guest prints them.
    void note(Vcpu& vcpu) noexcept;
    // Of what was noted, and of guest RAM, whose hash is `ram`. None where the guest had no memory to print registers.
    std::optional<uint64_t> hash(uint64_t ram) const;

  private:
    std::vector<std::optional<uint64_t>> registers_;  // hashes, by the vCPU's index
    bool complete_ = true;
};

}  // namespace weft::accel
