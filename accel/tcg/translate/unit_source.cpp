#include "accel/tcg/translate/unit_source.h"

#include <algorithm>

#include "accel/tcg/vcpu/vcpu.h"
#include "base/assert.h"
#include "weft/guest_ram.h"

namespace weft::accel {

namespace {

// Most units are far shorter: reading a page for each would cost more than now and then a unit that ends early.
constexpr uint32_t kMaxBytes = 2048;

}  // namespace

bool UnitSource::read(Vcpu& vcpu, PageClaim& claim) {
    if (first_.device) {
        return read_device(vcpu, first_);
    }
    size_ = static_cast<uint32_t>(std::min<uint64_t>(
        {kPageSize - page_offset(), uint64_t{max_insns_} * vcpu.guest.max_insn_size, kMaxBytes}));
    claim.add(first_.ram_offset, first_.host, vcpu);
    guest_ram::read(bytes_.data(), first_.host + page_offset(), size_);
    return true;
}

bool UnitSource::read_more(Vcpu& vcpu, PageClaim& claim) {
    const uint32_t max_insn_size = vcpu.guest.max_insn_size;
    WEFT_ASSERT(size_ < 2 * max_insn_size || !has_second_);
    const uint64_t next = pc_ + size_;
    if ((next & (kPageSize - 1)) != 0) {
        // The page is read in pieces because it is a device, or because what may be executed ends somewhere in it: then the
        // right to the piece before says nothing about this one.
        FetchPage page{};
        return vcpu.mmu.fetch(next, vcpu.fetch_mode, &page) && read_device(vcpu, page);
    }
    if (!has_second_) {
        if (!vcpu.mmu.fetch(next, vcpu.fetch_mode, &second_)) {
            return false;
        }
        has_second_ = true;
    }
    if (second_.device) {
        return read_device(vcpu, second_);
    }
    if (!first_.device) {
        claim.add(second_.ram_offset, second_.host, vcpu);
    }
    guest_ram::read(bytes_.data() + size_, second_.host, max_insn_size);
    size_ += max_insn_size;
    return true;
}

// Reads the next piece, which lies at page.paddr: as little of a device as an instruction can be, for reading may have
// effects.
bool UnitSource::read_device(Vcpu& vcpu, const FetchPage& page) {
    const uint32_t piece = vcpu.guest.min_insn_size;
    uint64_t value = 0;
    if (vcpu.mmu.physical().device_load(page.paddr, piece, &value) != DeviceStatus::ok) {
        vcpu.guest.bus_error(vcpu.state(), pc_ + size_, Access::fetch);
        return false;
    }
    for (uint32_t i = 0; i < piece; ++i) {
        bytes_[size_++] = static_cast<uint8_t>(value >> 8 * i);
    }
    return true;
}

}  // namespace weft::accel
