#include "emulator/control/qmp/json_stream.h"

#include <utility>

namespace weft::control::qmp {

namespace {

bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

bool is_structural(uint8_t byte) {
    return byte == '{' || byte == '}' || byte == '[' || byte == ']' || byte == ',' || byte == ':';
}

}  // namespace

void JsonStream::feed(std::span<const uint8_t> data) {
    for (const uint8_t byte : data) {
        feed(byte);
    }
}

void JsonStream::restart() {
    state_ = State::idle;
    depth_ = 0;
    quote_ = 0;
    escaped_ = false;
    text_ = {};
}

void JsonStream::feed(uint8_t byte) {
    if (state_ == State::skip_line) {
        state_ = byte == '\n' ? State::idle : state_;
    } else if (byte == 0xff) {
        // No byte of UTF-8. Clients send it so that what was left behind by another is forgotten.
        if (state_ != State::idle) {
            fail("a text is cut off", State::idle);
        }
    } else if (text_.size() >= kMaxText) {
        fail("the text is too long", byte == '\n' ? State::idle : State::skip_line);
    } else if (quote_ != 0) {
        in_string(byte);
    } else if (is_blank(byte)) {
        if (state_ == State::word) {
            finish();
        } else if (state_ == State::brackets) {
            text_ += static_cast<char>(byte);
        }
    } else if (byte < 0x20) {
        fail("a control character", State::skip_line);
    } else if (is_structural(byte)) {
        if (state_ == State::word) {
            finish();
        }
        structural(byte);
    } else {
        const bool quote = byte == '"' || byte == '\'';
        if (state_ == State::word && quote) {
            finish();
        }
        state_ = state_ == State::idle ? State::word : state_;
        quote_ = quote ? byte : 0;
        text_ += quote ? '"' : static_cast<char>(byte);
    }
}

void JsonStream::in_string(uint8_t byte) {
    if (byte < 0x20) {
        fail("a control character in a string", byte == '\n' ? State::idle : State::skip_line);
        return;
    }
    if (escaped_) {
        escaped_ = false;
        text_ += byte == '\'' ? "'" : std::string{'\\', static_cast<char>(byte)};
    } else if (byte == '\\') {
        escaped_ = true;
    } else if (byte == quote_) {
        quote_ = 0;
        text_ += '"';
        if (state_ == State::word) {
            finish();
        }
    } else {
        text_ += byte == '"' ? "\\\"" : std::string(1, static_cast<char>(byte));
    }
}

void JsonStream::structural(uint8_t byte) {
    if (byte == '{' || byte == '[') {
        if (depth_ == kMaxDepth) {
            fail("the text is too deep", State::skip_line);
            return;
        }
        state_ = State::brackets;
        ++depth_;
        text_ += static_cast<char>(byte);
    } else if (state_ == State::idle) {
        fail("a text begins with no value", State::idle);
    } else {
        text_ += static_cast<char>(byte);
        if ((byte == '}' || byte == ']') && --depth_ == 0) {
            finish();
        }
    }
}

void JsonStream::finish() {
    state_ = State::idle;
    receiver_.text(std::exchange(text_, {}));
}

void JsonStream::fail(const char* reason, State next) {
    restart();
    state_ = next;
    receiver_.damaged(reason);
}

}  // namespace weft::control::qmp
