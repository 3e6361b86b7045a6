// Stored units as bytes: what was written is read, and of bytes that anything happened to, nothing is.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "accel/tcg/store/stored_unit.h"
#include "tcg/code/insn_table.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::accel;

namespace {

// A unit of some sizes, whose bytes are a number's.
struct Sample {
    std::vector<uint8_t> guest, code, table;
    std::vector<uint16_t> outside;
    UnitQuery query{};
    StoredUnit unit{};

    explicit Sample(uint64_t seed, size_t guest_size = 24, size_t code_size = 160, unsigned jumps = 2) {
        test::Random random(seed);
        guest.resize(guest_size + 40);
        code.resize(code_size);
        for (auto* bytes : {&guest, &code}) {
            std::ranges::generate(*bytes, [&] { return static_cast<uint8_t>(random.next()); });
        }
        const std::vector<tcg::InsnRow> rows = {
            {10, 0}, {40, 2}, {40, 6}, {static_cast<uint32_t>(code_size), 0}};
        table.resize(rows.size() * tcg::kMaxEncodedInsnRow);
        table.resize(tcg::encode_insn_table(rows, table));
        outside = {6, 14, static_cast<uint16_t>(code_size - 4)};
        query = {guest, 0x1234, static_cast<uint32_t>(random.next() & 0xffe), 512, 0};
        unit.compiled.jump_count = static_cast<uint8_t>(jumps);
        for (unsigned i = 0; i < jumps; ++i) {
            unit.compiled.jumps[i] = {4 * i, 100 + 16 * i, -8 * static_cast<int32_t>(i)};
        }
        unit.compiled.encoded_insns = table;
        unit.compiled.outside = outside;
        unit.compiled.host_insns = 33;
        unit.compiled.slow_host_insns = 5;
        unit.guest_size = static_cast<uint32_t>(guest_size);
        unit.insn_count = 9;
        unit.code = code;
    }

    std::vector<uint8_t> record() const {
        std::vector<uint8_t> bytes;
        REQUIRE(append_record(query, unit, &bytes));
        return bytes;
    }
};

template <class A, class B>
bool same(const A& a, const B& b) {
    return std::ranges::equal(a, b);
}

}  // namespace

