// What the softmmu needs of the bookkeeping of pages that hold translated code.
#pragma once

#include <cstdint>

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// Pages are named by ram_offset (weft/memory.h), any address within them. Any vCPU's thread; implemented by CodePages.
//
// The race it settles: a vCPU caches a page as writable while another begins to translate it. Both sides first announce
// themselves and then look at the other (sequentially consistent), so that at least one sees the other: may_write()
// notes the writer and then reads the page's mark; a translator sets the mark and then reads who may write.
class CodeWriters {
  public:
    virtual ~CodeWriters() = default;

    // Whether vCPU `index` may write the page without asking each time; it is noted as a writer until the page's TLB
    // entries were demoted (SoftMmu::demote).
    virtual bool may_write(uint64_t ram_offset, unsigned index) = 0;

    // Before `size` bytes (within one page) are stored to a page for which may_write() said no: translations of
    // these bytes are invalidated. `writer` is the storing vCPU, on its thread.
    virtual void about_to_store(uint64_t ram_offset, unsigned size, Vcpu* writer) = 0;
};

}  // namespace weft::accel
