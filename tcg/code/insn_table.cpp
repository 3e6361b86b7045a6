#include "tcg/code/insn_table.h"

#include <algorithm>

#include "base/assert.h"

namespace weft::tcg {

namespace {

// LEB128: seven bits a byte, lowest first; bit 7 says that more follow. The signed form ends when the rest is
// the sign of what was written.
uint8_t* put_unsigned(uint8_t* out, uint32_t value) {
    while (value >= 0x80) {
        *out++ = static_cast<uint8_t>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<uint8_t>(value);
    return out;
}

uint8_t* put_signed(uint8_t* out, uint32_t bits) {
    auto value = static_cast<int32_t>(bits);
    while (value < -0x40 || value >= 0x40) {
        *out++ = static_cast<uint8_t>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<uint8_t>(value & 0x7f);
    return out;
}

}  // namespace

size_t encode_insn_table(std::span<const InsnRow> rows, std::span<uint8_t> out) {
    WEFT_ASSERT(out.size() >= rows.size() * kMaxEncodedInsnRow);
    uint8_t* at = out.data();
    InsnRow last{};
    for (const InsnRow& row : rows) {
        WEFT_DEBUG_ASSERT(row.host_end >= last.host_end);
        at = put_unsigned(at, row.host_end - last.host_end);
        at = put_signed(at, static_cast<uint32_t>(row.pc_offset) - static_cast<uint32_t>(last.pc_offset));
        last = row;
    }
    return static_cast<size_t>(at - out.data());
}

namespace {

// Takes a number of at most 32 bits off the front. False: there is none.
bool skip_number(std::span<const uint8_t>& rest, uint32_t* value) {
    constexpr size_t kMaxBytes = 5;
    *value = 0;
    for (size_t i = 0; i < std::min(rest.size(), kMaxBytes); ++i) {
        *value |= static_cast<uint32_t>(rest[i] & 0x7f) << (7 * i);
        if ((rest[i] & 0x80) == 0) {
            rest = rest.subspan(i + 1);
            return true;
        }
    }
    return false;
}

}  // namespace

bool is_insn_table(std::span<const uint8_t> bytes, uint32_t code_size) {
    if (bytes.empty()) {
        return false;
    }
    uint64_t host_end = 0;
    while (!bytes.empty()) {
        uint32_t step = 0;
        uint32_t pc_step = 0;
        if (!skip_number(bytes, &step) || !skip_number(bytes, &pc_step)) {
            return false;
        }
        host_end += step;
        if (host_end > code_size) {
            return false;
        }
    }
    return true;
}

uint32_t InsnTableReader::read_unsigned() {
    uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        WEFT_DEBUG_ASSERT(!rest_.empty() && shift < 35);
        const uint8_t byte = rest_.front();
        rest_ = rest_.subspan(1);
        value |= static_cast<uint32_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
}

uint32_t InsnTableReader::read_signed() {
    uint32_t value = 0;
    for (unsigned shift = 0;;) {
        WEFT_DEBUG_ASSERT(!rest_.empty() && shift < 35);
        const uint8_t byte = rest_.front();
        rest_ = rest_.subspan(1);
        value |= static_cast<uint32_t>(byte & 0x7f) << shift;
        shift += 7;
        if ((byte & 0x80) == 0) {
            if ((byte & 0x40) != 0 && shift < 32) {
                value |= ~uint32_t{0} << shift;
            }
            return value;
        }
    }
}

std::optional<InsnRow> InsnTableReader::next() {
    if (rest_.empty()) {
        return std::nullopt;
    }
    row_.host_end += read_unsigned();
    row_.pc_offset = static_cast<int32_t>(static_cast<uint32_t>(row_.pc_offset) + read_signed());
    return row_;
}

namespace {

// The number of the first row with `pc_offset`, which there is.
uint32_t first_row_of(std::span<const uint8_t> table, int32_t pc_offset) {
    InsnTableReader reader(table);
    uint32_t number = 0;
    while (reader.next()->pc_offset != pc_offset) {
        ++number;
    }
    return number;
}

}  // namespace

// Flattened: every exception comes here. With the reader's functions called, a loop of system calls took 5 % longer.
[[gnu::flatten]] std::optional<InsnRow> find_insn(std::span<const uint8_t> table, uint32_t offset,
                                                  uint32_t* index) {
    InsnTableReader reader(table);
    while (true) {
        const std::optional<InsnRow> row = reader.next();
        if (!row || offset <= row->host_end) {
            if (row && index != nullptr) {
                *index = first_row_of(table, row->pc_offset);
            }
            return row;
        }
    }
}

}  // namespace weft::tcg
