// What the operating system counts of this process.
#pragma once

#include <cstddef>

namespace weft::test {

struct ProcessFacts {
    size_t mappings;      // lines of /proc/self/maps
    size_t descriptors;   // in /proc/self/fd
    size_t threads;       // in /proc/self/task
    size_t resident_kib;  // VmRSS of /proc/self/status
};

ProcessFacts process_facts();

// Makes the C library's memory predictable: one arena, fixed thresholds, so that mappings come and go with what weft maps.
// Before there are threads.
void steady_malloc();

}  // namespace weft::test
