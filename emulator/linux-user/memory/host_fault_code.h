// What a handler of SIGSEGV and SIGBUS hands on of its signal: the `code` of ProcessOps::host_fault and of
// redirect_faulting_access(), which comes back as the host_code of UserMemoryOps::fault.
#pragma once

#include <csignal>
#include <cstdint>

namespace weft::user {

enum HostFaultCode : uint32_t {
    no_fault = 0,     // the host was not asked
    segv_maperr = 1,  // SIGSEGV: nothing there, or a non-canonical address
    segv_accerr,      // SIGSEGV: something there, which may not be accessed so
    bus,              // SIGBUS: a mapped file ends before it, or the host's memory is broken
};

// Of a signal that the processor caused (si_code above 0; siginfo_t). Async-signal-safe. no_fault for any other.
constexpr HostFaultCode host_fault_code(int signal, int si_code) {
    if (si_code <= 0) {
        return no_fault;
    }
    switch (signal) {
        case SIGBUS:
            return bus;
        case SIGSEGV:
            // SI_KERNEL is what x86-64 says of a non-canonical address. The codes of keys, tags and guards mean a mapping.
            return si_code == SEGV_MAPERR || si_code == SI_KERNEL ? segv_maperr : segv_accerr;
        default:
            return no_fault;
    }
}

}  // namespace weft::user
