// A disk image as storage devices see it. Implemented by the image formats beside it. Errors are values.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace weft::backend {

class DiskSnapshots;  // disk_snapshots.h

class BlockBackend {
  public:
    virtual ~BlockBackend() = default;

    virtual uint64_t size() const = 0;  // bytes, a multiple of 512
    virtual bool read_only() const = 0;
    virtual const char* format() const { return "raw"; }  // of the image, as -drive names it

    // Synchronous, from any thread, also several at a time on ranges that do not overlap. The range lies within size().
    virtual Result<> read(uint64_t offset, std::span<uint8_t> data) = 0;
    virtual Result<> write(uint64_t offset, std::span<const uint8_t> data) = 0;
    virtual Result<> flush() = 0;

    // Null: it keeps none.
    virtual DiskSnapshots* snapshots() { return nullptr; }
};

}  // namespace weft::backend
