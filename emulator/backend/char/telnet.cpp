#include "emulator/backend/char/telnet.h"

#include <utility>

namespace weft::backend {

namespace {

constexpr uint8_t kSubBegin = 250, kSubEnd = 240;
constexpr uint8_t kWill = 251, kWont = 252, kDo = 253, kDont = 254;
constexpr uint8_t kBinary = 0, kEcho = 1, kSuppressGoAhead = 3;

constexpr uint8_t kGreeting[] = {
    kTelnetEscape, kWill, kEcho,   kTelnetEscape, kWill, kSuppressGoAhead,
    kTelnetEscape, kWill, kBinary, kTelnetEscape, kDo,   kBinary,
};

}  // namespace

std::span<const uint8_t> TelnetInput::greeting() { return kGreeting; }

std::vector<uint8_t> TelnetInput::characters(std::span<const uint8_t> data, std::vector<uint8_t>& answers) {
    std::vector<uint8_t> plain;
    for (const uint8_t byte : data) {
        switch (state_) {
            case State::data:
                if (byte == kTelnetEscape) {
                    state_ = State::command;
                } else {
                    character(byte, plain);
                }
                break;
            case State::command:
                command_ = byte;
                if (byte == kTelnetEscape) {
                    character(byte, plain);
                }
                state_ = byte == kSubBegin                ? State::subnegotiation
                         : byte >= kWill && byte <= kDont ? State::option
                                                          : State::data;
                break;
            case State::option:
                state_ = State::data;
                request(byte, answers);
                break;
            case State::subnegotiation:
                state_ = byte == kTelnetEscape ? State::subnegotiation_command : state_;
                break;
            case State::subnegotiation_command:
                state_ = byte == kSubEnd ? State::data : State::subnegotiation;
                break;
        }
    }
    return plain;
}

// What is refused is said once a request; refusals (WONT, DONT) need no answer.
void TelnetInput::request(uint8_t option, std::vector<uint8_t>& answers) {
    if (option == kBinary && (command_ == kWill || command_ == kWont)) {
        binary_ = command_ == kWill;
    } else if (command_ == kWill) {
        answers.insert(answers.end(), {kTelnetEscape, option == kSuppressGoAhead ? kDo : kDont, option});
    } else if (command_ == kDo && option != kBinary && option != kEcho && option != kSuppressGoAhead) {
        answers.insert(answers.end(), {kTelnetEscape, kWont, option});
    }
}

void TelnetInput::character(uint8_t byte, std::vector<uint8_t>& to) {
    const bool padding = std::exchange(after_return_, !binary_ && byte == '\r') && !binary_ && byte == 0;
    if (!padding) {
        to.push_back(byte);
    }
}

}  // namespace weft::backend
