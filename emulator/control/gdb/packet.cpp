#include "emulator/control/gdb/packet.h"

#include <charconv>

namespace weft::control::gdb {

namespace {

constexpr uint8_t kInterrupt = 3;
constexpr char kEscape = '}';
constexpr uint8_t kEscapeBit = 0x20;
constexpr char kDigits[] = "0123456789abcdef";

// 16: none.
unsigned digit_value(uint8_t character) {
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10U;
    }
    return character >= 'A' && character <= 'F' ? character - 'A' + 10U : 16U;
}

}  // namespace

PacketReader::Event PacketReader::feed(uint8_t byte) {
    switch (state_) {
        case State::between:
            return begin(byte);
        case State::body:
            return body(byte);
        case State::first_digit:
        case State::second_digit:
            return digit(byte);
    }
    return Event::none;
}

PacketReader::Event PacketReader::begin(uint8_t byte) {
    switch (byte) {
        case '$':
            state_ = State::body;
            packet_.clear();
            escaped_ = false;
            too_long_ = false;
            sum_ = 0;
            return Event::none;
        case '+':
            return Event::ack;
        case '-':
            return Event::resend;
        case kInterrupt:
            return Event::interrupt;
        default:
            return Event::none;
    }
}

PacketReader::Event PacketReader::body(uint8_t byte) {
    if (byte == '$') {
        return begin(byte);
    }
    if (byte == '#') {
        state_ = State::first_digit;
        return Event::none;
    }
    sum_ = static_cast<uint8_t>(sum_ + byte);
    if (!escaped_ && byte == static_cast<uint8_t>(kEscape)) {
        escaped_ = true;
        return Event::none;
    }
    if (packet_.size() == kMostPacket) {
        too_long_ = true;
        return Event::none;
    }
    packet_.push_back(static_cast<char>(escaped_ ? byte ^ kEscapeBit : byte));
    escaped_ = false;
    return Event::none;
}

PacketReader::Event PacketReader::digit(uint8_t byte) {
    if (state_ == State::first_digit) {
        told_ = digit_value(byte) << 4;
        state_ = State::second_digit;
        return Event::none;
    }
    state_ = State::between;
    const unsigned low = digit_value(byte);
    const bool whole = low < 16 && (told_ | low) == sum_;
    return whole && !too_long_ && !escaped_ ? Event::packet : Event::damaged;
}

std::string framed(std::string_view payload) {
    std::string frame = "$";
    uint8_t sum = 0;
    const auto add = [&](char character) {
        frame.push_back(character);
        sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(character));
    };
    for (const char character : payload) {
        // '*' would be read as a run's length.
        if (character == '#' || character == '$' || character == kEscape || character == '*') {
            add(kEscape);
            add(static_cast<char>(static_cast<uint8_t>(character) ^ kEscapeBit));
        } else {
            add(character);
        }
    }
    frame.push_back('#');
    frame.push_back(kDigits[sum >> 4]);
    frame.push_back(kDigits[sum & 15]);
    return frame;
}

std::string to_hex(std::string_view bytes) {
    std::string digits;
    digits.reserve(2 * bytes.size());
    for (const char each : bytes) {
        const auto byte = static_cast<uint8_t>(each);
        digits.push_back(kDigits[byte >> 4]);
        digits.push_back(kDigits[byte & 15]);
    }
    return digits;
}

std::string to_hex_number(uint64_t number) {
    char digits[16];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number, 16);
    return {digits, end.ptr};
}

std::optional<std::string> from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string bytes;
    bytes.reserve(digits.size() / 2);
    for (size_t i = 0; i < digits.size(); i += 2) {
        const unsigned high = digit_value(static_cast<uint8_t>(digits[i]));
        const unsigned low = digit_value(static_cast<uint8_t>(digits[i + 1]));
        if (high > 15 || low > 15) {
            return std::nullopt;
        }
        bytes.push_back(static_cast<char>(high << 4 | low));
    }
    return bytes;
}

std::optional<uint64_t> hex_number(std::string_view digits) {
    uint64_t number = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    const bool all = !digits.empty() && end.ec == std::errc() && end.ptr == digits.data() + digits.size();
    return all ? std::optional(number) : std::nullopt;
}

std::string_view take_until(std::string_view& text, char separator) {
    const size_t at = text.find(separator);
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return taken;
}

}  // namespace weft::control::gdb
