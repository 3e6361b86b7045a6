// Compares everything that knows of a machine's translations: descriptors, trees, hash table, page lists, links in both
// directions, the patched jumps themselves, jump caches.
#pragma once

#include <string>
#include <vector>

#include "weft/accel.h"

namespace toy {

// What does not agree, a line each; empty where all does. In an exclusive section on an online reader's thread, with
// no invalidation under way: no work item waits and nobody announces writes. Each vCPU does first what its own thread would
// do before it looks for code: it drops what it was asked to.
std::vector<std::string> walk(const std::vector<weft::Vcpu*>& vcpus);

}  // namespace toy
