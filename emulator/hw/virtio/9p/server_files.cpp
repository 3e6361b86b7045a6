// Messages about what is open, and about extended attributes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "emulator/hw/virtio/9p/server.h"

namespace weft::hw::p9 {

using backend::FsEntry;
using backend::FsPath;
using backend::FsResult;

namespace {

// The protocol's flags are those of Linux' asm-generic/fcntl.h, which are also x86's.
static_assert(O_TRUNC == 01000 && O_APPEND == 02000 && O_DSYNC == 010000 && O_DIRECTORY == 0200000);
constexpr uint32_t kExclusive = O_EXCL;
constexpr uint32_t kOpenFlags = O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC | O_DIRECTORY | O_EXCL;

constexpr uint8_t kLockGranted = 0;
constexpr uint32_t kLockFlags = 1;  // that the client waits: nobody has to

// What an entry takes before its name: qid[13] offset[8] type[1] and the name's size.
constexpr size_t kEntrySize = 24;

}  // namespace

FsResult<> Server::handle(const Tlopen& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid || (*fid)->file != nullptr) {
        return std::unexpected(fid ? EBUSY : fid.error());
    }
    if (FsResult<> room = fids_.room_for_file(); !room) {
        return room;
    }
    auto file = files_.open((*fid)->path, static_cast<int>(message.flags & kOpenFlags & ~kExclusive));
    if (!file) {
        return std::unexpected(file.error());
    }
    const FsResult<struct stat> facts = (*file)->attributes();
    const FsResult<Qid> number = facts ? qids_.qid(*facts) : std::unexpected(facts.error());
    if (!number) {
        return std::unexpected(number.error());
    }
    fids_.set_file(**fid, std::move(*file));
    reply.put(Rlopen{*number, 0});
    return {};
}

FsResult<> Server::handle(const Tlcreate& message, Reply& reply) {
    FsResult<FsPath> path = child(message.fid, message.name);
    if (!path) {
        return std::unexpected(path.error());
    }
    Fid& fid = *fids_.find(message.fid);
    if (fid.file != nullptr) {
        return std::unexpected(EBUSY);
    }
    if (FsResult<> room = fids_.room_for_file(); !room) {
        return room;
    }
    auto file = files_.create(*path, static_cast<int>(message.flags & kOpenFlags), message.mode,
                              {fid.uid, message.gid});
    if (!file) {
        return std::unexpected(file.error());
    }
    const FsResult<struct stat> facts = (*file)->attributes();
    const FsResult<Qid> number = facts ? qids_.qid(*facts) : std::unexpected(facts.error());
    if (!number) {
        return std::unexpected(number.error());
    }
    if (FsResult<> set = fids_.set_path(fid, std::move(*path)); !set) {
        return set;
    }
    fids_.set_file(fid, std::move(*file));
    reply.put(Rlcreate{*number, 0});
    return {};
}

FsResult<> Server::handle(const Tread& message, Reply& reply) {
    Fid* const fid = fids_.find(message.fid);
    if (fid == nullptr || (fid->is_file() && fid->file == nullptr)) {
        return std::unexpected(EBADF);
    }
    // Straight into the answer, behind the count that is put afterwards.
    FieldWriter& writer = reply.writer;
    const std::span<uint8_t> room = writer.rest();
    if (room.size() < 4) {
        return std::unexpected(EMSGSIZE);
    }
    const std::span<uint8_t> to = room.subspan(4).first(std::min<size_t>(message.count, room.size() - 4));
    size_t count = 0;
    if (fid->xattr) {
        const std::span<const uint8_t> value(fid->xattr->bytes);
        const std::span<const uint8_t> rest = value.subspan(std::min<uint64_t>(message.offset, value.size()));
        count = std::min(rest.size(), to.size());
        std::copy_n(rest.begin(), count, to.begin());
    } else {
        const FsResult<size_t> got = fid->file->read(message.offset, to);
        if (!got) {
            return std::unexpected(got.error());
        }
        count = *got;
    }
    reply.number = Rread::kNumber;
    writer.put(static_cast<uint32_t>(count));
    writer.add(count);
    return {};
}

FsResult<> Server::handle(const Twrite& message, Reply& reply) {
    Fid* const fid = fids_.find(message.fid);
    if (fid == nullptr || (fid->is_file() && fid->file == nullptr)) {
        return std::unexpected(EBADF);
    }
    if (fid->xattr) {
        XattrValue& value = *fid->xattr;
        // One behind the other, up to the size that was announced.
        if (value.name.empty() || message.offset != value.bytes.size() ||
            message.data.size() > value.size - value.bytes.size()) {
            return std::unexpected(EINVAL);
        }
        value.bytes.insert(value.bytes.end(), message.data.begin(), message.data.end());
        reply.put(Rwrite{static_cast<uint32_t>(message.data.size())});
        return {};
    }
    const FsResult<size_t> written = fid->file->write(message.offset, message.data);
    if (!written) {
        return std::unexpected(written.error());
    }
    reply.put(Rwrite{static_cast<uint32_t>(*written)});
    return {};
}

