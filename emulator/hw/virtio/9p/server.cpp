#include "emulator/hw/virtio/9p/server.h"

#include <sys/statfs.h>

#include <algorithm>
#include <cerrno>

namespace weft::hw::p9 {

using backend::FsChanges;
using backend::FsName;
using backend::FsPath;
using backend::FsResult;

namespace {

constexpr Text kVersion = "9P2000.L";

// Tsetattr::valid.
enum : uint32_t {
    kSetMode = 1,
    kSetUid = 2,
    kSetGid = 4,
    kSetSize = 8,
    kSetAccessed = 0x10,
    kSetModified = 0x20,
    kSetAccessedTo = 0x80,  // to the time given, not to now
    kSetModifiedTo = 0x100,
};

// Rgetattr::valid: all but when it was born, generation and version of the data.
constexpr uint64_t kBasicAttributes = 0x7ff;

timespec time_of(bool change, bool given, uint64_t seconds, uint64_t nanoseconds) {
    if (!change) {
        return {0, UTIME_OMIT};
    }
    if (!given) {
        return {0, UTIME_NOW};
    }
    return {static_cast<time_t>(seconds), static_cast<long>(std::min<uint64_t>(nanoseconds, 999'999'999))};
}

}  // namespace

Server::Server(backend::FsBackend& files, QidMap qids, size_t max_open)
    : files_(files), qids_(std::move(qids)), fids_(max_open) {
    if (const FsResult<struct stat> root = files_.attributes({})) {
        qids_.set_root(root->st_dev);
    }
}

void Server::reset() {
    fids_.clear();
    size_ = kMinSize;
}

template <class Message>
bool Server::answer_if(uint8_t number, FieldReader& reader, Reply& reply) {
    if (number != Message::kNumber) {
        return false;
    }
    const auto message = read_fields<Message>(reader);
    FsResult<> result = reader.good() ? handle(message, reply) : std::unexpected(EINVAL);
    // The client made less room than its question needs.
    if (result && !reply.writer.good()) {
        result = std::unexpected(EMSGSIZE);
    }
    if (!result) {
        // A new writer: nothing of what was put before is in the answer.
        reply.writer = FieldWriter(reply.writer.whole());
        reply.put(Rlerror{static_cast<uint32_t>(result.error())});
    }
    return true;
}

template <class... Messages>
bool Server::dispatch(MessageList<Messages...>, uint8_t number, FieldReader& reader, Reply& reply) {
    return (answer_if<Messages>(number, reader, reply) || ...);
}

size_t Server::answer(std::span<const uint8_t> message, std::span<uint8_t> reply) {
    FieldReader reader(message);
    uint32_t size = 0;
    uint8_t number = 0;
    uint16_t tag = 0;
    reader.take(size);
    reader.take(number);
    reader.take(tag);
    FieldWriter writer(
        reply.subspan(kHeaderSize)
            .first(std::min<size_t>(reply.size(), std::max<size_t>(size_, kErrorSize)) - kHeaderSize));
    Reply fields{writer};
    FieldReader body(message.first(std::min<size_t>(message.size(), std::max<size_t>(size, kHeaderSize)))
                         .subspan(kHeaderSize));
    if (size < kHeaderSize || size > message.size()) {
        fields.put(Rlerror{EINVAL});
    } else if (!dispatch(Requests{}, number, body, fields)) {
        fields.put(Rlerror{EOPNOTSUPP});
    }
    const size_t total = kHeaderSize + writer.size();
    write_header(reply, total, fields.number, tag);
    return total;
}

FsResult<Fid*> Server::file_fid(uint32_t number) {
    Fid* const fid = fids_.find(number);
    return fid != nullptr && fid->is_file() ? FsResult<Fid*>(fid) : std::unexpected(EBADF);
}

FsResult<FsPath> Server::child(uint32_t folder_fid, Text name) {
    const FsResult<Fid*> folder = file_fid(folder_fid);
    if (!folder) {
        return std::unexpected(folder.error());
    }
    const std::optional<FsName> checked = FsName::make(name);
    if (!checked) {
        return std::unexpected(name.size() > FsName::kMaxSize ? ENAMETOOLONG : EINVAL);
    }
    return (*folder)->path.child(*checked);
}

FsResult<struct stat> Server::attributes(const Fid& fid) {
    // What is open may have lost its name.
    return fid.file != nullptr ? fid.file->attributes() : files_.attributes(fid.path);
}

FsResult<Qid> Server::qid(const FsPath& path) {
    const FsResult<struct stat> attributes = files_.attributes(path);
    return attributes ? qids_.qid(*attributes) : std::unexpected(attributes.error());
}

// version(5): a session begins.
FsResult<> Server::handle(const Tversion& message, Reply& reply) {
    if (message.size < kMinSize) {
        return std::unexpected(EMSGSIZE);
    }
    reset();
    size_ = std::min(message.size, kMaxSize);
    reply.put(Rversion{size_, message.version == kVersion ? kVersion : Text("unknown")});
    return {};
}

FsResult<> Server::handle(const Tauth&, Reply&) { return std::unexpected(EOPNOTSUPP); }

FsResult<> Server::handle(const Tattach& message, Reply& reply) {
    if (message.auth_fid != kNoFid) {
        return std::unexpected(EBADF);
    }
    const FsResult<Qid> root = qid({});
    if (!root) {
        return std::unexpected(root.error());
    }
    if (const FsResult<Fid*> fid = fids_.add(message.fid, {}, message.uid); !fid) {
        return std::unexpected(fid.error());
    }
    reply.put(Rattach{*root});
    return {};
}

FsResult<> Server::handle(const Tflush&, Reply& reply) {
    reply.put(Rflush{});
    return {};
}

// walk(5): all names, or the new fid comes to nothing. Of names that lead nowhere but for the first, the answer tells how far it went.
FsResult<> Server::handle(const Twalk& message, Reply& reply) {
    const FsResult<Fid*> from = file_fid(message.fid);
    if (!from) {
        return std::unexpected(from.error());
    }
    if (message.new_fid != message.fid && fids_.find(message.new_fid) != nullptr) {
        return std::unexpected(EEXIST);
    }
    FsPath path = (*from)->path;
    Qids qids;
    for (const Text text : message.names) {
        const std::optional<FsName> name = FsName::make(text);
        FsPath next = text == ".." ? path.parent() : name ? path.child(*name) : path;
        FsResult<Qid> step = name || text == ".." ? qid(next) : std::unexpected(ENOENT);
        if (!step && qids.empty()) {
            return std::unexpected(step.error());
        }
        if (!step) {
            reply.put(Rwalk{qids});
            return {};
        }
        qids.push_back(*step);
        path = std::move(next);
    }
    if (message.new_fid == message.fid) {
        if ((*from)->file != nullptr && !message.names.empty()) {
            return std::unexpected(EBUSY);
        }
        if (FsResult<> set = fids_.set_path(**from, std::move(path)); !set) {
            return set;
        }
    } else if (const FsResult<Fid*> added = fids_.add(message.new_fid, std::move(path), (*from)->uid);
               !added) {
        return std::unexpected(added.error());
    }
    reply.put(Rwalk{qids});
    return {};
}

FsResult<> Server::handle(const Tclunk& message, Reply& reply) {
    Fid* const fid = fids_.find(message.fid);
    if (fid == nullptr) {
        return std::unexpected(EBADF);
    }
    const FsResult<> result = set_written_xattr(*fid);
    fids_.remove(message.fid);
    reply.put(Rclunk{});
    return result;
}

FsResult<> Server::handle(const Tgetattr& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid) {
        return std::unexpected(fid.error());
    }
    const FsResult<struct stat> facts = attributes(**fid);
    const FsResult<Qid> number = facts ? qids_.qid(*facts) : std::unexpected(facts.error());
    if (!number) {
        return std::unexpected(number.error());
    }
    Rgetattr answer;
    answer.valid = kBasicAttributes;
    answer.qid = *number;
    answer.mode = facts->st_mode;
    answer.uid = facts->st_uid;
    answer.gid = facts->st_gid;
    answer.links = facts->st_nlink;
    answer.device = facts->st_rdev;
    answer.size = static_cast<uint64_t>(facts->st_size);
    // A client reads and writes in units of this: what fits into a message, in whole blocks.
    const auto block = static_cast<uint64_t>(std::max<blksize_t>(facts->st_blksize, 1));
    answer.block_size = std::max(block, (size_ - kHeaderSize - 4) / block * block);
    answer.blocks = static_cast<uint64_t>(facts->st_blocks);
    answer.accessed = static_cast<uint64_t>(facts->st_atim.tv_sec);
    answer.accessed_ns = static_cast<uint64_t>(facts->st_atim.tv_nsec);
    answer.modified = static_cast<uint64_t>(facts->st_mtim.tv_sec);
    answer.modified_ns = static_cast<uint64_t>(facts->st_mtim.tv_nsec);
    answer.changed = static_cast<uint64_t>(facts->st_ctim.tv_sec);
    answer.changed_ns = static_cast<uint64_t>(facts->st_ctim.tv_nsec);
    reply.put(answer);
    return {};
}

