// Messages that make, rename and remove.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "emulator/hw/virtio/9p/server.h"

namespace weft::hw::p9 {

using backend::FsOwner;
using backend::FsPath;
using backend::FsResult;

namespace {

constexpr uint32_t kRemoveFolder = 0x200;  // AT_REMOVEDIR

}  // namespace

FsResult<> Server::handle(const Tmkdir& message, Reply& reply) {
    const FsResult<FsPath> path = child(message.fid, message.name);
    if (!path) {
        return std::unexpected(path.error());
    }
    const FsOwner owner{fids_.find(message.fid)->uid, message.gid};
    FsResult<> made = files_.make_folder(*path, message.mode, owner);
    const FsResult<Qid> number = made ? qid(*path) : std::unexpected(made.error());
    if (!number) {
        return std::unexpected(number.error());
    }
    reply.put(Rmkdir{*number});
    return {};
}

FsResult<> Server::handle(const Tmknod& message, Reply& reply) {
    const FsResult<FsPath> path = child(message.fid, message.name);
    if (!path) {
        return std::unexpected(path.error());
    }
    const FsOwner owner{fids_.find(message.fid)->uid, message.gid};
    FsResult<> made = files_.make_node(*path, message.mode, makedev(message.major, message.minor), owner);
    const FsResult<Qid> number = made ? qid(*path) : std::unexpected(made.error());
    if (!number) {
        return std::unexpected(number.error());
    }
    reply.put(Rmknod{*number});
    return {};
}

FsResult<> Server::handle(const Tsymlink& message, Reply& reply) {
    const FsResult<FsPath> path = child(message.fid, message.name);
    if (!path) {
        return std::unexpected(path.error());
    }
    if (message.target.empty() || message.target.find('\0') != Text::npos) {
        return std::unexpected(message.target.empty() ? ENOENT : EINVAL);
    }
    const FsOwner owner{fids_.find(message.fid)->uid, message.gid};
    FsResult<> made = files_.make_symlink(*path, std::string(message.target), owner);
    const FsResult<Qid> number = made ? qid(*path) : std::unexpected(made.error());
    if (!number) {
        return std::unexpected(number.error());
    }
    reply.put(Rsymlink{*number});
    return {};
}

FsResult<> Server::handle(const Tlink& message, Reply& reply) {
    const FsResult<FsPath> path = child(message.folder_fid, message.name);
    const FsResult<Fid*> existing = file_fid(message.fid);
    if (!path || !existing) {
        return std::unexpected(path ? existing.error() : path.error());
    }
    reply.put(Rlink{});
    return files_.link((*existing)->path, *path);
}

FsResult<> Server::rename(const FsPath& from, const FsPath& to) {
    FsResult<> renamed = files_.rename(from, to);
    if (renamed) {
        fids_.renamed(from, to);
    }
    return renamed;
}

FsResult<> Server::handle(const Trename& message, Reply& reply) {
    const FsResult<FsPath> to = child(message.folder_fid, message.name);
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!to || !fid) {
        return std::unexpected(to ? fid.error() : to.error());
    }
    reply.put(Rrename{});
    const FsPath from = (*fid)->path;
    return rename(from, *to);
}

FsResult<> Server::handle(const Trenameat& message, Reply& reply) {
    const FsResult<FsPath> from = child(message.old_folder, message.old_name);
    const FsResult<FsPath> to = child(message.new_folder, message.new_name);
    if (!from || !to) {
        return std::unexpected(from ? to.error() : from.error());
    }
    reply.put(Rrenameat{});
    return rename(*from, *to);
}

FsResult<> Server::handle(const Tremove& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid) {
        return std::unexpected(fid.error());
    }
    const FsPath path = (*fid)->path;
    fids_.remove(message.fid);
    const FsResult<struct stat> facts = files_.attributes(path);
    if (!facts) {
        return std::unexpected(facts.error());
    }
    reply.put(Rremove{});
    return S_ISDIR(facts->st_mode) ? files_.remove_folder(path) : files_.remove_file(path);
}

FsResult<> Server::handle(const Tunlinkat& message, Reply& reply) {
    const FsResult<FsPath> path = child(message.folder_fid, message.name);
    if (!path) {
        return std::unexpected(path.error());
    }
    if ((message.flags & ~kRemoveFolder) != 0) {
        return std::unexpected(EINVAL);
    }
    reply.put(Runlinkat{});
    return (message.flags & kRemoveFolder) != 0 ? files_.remove_folder(*path) : files_.remove_file(*path);
}

FsResult<> Server::handle(const Treadlink& message, Reply& reply) {
    const FsResult<Fid*> fid = file_fid(message.fid);
    if (!fid) {
        return std::unexpected(fid.error());
    }
    const FsResult<std::string> target = files_.read_symlink((*fid)->path);
    if (!target) {
        return std::unexpected(target.error());
    }
    reply.put(Rreadlink{*target});
    return {};
}

}  // namespace weft::hw::p9
