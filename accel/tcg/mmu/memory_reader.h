// A reader of guest-physical memory (weft/memory.h), owned.
#pragma once

#include "weft/memory.h"

namespace weft::accel {

// Of a vCPU's address space, for a scope.
class MemoryReader {
  public:
    MemoryReader(const MemoryOps& ops, void* address_space)
        : ops_(ops), reader_(ops.reader_create(address_space)) {}
    ~MemoryReader() { ops_.reader_destroy(reader_); }
    MemoryReader(const MemoryReader&) = delete;
    MemoryReader& operator=(const MemoryReader&) = delete;

    void* get() const { return reader_; }

  private:
    const MemoryOps& ops_;
    void* const reader_;
};

}  // namespace weft::accel
