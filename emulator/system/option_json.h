// Values of options that may be written as JSON: -blockdev, -device, -netdev, -object, -audiodev. Programs that start machines write
// them so, and send the same objects by QMP when they add something later.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text_values.h"

namespace weft::sys {

// A comma list, or where the text begins with a brace a JSON object, as the list that says the same: members of inner objects and
// arrays are "outer.inner" and "outer.0", switches are on and off, null is an empty value. `kind` is the key whose value may stand
// alone in first place; JSON has it by its name, and it is the head of either list.
Result<KeyValueList> parse_option(std::string_view text, std::string_view kind);

}  // namespace weft::sys
