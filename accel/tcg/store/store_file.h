// One file of stored units, which many processes read and append to at a time.
//
//   | header | slots: 64 bits each, a hash table over the records | records, one behind the other |
//
// Who appends holds an exclusive flock(2): it writes its records behind the others, then the header's `data_end`, then the
// slots. So a slot never leads to a record that is not whole, wherever a process is killed; what was written for nothing
// is written over or stays unused. Who reads takes no lock. It may see a slot half written, or the file may be damaged: a record
// has a checksum, and what does not fit is as good as not there.
//
// The file is the user's: it is opened only where it is a regular file of the effective user's that nobody else may write to, in a
// folder of the same kind (store_folder.h). Whoever may write to it can have weft run any code, as with any program of the
// user's; it cannot make weft read outside of what it read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "accel/tcg/store/block_reader.h"
#include "accel/tcg/store/kept_descriptor.h"
#include "accel/tcg/store/stored_unit.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::accel {

// A file as it was when it was opened, for reading: what is appended later may be found or not. Any thread.
class StoreFile {
  public:
    // The one of this name in the folder, which is made where it is not there or is no sound one of this identity. `capacity`: most
    // bytes of a new one. `number`: of its blocks in readers, another one for each file. Error: it cannot be opened or made, or it is
    // not the user's alone.
    static Result<StoreFile> open(int folder, const std::string& name, uint64_t identity, uint64_t capacity,
                                  uint32_t number = 0);
    // The same for one that is there. One that is `false` where there is none.
    static Result<StoreFile> open_existing(int folder, const std::string& name, uint64_t identity,
                                           uint32_t number = 0);
    StoreFile() = default;

    explicit operator bool() const { return fd_ != nullptr; }

    // The unit of `query`, whose record is copied to `record`: what is returned lies there. nullopt: there is none. Throws
    // std::bad_alloc.
    std::optional<StoredUnit> find(const UnitQuery& query, BlockReader& reader,
                                   std::vector<uint8_t>* record) const;

    // Null without a file.
    KeptDescriptor* descriptor() const { return fd_.get(); }

  private:
    static Result<StoreFile> take(UniqueFd file, uint64_t identity, uint32_t number);
    bool read(BlockReader& reader, uint64_t offset, std::span<uint8_t> to) const;

    std::unique_ptr<KeptDescriptor> fd_;
    uint32_t number_ = 0;
    uint64_t slots_ = 0;  // their number, a power of two
};

// A record that is to be appended, and of its query the hash and the sample.
struct NewRecord {
    uint64_t hash;
    uint64_t page_sample;
    std::span<const uint8_t> bytes;
};

enum class Appended : uint8_t {
    done,  // the records are there now, by this call or before, but for those whose group of slots is full
    busy,  // another process appends: later
    full,  // some had no room: begin a new file
};

// Appends to the file of this name, which StoreFile::open() has made or found. Any thread and process. Error: it cannot be opened or
// written, or is none of ours any more; what was there before is as it was.
Result<Appended> append_to_store(int folder, const std::string& name, uint64_t identity,
                                 std::span<const NewRecord> records);

// The full file becomes `old_name`, in place of an older one, and a new one takes its place, once, however many ask for it at a time.
Result<> begin_new_store(int folder, const std::string& name, const std::string& old_name, uint64_t identity,
                         uint64_t capacity);

}  // namespace weft::accel
