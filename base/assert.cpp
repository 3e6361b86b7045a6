#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace weft {

void assertion_failed(const char* file, int line, const char* text) {
    std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, text);
    std::abort();
}

}  // namespace weft
