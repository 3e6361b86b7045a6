// What happens when weft's own memory is exhausted (std::bad_alloc, the one exception that weft's code can meet).
//
// Where something is made, the module's functions report it as any other error. On a vCPU's thread the machine is told to
// stop (HostServices::fatal), the vCPU never runs again, and whatever held a lock has let go of it on the way. Generated
// code has no frames that an exception could pass: what it calls ends it.
#pragma once

#include <new>
#include <utility>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

// Gives body(), or `otherwise` where there was no memory; the vCPU has failed then. On the vCPU's thread.
template <class Result, class Body>
Result or_fail(Vcpu& vcpu, Result otherwise, Body&& body) {
    try {
        return std::forward<Body>(body)();
    } catch (const std::bad_alloc&) {
        vcpu.out_of_memory();
        return otherwise;
    }
}

template <class Body>
void or_fail(Vcpu& vcpu, Body&& body) {
    or_fail(vcpu, false, [&] {
        std::forward<Body>(body)();
        return true;
    });
}

}  // namespace weft::accel
