// The format of saved machines: what is written is read, and nothing else is.
#include <zlib.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "emulator/saved/fields.h"
#include "emulator/saved/reader.h"
#include "emulator/saved/writer.h"
#include "tests/support/random.h"

using namespace weft;
using saved::FieldReader;
using saved::FieldWriter;
using test::Random;
using test::test_seed;
using Bytes = std::vector<uint8_t>;

namespace {

class BytesSink final : public saved::Sink {
  public:
    Bytes bytes;
    size_t room = SIZE_MAX;
    Result<> write(std::span<const uint8_t> data) override {
        if (data.size() > room - bytes.size()) {
            return fail("there is no space");
        }
        bytes.insert(bytes.end(), data.begin(), data.end());
        return {};
    }
};

// In pieces of any size.
class BytesSource final : public saved::Source {
  public:
    BytesSource(std::span<const uint8_t> bytes, size_t piece) : bytes_(bytes), piece_(piece) {}
    Result<size_t> read(std::span<uint8_t> to) override {
        const size_t count = std::min({to.size(), bytes_.size(), piece_});
        std::copy_n(bytes_.begin(), count, to.begin());
        bytes_ = bytes_.subspan(count);
        return count;
    }

  private:
    std::span<const uint8_t> bytes_;
    const size_t piece_;
};

struct Thing {
    uint64_t wide = 0x123456789abcdef0;
    uint8_t small = 7;
    bool on = true;
    std::array<uint16_t, 3> several{1, 2, 3};
    std::array<uint8_t, 4> raw{9, 8, 7, 6};
    std::vector<uint32_t> list{5, 6};
    std::optional<uint64_t> perhaps = 11;

    bool operator==(const Thing&) const = default;

    void visit_state(StateVisitor& visitor) {
        visitor.number("wide", wide);
        const uint8_t value = visitor.number("small", small, 9);
        const bool is_on = visitor.flag("on", on);
        visitor.require(!is_on || value > 2, "small and on");
        visitor.numbers("several", std::span(several), 10);
        visitor.bytes("raw", raw);
        visitor.list("list", list, 4, [&](uint32_t& one) { visitor.number("one", one, 100); });
        visitor.maybe("perhaps", perhaps, [&](uint64_t& one) { visitor.number("it", one); });
    }
};

Bytes fields_of(Thing& thing) {
    FieldWriter writer;
    thing.visit_state(writer);
    auto bytes = writer.take();
    REQUIRE(bytes.has_value());
    return std::move(*bytes);
}

Result<> read_into(Thing& thing, const Bytes& bytes, StateVisitor::Purpose purpose) {
    FieldReader reader(purpose, bytes);
    thing.visit_state(reader);
    return reader.finish();
}

std::string refusal(const Bytes& bytes) {
    Thing thing;
    const Result<> done = read_into(thing, bytes, StateVisitor::Purpose::check);
    CHECK(thing == Thing());
    return done ? "" : done.error().message();
}

// ---- machines ----

struct Machine {
    saved::Facts facts{{"CPU", "rv64"}, {"-smp", "4"}};
    std::vector<saved::Part> parts{{"one", 1, {1, 2, 3}}, {"two", 2, {}}};
    Bytes ram = Bytes(3 << 20), rom = Bytes(8192);

