// The values of "-netdev stream", "dgram", "socket" and "tap", in QEMU's forms.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "base/text_values.h"
#include "emulator/backend/net/line_net_config.h"

namespace weft::sys {

bool is_line_kind(const std::string& kind);

// The network of a kind (is_line_kind()) that these items describe. Opens nothing.
Result<backend::LineNetConfig> parse_line_net(const std::string& kind, std::span<const KeyValue> items);

}  // namespace weft::sys
