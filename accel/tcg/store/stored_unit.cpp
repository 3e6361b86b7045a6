#include "accel/tcg/store/stored_unit.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bits.h"
#include "base/hash.h"
#include "tcg/code/insn_table.h"

namespace weft::accel {

namespace {

// As it lies in the file. Behind it, one after another: the jumps, the fields that reach outside, the guest's bytes, the table of
// instructions, the code; then zeros up to a multiple of kRecordAlignment.
struct RecordHead {
    uint32_t size;  // of the record
    uint32_t magic;
    uint64_t checksum;  // of what follows
    uint64_t tb_flags;
    uint32_t page_offset;
    uint32_t max_insns;
    uint32_t read;  // bytes that were read for the unit
    uint32_t guest_size;
    uint32_t insn_count;
    uint32_t host_insns;
    uint32_t slow_host_insns;
    uint32_t jump_count;
    uint32_t outside_count;
    uint32_t table_size;
    uint32_t code_size;
    uint32_t zero;
};
static_assert(sizeof(RecordHead) == 72 && sizeof(tcg::JumpSite) == 16);

constexpr uint32_t kMagic = 0x54666577;
constexpr size_t kChecked = offsetof(RecordHead, tb_flags);

RecordHead head_of(std::span<const uint8_t> record) {
    RecordHead head{};
    std::memcpy(&head, record.data(), std::min(sizeof(head), record.size()));
    return head;
}

// Four independent chains, as one would wait for its multiplications.
uint64_t checksum_of(std::span<const uint8_t> bytes) {
    constexpr size_t kLanes = 4;
    std::array<uint64_t, kLanes> state = {1, 2, 3, 4};
    size_t at = 0;
    for (; at + 8 * kLanes <= bytes.size(); at += 8 * kLanes) {
        for (size_t lane = 0; lane < kLanes; ++lane) {
            uint64_t word = 0;
            std::memcpy(&word, bytes.data() + at + 8 * lane, sizeof(word));
            state[lane] = hash_step(state[lane], word);
        }
    }
    for (; at < bytes.size(); at += 8) {
        uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, std::min<size_t>(8, bytes.size() - at));
        state[0] = hash_step(state[0], word);
    }
    return hash_words(state[0], state[1], state[2], state[3], bytes.size());
}

// Each piece of a record from its head.
struct Pieces {
    std::span<const uint8_t> jumps, outside, guest, table, code;
};

// nullopt: they would not fit.
std::optional<Pieces> pieces_of(std::span<const uint8_t> record, const RecordHead& head) {
    if (record.size() < sizeof(RecordHead) || head.jump_count > ir::kMaxGotoTb) {
        return std::nullopt;
    }
    std::span<const uint8_t> rest = record.subspan(sizeof(RecordHead));
    const auto take = [&rest](uint64_t size, std::span<const uint8_t>* piece) {
        if (size > rest.size()) {
            return false;
        }
        *piece = rest.first(size);
        rest = rest.subspan(size);
        return true;
    };
    Pieces pieces;
    const bool fits = take(uint64_t{head.jump_count} * sizeof(tcg::JumpSite), &pieces.jumps) &&
                      take(uint64_t{head.outside_count} * sizeof(uint16_t), &pieces.outside) &&
                      take(head.guest_size, &pieces.guest) && take(head.table_size, &pieces.table) &&
                      take(head.code_size, &pieces.code);
    return fits && rest.size() < kRecordAlignment ? std::optional(pieces) : std::nullopt;
}

// Whether a field of four bytes there lies in the code.
bool holds_field(const RecordHead& head, uint64_t offset) { return offset + 4 <= head.code_size; }

bool sound(const RecordHead& head, const Pieces& pieces, const tcg::CompiledUnit& unit) {
    if (head.code_size == 0 || head.guest_size == 0 || head.insn_count == 0 || head.insn_count > UINT16_MAX) {
        return false;
    }
    for (unsigned i = 0; i < head.jump_count; ++i) {
        const tcg::JumpSite& jump = unit.jumps[i];
        // A stub is a call and the unit's number at least.
        if (jump.stub_offset != 0 &&
            (!holds_field(head, jump.site_offset) || jump.site_offset % 4 != 0 ||
             !holds_field(head, uint64_t{jump.stub_offset} + 8) || !holds_field(head, jump.own_entry) ||
             (jump.own_entry != 0 && !holds_field(head, uint64_t{jump.stub_offset} + 13)))) {
            return false;
        }
    }
    return std::ranges::all_of(unit.outside, [&](uint16_t field) { return holds_field(head, field); }) &&
           tcg::is_insn_table(pieces.table, head.code_size);
}

}  // namespace

uint64_t UnitQuery::hash() const {
    std::array<uint8_t, 16> first{};
    std::memcpy(first.data(), bytes.data(), std::min(first.size(), bytes.size()));
    std::array<uint64_t, 2> words{};
    std::memcpy(words.data(), first.data(), sizeof(words));
    return hash_words(words[0], words[1], tb_flags, page_offset, uint64_t{max_insns} << 32 | bytes.size());
}

