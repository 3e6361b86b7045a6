#include "emulator/backend/block/qcow2/table_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/bits.h"

namespace weft::backend::qcow2 {

namespace {
constexpr uint64_t kLeastTables = 8;
constexpr size_t kSectorSize = 512;  // what is written is a multiple of it
}  // namespace

TableCache::TableCache(ImageFile& file, uint64_t table_size, uint64_t bytes)
    : file_(file),
      table_size_(table_size),
      capacity_(static_cast<size_t>(std::max(kLeastTables, bytes / table_size))) {}

bool TableCache::make_room() {
    if (tables_.size() < capacity_) {
        return true;
    }
    const Table& last = tables_.back();
    if (last.dirty_to != 0) {
        return false;
    }
    by_offset_.erase(last.offset);
    tables_.pop_back();
    return true;
}

Result<TableCache::Table*> TableCache::load(uint64_t offset) {
    if (const auto known = by_offset_.find(offset); known != by_offset_.end()) {
        tables_.splice(tables_.begin(), tables_, known->second);
        return &tables_.front();
    }
    Table table{.offset = offset, .bytes = std::vector<uint8_t>(table_size_)};
    const Result<size_t> count = file_.read(offset, table.bytes);
    if (!count) {
        return std::unexpected(count.error());
    }
    if (*count != table.bytes.size()) {
        return fail(fmt::format("it is damaged: a table at {:#x} lies behind its end", offset));
    }
    tables_.push_front(std::move(table));
    by_offset_[offset] = tables_.begin();
    return &tables_.front();
}

TableCache::Table& TableCache::add(uint64_t offset) {
    drop(offset);  // of a cluster that was a table before
    tables_.push_front({.offset = offset, .bytes = std::vector<uint8_t>(table_size_)});
    by_offset_[offset] = tables_.begin();
    mark(tables_.front(), 0, table_size_);
    return tables_.front();
}

TableCache::Table* TableCache::find(uint64_t offset) {
    const auto known = by_offset_.find(offset);
    return known == by_offset_.end() ? nullptr : &*known->second;
}

void TableCache::drop(uint64_t offset) {
    if (const auto known = by_offset_.find(offset); known != by_offset_.end()) {
        dirty_ -= known->second->dirty_to != 0 ? 1 : 0;
        tables_.erase(known->second);
        by_offset_.erase(known);
    }
}

void TableCache::mark(Table& table, size_t from, size_t to) {
    WEFT_DEBUG_ASSERT(from < to && to <= table_size_);
    from = align_down(from, kSectorSize);
    to = align_up(to, kSectorSize);
    if (table.dirty_to == 0) {
        ++dirty_;
        table.dirty_from = from;
        table.dirty_to = to;
    } else {
        table.dirty_from = std::min(table.dirty_from, from);
        table.dirty_to = std::max(table.dirty_to, to);
    }
}

Result<> TableCache::write() {
    if (dirty_ == 0) {
        return {};
    }
    // In the file's order.
    std::vector<Table*> dirty;
    for (Table& table : tables_) {
        if (table.dirty_to != 0) {
            dirty.push_back(&table);
        }
    }
    std::ranges::sort(dirty, {}, &Table::offset);
    for (Table* table : dirty) {
        const auto part = std::span<const uint8_t>(table->bytes)
                              .subspan(table->dirty_from, table->dirty_to - table->dirty_from);
        if (Result<> written = file_.write(table->offset + table->dirty_from, part); !written) {
            return written;
        }
        table->dirty_from = table->dirty_to = 0;
        --dirty_;
    }
    return {};
}

}  // namespace weft::backend::qcow2
