#include "accel/tcg/observe/perf_map.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace weft::accel {

Result<PerfMap> PerfMap::create(const std::string& directory) {
    auto file = ListingFile::open(fmt::format("{}/perf-{}.map", directory, ::getpid()));
    if (!file) {
        return std::unexpected(file.error().within("perfmap=on"));
    }
    return PerfMap(std::move(*file));
}

bool PerfMap::add(uintptr_t start, size_t size, std::string_view name) const {
    return file_.write(fmt::format("{:x} {:x} {}\n", start, size, name));
}

}  // namespace weft::accel
