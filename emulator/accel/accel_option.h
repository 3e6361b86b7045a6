// The value of -accel.
#pragma once

#include <string>

#include "base/error.h"
#include "emulator/accel/accel_chain.h"

namespace weft::loader {

struct AccelOption {
    enum class Help : unsigned char {
        none,
        accelerators,  // "help": which there are
        properties,    // "NAME,help": those of choice.name
    };
    Help help = Help::none;
    AccelChoice choice = {};
};

// Names end up in paths (accel-NAME.so): letters, digits, '_' and '-' only.
bool is_accelerator_name(const std::string& name);

// NAME[,PROPERTY=VALUE...]. Whether there is such an accelerator with such properties is found out when it is loaded.
Result<AccelOption> parse_accel_option(const std::string& text);

}  // namespace weft::loader
