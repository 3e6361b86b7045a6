// Where random bytes come from, as a random-number device sees it. Implemented by what lies beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"

namespace weft::backend {

class RngBackend {
  public:
    virtual ~RngBackend() = default;

    // Fills `data` from its beginning and says how many bytes came: 0 where there are none now and will be later. Does not wait for
    // them. An error: there will be none any more. Any thread.
    virtual Result<size_t> fill(std::span<uint8_t> data) = 0;
};

}  // namespace weft::backend
