// The list of generated code that perf reads: /tmp/perf-PID.map, a line "START SIZE NAME" for each piece, in hexadecimal
// (tools/perf/Documentation/jit-interface.txt of Linux).
//
// The format cannot say that code went. Where memory for code was used again, perf takes one of the lines that name it; a
// jitdump (jitdump.h) has times and tells them apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "accel/tcg/observe/listing_file.h"
#include "base/error.h"

namespace weft::accel {

class PerfMap {
  public:
    static Result<PerfMap> create(const std::string& directory = "/tmp");

    // False where the file cannot be written. Any thread.
    bool add(uintptr_t start, size_t size, std::string_view name) const;
    const std::string& path() const { return file_.path(); }

  private:
    explicit PerfMap(ListingFile file) : file_(std::move(file)) {}

    ListingFile file_;
};

}  // namespace weft::accel