size_t record_size(std::span<const uint8_t> prefix) {
    const RecordHead head = head_of(prefix.first(kRecordPrefix));
    const bool possible = head.magic == kMagic && head.size >= sizeof(RecordHead) &&
                          head.size <= kMaxRecord && head.size % kRecordAlignment == 0;
    return possible ? head.size : 0;
}

uint64_t record_checksum(std::span<const uint8_t> prefix) {
    return head_of(prefix.first(kRecordPrefix)).checksum;
}

bool append_record(const UnitQuery& query, const StoredUnit& unit, std::vector<uint8_t>* out) {
    const tcg::CompiledUnit& compiled = unit.compiled;
    RecordHead head{};
    head.magic = kMagic;
    head.tb_flags = query.tb_flags;
    head.page_offset = query.page_offset;
    head.max_insns = query.max_insns;
    head.read = static_cast<uint32_t>(query.bytes.size());
    head.guest_size = unit.guest_size;
    head.insn_count = unit.insn_count;
    head.host_insns = compiled.host_insns;
    head.slow_host_insns = compiled.slow_host_insns;
    head.jump_count = compiled.jump_count;
    head.outside_count = static_cast<uint32_t>(compiled.outside.size());
    head.table_size = static_cast<uint32_t>(compiled.encoded_insns.size());
    head.code_size = static_cast<uint32_t>(unit.code.size());
    const std::span<const uint8_t> jumps(reinterpret_cast<const uint8_t*>(compiled.jumps.data()),
                                         compiled.jump_count * sizeof(tcg::JumpSite));
    const std::span<const uint8_t> outside(reinterpret_cast<const uint8_t*>(compiled.outside.data()),
                                           compiled.outside.size_bytes());
    const auto pieces = {jumps, outside, query.bytes.first(unit.guest_size), compiled.encoded_insns,
                         unit.code};
    size_t size = sizeof(head);
    for (const auto& piece : pieces) {
        size += piece.size();
    }
    size = align_up(size, kRecordAlignment);
    if (size > kMaxRecord) {
        return false;
    }
    head.size = static_cast<uint32_t>(size);
    const size_t start = out->size();
    out->resize(start + size);
    uint8_t* at = out->data() + start + sizeof(head);
    for (const auto& piece : pieces) {
        at = std::ranges::copy(piece, at).out;
    }
    std::memcpy(out->data() + start, &head, sizeof(head));
    seal_record(std::span(*out).subspan(start));
    return true;
}

std::optional<Record> read_record(std::span<const uint8_t> bytes) {
    if (bytes.size() < sizeof(RecordHead) || record_size(bytes.first(kRecordPrefix)) != bytes.size()) {
        return std::nullopt;
    }
    const RecordHead head = head_of(bytes);
    const auto pieces = pieces_of(bytes, head);
    if (!pieces || head.guest_size > head.read || checksum_of(bytes.subspan(kChecked)) != head.checksum) {
        return std::nullopt;
    }
    Record record{{}, pieces->guest, head.tb_flags, head.page_offset, head.max_insns, head.read};
    tcg::CompiledUnit& compiled = record.unit.compiled;
    compiled.code_size = head.code_size;
    compiled.jump_count = static_cast<uint8_t>(head.jump_count);
    std::memcpy(compiled.jumps.data(), pieces->jumps.data(), pieces->jumps.size());
    compiled.encoded_insns = pieces->table;
    // Behind a head of 72 bytes and jumps of sixteen: aligned.
    compiled.outside = {reinterpret_cast<const uint16_t*>(pieces->outside.data()), head.outside_count};
    compiled.host_insns = head.host_insns;
    compiled.slow_host_insns = head.slow_host_insns;
    record.unit.guest_size = head.guest_size;
    record.unit.insn_count = head.insn_count;
    record.unit.code = pieces->code;
    return sound(head, *pieces, compiled) ? std::optional(record) : std::nullopt;
}

std::optional<StoredUnit> unit_of_record(std::span<const uint8_t> bytes, const UnitQuery& query) {
    const auto record = read_record(bytes);
    const bool is_it = record && record->tb_flags == query.tb_flags &&
                       record->page_offset == query.page_offset && record->max_insns == query.max_insns &&
                       record->read == query.bytes.size() &&
                       std::ranges::equal(record->guest, query.bytes.first(record->guest.size()));
    return is_it ? std::optional(record->unit) : std::nullopt;
}

void seal_record(std::span<uint8_t> bytes) {
    const uint64_t checksum = checksum_of(bytes.subspan(kChecked));
    std::memcpy(bytes.data() + offsetof(RecordHead, checksum), &checksum, sizeof(checksum));
}

}  // namespace weft::accel
