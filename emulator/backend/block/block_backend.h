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

    // Synchronous, from any thread, also several at a time. What ranges that overlap hold then is any of them, sector by sector. The range
    // lies within size(). Of all functions below.
    virtual Result<> read(uint64_t offset, std::span<uint8_t> data) = 0;
    virtual Result<> write(uint64_t offset, std::span<const uint8_t> data) = 0;
    virtual Result<> flush() = 0;

    // Reads if that takes no waiting, neither for the disk nor for another thread. False: it would, and `data` holds anything. Errors are
    // left to read().
    virtual bool read_at_once(uint64_t, std::span<uint8_t>) { return false; }
    // The same of writing; where it is false, some of the bytes may be written.
    virtual bool write_at_once(uint64_t, std::span<const uint8_t>) { return false; }
    // Whether each write waits for the disk, so that several at a time are worth while.
    virtual bool writes_wait() const { return false; }

    // The bytes, whole sectors of 512, need not be kept: they read as what they were, or as zeros. Without effect where the image or
    // what it is kept in cannot let go of them.
    virtual Result<> discard(uint64_t, uint64_t) { return {}; }
    // The bytes, whole sectors of 512, read as zeros from now on. `unmap`: they need no place; else they keep theirs, if they have one.
    virtual Result<> write_zeroes(uint64_t offset, uint64_t length, bool unmap);

    // Null: it keeps none.
    virtual DiskSnapshots* snapshots() { return nullptr; }
};

}  // namespace weft::backend
