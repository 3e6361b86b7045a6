#include "accel/tcg/store/block_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weft::accel {

namespace {

// As many bytes as there are; -1 with errno set.
ssize_t read_some(int fd, uint64_t offset, std::span<uint8_t> to) {
    size_t done = 0;
    while (done < to.size()) {
        const ssize_t read =
            ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
        if (read < 0 && errno == EINTR) {
            continue;
        }
        if (read < 0) {
            return -1;
        }
        if (read == 0) {
            break;
        }
        done += static_cast<size_t>(read);
    }
    return static_cast<ssize_t>(done);
}

}  // namespace

bool read_all(int fd, uint64_t offset, std::span<uint8_t> to) {
    errno = 0;
    return read_some(fd, offset, to) == static_cast<ssize_t>(to.size());
}

bool write_all(int fd, uint64_t offset, std::span<const uint8_t> from) {
    size_t done = 0;
    while (done < from.size()) {
        const ssize_t written =
            ::pwrite(fd, from.data() + done, from.size() - done, static_cast<off_t>(offset + done));
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? static_cast<size_t>(written) : 0;
    }
    return true;
}

bool BlockReader::read(uint32_t file, int fd, uint64_t offset, std::span<uint8_t> to) {
    while (!to.empty()) {
        const size_t start = offset % kBlock;
        const size_t size = std::min(to.size(), kBlock - start);
        const uint8_t* const bytes = block(file, fd, offset / kBlock, start + size);
        if (bytes == nullptr) {
            return false;
        }
        std::copy_n(bytes + start, size, to.begin());
        to = to.subspan(size);
        offset += size;
    }
    return true;
}

const uint8_t* BlockReader::block(uint32_t file, int fd, uint64_t number, size_t size) {
    const auto known = std::ranges::find_if(
        blocks_, [&](const Block& each) { return each.file == file && each.number == number; });
    // A block at the file's end may have become longer.
    Block& block = known != blocks_.end() ? *known : *std::ranges::min_element(blocks_, {}, &Block::used);
    if (known == blocks_.end() || block.size < size) {
        block.file = kNone;
        const ssize_t read = read_some(fd, number * kBlock, {bytes_of(block), kBlock});
        if (read < static_cast<ssize_t>(size)) {
            return nullptr;
        }
        block.file = file;
        block.number = number;
        block.size = static_cast<size_t>(read);
    }
    block.used = ++uses_;
    return bytes_of(block);
}

}  // namespace weft::accel
