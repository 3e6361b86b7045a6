// Assertions on weft's own invariants: never for what a user or a guest can cause (that is a Result, see base/error.h).
#pragma once

namespace weft {

// Prints "file:line: broken invariant: text" to stderr and aborts.
[[noreturn]] void assertion_failed(const char* file, int line, const char* text);

}  // namespace weft

// Always compiled in: for invariants whose breach would corrupt memory or run wrong code.
#define WEFT_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::weft::assertion_failed(__FILE__, __LINE__, #condition))

// Compiled in by debug builds (-Dbuildtype=debug) only: for hot paths.
#if WEFT_DEBUG
#define WEFT_DEBUG_ASSERT(condition) WEFT_ASSERT(condition)
#else
#define WEFT_DEBUG_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#endif
