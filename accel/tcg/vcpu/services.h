// VcpuServices: what the guest's code may ask of the accelerator.
#pragma once

#include "weft/guest.h"

namespace weft::accel {

const VcpuServices& vcpu_services();

}  // namespace weft::accel
