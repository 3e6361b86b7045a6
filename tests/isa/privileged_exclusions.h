// What the peer does otherwise than the specification or than weft, where both may: random operations stay away from it, or leave the part
// of their results that depends on it uncompared. docs/qemu-compatibility.md tells users of the differences.
#pragma once

#include "tests/isa/privileged_generator.h"

namespace weft::isa_test {

// Once for each operation, when it is complete.
void apply_exclusions(PrivilegedCase* operation);

}  // namespace weft::isa_test
