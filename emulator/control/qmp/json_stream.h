// Cuts a client's bytes into JSON texts, without understanding them: a text ends where its brackets do. What is no text is told
// once and passed over, so that what comes after it is heard.
//
// emulator/control/qmp is QEMU's machine protocol: texts (json_stream), one client's conversation (session), the commands and
// what they answer (commands), what connects these to a line and a machine (server).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace weft::control::qmp {

// What a client may make weft keep, and how deep its texts may be: there is no command that comes near either.
inline constexpr size_t kMaxText = size_t{1} << 20;  // bytes
inline constexpr unsigned kMaxDepth = 256;

class JsonStream {
  public:
    struct Receiver {
        virtual ~Receiver() = default;
        // Balanced brackets, or a word or string alone: perhaps not JSON yet. Strings in single quotes, which QEMU takes as
        // well, come in double ones.
        virtual void text(const std::string& json) = 0;
        virtual void damaged(const char* reason) = 0;
    };

    explicit JsonStream(Receiver& receiver) : receiver_(receiver) {}

    void feed(std::span<const uint8_t> data);
    // A new client: nothing is kept.
    void restart();

  private:
    enum class State : uint8_t { idle, brackets, word, skip_line };

    void feed(uint8_t byte);
    void in_string(uint8_t byte);
    void structural(uint8_t byte);
    void finish();
    void fail(const char* reason, State next);

    Receiver& receiver_;
    State state_ = State::idle;
    unsigned depth_ = 0;
    uint8_t quote_ = 0;  // that the string began with; 0: outside of one
    bool escaped_ = false;
    std::string text_;
};

}  // namespace weft::control::qmp
