#include "emulator/saved/reader.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/text_values.h"

namespace weft::saved {

namespace {

struct Section {
    std::string name;
    uint32_t version = 0;
    std::vector<uint8_t> payload;
};

// Numbers and texts off the front of a payload.
class Cursor {
  public:
    explicit Cursor(std::span<const uint8_t> bytes) : bytes_(bytes) {}

    bool number(uint64_t& value, unsigned size) {
        if (bytes_.size() < size) {
            return false;
        }
        value = 0;
        std::memcpy(&value, bytes_.data(), size);
        bytes_ = bytes_.subspan(size);
        return true;
    }
    bool text(std::string_view& value) {
        uint64_t length = 0;
        if (!number(length, 4) || length > bytes_.size()) {
            return false;
        }
        value = {reinterpret_cast<const char*>(bytes_.data()), length};
        bytes_ = bytes_.subspan(length);
        return true;
    }
    bool bytes(std::span<uint8_t> to) {
        if (bytes_.size() < to.size()) {
            return false;
        }
        std::copy_n(bytes_.begin(), to.size(), to.begin());
        bytes_ = bytes_.subspan(to.size());
        return true;
    }
    std::span<const uint8_t> rest() const { return bytes_; }

  private:
    std::span<const uint8_t> bytes_;
};

std::unexpected<Error> damaged(std::string_view name) {
    return fail(fmt::format("it is damaged in section {}", in_quotes(name)));
}

class Reader {
  public:
    explicit Reader(Source& source) : source_(source) {}

    Result<> begin() {
        std::array<uint8_t, kMagic.size() + 4> head;
        if (Result<> got = get(head); !got) {
            return got;
        }
        if (!std::equal(kMagic.begin(), kMagic.end(), head.begin())) {
            return fail("it is no saved machine of weft's");
        }
        uint64_t version = 0;
        Cursor(std::span(head).subspan(kMagic.size())).number(version, 4);
        if (version != kFormatVersion) {
            return fail(fmt::format("its format has version {}, which is not known here (that is {})",
                                    version, kFormatVersion));
        }
        return {};
    }

    Result<Section> section() {
        sum_ = 0;
        Section section;
        Result<uint64_t> length = number();
        if (!length) {
            return std::unexpected(length.error());
        }
        if (*length == 0 || *length > kMaxName) {
            return fail(fmt::format("it is damaged: a name of {} bytes", *length));
        }
        section.name.resize(*length);
        Result<> got = get({reinterpret_cast<uint8_t*>(section.name.data()), section.name.size()});
        const Result<uint64_t> version = got ? number() : std::unexpected(got.error());
        length = version ? number() : std::unexpected(version.error());
        if (!length) {
            return std::unexpected(length.error());
        }
        section.version = static_cast<uint32_t>(*version);
        const uint32_t most = section.name == kFactsSection ? kMaxFacts : kMaxPart;
        if (*length > most) {
            return fail(
                fmt::format("it is damaged: section {} of {} bytes", in_quotes(section.name), *length));
        }
        // As it comes: a length that is not kept takes no memory.
        constexpr size_t kPiece = 1 << 20;
        while (got && section.payload.size() != *length) {
            const size_t done = section.payload.size();
            section.payload.resize(done + std::min(kPiece, *length - done));
            got = get(std::span(section.payload).subspan(done));
        }
        if (!got) {
            return std::unexpected(got.error());
        }
        const uLong sum = sum_;
        const Result<uint64_t> written = number();
        if (!written) {
            return std::unexpected(written.error());
        }
        if (*written != sum) {
            return damaged(section.name);
        }
        return section;
    }

  private:
    Result<> get(std::span<uint8_t> bytes) {
        const std::span<uint8_t> all = bytes;
        while (!bytes.empty()) {
            const Result<size_t> got = source_.read(bytes);
            if (!got) {
                return std::unexpected(got.error());
            }
            if (*got == 0) {
                return fail("it ends early");
            }
            bytes = bytes.subspan(*got);
        }
        sum_ = crc32_z(sum_, all.data(), all.size());
        return {};
    }
    Result<uint64_t> number() {
        std::array<uint8_t, 4> bytes;
        if (Result<> got = get(bytes); !got) {
            return std::unexpected(got.error());
        }
        uint64_t value = 0;
        Cursor(bytes).number(value, 4);
        return value;
    }

