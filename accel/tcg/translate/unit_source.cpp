#include "accel/tcg/translate/unit_source.h"

#include <algorithm>

#include "accel/tcg/vcpu/vcpu.h"
#include "base/assert.h"

namespace weft::accel {

bool UnitSource::read(Vcpu& vcpu, PageClaim& claim) {
    if (first_.device) {
        return read_piece(vcpu, first_, vcpu.guest.min_insn_size);
    }
    if (needs_claim(vcpu)) {
        claim.add(first_.ram_offset, first_.host, vcpu);
    }
    return read_piece(
        vcpu, first_,
        static_cast<uint32_t>(std::min<uint64_t>(
            {kPageSize - page_offset(), uint64_t{max_insns_} * vcpu.guest.max_insn_size, kMaxBytes})));
}

bool UnitSource::read_more(Vcpu& vcpu, PageClaim& claim) {
    const uint32_t max_insn_size = vcpu.guest.max_insn_size;
    WEFT_ASSERT(size_ < 2 * max_insn_size || !has_second_);
    const uint64_t next = pc_ + size_;
    if ((next & (kPageSize - 1)) != 0) {
        // The page is read in pieces because it is a device, or because what may be executed ends somewhere in it: then the
        // right to the piece before says nothing about this one.
        FetchPage page{};
        return vcpu.memory.fetch(next, vcpu.fetch_mode, &page) &&
               read_piece(vcpu, page, vcpu.guest.min_insn_size);
    }
    if (!has_second_) {
        if (!vcpu.memory.fetch(next, vcpu.fetch_mode, &second_)) {
            return false;
        }
        has_second_ = true;
    }
    if (second_.device) {
        return read_piece(vcpu, second_, vcpu.guest.min_insn_size);
    }
    if (!first_.device && needs_claim(vcpu)) {
        claim.add(second_.ram_offset, second_.host, vcpu);
    }
    return read_piece(vcpu, second_, max_insn_size);
}

// What is used once, and by this thread, may be of bytes that are overwritten meanwhile.
bool UnitSource::needs_claim(const Vcpu& vcpu) const {
    return vcpu.process_memory == nullptr || !insn_limit_;
}

// Reads the next bytes. As little of a device as an instruction can be, for reading may have effects.
bool UnitSource::read_piece(Vcpu& vcpu, const FetchPage& page, uint32_t size) {
    if (!vcpu.memory.read_code(page, pc_ + size_, bytes_.data() + size_, size)) {
        return false;
    }
    size_ += size;
    return true;
}

}  // namespace weft::accel
