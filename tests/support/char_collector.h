// A serial port's other end that keeps what it is given.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/mutex.h"
#include "emulator/backend/char/char_backend.h"

namespace weft::test {

// Written by a vCPU's thread, read by any.
class CharCollector final : public backend::CharBackend {
  public:
    void write(std::span<const uint8_t> data) override {
        MutexLock lock(mutex_);
        text_.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void set_receiver(Receiver*) override {}
    void accept_input() override {}
    std::string text() {
        MutexLock lock(mutex_);
        return text_;
    }

  private:
    Mutex mutex_;
    std::string text_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::test
