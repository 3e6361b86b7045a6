// -device loader: what the user wants in memory besides firmware and kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text_values.h"

namespace weft::hw {
struct DeviceType;
}

namespace weft::sys {

struct LoadChoice {
    std::string file;            // empty: `bytes`, or nothing but a hart's beginning
    std::vector<uint8_t> bytes;  // data=
    std::optional<uint64_t> address = {};
    std::optional<uint64_t> cpu = {};  // begins at the address, or at the ELF file's entry
    bool force_raw = false;
};

extern const hw::DeviceType kLoaderType;

// `items` as written after -device loader.
Result<LoadChoice> parse_loader(std::span<const KeyValue> items);

}  // namespace weft::sys
