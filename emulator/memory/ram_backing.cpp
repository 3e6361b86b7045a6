#include "emulator/memory/ram_backing.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/text_values.h"

// Linux 5.14; the C library's headers may be older.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace weft::mem {

Result<> back_ram(const RamBlock& block, std::span<const RamBacking> backings, const HostCalls& calls) {
    uint8_t* place = block.host();
    for (const RamBacking& backing : backings) {
        WEFT_ASSERT(backing.size <= static_cast<uint64_t>(block.host() + block.size() - place));
        if (backing.fd >= 0) {
            const int flags = MAP_FIXED | (backing.shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE);
            if (calls.map(place, backing.size, PROT_READ | PROT_WRITE, flags, backing.fd,
                          static_cast<off_t>(backing.offset)) == MAP_FAILED) {
                return fail_errno(fmt::format("cannot map {} of it", format_size(backing.size)));
            }
            // As for the block's own memory.
            static_cast<void>(calls.advise(place, backing.size, MADV_HUGEPAGE));
        }
        if (backing.populate && calls.advise(place, backing.size, MADV_POPULATE_WRITE) != 0) {
            return fail_errno(fmt::format("cannot have {} at once", format_size(backing.size)));
        }
        place += backing.size;
    }
    return {};
}

}  // namespace weft::mem
