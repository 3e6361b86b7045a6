#include "emulator/control/memory_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/text_values.h"
#include "emulator/accel/text_sinks.h"

namespace weft::control {

namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

void say(const TextSink& sink, std::string_view text) { sink.write(sink.opaque, text.data(), text.size()); }

std::string character(uint8_t byte) {
    switch (byte) {
        case '\'':
            return "'\\''";
        case '\\':
            return "'\\\\'";
        case '\n':
            return "'\\n'";
        case '\r':
            return "'\\r'";
        default:
            return byte >= 0x20 && byte < 0x7f ? fmt::format("'{:c}'", byte)
                                               : fmt::format("'\\x{:02x}'", byte);
    }
}

// As wide as the widest number of so many bytes.
std::string item(uint64_t value, unsigned size, char letter) {
    const unsigned bits = size * 8;
    switch (letter) {
        case 'o':
            return fmt::format("{:#0{}o}", value, (bits + 2) / 3 + 1);
        case 'u':
            return fmt::format("{:{}}", value, (bits * 10 + 32) / 33);
        case 'd': {
            const unsigned unused = 64 - bits;
            return fmt::format("{:{}}", static_cast<int64_t>(value << unused) >> unused,
                               (bits * 10 + 32) / 33);
        }
        case 'c':
            return character(static_cast<uint8_t>(value));
        default:
            return fmt::format("0x{:0{}x}", value, bits / 4);
    }
}

// All that can be read of `size` bytes, in steps; the error where that is not all.
Result<> read_prefix(machine::MachineOperations& machine, std::optional<unsigned> cpu, uint64_t address,
                     size_t size, size_t step, std::vector<uint8_t>& data) {
    data.resize(size);
    if (machine.read_memory(cpu, address, data)) {
        return {};
    }
    for (size_t done = 0; done < size; done += step) {
        const std::span<uint8_t> piece = std::span(data).subspan(done, std::min(step, size - done));
        if (Result<> read = machine.read_memory(cpu, address + done, piece); !read) {
            data.resize(done);
            return read;
        }
    }
    return {};
}

Result<> show_code(machine::MachineOperations& machine, std::optional<unsigned> cpu, uint64_t address,
                   uint64_t count, const TextSink& sink) {
    constexpr size_t kMost = 4, kLeast = 2;  // bytes of an instruction
    std::vector<uint8_t> code;
    const Result<> read = read_prefix(machine, cpu, address, count * kMost, kLeast, code);
    loader::TextCollector text;
    machine.disassemble(code, address, *text.sink());
    std::string_view rest = text.text();
    uint64_t shown = 0;
    while (shown < count && !rest.empty()) {
        const size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
        say(sink, rest.substr(0, end));
        rest.remove_prefix(end);
        ++shown;
    }
    return shown == count ? Result<>() : read;
}

}  // namespace

Result<Format> parse_format(std::string_view text) {
    Format format;
    size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
        ++digits;
    }
    if (digits != 0) {
        const std::optional<uint64_t> count = parse_uint(text.substr(0, digits));
        if (!count) {
            return fail(fmt::format("{} is no number of items", in_quotes(text.substr(0, digits))));
        }
        format.count = *count;
    }
    static constexpr std::string_view kLetters = "xduoci";
    static constexpr std::string_view kSizes = "bhwg";
    for (const char c : text.substr(digits)) {
        if (kLetters.find(c) != std::string_view::npos) {
            format.letter = c;
        } else if (const size_t size = kSizes.find(c); size != std::string_view::npos) {
            format.size = 1U << size;
        } else {
            return fail(fmt::format("{} is neither a format (x d u o c i) nor a size (b h w g)",
                                    in_quotes(std::string_view(&c, 1))));
        }
    }
    return format;
}

Result<> show_memory(machine::MachineOperations& machine, std::optional<unsigned> cpu, uint64_t address,
                     const Format& format, const TextSink& sink) {
    const char letter = format.letter == 0 ? 'x' : format.letter;
    const unsigned size = letter == 'c' ? 1 : format.size == 0 ? 4 : format.size;
    if (format.count > kMaxBytes / std::max(size, 4U)) {
        return fail("so much is not shown at once (1 MiB is)");
    }
    if (letter == 'i') {
        return show_code(machine, cpu, address, format.count, sink);
    }
    const size_t line = size == 1 ? 8 : 16;
    std::vector<uint8_t> data;
    const Result<> read = read_prefix(machine, cpu, address, format.count * size, size, data);
    for (size_t done = 0; done < data.size(); done += size) {
        if (done % line == 0) {
            say(sink, fmt::format("{}{:0{}x}:", done == 0 ? "" : "\n", address + done, cpu ? 16 : 8));
        }
        uint64_t value = 0;
        std::memcpy(&value, data.data() + done, size);  // guest and host are little-endian
        say(sink, fmt::format(" {}", item(value, size, letter)));
    }
    if (!data.empty()) {
        say(sink, "\n");
    }
    return read;
}

Result<std::string> number_text(uint64_t value, char letter) {
    switch (letter) {
        case 'x':
            return fmt::format("{:#x}", value);
        case 'u':
            return fmt::format("{}", value);
        case 'o':
            return fmt::format("{:#o}", value);
        case 'c':
            return character(static_cast<uint8_t>(value));
        case 'i':
            return fail("a number is no instruction");
        default:
            return fmt::format("{}", static_cast<int64_t>(value));
    }
}

}  // namespace weft::control
