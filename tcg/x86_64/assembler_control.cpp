// Labels, jumps, rip-relative operands, instructions without operands, padding.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/assert.h"
#include "tcg/x86_64/assembler.h"

namespace weft::tcg::x86_64 {
namespace {

constexpr Encoding kJmp32{0xe9};
constexpr Encoding kCall32{0xe8};
constexpr unsigned kJmp8 = 0xeb;
constexpr unsigned kJcc8 = 0x70;
constexpr unsigned kNone = 0;

constexpr Encoding jcc32(Cond cond) {
    return {static_cast<uint8_t>(0x80 | static_cast<unsigned>(cond)), Map::m0f};
}

// A 32-bit field that waits for a label holds the previous one of the chain (its unit offset plus one, zero
// at the end) above three bits that count the bytes of the instruction after the field: an immediate shifts
// what rip is.
constexpr unsigned kTrailingBits = 3;

constexpr uint32_t chain_link(int32_t previous, unsigned trailing) {
    return static_cast<uint32_t>(previous + 1) << kTrailingBits | trailing;
}
static_assert(uint64_t{Emitter::kMaxUnitBytes} << kTrailingBits <= uint64_t{1} << 32);

int32_t checked_int32(int64_t value) {
    WEFT_ASSERT(value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max());
    return static_cast<int32_t>(value);
}

// The multi-byte nops recommended by the SDM ("NOP—No Operation", table 4-12).
constexpr unsigned kLongestNop = 9;
constexpr std::array<std::array<uint8_t, kLongestNop>, kLongestNop> kNops = {{
    {0x90},
    {0x66, 0x90},
    {0x0f, 0x1f, 0x00},
    {0x0f, 0x1f, 0x40, 0x00},
    {0x0f, 0x1f, 0x44, 0x00, 0x00},
    {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
    {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
    {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
}};

void put_opcode(Cursor& out, Encoding encoding) {
    if (encoding.map == Map::m0f)
        out.byte(0x0f);
    out.byte(encoding.opcode);
}

}  // namespace

bool Assembler::finish_rip(Cursor& out) {
    const auto put = [&](uint32_t value) { std::memcpy(out.rip_field, &value, sizeof(value)); };
    const auto length = static_cast<uint32_t>(out.at - out.begin);
    const int64_t end = int64_t{offset()} + length;
    const Mem& mem = *out.rip_mem;
    Label* const label = mem.label();
    if (mem.kind() == Mem::Kind::rip_unit) {
        put(static_cast<uint32_t>(checked_int32(mem.disp() - end)));
        const uint32_t field = offset() + static_cast<uint32_t>(out.rip_field - out.begin);
        if (!commit(out.begin, out.at))
            return false;
        refers_to(field, mem.disp());
        return true;
    }
    if (label != nullptr && label->bound()) {
        put(static_cast<uint32_t>(checked_int32(int64_t{label->position_} - end)));
    } else if (label != nullptr) {
        const auto field = static_cast<uint32_t>(out.rip_field - out.begin);
        put(chain_link(label->newest_, length - field - 4));
        const auto position = static_cast<int32_t>(offset() + field);
        if (!commit(out.begin, out.at))
            return false;
        label->newest_ = position;
        ++awaited_references_;
        return true;
    }
    return commit(out.begin, out.at);
}

void Assembler::bind(Label& label) {
    WEFT_ASSERT(!label.bound());
    const auto here = static_cast<int32_t>(offset());
    label.position_ = here;
    for (int32_t field = label.newest_; field >= 0;) {
        const auto at = static_cast<uint32_t>(field);
        const uint32_t link = read32(at);
        const auto trailing = static_cast<int32_t>(link & ((1U << kTrailingBits) - 1));
        patch32(at, static_cast<uint32_t>(here - (field + 4 + trailing)));
        field = static_cast<int32_t>(link >> kTrailingBits) - 1;
        --awaited_references_;
    }
    for (int32_t field = label.newest_short_; field >= 0;) {
        const auto at = static_cast<uint32_t>(field);
        const int32_t back = bytes()[at];
        const int32_t distance = here - (field + 1);
        WEFT_ASSERT(distance <= std::numeric_limits<int8_t>::max());
        patch8(at, static_cast<uint8_t>(distance));
        field = back == 0 ? -1 : field - back;
        --awaited_references_;
    }
    label.newest_ = label.newest_short_ = -1;
}

void Assembler::jump(unsigned opcode8, Encoding encoding32, Label& label) {
    Cursor out(begin());
    if (label.bound()) {
        const int32_t distance8 = label.position_ - static_cast<int32_t>(offset()) - 2;
        if (opcode8 != kNone && distance8 >= std::numeric_limits<int8_t>::min()) {
            out.byte(opcode8);
            out.byte(static_cast<unsigned>(distance8));
        } else {
            put_opcode(out, encoding32);
            const auto length = static_cast<int32_t>(out.at - out.begin) + 4;
            out.imm32(static_cast<uint32_t>(label.position_ - static_cast<int32_t>(offset()) - length));
        }
        finish(out);
        return;
    }
    put_opcode(out, encoding32);
    const auto field = static_cast<int32_t>(offset() + static_cast<uint32_t>(out.at - out.begin));
    out.imm32(chain_link(label.newest_, 0));
    if (finish(out)) {
        label.newest_ = field;
        ++awaited_references_;
    }
}

void Assembler::jump_short(unsigned opcode8, Label& label) {
    Cursor out(begin());
    out.byte(opcode8);
    const auto field = static_cast<int32_t>(offset()) + 1;
    if (label.bound()) {
        const int32_t distance = label.position_ - (field + 1);
        WEFT_ASSERT(distance >= std::numeric_limits<int8_t>::min());
        out.byte(static_cast<unsigned>(distance));
        finish(out);
        return;
    }
    // The chain of the 8-bit fields counts the bytes back to the previous one, zero at the end. A longer
    // distance than a byte holds would be out of the jump's reach as well.
    const int32_t back = label.newest_short_ < 0 ? 0 : field - label.newest_short_;
    WEFT_ASSERT(back <= std::numeric_limits<int8_t>::max());
    out.byte(static_cast<unsigned>(back));
    if (finish(out)) {
        label.newest_short_ = field;
        ++awaited_references_;
    }
}

uint32_t Assembler::jump_rel32(Encoding encoding32, int64_t target) {
    Cursor out(begin());
    put_opcode(out, encoding32);
    const uint32_t field = offset() + static_cast<uint32_t>(out.at - out.begin);
    out.imm32(static_cast<uint32_t>(checked_int32(target - (int64_t{field} + 4))));
    if (finish(out)) {
        refers_to(field, target);
    }
    return field;
}

void Assembler::jmp(Label& label) { jump(kJmp8, kJmp32, label); }

void Assembler::jcc(Cond cond, Label& label) {
    jump(kJcc8 | static_cast<unsigned>(cond), jcc32(cond), label);
}

void Assembler::call(Label& label) { jump(kNone, kCall32, label); }

void Assembler::jmp_short(Label& label) { jump_short(kJmp8, label); }

void Assembler::jcc_short(Cond cond, Label& label) { jump_short(kJcc8 | static_cast<unsigned>(cond), label); }

uint32_t Assembler::jmp_rel32(int64_t target) { return jump_rel32(kJmp32, target); }

uint32_t Assembler::jcc_rel32(Cond cond, int64_t target) { return jump_rel32(jcc32(cond), target); }

uint32_t Assembler::call_rel32(int64_t target) { return jump_rel32(kCall32, target); }

// The opcode is the byte before the field.
void Assembler::align_field() {
    constexpr uint32_t kFieldBytes = 4;
    nop((kFieldBytes - 1 - offset() % kFieldBytes) % kFieldBytes);
}

uint32_t Assembler::jmp_patchable(int64_t target) {
    align_field();
    return jump_rel32(kJmp32, target);
}

uint32_t Assembler::call_patchable(int64_t target) {
    align_field();
    return jump_rel32(kCall32, target);
}

void Assembler::jmp(Gpr target) {
    Cursor out(begin());
    legacy_rr(out, {0xff}, 4, number_of(target));
    finish(out);
}

void Assembler::jmp(const Mem& target) {
    Cursor out(begin());
    legacy_rm(out, {0xff}, 4, target);
    finish(out);
}

void Assembler::call(Gpr target) {
    Cursor out(begin());
    legacy_rr(out, {0xff}, 2, number_of(target));
    finish(out);
}

void Assembler::call(const Mem& target) {
    Cursor out(begin());
    legacy_rm(out, {0xff}, 2, target);
    finish(out);
}

void Assembler::plain(Plain op) {
    const PlainRow& row = row_of(kPlain, op);
    Cursor out(begin());
    std::memcpy(out.at, row.bytes.data(), row.bytes.size());
    out.at += row.size;
    finish(out);
}

void Assembler::prefetch(Prefetch hint, const Mem& mem) {
    Cursor out(begin());
    legacy_rm(out, {0x18, Map::m0f}, row_of(kPrefetch, hint).digit, mem);
    finish(out);
}

void Assembler::nop(unsigned count) {
    while (count != 0 && !overflowed()) {
        const unsigned length = std::min(count, kLongestNop);
        Cursor out(begin());
        const auto& form = kNops[length - 1];
        std::memcpy(out.at, form.data(), form.size());
        out.at += length;
        finish(out);
        count -= length;
    }
}

void Assembler::align(uint32_t alignment) {
    WEFT_ASSERT(alignment != 0 && (alignment & (alignment - 1)) == 0);
    nop(-offset() & (alignment - 1));
}

}  // namespace weft::tcg::x86_64
