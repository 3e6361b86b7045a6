// The folder that files of stored units lie in, and their names.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::accel {

enum class StoreFolder : uint8_t { existing, make };

// `make`: with mode 0700 where it is not there; never the folders above it. Error: it is not there or cannot be made, is no folder,
// is another user's, or others may write to it.
Result<UniqueFd> open_store_folder(const std::string& path, StoreFolder kind);

// What keeps a file or folder from being the effective user's alone, as the end of a sentence; nullopt: nothing.
std::optional<std::string> not_ours(const struct stat& status);

// Of the files for one identity.
std::string store_name(uint64_t identity);
std::string old_store_name(const std::string& name);

// Where there are many files, those of other identities that were not written to for the longest time go: of builds of weft
// that were replaced, most of all.
void remove_unused_stores(int folder);

}  // namespace weft::accel
