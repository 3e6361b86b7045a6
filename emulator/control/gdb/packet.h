// Packets of gdb's remote protocol as bytes: frames, checksums, escapes, hex.
//
// emulator/control/gdb owns the protocol, and knows neither processes nor machines: what is debugged is a Target (target.h), what carries
// the bytes is the caller's. It uses base alone. Source: "Debugging with GDB", appendix "GDB Remote Serial Protocol"; the
// names of its sections stand where a rule comes from. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::control::gdb {

// The longest packet that is taken, between '$' and '#' (qSupported's PacketSize).
inline constexpr size_t kMostPacket = 0x4000;

// Takes packets out of a stream ("Overview"). A '$' begins a packet wherever it comes, as it is escaped within one; what is no packet's is
// dropped, but for acknowledgements and the interrupt.
class PacketReader {
  public:
    enum class Event : uint8_t {
        none,
        packet,     // packet() is whole
        damaged,    // its checksum is another's, or it is longer than kMostPacket
        ack,        // '+'
        resend,     // '-'
        interrupt,  // 0x03 outside a packet ("Interrupts")
    };

    Event feed(uint8_t byte);
    // After Event::packet, until the next feed(): without frame and escapes ("Binary Data").
    const std::string& packet() const { return packet_; }

  private:
    enum class State : uint8_t { between, body, first_digit, second_digit };

    Event begin(uint8_t byte);
    Event body(uint8_t byte);
    Event digit(uint8_t byte);

    State state_ = State::between;
    std::string packet_;
    bool escaped_ = false;
    bool too_long_ = false;
    uint8_t sum_ = 0;
    unsigned told_ = 0;  // the checksum that came; 256 and above: no hex
};

// "$...#xx". What has a meaning to the reader is escaped.
std::string framed(std::string_view payload);

// Two digits a byte.
std::string to_hex(std::string_view bytes);
std::string to_hex_number(uint64_t number);
// Nothing: an odd number of digits, or no digits.
std::optional<std::string> from_hex(std::string_view digits);
// A big-endian number of 1 to 16 digits, as those of addresses and lengths.
std::optional<uint64_t> hex_number(std::string_view digits);

// Takes what is before the first `separator` off the front of `text`, and the separator; all of it, if there is none.
std::string_view take_until(std::string_view& text, char separator);

}  // namespace weft::control::gdb
