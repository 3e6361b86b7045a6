// A host call that no signal can slip by.
//
// A program may be asked to leave a call (a signal came for it) at any instant. Looking whether it was asked and then calling leaves a
// gap between the two, in which the request is lost until the call returns by itself. So the look and the call lie in one window
// of instructions whose bounds are known: a signal handler that finds the interrupted pc there, after it set the flag, moves it
// to the window's way out. Then
//
// - before the window, the look finds the flag;
// - in the window, also at the call's own instruction, to which the kernel returns for a call that it would start again
//   (SA_RESTART), nothing of the call has been done, and it is left by the handler;
// - in the kernel, the call returns EINTR, or what it did so far, or is rewound as said;
// - behind the window, the call has its result, which is kept.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace weft::user {

// "Nothing was done: take the signal and call again." Linux calls it ERESTARTSYS, and no program ever sees it.
inline constexpr int64_t kRestart = -512;

// The host's call `number`: its result, a negated errno, or kRestart where `asked` was not 0 before it began. Any thread; `asked` is
// the calling thread's own, set by its signal handlers or by other threads.
int64_t safe_call(const std::atomic<uint32_t>& asked, long number, const std::array<uint64_t, 6>& args);

// Whether a pc is in the window. Async-signal-safe, as is the next.
bool in_safe_call_window(uint64_t pc);
// Where a handler that has set the flag lets the interrupted thread go on: from the window its way out, from anywhere else `pc`.
uint64_t rewound_from_safe_call(uint64_t pc);
// Whether a pc is where the window's call has just returned to.
bool is_safe_call_result(uint64_t pc);

}  // namespace weft::user
