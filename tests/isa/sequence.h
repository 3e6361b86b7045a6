// A sequence of instructions whose branches name instructions rather than distances, and the bytes it becomes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weft::isa_test {

enum class Fixup : uint8_t {
    none,
    branch,             // conditional branch
    jump,               // jal
    compressed_branch,  // c.beqz, c.bnez
    compressed_jump,    // c.j
    low_part,           // I-type immediate: distance of the target from the auipc `base` instructions before
};

struct SequenceInsn {
    uint32_t bits = 0;
    uint8_t size = 4;
    Fixup fixup = Fixup::none;
    uint8_t base = 0;     // of low_part
    uint8_t extra = 0;    // added to low_part: jalr ignores the lowest bit
    uint32_t target = 0;  // index of an instruction of the sequence, or its length: the end
};

class Sequence {
  public:
    uint32_t size() const { return static_cast<uint32_t>(insns_.size()); }
    SequenceInsn& operator[](uint32_t index) { return insns_[index]; }
    const SequenceInsn& operator[](uint32_t index) const { return insns_[index]; }

    void add(uint32_t bits);
    void add(const SequenceInsn& insn) { insns_.push_back(insn); }

    // Instructions [begin, size()) belong together: who jumps into their middle from before is sent to `begin`.
    void close_group(uint32_t begin) { groups_.push_back({begin, size()}); }

    // Sends jumps to the beginnings of groups. Once, when the sequence is complete.
    void settle();

    // Offset of an instruction from the beginning, or with size() that of the end.
    uint32_t offset_of(uint32_t index) const;

    // The code, followed by c.ebreak. Of the instructions from `kept` on, c.nops of the same size remain: a
    // sequence that runs to the same end without them.
    std::string code(uint32_t kept) const;

  private:
    struct Group {
        uint32_t begin;
        uint32_t end;
    };

    uint32_t resolved(uint32_t index) const;

    std::vector<SequenceInsn> insns_;
    std::vector<Group> groups_;
};

}  // namespace weft::isa_test
