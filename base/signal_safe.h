// Functions that signal handlers run, at any instruction of the program.
#pragma once

// ThreadSanitizer and AddressSanitizer leave it alone: the interrupted thread may be inside their own runtime. Such a function
// calls only functions that are so marked, or system calls, and shares data with the rest of the program by atomics alone.
#if defined(__clang__)
// no_sanitize leaves atomics and entries of functions instrumented there (clang's manual, "ThreadSanitizer").
#define WEFT_SIGNAL_SAFE __attribute__((disable_sanitizer_instrumentation))
#else
#define WEFT_SIGNAL_SAFE __attribute__((no_sanitize("thread"), no_sanitize("address")))
#endif
