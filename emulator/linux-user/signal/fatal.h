// The end of the guest by a signal that weft has taken, as natively: its parent sees the signal.
#pragma once

#include "emulator/linux-user/signal/siginfo.h"

namespace weft::user {

// Says so in one line on stderr, and ends the process by `info`'s signal. A core file would show weft and not the guest, so none is
// made: all else of the wait status is native. With no lock held.
[[noreturn]] void die_by_signal(const Siginfo& info);
// The same, where something else was said.
[[noreturn]] void end_by_signal(const Siginfo& info);
// Where another thread does either of these.
[[noreturn]] void wait_for_end();

}  // namespace weft::user