    Machine() {
        Random random(5);
        // Some pages, of which the last are beyond whole chunks; the rest are zeros.
        for (const size_t page : {0, 1, 255, 256, 700, 767}) {
            for (size_t i = 0; i < saved::kPage; ++i) {
                ram[page * saved::kPage + i] = static_cast<uint8_t>(random.below(256));
            }
        }
        rom[8191] = 1;
    }
    std::vector<saved::Memory> memory() {
        return {{.name = "ram", .host = ram.data(), .size = ram.size()},
                {.name = "rom", .host = rom.data(), .size = rom.size()}};
    }
    saved::Expected expected() const {
        return {.facts = facts,
                .parts = {{"one", 1}, {"two", 2}},
                .memory = {{"ram", ram.size()}, {"rom", rom.size()}}};
    }
    Bytes bytes() {
        BytesSink sink;
        saved::Progress progress;
        const Result<> done = write_machine(sink, facts, parts, memory(), progress);
        REQUIRE(done.has_value());
        CHECK(progress.bytes == sink.bytes.size());
        CHECK(progress.memory_done == ram.size() + rom.size());
        return sink.bytes;
    }
};

std::string read_refusal(const Bytes& bytes, const saved::Expected& expected) {
    BytesSource source(bytes, 100'000);
    const auto read = read_machine(source, expected);
    return read ? "" : read.error().message();
}

// The checksums of all sections, made right.
Bytes with_sums(Bytes bytes) {
    for (size_t at = saved::kMagic.size() + 4; at + 4 <= bytes.size();) {
        const auto number = [&](size_t place) {
            uint32_t value = 0;
            std::memcpy(&value, bytes.data() + place, 4);
            return value;
        };
        const size_t length = 4 + number(at) + 8;
        const size_t size = length + number(at + length - 4);
        const auto sum = static_cast<uint32_t>(crc32_z(0, bytes.data() + at, size));
        std::memcpy(bytes.data() + at + size, &sum, 4);
        at += size + 4;
    }
    return bytes;
}

}  // namespace

TEST_CASE("fields are loaded as they were saved", "[saved]") {
    Thing thing{.wide = 1,
                .small = 9,
                .on = false,
                .several = {10, 0, 4},
                .raw = {1, 2, 3, 4},
                .list = {},
                .perhaps = {}};
    const Bytes bytes = fields_of(thing);
    Thing other;
    CHECK(read_into(other, bytes, StateVisitor::Purpose::check).has_value());
    CHECK(other == Thing());
    CHECK(read_into(other, bytes, StateVisitor::Purpose::load).has_value());
    CHECK(other == thing);
    CHECK(fields_of(other) == bytes);
}

TEST_CASE("fields that are none of the thing's are refused, and change nothing", "[saved]") {
    Thing thing;
    const Bytes bytes = fields_of(thing);
    for (size_t size = 0; size < bytes.size(); ++size) {
        CHECK(refusal(Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size))) ==
              "its fields end early");
    }
    Bytes longer = bytes;
    longer.push_back(0);
    CHECK(refusal(longer) == "1 bytes are left of its fields");
    const auto changed = [&](std::string_view name, size_t behind, uint8_t value) {
        Bytes other = bytes;
        const auto found = std::ranges::search(other, name);
        REQUIRE(!found.empty());
        other[static_cast<size_t>(found.end() - other.begin()) + behind] = value;
        return refusal(other);
    };
    CHECK(changed("small", 0, 10) == "field 'small' is 0xa, which is above 0x9");
    CHECK(changed("small", 0, 2) == "small and on");
    CHECK(changed("several", 0, 2) == "field 'several' has 2 elements, not 3");
    CHECK(changed("several", 4, 11) == "field 'several' is 0xb, which is above 0xa");
    CHECK(changed("list", 0, 5) == "field 'list' has 5 elements, which is more than 4");
    CHECK(changed("raw", 0, 3) == "field 'raw' has 3 bytes, not 4");
    Bytes renamed = bytes;
    renamed[2] = 'W';
    CHECK(refusal(renamed) == "it has field 'Wide' where 'wide' is expected");
    renamed = bytes;
    renamed[0] = 4;
    CHECK(refusal(renamed) == "field 'wide' is of kind 0x4, not 0x8");
}

TEST_CASE("a value that could not be loaded is not saved", "[saved]") {
    Thing thing{.small = 10};
    FieldWriter writer;
    thing.visit_state(writer);
    const auto bytes = writer.take();
    REQUIRE_FALSE(bytes.has_value());
    CHECK(bytes.error().message() == "field 'small' is 0xa, which is above 0x9");
}

TEST_CASE("a machine is read as it was written, in pieces of any size", "[saved]") {
    Machine machine;
    const Bytes bytes = machine.bytes();
    CHECK(bytes.size() < 7 * saved::kPage);
    for (const size_t piece : {size_t{1}, size_t{1000}, bytes.size()}) {
        BytesSource source(bytes, piece);
        const auto read = read_machine(source, machine.expected());
        REQUIRE(read.has_value());
        CHECK(read->facts == machine.facts);
        REQUIRE(read->parts.size() == 2);
        CHECK(read->parts[0].fields == machine.parts[0].fields);
        for (size_t block = 0; block < 2; ++block) {
            const Bytes& wanted = block == 0 ? machine.ram : machine.rom;
            for (uint64_t page = 0; page < wanted.size() / saved::kPage; ++page) {
                const auto there = std::span(wanted).subspan(page * saved::kPage, saved::kPage);
                const uint8_t* const got = read->memory[block].page(page);
                const bool zeros = std::ranges::all_of(there, [](uint8_t byte) { return byte == 0; });
                REQUIRE((got == nullptr) == zeros);
                CHECK((zeros || std::ranges::equal(there, std::span(got, saved::kPage))));
            }
        }
    }
}

