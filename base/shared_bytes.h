// Bytes that do not change any more and that several have: files as they were read, and parts of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/host_calls.h"
#include "base/mapping.h"

namespace weft {

// A range of const bytes. Copies and parts share the memory, which goes with the last of them. Any thread may have its own.
class SharedBytes {
  public:
    SharedBytes() = default;
    SharedBytes(std::vector<std::uint8_t> bytes);            // NOLINT: they are the same, owned otherwise
    SharedBytes(std::initializer_list<std::uint8_t> bytes);  // for literals
    // The first `size` bytes of the mapping, which nobody writes to any more.
    SharedBytes(Mapping mapping, std::size_t size);

    const std::uint8_t* data() const { return bytes_.data(); }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }
    std::uint8_t operator[](std::size_t index) const { return bytes_[index]; }
    auto begin() const { return bytes_.begin(); }
    auto end() const { return bytes_.end(); }

    // `size` bytes from `offset` on, which are there.
    SharedBytes part(std::size_t offset, std::size_t size) const;

    // By their values.
    friend bool operator==(const SharedBytes& a, const SharedBytes& b);

  private:
    std::shared_ptr<const void> owner_;
    std::span<const std::uint8_t> bytes_;
};

// Makes SharedBytes of what comes piece by piece, such as a file's. In pages of its own, huge ones where the host has them: a page of
// a heap costs a fault, and clearing what is overwritten at once.
class BytesCollector {
  public:
    explicit BytesCollector(const HostCalls& calls = HostCalls::real()) : calls_(calls) {}

    // Place for at least `size` more bytes, and for no more than there is memory: the error says so. Valid until the next call.
    Result<std::span<std::uint8_t>> room(std::size_t size);
    // That many of them were filled.
    void add(std::size_t size);

    std::span<const std::uint8_t> bytes() const { return {start(), size_}; }
    // All of them; the collector is as new then.
    SharedBytes take();

  private:
    std::uint8_t* start() const { return reinterpret_cast<std::uint8_t*>(memory_.data()); }

    const HostCalls& calls_;
    Mapping memory_;
    std::size_t size_ = 0;
};

}  // namespace weft
