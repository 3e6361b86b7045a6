// What the monitor and QMP tell of a machine, from the options.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "emulator/backend/block/block_backend.h"
#include "emulator/control/facts.h"
#include "emulator/system/options.h"

namespace weft::sys {

// How messages name a drive: by its id, or its number. It is there.
std::string drive_name(const Options& options, size_t number);

// `drives` are those of the options that are open, in their order; null where they are not. Without the lines.
control::MachineFacts machine_facts(const Options& options,
                                    std::span<const std::unique_ptr<backend::BlockBackend>> drives);

}  // namespace weft::sys
