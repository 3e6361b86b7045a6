// What a telnet client sends besides characters (RFC 854), in character mode: ECHO and SUPPRESS-GO-AHEAD are ours, and both sides
// may send any byte (TRANSMIT-BINARY, RFC 856).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weft::backend {

// The escape byte, which is sent twice where it is data.
inline constexpr uint8_t kTelnetEscape = 255;

class TelnetInput {
  public:
    // What the server says first.
    static std::span<const uint8_t> greeting();

    // A new client.
    void start() { *this = {}; }
    // The characters among `data`. What its requests are answered with is put behind `answers`; a request for what was
    // offered in the greeting is the client's answer to it, and gets none.
    std::vector<uint8_t> characters(std::span<const uint8_t> data, std::vector<uint8_t>& answers);

  private:
    enum class State : uint8_t { data, command, option, subnegotiation, subnegotiation_command };

    void request(uint8_t option, std::vector<uint8_t>& answers);
    void character(uint8_t byte, std::vector<uint8_t>& to);

    State state_ = State::data;
    uint8_t command_ = 0;
    bool binary_ = false;  // the client's characters are bytes
    bool after_return_ =
        false;  // else a carriage return has a byte after it, which is zero where it stands alone
};

}  // namespace weft::backend
