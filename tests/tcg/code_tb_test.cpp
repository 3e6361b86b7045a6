#include <catch2/catch.hpp>
#include <set>

#include "tcg/code/insn_table.h"
#include "tcg/code/tb_slab.h"
#include "tests/support/failing_host_calls.h"
#include "tests/support/random.h"
#include "tests/tcg/code_fixture.h"
#include "tests/tcg/code_maps.h"

namespace weft::tcg {
namespace {

bool equal(const InsnRow& a, const InsnRow& b) {
    return a.host_end == b.host_end && a.pc_offset == b.pc_offset;
}

std::vector<uint8_t> encode(const std::vector<InsnRow>& rows) {
    std::vector<uint8_t> bytes(rows.size() * kMaxEncodedInsnRow);
    bytes.resize(encode_insn_table(rows, bytes));
    return bytes;
}

// The definition, read off directly.
const InsnRow* first_row_at(const std::vector<InsnRow>& rows, uint32_t offset) {
    for (const InsnRow& row : rows) {
        if (offset <= row.host_end) {
            return &row;
        }
    }
    return nullptr;
}

TEST_CASE("an instruction table gives back its rows and finds the row of each host pc") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    for (unsigned round = 0; round < 300; ++round) {
        std::vector<InsnRow> rows;
        uint32_t end = 0;
        const uint64_t count = random.below(60);
        for (uint64_t i = 0; i < count; ++i) {
            // Also rows without code, and any values in the other columns.
            end += static_cast<uint32_t>(random.below(round % 3 == 0 ? 5 : 300));
            const auto pc = static_cast<int32_t>(random.next() >> (32 + random.below(32)));
            rows.push_back({end, random.below(2) != 0 ? pc : -pc});
        }
        const std::vector<uint8_t> table = encode(rows);
        InsnTableReader reader(table);
        for (const InsnRow& row : rows) {
            const auto read = reader.next();
            REQUIRE(read);
            REQUIRE(equal(*read, row));
        }
        REQUIRE_FALSE(reader.next());
        for (uint32_t offset = 0; offset < end + 3; ++offset) {
            const InsnRow* expected = first_row_at(rows, offset);
            uint32_t index = 12345;
            const auto found = find_insn(table, offset, &index);
            REQUIRE(found.has_value() == (expected != nullptr));
            if (expected != nullptr) {
                REQUIRE(equal(*found, *expected));
                const auto first = std::ranges::find(rows, expected->pc_offset, &InsnRow::pc_offset);
                REQUIRE(index == static_cast<uint32_t>(first - rows.begin()));
            } else {
                REQUIRE(index == 12345);
            }
        }
    }
}

TEST_CASE("code behind a unit counts as the instruction that it belongs to") {
    // Three instructions, then out of line the rest of the third and of the first.
    const std::vector<uint8_t> table = encode({{10, 0}, {20, 2}, {30, 6}, {40, 6}, {50, 0}});
    for (const auto& [offset, expected] : {std::pair(5u, 0u), std::pair(15u, 1u), std::pair(30u, 2u),
                                           std::pair(31u, 2u), std::pair(41u, 0u)}) {
        uint32_t index = 12345;
        REQUIRE(find_insn(table, offset, &index));
        CHECK(index == expected);
    }
}

TEST_CASE("instruction tables hold extreme values, and ordinary ones in few bytes") {
    const std::vector<InsnRow> extreme = {{0, INT32_MIN}, {0, INT32_MAX}, {0xffffffff, -1}, {0xffffffff, 0}};
    const auto table = encode(extreme);
    InsnTableReader reader(table);
    for (const InsnRow& row : extreme) {
        CHECK(equal(*reader.next(), row));
    }
    std::vector<InsnRow> usual;
    for (uint32_t i = 1; i <= 10; ++i) {
        usual.push_back({i * 20, static_cast<int32_t>(i * 4)});
    }
    CHECK(encode(usual).size() == 2 * 10);
    CHECK(encode({}).empty());
}

TEST_CASE("unit indices name a region and a unit in it") {
    for (const unsigned count : {1u, 2u, 3u, 16u, 17u, 64u, 1000u, 1024u, 4096u}) {
        const UnitIndexLayout layout = UnitIndexLayout::for_regions(count);
        CHECK(layout.index_bits >= 20);
        std::set<UnitIndex> seen;
        for (const uint32_t region : {0u, count / 2, count - 1}) {
            for (const uint32_t index : {0u, 1u, 77u, layout.max_units() - 1}) {
                const UnitIndex unit = layout.make(region, index);
                CHECK(layout.region(unit) == region);
                CHECK(layout.index(unit) == index);
                CHECK(unit != kNoUnit);
                seen.insert(unit);
            }
        }
        CHECK(seen.size() == (count == 1 ? 4 : count == 2 ? 8 : 12));
    }
}

TEST_CASE("what look-ups compare is in a descriptor's first line") {
    CHECK(offsetof(TranslationBlock, key) + sizeof(TbKey) <= kCacheLine);
    CHECK(offsetof(TranslationBlock, code) < kCacheLine);
    CHECK(offsetof(TranslationBlock, state) < kCacheLine);
    const TbKey key{0x80001ffe, 0x80002000, 1};
    CHECK(key.page0() == 0x80001000);
    CHECK(key.page_offset() == 0xffe);
}

TEST_CASE("a slab finds descriptors by number and keeps them in place") {
    TbSlab slab(1 << 16, HostCalls::real(), true);
    CHECK(slab.at(0) == nullptr);
    std::vector<TranslationBlock*> made;
    for (uint32_t i = 0; i < 20000; ++i) {
        REQUIRE(slab.prepare());
        TranslationBlock* tb = slab.next();
        REQUIRE(reinterpret_cast<uintptr_t>(tb) % kCacheLine == 0);
        tb->hash = i;
        slab.publish();
        made.push_back(tb);
    }
    CHECK(slab.count() == 20000);
    CHECK(slab.at(20000) == nullptr);
    CHECK(slab.at(~0u) == nullptr);
    for (uint32_t i = 0; i < made.size(); ++i) {
        REQUIRE(slab.at(i) == made[i]);
        REQUIRE(made[i]->hash == i);
    }
    CHECK(std::set<TranslationBlock*>(made.begin(), made.end()).size() == made.size());
    slab.reset();
    CHECK(slab.count() == 0);
    CHECK(slab.at(0) == nullptr);
    REQUIRE(slab.prepare());
    CHECK(slab.next()->hash == 0);
}

TEST_CASE("a slab ends with its numbers") {
    TbSlab slab(3, HostCalls::real(), true);
    for (unsigned i = 0; i < 3; ++i) {
        REQUIRE(slab.prepare());
        slab.next();
        slab.publish();
    }
    CHECK_FALSE(slab.prepare());
    slab.take_back(slab.mark());
    CHECK(slab.prepare());
}

TEST_CASE("table memory of a slab never overlaps, is aligned, and can be rewound") {
    INFO("WEFT_TEST_SEED=" << test::test_seed());
    test::Random random(test::test_seed());
    TbSlab slab(16, HostCalls::real(), false);
    for (unsigned pass = 0; pass < 3; ++pass) {
        std::vector<std::pair<uint8_t*, size_t>> pieces;
        for (unsigned i = 0; i < 2000; ++i) {
            const size_t size = random.below(i % 100 == 0 ? 200000 : 300);
            const size_t alignment = size_t{1} << random.below(5);
            auto* piece = static_cast<uint8_t*>(slab.allocate(size, alignment));
            REQUIRE(piece != nullptr);
            REQUIRE(reinterpret_cast<uintptr_t>(piece) % alignment == 0);
            size_t kept = size;
            if (i % 3 == 0) {
                kept = random.below(size + 1);
                slab.shrink_last(piece, kept);
            }
            if (i % 7 == 0) {
                const TbSlab::Mark mark = slab.mark();
                void* thrown_away = slab.allocate(500, 1);
                slab.rewind(mark);
                REQUIRE(slab.allocate(500, 1) == thrown_away);
                slab.rewind(mark);
            }
            std::fill_n(piece, kept, static_cast<uint8_t>(i));
            pieces.emplace_back(piece, kept);
        }
        for (size_t i = 0; i < pieces.size(); ++i) {
            const auto [piece, size] = pieces[i];
            REQUIRE(std::all_of(piece, piece + size,
                                [i](uint8_t byte) { return byte == static_cast<uint8_t>(i); }));
        }
        slab.reset();
    }
}

TEST_CASE("a slab without host memory says so and goes on when there is some again") {
    for (int n = 0; n < 3; ++n) {
        const test::FailingHostCalls calls(n);
        TbSlab slab(1 << 20, calls, false);
        unsigned refused = 0;
        for (unsigned i = 0; i < 300; ++i) {
            if (!slab.prepare()) {
                ++refused;
                REQUIRE(slab.prepare());
            }
            slab.next();
            slab.publish();
            const TbSlab::Mark mark = slab.mark();
            if (slab.allocate(64, 8) == nullptr) {
                ++refused;
                REQUIRE(slab.mark().chunk == mark.chunk);
                REQUIRE(slab.mark().used == mark.used);
                REQUIRE(slab.allocate(64, 8) != nullptr);
            }
        }
        CHECK(refused == 1);
        CHECK(slab.count() == 300);
    }
}

TEST_CASE("jump and page lists: in at the front, out anywhere") {
    std::vector<OutgoingJump> jumps(5);
    OutgoingJump* head = nullptr;
    for (OutgoingJump& jump : jumps) {
        jump.link_into(&head);
    }
    const auto order = [&head, &jumps] {
        std::vector<ptrdiff_t> numbers;
        for (OutgoingJump* at = head; at != nullptr; at = at->next) {
            numbers.push_back(at - jumps.data());
        }
        return numbers;
    };
    CHECK(order() == std::vector<ptrdiff_t>{4, 3, 2, 1, 0});
    jumps[2].unlink();
    CHECK(order() == std::vector<ptrdiff_t>{4, 3, 1, 0});
    jumps[4].unlink();
    jumps[0].unlink();
    CHECK(order() == std::vector<ptrdiff_t>{3, 1});
    jumps[2].link_into(&head);
    CHECK(order() == std::vector<ptrdiff_t>{2, 3, 1});
    for (const unsigned i : {3, 1, 2}) {
        jumps[i].unlink();
    }
    CHECK(head == nullptr);

    PageLink link{};
    PageLink* page = nullptr;
    CHECK_FALSE(link.linked());
    link.link_into(&page);
    CHECK(link.linked());
    link.unlink();
    CHECK_FALSE(link.linked());
    CHECK(page == nullptr);
}

TEST_CASE("a descriptor says what it was made from") {
    const auto memory = test_code::make_memory(4 << 20, 2);
    REQUIRE(memory);
    auto context = *memory->regions->claim();
    CompiledUnit compiled{};
    const std::vector<InsnRow> rows = {{20, 0}, {48, 4}, {90, 6}};
    compiled.code_size = 100;
    compiled.jump_count = 2;
    compiled.jumps[0] = {10, 60, 0x40};
    compiled.jumps[1] = {30, 80, 0x80};
    compiled.insns = rows;
    const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const BlockInfo info{.key = {0x5ffc, 0x9000, 0xabc},
                         .hash = 0x1234,
                         .state = kTbProvisional,
                         .guest_size = 8,
                         .insn_count = 3,
                         .saved_bytes = bytes};
    const CodeWindow window = context->window();
    const UnitIndex unit = context->next_unit();
    TranslationBlock* tb = context->add(info, compiled);
    REQUIRE(tb != nullptr);
    CHECK(tb->key == info.key);
    CHECK(tb->code == window.rx);
    CHECK(tb->code_size == 100);
    CHECK(tb->unit_index == unit);
    CHECK(memory->regions->block(unit) == tb);
    CHECK(tb->hash == 0x1234);
    CHECK(tb->state == kTbProvisional);
    CHECK_FALSE(tb->invalid());
    tb->state.fetch_or(kTbInvalid);
    CHECK(tb->invalid());
    CHECK(tb->guest_size == 8);
    CHECK(tb->insn_count == 3);
    CHECK(tb->region == context->region().id());
    CHECK(memory->regions->current(*tb));
    REQUIRE(tb->saved_bytes != nullptr);
    CHECK(std::equal(bytes, bytes + 8, tb->saved_bytes));
    REQUIRE(tb->jump_span().size() == 2);
    CHECK(tb->jumps[1].site.site_offset == 30);
    CHECK(tb->jumps[1].site.stub_offset == 80);
    CHECK(tb->jumps[1].site.pc_offset == 0x80);
    CHECK(tb->jumps[1].source == tb);
    CHECK(tb->jumps[1].destination == 0);
    CHECK(tb->incoming == nullptr);
    CHECK(tb->page_links[0].tb == tb);
    CHECK_FALSE(tb->page_links[1].linked());
    CHECK(find_insn(tb->insn_table_bytes(), 49)->pc_offset == 6);

    SECTION("and can be taken back") {
        context->take_back(tb);
        CHECK(memory->regions->block(unit) == nullptr);
        CHECK(context->next_unit() == unit);
        CHECK(context->window().rx == window.rx);
        CHECK(context->region_empty());
    }
}

}  // namespace
}  // namespace weft::tcg
