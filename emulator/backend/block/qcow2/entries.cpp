#include "emulator/backend/block/qcow2/entries.h"

#include <fmt/format.h>

#include "base/bits.h"

namespace weft::backend::qcow2 {

namespace {

std::unexpected<Error> damaged(const L2Entry& entry) {
    return fail(fmt::format("it is damaged: an L2 entry {:#x}", entry.descriptor));
}

}  // namespace

Result<Kind> kind_of(const Header& header, const L2Entry& entry, unsigned subcluster) {
    if (entry.compressed()) {
        return Kind::compressed;
    }
    const uint64_t offset = entry.offset();
    if (!is_aligned(offset, header.cluster_size())) {
        return damaged(entry);
    }
    const bool zero_flag = (entry.descriptor & kZero) != 0;
    if (!header.extended_l2) {
        if (zero_flag && header.version == 2) {
            return damaged(entry);
        }
        return zero_flag ? Kind::zero : offset != 0 ? Kind::data : Kind::unallocated;
    }
    const bool allocated = (entry.bitmap >> subcluster & 1) != 0;
    const bool zero = (entry.bitmap >> (subcluster + 32) & 1) != 0;
    if (zero_flag || (allocated && (zero || offset == 0))) {
        return damaged(entry);
    }
    return zero ? Kind::zero : allocated ? Kind::data : Kind::unallocated;
}

CompressedPlace compressed_place(const Header& header, uint64_t descriptor) {
    // "Compressed Clusters Descriptor": the number of sectors lies above the offset.
    const unsigned offset_bits = 62 - (header.cluster_bits - 8);
    const uint64_t offset = extract(descriptor, 0, offset_bits) & low_mask<uint64_t>(56);
    const uint64_t sectors = extract(descriptor, offset_bits, 62 - offset_bits) + 1;
    return {.offset = offset, .size = sectors * 512 - offset % 512};
}

L2Entry written_entry(const Header& header, const L2Entry& before, uint64_t host, unsigned first,
                      unsigned last, bool others) {
    L2Entry entry{.descriptor = host | kCopied};
    if (header.extended_l2) {
        if (others) {
            entry.bitmap = low_mask<uint64_t>(32);
        } else {
            const uint64_t written = low_mask<uint64_t>(last - first + 1) << first;
            entry.bitmap = (before.bitmap | written) & ~(written << 32);
        }
    }
    return entry;
}

}  // namespace weft::backend::qcow2
