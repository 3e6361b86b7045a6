#include "tests/isa/sequence.h"

#include "tests/isa/encode.h"
#include "tests/isa/guest_image.h"

namespace weft::isa_test {

void Sequence::add(uint32_t bits) {
    SequenceInsn insn;
    insn.bits = bits;
    insn.size = (bits & 3) == 3 ? 4 : 2;
    insns_.push_back(insn);
}

void Sequence::settle() {
    for (uint32_t source = 0; source < size(); ++source) {
        SequenceInsn& insn = insns_[source];
        if (insn.fixup == Fixup::none) {
            continue;
        }
        // Moving out of one group may lead into another: until no group objects.
        for (bool moved = true; moved;) {
            moved = false;
            for (const Group& group : groups_) {
                const bool inside = group.begin < insn.target && insn.target < group.end;
                if (inside && source < group.begin) {
                    insn.target = group.begin;
                    moved = true;
                }
            }
        }
    }
}

uint32_t Sequence::offset_of(uint32_t index) const {
    uint32_t offset = 0;
    for (uint32_t i = 0; i < index; ++i) {
        offset += insns_[i].size;
    }
    return offset;
}

uint32_t Sequence::resolved(uint32_t index) const {
    const SequenceInsn& insn = insns_[index];
    const auto distance_from = [&](uint32_t from) {
        return static_cast<int32_t>(offset_of(insn.target)) - static_cast<int32_t>(offset_of(from));
    };
    switch (insn.fixup) {
        case Fixup::none:
            break;
        case Fixup::branch:
            return (insn.bits & ~kBranchOffsetBits) | branch_offset(distance_from(index));
        case Fixup::jump:
            return (insn.bits & ~kJumpOffsetBits) | jump_offset(distance_from(index));
        case Fixup::compressed_branch:
            return (insn.bits & ~kCompressedBranchOffsetBits) |
                   compressed_branch_offset(distance_from(index));
        case Fixup::compressed_jump:
            return (insn.bits & ~kCompressedJumpOffsetBits) | compressed_jump_offset(distance_from(index));
        case Fixup::low_part:
            return (insn.bits & ~kImmediateIBits) |
                   immediate_i(distance_from(index - insn.base) + insn.extra);
    }
    return insn.bits;
}

std::string Sequence::code(uint32_t kept) const {
    std::string bytes;
    for (uint32_t i = 0; i < size(); ++i) {
        const uint32_t bits = i < kept ? resolved(i) : kCompressedNop | kCompressedNop << 16;
        append(&bytes, static_cast<uint16_t>(bits));
        if (insns_[i].size == 4) {
            append(&bytes, static_cast<uint16_t>(bits >> 16));
        }
    }
    append(&bytes, static_cast<uint16_t>(kCompressedEbreak));
    return bytes;
}

}  // namespace weft::isa_test
