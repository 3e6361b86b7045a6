// What the accelerator does where something else lies at physical addresses from now on.
#pragma once

#include "accel/tcg/blocks/code_users.h"
#include "base/epoch.h"

namespace weft::accel {

// Has every vCPU forget what it derived from physical addresses, and then calls done(opaque), on any thread, once none of
// them holds or uses any of it. See AccelOps::topology_changed. Both outlive that call. Any thread.
void change_topology(EpochDomain& epochs, const CodeUsers& vcpus, void (*done)(void* opaque), void* opaque);

}  // namespace weft::accel
