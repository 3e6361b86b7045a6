// The line of SYS_WRITEC, SYS_WRITE0 and SYS_READC.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "base/mutex.h"
#include "emulator/backend/char/char_backend.h"

namespace weft::semihosting {

class Console final : private backend::CharBackend::Receiver {
  public:
    // `line` outlives it. With `input` what comes on the line is the console's; without, nothing ever comes. Made and destroyed on the
    // main loop's thread.
    Console(backend::CharBackend& line, bool input);
    ~Console() override;
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    // Any thread.
    void write(std::span<const uint8_t> bytes) { line_.write(bytes); }
    // The next character; nothing where none came within a millisecond. Any thread.
    std::optional<uint8_t> read() WEFT_EXCLUDES(mutex_);

  private:
    static constexpr size_t kMaxKept = 4096;

    // Receiver
    unsigned can_receive() override;
    void receive(std::span<const uint8_t> data) override;

    backend::CharBackend& line_;
    const bool input_;
    Mutex mutex_;  // a leaf
    CondVar came_;
    std::deque<uint8_t> kept_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::semihosting
