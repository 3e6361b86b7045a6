#include "emulator/accel/module_by_dlopen.h"
#include "emulator/linux-user/accelerators.h"

namespace weft::user {

loader::AccelSources accelerators(std::vector<std::string> folders) {
    return {.folders = std::move(folders), .open = loader::dlopen_symbol};
}

}  // namespace weft::user
