// The two signals that the C library keeps for itself, 32 and 33, are the guest's here: its own C library asks for them.
#pragma once

namespace weft::user {

// Has the C library do now, while nothing is lost by it, what its first pthread_create does: glibc's takes 33, by which setuid reaches all
// threads (nptl/pthread_create.c, late_init), and opens both signals for the caller. Dispositions and mask are afterwards as they
// were. Without it the guest's first thread would cost the guest the handler that its own C library has for 33.
//
// Once for a process, before its dispositions are read; its forked children inherit that it was done. No other thread may be there.
void settle_library_signals();

}  // namespace weft::user
