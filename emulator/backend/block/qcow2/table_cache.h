// Tables of an image, a cluster each, as far as they are in memory.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/image_file.h"

namespace weft::backend::qcow2 {

// A table that changed in memory is dirty until it has been written. Not thread-safe.
class TableCache {
  public:
    struct Table {
        uint64_t offset = 0;  // in the image
        std::vector<uint8_t> bytes;
        // What the file does not have yet: from..to, in bytes.
        size_t dirty_from = 0;
        size_t dirty_to = 0;
    };

    // `file` must outlive it. At most `bytes` of memory are used for tables, but eight tables in any case.
    TableCache(ImageFile& file, uint64_t table_size, uint64_t bytes);

    // Whether load() and add() have room for one more table, after letting go the one that was used longest ago. If not, that one is
    // dirty: write() makes room.
    bool make_room();

    // The table at `offset` of the file, which becomes the last used one. It stays until the next load() or add(). An error: the file
    // cannot be read or does not have all of it. make_room() before, with true.
    Result<Table*> load(uint64_t offset);
    // A new one of zeros, all of it dirty.
    Table& add(uint64_t offset);
    // The one that is in memory, or null. It does not become the last used one.
    Table* find(uint64_t offset);
    // Forgets the table, if it is in memory, with what was changed in it.
    void drop(uint64_t offset);

    bool dirty() const { return dirty_ != 0; }
    void mark(Table& table, size_t from, size_t to);
    // Writes all that is dirty. After an error what was not written stays dirty.
    Result<> write();

  private:
    using Tables = std::list<Table>;

    ImageFile& file_;
    const uint64_t table_size_;
    const size_t capacity_;
    Tables tables_;  // the last used one first
    std::unordered_map<uint64_t, Tables::iterator> by_offset_;
    size_t dirty_ = 0;  // tables
};

}  // namespace weft::backend::qcow2
