#include "emulator/system/memory_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/memfd.h"
#include "base/text_values.h"

namespace weft::sys {

MemoryFiles::~MemoryFiles() {
    for (const std::string& path : made_) {
        unlink(path.c_str());
    }
}

Result<UniqueFd> MemoryFiles::open_path(const std::string& path) {
    struct stat info{};
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        std::string name = path + "/weft-ram-XXXXXX";
        UniqueFd fd(mkostemp(name.data(), O_CLOEXEC));
        if (!fd) {
            return fail_errno(fmt::format("cannot make a file in {}", in_quotes(path)));
        }
        unlink(name.c_str());
        return fd;
    }
    UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (made) {
        made_.push_back(path);
        return made;
    }
    UniqueFd fd(errno == EEXIST ? ::open(path.c_str(), O_RDWR | O_CLOEXEC) : -1);
    if (!fd) {
        return fail_errno(fmt::format("cannot open {}", in_quotes(path)));
    }
    return fd;
}

Result<UniqueFd> MemoryFiles::open_file(const MemoryChoice& memory) {
    Result<UniqueFd> fd = open_path(memory.path);
    if (!fd) {
        return fd;
    }
    struct stat info{};
    if (fstat(fd->get(), &info) != 0) {
        return fail_errno(fmt::format("cannot look at {}", in_quotes(memory.path)));
    }
    const uint64_t end = memory.offset + memory.size;
    if (S_ISREG(info.st_mode) && info.st_size == 0) {
        if (ftruncate(fd->get(), static_cast<off_t>(end)) != 0) {
            return fail_errno(
                fmt::format("cannot make {} {} large", in_quotes(memory.path), format_size(end)));
        }
    } else if (S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) < end) {
        return fail(
            fmt::format("{} has {} bytes, and {} are asked for", in_quotes(memory.path), info.st_size, end));
    }
    return fd;
}

// None: the block's own memory does.
Result<UniqueFd> MemoryFiles::open_memory(const MemoryChoice& memory) {
    if (!memory.path.empty()) {
        return open_file(memory);
    }
    if (!memory.share) {
        return UniqueFd();
    }
    Result<Memfd> file = Memfd::create("weft-ram", memory.size);
    if (!file) {
        return std::unexpected(file.error());
    }
    UniqueFd fd(fcntl(file->fd(), F_DUPFD_CLOEXEC, 0));
    if (!fd) {
        return fail_errno("cannot keep a memory file");
    }
    return fd;
}

Result<MemoryFiles> MemoryFiles::open(const Options& options) {
    MemoryFiles files;
    for (const MemoryChoice& memory : options.memory) {
        Result<UniqueFd> fd = files.open_memory(memory);
        if (!fd) {
            return std::unexpected(
                fd.error().within(memory.id.empty() ? "-mem-path" : "-object: " + in_quotes(memory.id)));
        }
        files.backings_.push_back({.size = memory.size,
                                   .fd = fd->get(),
                                   .offset = memory.offset,
                                   .shared = memory.share,
                                   .populate = memory.populate});
        files.files_.push_back(std::move(*fd));
    }
    return files;
}

}  // namespace weft::sys
