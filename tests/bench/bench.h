#pragma once

#include <bit>
#include <cstdint>
#include <memory>

/// What the benchmark programs share. Each program is one source that defines make(); main.cpp measures it.
namespace bench {

/// The work of one program. Constructing it prepares the input and is not measured.
class Work {
  public:
    virtual ~Work() = default;

    /// Measured. Returns a checksum of everything computed: the same at each call, on each host.
    virtual std::uint64_t run() = 0;
};

/// Defined by each program. `size` is at least 1; what it counts is the program's matter.
std::unique_ptr<Work> make(long size);

/// Splitmix64: the same numbers everywhere.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t value = state_ += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }

    /// A number below `bound`; the small bias does not matter here.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  private:
    std::uint64_t state_;
};

/// FNV-1a over 64-bit words: order matters, each bit matters.
class Checksum {
  public:
    void add(std::uint64_t value) { state_ = (state_ ^ value) * 0x100000001b3; }
    void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
    std::uint64_t value() const { return state_ ^ (state_ >> 32); }

  private:
    std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace bench
