// The values of "-netdev user": addresses as QEMU's users know them.
#pragma once

#include <span>

#include "base/error.h"
#include "base/text_values.h"
#include "emulator/backend/net/user_net_config.h"

namespace weft::sys {

// The network that these items describe; what they leave out is 10.0.2.0/24 and fec0::/64, with the host at 2, the name server at 3
// and the guest's first address at 15.
Result<backend::UserNetConfig> parse_user_net(std::span<const KeyValue> items);

}  // namespace weft::sys
