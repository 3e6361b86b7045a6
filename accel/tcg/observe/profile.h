// Counters of entries into units, one a place where a unit may begin in the code buffer: profile=on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/host_calls.h"
#include "base/mapping.h"

namespace weft::accel {

// Addresses are reserved for the whole buffer, memory is taken for what is used. Counters are added to by generated code
// (any vCPU, read-modify-write) and read by reports; relaxed: they order nothing.
class Profile {
  public:
    // For a code buffer of `buffer_size` bytes.
    static Result<Profile> create(size_t buffer_size, const HostCalls& calls = HostCalls::real());

    // For tcg::ProfileState::unit_entries.
    std::atomic<uint64_t>* counters() const {
        return reinterpret_cast<std::atomic<uint64_t>*>(mapping_.data());
    }
    // How often the unit at this offset of the buffer was entered. Any thread.
    uint64_t entries(size_t code_offset) const;
    // A unit was made at this offset, where nobody is any more. Its maker, before it publishes the unit.
    void begin_unit(size_t code_offset) const;

  private:
    explicit Profile(Mapping mapping) : mapping_(std::move(mapping)) {}

    Mapping mapping_;
};

}  // namespace weft::accel
