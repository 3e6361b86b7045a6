#include "emulator/backend/fs/local_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "emulator/backend/fs/handles.h"
#include "emulator/backend/fs/mapped_identity.h"

namespace weft::backend {

FsResult<struct stat> guest_attributes(int handle, bool mapped) {
    FsResult<struct stat> attributes = handle_attributes(handle);
    if (attributes && mapped) {
        read_identity(handle, *attributes);
    }
    return attributes;
}

FsResult<> change_for_guest(int handle, bool mapped, FsChanges changes) {
    if (mapped && (changes.mode || changes.uid || changes.gid)) {
        Identity identity{.uid = changes.uid, .gid = changes.gid, .mode = {}, .device = {}};
        if (changes.mode) {
            const FsResult<struct stat> attributes = guest_attributes(handle, true);
            if (!attributes) {
                return std::unexpected(attributes.error());
            }
            identity.mode = (attributes->st_mode & S_IFMT) | (*changes.mode & 07777);
        }
        if (FsResult<> written = write_identity(handle, identity); !written) {
            return written;
        }
        changes.mode.reset();
        changes.uid.reset();
        changes.gid.reset();
    }
    return change_handle(handle, changes);
}

FsResult<size_t> LocalFile::read(uint64_t offset, std::span<uint8_t> data) {
    if (offset > INT64_MAX) {
        return std::unexpected(EINVAL);
    }
    size_t count = 0;
    while (count < data.size()) {
        const ssize_t got =
            pread(file_.get(), data.data() + count, data.size() - count, static_cast<off_t>(offset + count));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && count == 0) {
            return last_error();
        }
        if (got <= 0) {
            break;
        }
        count += static_cast<size_t>(got);
    }
    return count;
}

FsResult<size_t> LocalFile::write(uint64_t offset, std::span<const uint8_t> data) {
    if (offset > INT64_MAX) {
        return std::unexpected(EFBIG);
    }
    size_t count = 0;
    while (count < data.size()) {
        const ssize_t put =
            pwrite(file_.get(), data.data() + count, data.size() - count, static_cast<off_t>(offset + count));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && count == 0) {
            return last_error();
        }
        if (put <= 0) {
            break;
        }
        count += static_cast<size_t>(put);
    }
    if (write_through_ && sync_file_range(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(count),
                                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE) < 0) {
        return last_error();
    }
    return count;
}

FsResult<> LocalFile::sync(bool data_only) {
    return done(data_only ? fdatasync(file_.get()) : fsync(file_.get()));
}

FsResult<struct stat> LocalFile::attributes() { return guest_attributes(file_.get(), mapped_); }

FsResult<> LocalFile::change(const FsChanges& changes) {
    if (read_only_) {
        return std::unexpected(EROFS);
    }
    FsChanges rest = changes;
    // What is open for writing may be truncated, whatever its permissions say by now.
    if (changes.size && *changes.size <= INT64_MAX &&
        ftruncate(file_.get(), static_cast<off_t>(*changes.size)) == 0) {
        rest.size.reset();
    }
    return change_for_guest(file_.get(), mapped_, rest);
}

FsResult<> LocalFile::open_entries() {
    if (entries_ != nullptr) {
        return {};
    }
    UniqueFd copy(fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) {
        return last_error();
    }
    DIR* const folder = fdopendir(copy.get());
    if (folder == nullptr) {
        return last_error();
    }
    static_cast<void>(copy.release());
    entries_.reset(folder);
    return {};
}

FsResult<> LocalFile::seek_entry(uint64_t position) {
    if (position > INT64_MAX) {
        return std::unexpected(EINVAL);
    }
    if (FsResult<> opened = open_entries(); !opened) {
        return opened;
    }
    if (position == 0) {
        rewinddir(entries_.get());  // which also sees what came and went meanwhile
    } else {
        seekdir(entries_.get(), static_cast<long>(position));
    }
    return {};
}

FsResult<std::optional<FsEntry>> LocalFile::next_entry() {
    if (FsResult<> opened = open_entries(); !opened) {
        return std::unexpected(opened.error());
    }
    errno = 0;
    // The stream is this object's alone.
    const dirent* const entry = readdir(entries_.get());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr) {
        return errno != 0 ? FsResult<std::optional<FsEntry>>(last_error()) : std::nullopt;
    }
    // With mapped attributes the kind is not what the host's folder says.
    return FsEntry{entry->d_name, entry->d_ino, mapped_ ? static_cast<uint8_t>(DT_UNKNOWN) : entry->d_type,
                   static_cast<uint64_t>(entry->d_off)};
}

}  // namespace weft::backend