TEST_CASE("what ends early, is damaged or is none of weft's is refused in one line", "[saved]") {
    Machine machine;
    machine.ram.assign(machine.ram.size(), 0);
    machine.ram[5000] = 1;
    const Bytes bytes = machine.bytes();
    const saved::Expected expected = machine.expected();
    for (size_t size = 0; size < bytes.size(); ++size) {
        INFO(size);
        CHECK(read_refusal(Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)), expected) ==
              "it ends early");
    }
    for (size_t at = 0; at < bytes.size(); ++at) {
        Bytes damaged = bytes;
        damaged[at] ^= 0x10;
        INFO(at);
        const std::string message = read_refusal(damaged, expected);
        CHECK(message != "");
        CHECK(message.find('\n') == std::string::npos);
    }
    CHECK(read_refusal(Bytes(100, 'x'), expected) == "it is no saved machine of weft's");
    Bytes later = bytes;
    later[saved::kMagic.size()] = 2;
    CHECK(read_refusal(later, expected) == "its format has version 2, which is not known here (that is 1)");
}

TEST_CASE("the machine of another one is refused by the first difference", "[saved]") {
    Machine machine;
    const Bytes bytes = machine.bytes();
    saved::Expected other = machine.expected();
    other.facts[1].second = "1";
    CHECK(read_refusal(bytes, other) == "its machine has -smp '4', and this one '1'");
    other = machine.expected();
    other.facts.emplace_back("slot", "disk");
    CHECK(read_refusal(bytes, other) == "its machine has no slot, and this one has 'disk'");
    other = machine.expected();
    other.facts.pop_back();
    CHECK(read_refusal(bytes, other) == "its machine has '-smp' '4', and this one has none");
    other = machine.expected();
    other.parts[1].second = 3;
    CHECK(read_refusal(bytes, other) ==
          "its section 'two' has version 2, which is not known here (that is 3)");
    other = machine.expected();
    other.parts.emplace_back("three", 1);
    CHECK(read_refusal(bytes, other) == "it has no section 'three'");
    other = machine.expected();
    other.parts.erase(other.parts.begin());
    CHECK(read_refusal(bytes, other) == "it has section 'one', which this machine has not, or not there");
    other = machine.expected();
    other.memory[1].first = "flash";
    CHECK(read_refusal(bytes, other) == "it has memory 'rom', which this machine has not");
    other = machine.expected();
    other.memory[1].second = 4096;
    CHECK(read_refusal(bytes, other) == "it has page 1 of memory 'rom', of which there are 1, each once");
}

// With sums that are right, so that what is behind them is looked at.
TEST_CASE("hostile sections take no more memory than there can be", "[saved]") {
    Machine machine;
    machine.ram.assign(machine.ram.size(), 0);
    machine.ram[5000] = 1;
    const Bytes bytes = machine.bytes();
    const uint64_t seed = test_seed();
    Random random(seed);
    for (unsigned round = 0; round < 3000; ++round) {
        Bytes damaged = bytes;
        for (uint64_t i = 0; i <= random.below(3); ++i) {
            // Lengths are those of sections in which the rest still is.
            const size_t at = random.below(damaged.size());
            damaged[at] = static_cast<uint8_t>(random.below(256));
        }
        INFO("WEFT_TEST_SEED=" << seed << " round " << round);
        bool whole = true;
        for (size_t at = saved::kMagic.size() + 4; whole && at < damaged.size();) {
            uint32_t name = 0;
            uint32_t payload = 0;
            std::memcpy(&name, damaged.data() + at, 4);
            whole = name < 256 && at + 12 + name + 4 <= damaged.size();
            if (whole) {
                std::memcpy(&payload, damaged.data() + at + 8 + name, 4);
                at += size_t{12} + name + payload + 4;
                whole = at <= damaged.size();
            }
        }
        const std::string message = read_refusal(whole ? with_sums(damaged) : damaged, machine.expected());
        CHECK(message.find('\n') == std::string::npos);
    }
}

TEST_CASE("a full disk and a cancellation end the writing with a line", "[saved]") {
    Machine machine;
    BytesSink sink;
    sink.room = 5000;
    saved::Progress progress;
    Result<> done = write_machine(sink, machine.facts, machine.parts, machine.memory(), progress);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message() == "there is no space");
    progress.cancelled = true;
    sink.room = SIZE_MAX;
    done = write_machine(sink, machine.facts, machine.parts, machine.memory(), progress);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message() == "it was cancelled");
}
