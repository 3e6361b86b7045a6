// Writing a saved machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "emulator/saved/format.h"

namespace weft::saved {

// Where the bytes go, in order.
class Sink {
  public:
    virtual ~Sink() = default;
    virtual Result<> write(std::span<const uint8_t> bytes) = 0;
};

// A block of memory; whole pages, touched through weft/guest_ram.h alone.
struct Memory {
    std::string_view name;
    uint8_t* host = nullptr;
    uint64_t size = 0;
};

// How far it is; for other threads, which may ask it to stop.
struct Progress {
    std::atomic<uint64_t> bytes{0};        // written
    std::atomic<uint64_t> memory_done{0};  // bytes of memory that were looked at
    std::atomic<bool> cancelled{false};
};

// Writes all of it. Nobody changes the memory meanwhile. Any thread.
Result<> write_machine(Sink& sink, const Facts& facts, std::span<const Part> parts,
                       std::span<const Memory> memory, Progress& progress);

}  // namespace weft::saved
