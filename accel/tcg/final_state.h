// A hash of the state that a machine ended with: with the instruction clock runs are deterministic, and so is the hash.
#pragma once

#include <cstdint>
#include <map>

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// One thread at a time.
class FinalState {
  public:
    // Of a vCPU that runs no more: its registers, as the guest prints them.
    void note(Vcpu& vcpu);
    // Of what was noted, and of guest RAM, whose hash is `ram`.
    uint64_t hash(uint64_t ram) const;

  private:
    std::map<uint32_t, uint64_t> registers_;  // hashes, by the vCPU's index
};

}  // namespace weft::accel
