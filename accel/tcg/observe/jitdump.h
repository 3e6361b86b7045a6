// Generated code with its bytes and times, for perf: jit-PID.dump in the working directory, in the format of
// tools/perf/Documentation/jitdump-specification.txt of Linux, version 1. `perf inject --jit` makes ELF files of it.
//
// Code whose memory was used again is told by the next record for these addresses: it has a later time and a number of its
// own. The format has no record for code that goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "accel/tcg/observe/listing_file.h"
#include "base/error.h"
#include "base/mapping.h"
#include "base/mutex.h"

namespace weft::accel {

class JitDump {
  public:
    // `elf_machine`: e_machine of the code. Refused while another machine of this process writes one: numbers of records
    // would not be unique.
    static Result<std::unique_ptr<JitDump>> create(uint16_t elf_machine, const std::string& directory = ".");
    // Ends the list.
    ~JitDump();
    JitDump(const JitDump&) = delete;
    JitDump& operator=(const JitDump&) = delete;

    // Before anybody may run the code: `bytes` (readable) will be executed at `start`. False where the file cannot be
    // written. Any thread.
    bool add(uintptr_t start, std::string_view bytes, std::string_view name) WEFT_EXCLUDES(mutex_);
    const std::string& path() const { return file_.path(); }

  private:
    JitDump(ListingFile file, Mapping marker) : file_(std::move(file)), marker_(std::move(marker)) {}

    const ListingFile file_;
    // A page of the file, mapped to be executed: perf records that, and so finds the file.
    const Mapping marker_;
    Mutex mutex_;  // a leaf: records are in the order of their times and numbers
    uint64_t next_index_ WEFT_GUARDED_BY(mutex_) = 1;
    std::string record_ WEFT_GUARDED_BY(mutex_);  // being made; kept for its memory
};

}  // namespace weft::accel
