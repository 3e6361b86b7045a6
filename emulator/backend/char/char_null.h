// A serial line that ends nowhere.
#pragma once

#include "emulator/backend/char/char_backend.h"

namespace weft::backend {

class CharNull final : public CharBackend {
  public:
    void write(std::span<const uint8_t>) override {}
    void set_receiver(Receiver*) override {}
    void accept_input() override {}
};

}  // namespace weft::backend
