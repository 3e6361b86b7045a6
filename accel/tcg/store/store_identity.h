// What units depend on besides their bytes and their request.
#pragma once

#include <cstdint>

#include "accel/tcg/settings.h"
#include "tcg/backend.h"
#include "weft/guest.h"

namespace weft::accel {

// Equal where a unit that one process stored is what another would make: of this build of the accelerator and of the guest's
// translator, for this model of its CPUs, and of all settings that units are made by. 0: units cannot be stored, as the backend does not move them or a build
// has no build id. `backend` has emitted its runtime code.
uint64_t store_identity(const tcg::Backend& backend, const GuestArch& guest, const Settings& settings,
                        bool in_process);

}  // namespace weft::accel
