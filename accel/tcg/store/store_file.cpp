#include "accel/tcg/store/store_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <unordered_map>
#include <utility>

#include "accel/tcg/store/store_folder.h"
#include "accel/tcg/store/store_layout.h"

namespace weft::accel {

namespace {

template <class T>
std::span<uint8_t> bytes_of(T& value) {
    return {reinterpret_cast<uint8_t*>(&value), sizeof(value)};
}

// Whether the file has the form that it says; how much of it there is, is another matter.
bool sound(const StoreHeader& header, uint64_t identity) {
    return header.magic == kStoreMagic && header.identity == identity && header.capacity >= kMinCapacity &&
           header.capacity <= kMaxCapacity && header.slots == slots_of(header.capacity) &&
           header.data_end >= data_start(header.slots) && header.data_end <= header.capacity &&
           header.data_end % kRecordAlignment == 0;
}

// -1 with errno set where it cannot be opened, an error where it may not be used.
Result<UniqueFd> open_file(int folder, const std::string& name, int flags) {
    UniqueFd file(::openat(folder, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file) {
        return file;
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        return fail_errno(name);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(name + ": it is no regular file");
    }
    if (const auto reason = not_ours(status)) {
        return fail(name + ": " + *reason);
    }
    return file;
}

bool read_header(int fd, uint64_t identity, StoreHeader* header) {
    struct stat status{};
    return read_all(fd, 0, bytes_of(*header)) && sound(*header, identity) && ::fstat(fd, &status) == 0 &&
           static_cast<uint64_t>(status.st_size) >= header->data_end;
}

// An empty one under a name of its own, which is then moved to its place: nobody sees it half made.
Result<> make(int folder, const std::string& name, uint64_t identity, uint64_t capacity) {
    // Processes of several PID namespaces may share the folder.
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    const std::string draft = fmt::format("{}.{}-{}", name, ::getpid(), now);
    const UniqueFd file(
        ::openat(folder, draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
        return fail_errno(draft);
    }
    const uint64_t slots = slots_of(capacity);
    StoreHeader header{kStoreMagic, identity, capacity, slots, data_start(slots)};
    const bool written = write_all(file.get(), 0, bytes_of(header)) &&
                         ::ftruncate(file.get(), static_cast<off_t>(data_start(slots))) == 0 &&
                         ::renameat(folder, draft.c_str(), folder, name.c_str()) == 0;
    if (!written) {
        const auto error = fail_errno(draft);
        ::unlinkat(folder, draft.c_str(), 0);
        return error;
    }
    return {};
}

}  // namespace

// ---- reading ----

Result<StoreFile> StoreFile::take(UniqueFd file, uint64_t identity, uint32_t number) {
    StoreHeader header{};
    StoreFile made;
    if (read_header(file.get(), identity, &header)) {
        made.fd_ = std::make_unique<KeptDescriptor>(std::move(file));
        made.number_ = number;
        made.slots_ = header.slots;
    }
    return made;
}

Result<StoreFile> StoreFile::open_existing(int folder, const std::string& name, uint64_t identity,
                                           uint32_t number) {
    auto file = open_file(folder, name, O_RDONLY);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (!*file) {
        return errno == ENOENT ? Result<StoreFile>(StoreFile()) : fail_errno(name);
    }
    return take(std::move(*file), identity, number);
}

Result<StoreFile> StoreFile::open(int folder, const std::string& name, uint64_t identity, uint64_t capacity,
                                  uint32_t number) {
    auto found = open_existing(folder, name, identity, number);
    if (!found || *found) {
        return found;
    }
    if (Result<> made = make(folder, name, identity, capacity); !made) {
        return std::unexpected(made.error());
    }
    return open_existing(folder, name, identity, number);
}

bool StoreFile::read(BlockReader& reader, uint64_t offset, std::span<uint8_t> to) const {
    return reader.read(number_, fd_->get(), offset, to);
}

std::optional<StoredUnit> StoreFile::find(const UnitQuery& query, BlockReader& reader,
                                          std::vector<uint8_t>* record) const {
    const uint64_t hash = query.hash();
    const Place place = place_of(slots_, query.page_sample, hash);
    for (uint64_t i = 0; i < kProbes; ++i) {
        uint64_t slot = 0;
        if (!read(reader, kSlotsStart + place.slot(i) * sizeof(slot), bytes_of(slot)) || slot == 0) {
            break;
        }
        record->resize(kRecordPrefix);
        if (!may_be(slot, hash) || !read(reader, offset_in(slot), *record)) {
            continue;
        }
        const size_t size = record_size(*record);
        record->resize(size);
        if (size == 0 || !read(reader, offset_in(slot), *record)) {
            continue;
        }
        if (auto unit = unit_of_record(*record, query)) {
            return unit;
        }
    }
    return std::nullopt;
}

// ---- appending ----

namespace {

// A file whose lock is held, and what will be written.
class Appending {
  public:
    Appending(int fd, const StoreHeader& header) : fd_(fd), header_(header), end_(header.data_end) {}

    // False: there is no room for it in the file.
    bool add(const NewRecord& record) {
        const Place place = place_of(header_.slots, record.page_sample, record.hash);
        for (uint64_t i = 0; i < kProbes; ++i) {
            const uint64_t index = place.slot(i);
            uint64_t value = 0;
            if (!read_slot(index, &value)) {
                return false;
            }
            if (value == 0) {
                return append(record, index);
            }
            if (may_be(value, record.hash) && is(offset_in(value), record)) {
                return true;
            }
        }
        return true;
    }

    Result<> write() {
        if (data_.empty()) {
            return {};
        }
        StoreHeader header = header_;
        header.data_end = end_;
        bool written = write_all(fd_, header_.data_end, data_) && write_all(fd_, 0, bytes_of(header));
        for (const auto& [index, value] : slots_) {
            uint64_t slot = value;
            written = written && write_all(fd_, kSlotsStart + index * sizeof(slot), bytes_of(slot));
        }
        return written ? Result<>() : fail_errno("cannot be written to");
    }

  private:
    bool read_slot(uint64_t index, uint64_t* value) const {
        const auto mine = slots_.find(index);
        if (mine != slots_.end()) {
            *value = mine->second;
            return true;
        }
        return read_all(fd_, kSlotsStart + index * sizeof(*value), bytes_of(*value));
    }

    bool append(const NewRecord& record, uint64_t index) {
        if (record.bytes.size() > header_.capacity - end_) {
            return false;
        }
        slots_.emplace(index, slot_of(record.hash, end_));
        data_.insert(data_.end(), record.bytes.begin(), record.bytes.end());
        end_ += record.bytes.size();
        return true;
    }

    // Whether the record there is the same.
    bool is(uint64_t offset, const NewRecord& record) const {
        std::array<uint8_t, kRecordPrefix> prefix{};
        if (offset >= header_.data_end) {
            const uint64_t at = offset - header_.data_end;
            // A slot that was damaged leads anywhere.
            if (at > data_.size() || data_.size() - at < prefix.size()) {
                return false;
            }
            std::copy_n(data_.begin() + static_cast<ptrdiff_t>(at), prefix.size(), prefix.begin());
        } else if (!read_all(fd_, offset, prefix)) {
            return false;
        }
        return record_checksum(prefix) == record_checksum(record.bytes);
    }

    const int fd_;
    const StoreHeader header_;
    uint64_t end_;
    std::vector<uint8_t> data_;
    std::unordered_map<uint64_t, uint64_t> slots_;  // that are to be written: value by index
};

}  // namespace

Result<Appended> append_to_store(int folder, const std::string& name, uint64_t identity,
                                 std::span<const NewRecord> records) {
    auto file = open_file(folder, name, O_RDWR);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (!*file) {
        return fail_errno(name);
    }
    // Closing the file lets go of it.
    if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? Result<Appended>(Appended::busy) : fail_errno(name);
    }
    StoreHeader header{};
    if (!read_header(file->get(), identity, &header)) {
        return fail(name + ": it is damaged");
    }
    Appending appending(file->get(), header);
    bool all = true;
    for (const NewRecord& record : records) {
        all = appending.add(record) && all;
    }
    if (Result<> written = appending.write(); !written) {
        return std::unexpected(written.error().within(name));
    }
    return all ? Appended::done : Appended::full;
}

Result<> begin_new_store(int folder, const std::string& name, const std::string& old_name, uint64_t identity,
                         uint64_t capacity) {
    auto file = open_file(folder, name, O_RDWR);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (*file && ::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
        return {};  // who has the lock sees to it
    }
    struct stat mine{};
    struct stat there{};
    const bool still_there = *file && ::fstat(file->get(), &mine) == 0 &&
                             ::fstatat(folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                             mine.st_ino == there.st_ino;
    if (!still_there) {
        return {};  // another process was first
    }
    if (::renameat(folder, name.c_str(), folder, old_name.c_str()) != 0) {
        return fail_errno(name);
    }
    return make(folder, name, identity, capacity);
}

}  // namespace weft::accel
