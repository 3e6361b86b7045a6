#include <array>

#include "emulator/linux-user/accelerators.h"

namespace weft {
extern "C" const AccelDescriptor weft_accelerator;  // of accel/tcg
}

namespace weft::user {

loader::AccelSources accelerators(std::vector<std::string>) {
    static constexpr std::array kBuiltIn = {&weft_accelerator};
    return {.built_in = kBuiltIn};
}

}  // namespace weft::user