TEST_CASE("what was written is read") {
    const unsigned jumps = GENERATE(0u, 1u, 2u);
    const size_t code_size = GENERATE(160u, 176u, 60'000u);
    const Sample sample(jumps, 24, code_size, jumps);
    const std::vector<uint8_t> record = sample.record();
    CHECK(record.size() % kRecordAlignment == 0);
    CHECK(record_size(std::span(record).first(kRecordPrefix)) == record.size());
    const auto unit = unit_of_record(record, sample.query);
    REQUIRE(unit);
    CHECK(same(unit->code, sample.code));
    CHECK(same(unit->compiled.encoded_insns, sample.table));
    CHECK(same(unit->compiled.outside, sample.outside));
    CHECK(unit->compiled.code_size == code_size);
    CHECK(unit->compiled.jump_count == jumps);
    for (unsigned i = 0; i < jumps; ++i) {
        CHECK(unit->compiled.jumps[i].site_offset == 4 * i);
        CHECK(unit->compiled.jumps[i].stub_offset == 100 + 16 * i);
        CHECK(unit->compiled.jumps[i].pc_offset == -8 * static_cast<int32_t>(i));
    }
    CHECK(unit->compiled.host_insns == 33);
    CHECK(unit->compiled.slow_host_insns == 5);
    CHECK(unit->guest_size == 24);
    CHECK(unit->insn_count == 9);
}

TEST_CASE("a unit is that of its bytes, its place in the page, its flags and its request") {
    const Sample sample(1);
    const std::vector<uint8_t> record = sample.record();
    REQUIRE(unit_of_record(record, sample.query));
    for (unsigned change = 0; change < 5; ++change) {
        UnitQuery query = sample.query;
        std::vector<uint8_t> bytes = sample.guest;
        query.bytes = bytes;
        switch (change) {
            case 0:
                query.tb_flags ^= 1;
                break;
            case 1:
                query.page_offset ^= 2;
                break;
            case 2:
                query.max_insns -= 1;
                break;
            case 3:
                query.bytes = query.bytes.first(query.bytes.size() - 1);
                break;
            case 4:
                bytes[23] ^= 0x80;
                break;
        }
        CAPTURE(change);
        CHECK_FALSE(unit_of_record(record, query));
    }
    // Those behind the unit are none of its own, but for where it is looked up.
    std::vector<uint8_t> bytes = sample.guest;
    bytes[24] ^= 1;
    UnitQuery query = sample.query;
    query.bytes = bytes;
    CHECK(unit_of_record(record, query));
}

TEST_CASE("of changed or shortened bytes nothing is read") {
    const Sample sample(2);
    const std::vector<uint8_t> record = sample.record();
    for (size_t i = 0; i < record.size() * 8; ++i) {
        std::vector<uint8_t> changed = record;
        changed[i / 8] ^= static_cast<uint8_t>(1u << i % 8);
        CAPTURE(i);
        CHECK_FALSE(unit_of_record(changed, sample.query));
    }
    for (size_t size = 0; size < record.size(); ++size) {
        CHECK_FALSE(unit_of_record(std::span(record).first(size), sample.query));
    }
    std::vector<uint8_t> longer = record;
    longer.resize(record.size() + kRecordAlignment);
    CHECK_FALSE(unit_of_record(longer, sample.query));
}

TEST_CASE("a record whose parts do not fit each other is none, whatever its checksum") {
    // As whoever may write the file could make it: each is written with the right checksum.
    Sample sample(3);
    SECTION("a field behind the code") { sample.outside[0] = static_cast<uint16_t>(sample.code.size() - 3); }
    SECTION("a jump behind the code") { sample.unit.compiled.jumps[1].site_offset = 160; }
    SECTION("a jump that is not aligned") { sample.unit.compiled.jumps[1].site_offset = 6; }
    SECTION("a stub behind the code") { sample.unit.compiled.jumps[0].stub_offset = 150; }
    SECTION("a jump behind the code, of two") { sample.unit.compiled.jumps[0].site_offset = 160; }
    SECTION("a jump far away") { sample.unit.compiled.jumps[0].stub_offset = UINT32_MAX - 3; }
    SECTION("no instructions") { sample.unit.insn_count = 0; }
    SECTION("more instructions than a TB may have") { sample.unit.insn_count = 0x10000; }
    SECTION("no guest bytes") { sample.unit.guest_size = 0; }
    SECTION("no code") { sample.unit.code = {}; }
    SECTION("no table") { sample.unit.compiled.encoded_insns = {}; }
    SECTION("a table that goes on behind its end") { sample.table.back() |= 0x80; }
    SECTION("a table of rows behind the code") {
        sample.table[0] = 0x7f;
        sample.unit.code = std::span(sample.code).first(120);
    }
    std::vector<uint8_t> record;
    REQUIRE(append_record(sample.query, sample.unit, &record));
    CHECK_FALSE(unit_of_record(record, sample.query));
}

TEST_CASE("what is too large is not written") {
    const Sample sample(4, 24, kMaxRecord);
    std::vector<uint8_t> bytes(16, 1);
    CHECK_FALSE(append_record(sample.query, sample.unit, &bytes));
    CHECK(bytes == std::vector<uint8_t>(16, 1));
}

TEST_CASE("any bytes are a table of instructions, or refused") {
    // Held against the reader: what is taken, it walks over without an assertion.
    test::Random random(5);
    unsigned taken = 0;
    for (unsigned i = 0; i < 20'000; ++i) {
        std::vector<uint8_t> bytes(random.next() % 12);
        std::ranges::generate(bytes, [&] {
            return static_cast<uint8_t>(random.next() % 4 == 0 ? random.next() : random.next() % 128);
        });
        if (!tcg::is_insn_table(bytes, 1000)) {
            continue;
        }
        ++taken;
        tcg::InsnTableReader reader(bytes);
        uint32_t last = 0;
        while (const auto row = reader.next()) {
            REQUIRE(row->host_end >= last);
            REQUIRE(row->host_end <= 1000);
            last = row->host_end;
        }
    }
    CHECK(taken > 1000);
}
