#include "emulator/semihosting/console.h"

#include <chrono>

namespace weft::semihosting {

Console::Console(backend::CharBackend& line, bool input) : line_(line), input_(input) {
    if (input_) {
        line_.set_receiver(this);
    }
}

Console::~Console() {
    if (input_) {
        line_.set_receiver(nullptr);
    }
}

std::optional<uint8_t> Console::read() {
    std::optional<uint8_t> next;
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
        MutexLock lock(mutex_);
        while (kept_.empty()) {
            if (!came_.wait_until(mutex_, deadline)) {
                return std::nullopt;
            }
        }
        next = kept_.front();
        kept_.pop_front();
    }
    line_.accept_input();
    return next;
}

unsigned Console::can_receive() {
    MutexLock lock(mutex_);
    return static_cast<unsigned>(kMaxKept - kept_.size());
}

void Console::receive(std::span<const uint8_t> data) {
    MutexLock lock(mutex_);
    kept_.insert(kept_.end(), data.begin(), data.end());
    came_.notify_one();
}

}  // namespace weft::semihosting