FsResult<> Server::handle(const Tsetattr& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid) {
        return std::unexpected(fid.error());
    }
    FsChanges changes;
    const auto has = [&](uint32_t bit) { return (message.valid & bit) != 0; };
    if (has(kSetMode)) {
        changes.mode = message.mode & 07777;
    }
    if (has(kSetUid)) {
        changes.uid = message.uid;
    }
    if (has(kSetGid)) {
        changes.gid = message.gid;
    }
    if (has(kSetSize)) {
        changes.size = message.size;
    }
    changes.accessed = time_of(has(kSetAccessed), has(kSetAccessedTo), message.accessed, message.accessed_ns);
    changes.modified = time_of(has(kSetModified), has(kSetModifiedTo), message.modified, message.modified_ns);
    const FsResult<> changed =
        (*fid)->file != nullptr ? (*fid)->file->change(changes) : files_.change((*fid)->path, changes);
    reply.put(Rsetattr{});
    return changed;
}

FsResult<> Server::handle(const Tstatfs& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid) {
        return std::unexpected(fid.error());
    }
    const FsResult<struct statfs> facts = files_.file_system((*fid)->path);
    if (!facts) {
        return std::unexpected(facts.error());
    }
    uint64_t id = 0;
    std::memcpy(&id, &facts->f_fsid, sizeof(id));
    // Blocks count in units of f_bsize.
    reply.put(Rstatfs{.type = static_cast<uint32_t>(facts->f_type),
                      .block_size = static_cast<uint32_t>(facts->f_bsize),
                      .blocks = facts->f_blocks,
                      .free = facts->f_bfree,
                      .available = facts->f_bavail,
                      .files = facts->f_files,
                      .free_files = facts->f_ffree,
                      .fs_id = id,
                      .name_size = static_cast<uint32_t>(facts->f_namelen)});
    return {};
}

}  // namespace weft::hw::p9