    Source& source_;
    uLong sum_ = 0;
};

Result<> check_version(const Section& section, uint32_t version) {
    if (section.version != version) {
        return fail(fmt::format("its section {} has version {}, which is not known here (that is {})",
                                in_quotes(section.name), section.version, version));
    }
    return {};
}

Result<Facts> check_facts(const Section& section, const Facts& expected) {
    if (section.name != kFactsSection) {
        return fail(fmt::format("it is damaged: it begins with section {}", in_quotes(section.name)));
    }
    if (Result<> known = check_version(section, kFactsVersion); !known) {
        return std::unexpected(known.error());
    }
    Facts facts;
    Cursor cursor(section.payload);
    while (!cursor.rest().empty()) {
        std::string_view name;
        std::string_view value;
        if (!cursor.text(name) || !cursor.text(value)) {
            return damaged(section.name);
        }
        facts.emplace_back(name, value);
    }
    for (const auto& [name, value] : expected) {
        const auto found = std::ranges::find(facts, name, &Facts::value_type::first);
        if (found == facts.end()) {
            return fail(fmt::format("its machine has no {}, and this one has {}", name, in_quotes(value)));
        }
        if (found->second != value) {
            return fail(fmt::format("its machine has {} {}, and this one {}", name, in_quotes(found->second),
                                    in_quotes(value)));
        }
    }
    for (const auto& [name, value] : facts) {
        if (std::ranges::find(expected, name, &Facts::value_type::first) == expected.end()) {
            return fail(fmt::format("its machine has {} {}, and this one has none", in_quotes(name),
                                    in_quotes(value)));
        }
    }
    return facts;
}

// A chunk of pages.
Result<> take_memory(const Section& section, std::vector<StagedMemory>& memory, std::vector<uint8_t>& pages) {
    if (Result<> known = check_version(section, kMemoryVersion); !known) {
        return known;
    }
    Cursor cursor(section.payload);
    std::string_view name;
    uint64_t first = 0;
    std::array<uint8_t, kChunkBitmap> bitmap;
    if (!cursor.text(name) || !cursor.number(first, 8) || !cursor.bytes(bitmap)) {
        return damaged(section.name);
    }
    const auto block = std::ranges::find(memory, name, &StagedMemory::name);
    if (block == memory.end()) {
        return fail(fmt::format("it has memory {}, which this machine has not", in_quotes(name)));
    }
    size_t used = 0;
    for (const uint8_t byte : bitmap) {
        used += static_cast<size_t>(std::popcount(byte));
    }
    pages.resize(used * kPage);
    const size_t unpacked =
        ZSTD_decompress(pages.data(), pages.size(), cursor.rest().data(), cursor.rest().size());
    if (ZSTD_isError(unpacked) != 0 || unpacked != pages.size()) {
        return damaged(section.name);
    }
    size_t taken = 0;
    for (uint64_t i = 0; i < kChunkPages; ++i) {
        if ((bitmap[i / 8] >> i % 8 & 1) == 0) {
            continue;
        }
        if (first >= block->size() / kPage || i >= block->size() / kPage - first ||
            !block->put(first + i, std::span(pages).subspan(taken * kPage, kPage))) {
            return fail(fmt::format("it has page {} of memory {}, of which there are {}, each once",
                                    first + i, in_quotes(name), block->size() / kPage));
        }
        ++taken;
    }
    return {};
}

}  // namespace

Result<StagedMemory> StagedMemory::create(std::string name, uint64_t size) {
    Result<Mapping> bytes = Mapping::anonymous(size, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    if (!bytes) {
        return std::unexpected(bytes.error().within(fmt::format("memory {}", name)));
    }
    return StagedMemory(std::move(name), size, std::move(*bytes));
}

bool StagedMemory::put(uint64_t number, std::span<const uint8_t> page) {
    if (present_[number]) {
        return false;
    }
    present_[number] = true;
    std::memcpy(bytes_.data() + number * kPage, page.data(), kPage);
    return true;
}

Result<StagedMachine> read_machine(Source& source, const Expected& expected) {
    Reader reader(source);
    if (Result<> begun = reader.begin(); !begun) {
        return std::unexpected(begun.error());
    }
    Result<Section> section = reader.section();
    if (!section) {
        return std::unexpected(section.error());
    }
    StagedMachine machine;
    Result<Facts> facts = check_facts(*section, expected.facts);
    if (!facts) {
        return std::unexpected(facts.error());
    }
    machine.facts = std::move(*facts);
    for (const auto& [name, size] : expected.memory) {
        Result<StagedMemory> memory = StagedMemory::create(name, size);
        if (!memory) {
            return std::unexpected(memory.error());
        }
        machine.memory.push_back(std::move(*memory));
    }
    std::vector<uint8_t> pages;
    for (;;) {
        section = reader.section();
        if (!section) {
            return std::unexpected(section.error());
        }
        if (section->name == kMemorySection) {
            if (Result<> taken = take_memory(*section, machine.memory, pages); !taken) {
                return std::unexpected(taken.error());
            }
            continue;
        }
        const size_t number = machine.parts.size();
        if (section->name == kEndSection) {
            if (number != expected.parts.size()) {
                return fail(fmt::format("it has no section {}", in_quotes(expected.parts[number].first)));
            }
            if (Result<> known = check_version(*section, kEndVersion); !known) {
                return std::unexpected(known.error());
            }
            return machine;
        }
        if (number == expected.parts.size() || section->name != expected.parts[number].first) {
            return fail(fmt::format("it has section {}, which this machine has not, or not there",
                                    in_quotes(section->name)));
        }
        if (Result<> known = check_version(*section, expected.parts[number].second); !known) {
            return std::unexpected(known.error());
        }
        machine.parts.push_back({section->name, section->version, std::move(section->payload)});
    }
}

}  // namespace weft::saved
