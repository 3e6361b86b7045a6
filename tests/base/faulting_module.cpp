// A module with a copy of base, and so a table of faulting accesses, of its own.
#include "base/faulting_access.h"

using namespace weft;

extern "C" {

[[gnu::visibility("default")]] bool weft_test_load(uint64_t address, uint64_t* value) {
    faulting::Fault fault;
    return faulting::load(address, value, &fault);
}

[[gnu::visibility("default")]] bool weft_test_redirect(void* ucontext, uint64_t fault_address) {
    HostContext host(ucontext);
    return redirect_faulting_access(host, fault_address);
}
}