FsResult<> Server::handle(const Treaddir& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid || (*fid)->file == nullptr) {
        return std::unexpected(EBADF);
    }
    backend::FsFile& folder = *(*fid)->file;
    const FsResult<struct stat> facts = folder.attributes();
    if (!facts) {
        return std::unexpected(facts.error());
    }
    if (FsResult<> sought = folder.seek_entry(message.offset); !sought) {
        return sought;
    }
    FieldWriter& writer = reply.writer;
    const std::span<uint8_t> room = writer.rest();
    if (room.size() < 4) {
        return std::unexpected(EMSGSIZE);
    }
    FieldWriter entries(room.subspan(4).first(std::min<size_t>(message.count, room.size() - 4)));
    while (true) {
        const FsResult<std::optional<FsEntry>> next = folder.next_entry();
        if (!next) {
            return std::unexpected(next.error());
        }
        if (!*next) {
            break;
        }
        const FsEntry& entry = **next;
        if (kEntrySize + entry.name.size() > entries.rest().size()) {
            // Not even one: an empty answer would be the end.
            if (entries.size() == 0) {
                return std::unexpected(EINVAL);
            }
            break;
        }
        // A file system that is mounted there is not the folder's: its own inode is asked for where numbers are to be told apart.
        struct stat one = *facts;
        one.st_ino = entry.inode;
        one.st_mode = DTTOIF(entry.type);
        if (const auto name = backend::FsName::make(entry.name); name && qids_.tells_devices_apart()) {
            if (const FsResult<struct stat> real = files_.attributes((*fid)->path.child(*name))) {
                one = *real;
            }
        }
        const FsResult<Qid> number = qids_.qid(one);
        if (!number) {
            continue;  // of a file system that is not to be had
        }
        entries.put(*number);
        entries.put(entry.next);
        entries.put(entry.type);
        entries.put(Text(entry.name));
    }
    reply.number = Rreaddir::kNumber;
    writer.put(static_cast<uint32_t>(entries.size()));
    writer.add(entries.size());
    return {};
}

FsResult<> Server::handle(const Tfsync& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid || (*fid)->file == nullptr) {
        return std::unexpected(EBADF);
    }
    reply.put(Rfsync{});
    return (*fid)->file->sync(message.data_only != 0);
}

FsResult<> Server::handle(const Tlock& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid || (*fid)->file == nullptr) {
        return std::unexpected(EBADF);
    }
    if ((message.flags & ~kLockFlags) != 0) {
        return std::unexpected(EINVAL);
    }
    reply.put(Rlock{kLockGranted});
    return {};
}

FsResult<> Server::handle(const Tgetlock& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid || (*fid)->file == nullptr) {
        return std::unexpected(EBADF);
    }
    // Nobody's lock is in the way. The answer repeats the rest of the question.
    reply.put(Rgetlock{static_cast<uint8_t>(F_UNLCK), message.start, message.length, message.process,
                       message.client});
    return {};
}

FsResult<> Server::handle(const Txattrwalk& message, Reply& reply) {
    const FsResult<Fid*> from = file_fid(message.fid);
    if (!from) {
        return std::unexpected(from.error());
    }
    const std::string name(message.name);
    const FsPath path = (*from)->path;
    auto bytes = name.empty() ? files_.xattr_list(path) : files_.xattr(path, name);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    const FsResult<Fid*> fid = fids_.add(message.new_fid, path, (*from)->uid);
    if (!fid) {
        return std::unexpected(fid.error());
    }
    const uint64_t size = bytes->size();
    if (FsResult<> set =
            fids_.set_xattr(**fid, {.name = {}, .flags = 0, .size = size, .bytes = std::move(*bytes)});
        !set) {
        fids_.remove(message.new_fid);
        return set;
    }
    reply.put(Rxattrwalk{size});
    return {};
}

FsResult<> Server::handle(const Txattrcreate& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid || (*fid)->file != nullptr) {
        return std::unexpected(fid ? EBUSY : fid.error());
    }
    if ((message.flags & ~uint32_t{XATTR_CREATE | XATTR_REPLACE}) != 0 || message.name.empty() ||
        message.name.find('\0') != Text::npos) {
        return std::unexpected(EINVAL);
    }
    if (message.size > XATTR_SIZE_MAX) {
        return std::unexpected(E2BIG);
    }
    reply.put(Rxattrcreate{});
    return fids_.set_xattr(**fid, {.name = std::string(message.name),
                                   .flags = static_cast<int>(message.flags),
                                   .size = message.size,
                                   .bytes = {}});
}

// Linux removes an attribute by replacing it by none at all.
FsResult<> Server::set_written_xattr(Fid& fid) {
    if (!fid.xattr || fid.xattr->name.empty()) {
        return {};
    }
    const XattrValue& value = *fid.xattr;
    if (value.bytes.size() != value.size) {
        return std::unexpected(EINVAL);
    }
    if (value.size == 0 && value.flags == XATTR_REPLACE) {
        return files_.remove_xattr(fid.path, value.name);
    }
    return files_.set_xattr(fid.path, value.name, value.bytes, value.flags);
}

}  // namespace weft::hw::p9
