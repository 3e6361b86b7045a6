// Faults of the host in generated code, as process mode has them: SIGSEGV and SIGBUS go to Backend::redirect.
#pragma once

#include "tcg/backend.h"

namespace weft::tcg::test {

// While it lives, its thread's faults are those of `state` on `backend`. One at a time a thread.
class FaultCatcher {
  public:
    // Installs the handlers, which stay: by themselves they let a fault end the program. Catch2 has its own in place when a
    // test case begins, and again when it has ended, so each case that needs them installs them.
    static void install();

    FaultCatcher(const Backend& backend, void* state);
    ~FaultCatcher();
    FaultCatcher(const FaultCatcher&) = delete;
    FaultCatcher& operator=(const FaultCatcher&) = delete;
};

}  // namespace weft::tcg::test
