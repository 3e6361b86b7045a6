// Raw disk images: contents, sizes, locks.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/unique_fd.h"
#include "emulator/backend/block/raw.h"
#include "tests/support/subprocess.h"

using namespace weft;

namespace {

std::string message(const std::string& path, bool read_only) {
    const auto image = backend::RawImage::open(path, {.read_only = read_only});
    return image ? "(opened)" : image.error().message();
}

std::string check_message(const std::string& path, bool read_only) {
    const auto checked = backend::RawImage::check(path, {.read_only = read_only});
    return checked ? "(fine)" : checked.error().message();
}

}  // namespace

TEST_CASE("what is written is read back and lies in the file", "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(4096, '.'));
    const auto image = backend::RawImage::open(path, {});
    REQUIRE(image);
    CHECK((*image)->size() == 4096);
    CHECK_FALSE((*image)->read_only());
    const std::vector<uint8_t> data = {'w', 'e', 'f', 't'};
    REQUIRE((*image)->write(4092, data));
    REQUIRE((*image)->flush());
    std::vector<uint8_t> back(5);
    REQUIRE((*image)->read(4091, back));
    CHECK(back == std::vector<uint8_t>{'.', 'w', 'e', 'f', 't'});
    CHECK(test::read_file(path) == std::string(4092, '.') + "weft");
}

// The flags of the open file of that path, from the kernel's own list.
int open_flags(const std::string& path) {
    for (int fd = 0; fd < 64; ++fd) {
        std::array<char, 4096> target{};
        const std::string link = "/proc/self/fd/" + std::to_string(fd);
        if (readlink(link.c_str(), target.data(), target.size() - 1) > 0 && path == target.data()) {
            return fcntl(fd, F_GETFL);
        }
    }
    return 0;
}

TEST_CASE("an image that is written through asks the kernel for it", "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(512, '.'));
    for (const bool through : {false, true}) {
        const auto image = backend::RawImage::open(path, {.write_through = through});
        REQUIRE(image);
        CHECK(((open_flags(path) & O_DSYNC) != 0) == through);
    }
}

TEST_CASE("an image may be a descriptor of the process's", "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(512, '.'));
    const auto named = [](const UniqueFd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); };
    const UniqueFd both(open(path.c_str(), O_RDWR | O_CLOEXEC));
    {
        const auto image = backend::RawImage::open(named(both), {});
        REQUIRE(image);
        const std::vector<uint8_t> data = {'w', 'e', 'f', 't'};
        REQUIRE((*image)->write(0, data));
        // What lies there is not opened once more, and is locked as a file is.
        CHECK(message(path, false).find("locked by another instance") != std::string::npos);
    }
    CHECK(test::read_file(path).starts_with("weft."));
    CHECK(fcntl(both.get(), F_GETFD) >= 0);
    CHECK(check_message(named(both), false) == "(fine)");
    const auto through = backend::RawImage::open(named(both), {.write_through = true});
    REQUIRE_FALSE(through);
    CHECK(through.error().message() ==
          "disk image '" + named(both) +
              "': the descriptor was opened without O_DSYNC, which writing through needs");
    const UniqueFd synced(open(path.c_str(), O_RDWR | O_DSYNC | O_CLOEXEC));
    CHECK(backend::RawImage::open(named(synced), {.write_through = true}));
    const UniqueFd reader(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(message(named(reader), true) == "(opened)");
    CHECK(message(named(reader), false) == "disk image '" + named(reader) + "': Permission denied");
    CHECK(check_message(named(reader), false) ==
          "disk image '" + named(reader) + "': the descriptor is not for reading and writing");
    const UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(message(named(writer), true) == "disk image '" + named(writer) + "': Permission denied");
    CHECK(message("/proc/self/fd/12345", true) == "disk image '/proc/self/fd/12345': Bad file descriptor");
}

TEST_CASE("a read-only image refuses writes and needs no permission for them", "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(512, '.'));
    const auto image = backend::RawImage::open(path, {.read_only = true});
    REQUIRE(image);
    CHECK((*image)->read_only());
    const std::vector<uint8_t> data = {'x'};
    const auto written = (*image)->write(0, data);
    REQUIRE_FALSE(written);
    CHECK(written.error().message() == "disk image '" + path + "': opened read-only");
    CHECK((*image)->flush());
    CHECK(test::read_file(path) == std::string(512, '.'));
}

TEST_CASE("a truncated image is an error, not a crash", "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(1024, '.'));
    const auto image = backend::RawImage::open(path, {.read_only = true});
    REQUIRE(image);
    REQUIRE(truncate(path.c_str(), 512) == 0);
    std::vector<uint8_t> data(512);
    CHECK((*image)->read(0, data));
    const auto beyond = (*image)->read(512, data);
    REQUIRE_FALSE(beyond);
    CHECK(beyond.error().message() == "disk image '" + path + "': it was truncated");
}

TEST_CASE("one writer or many readers", "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(512, '.'));
    {
        const auto writer = backend::RawImage::open(path, {});
        REQUIRE(writer);
        CHECK(message(path, false) == "disk image '" + path + "': locked by another instance");
        CHECK(message(path, true) ==
              "disk image '" + path + "': locked by another instance that writes to it");
    }
    const auto reader = backend::RawImage::open(path, {.read_only = true});
    REQUIRE(reader);
    CHECK(message(path, true) == "(opened)");
    CHECK(message(path, false) == "disk image '" + path + "': locked by another instance");
}

TEST_CASE("what is no disk is refused", "[block-raw]") {
    const test::TempDir dir;
    const std::string odd = dir.write("odd", std::string(513, '.'));
    const std::string empty = dir.write("empty", "");
    const std::string fifo = dir.file("fifo");
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    for (const bool read_only : {false, true}) {
        CHECK(check_message(odd, read_only) ==
              "disk image '" + odd + "': its size, 513 bytes, is not a multiple of 512 above 0");
        CHECK(message(odd, read_only) == check_message(odd, read_only));
        CHECK(check_message(empty, read_only) ==
              "disk image '" + empty + "': its size, 0 bytes, is not a multiple of 512 above 0");
        CHECK(check_message("/nonexistent", read_only) ==
              "disk image '/nonexistent': No such file or directory");
        CHECK(check_message(fifo, read_only) ==
              "disk image '" + fifo + "': neither a file nor a block device");
        CHECK(check_message(dir.path(), read_only) ==
              "disk image '" + dir.path() + "': neither a file nor a block device");
    }
}

namespace {

uint64_t host_bytes(const std::string& path) {
    struct stat info{};
    REQUIRE(stat(path.c_str(), &info) == 0);
    return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace

TEST_CASE("what is discarded or zeroed reads as zeros, and its place goes back where it may", "[block-raw]") {
    constexpr size_t kSize = 1 << 20;
    constexpr size_t kHalf = kSize / 2;
    const test::TempDir dir;
    for (const auto what : {0, 1, 2}) {
        CAPTURE(what);
        const std::string path = dir.write("disk", std::string(kSize, '.'));
        const auto image = backend::RawImage::open(path, {});
        REQUIRE(image);
        REQUIRE((*image)->flush());
        REQUIRE(host_bytes(path) >= kSize);
        REQUIRE((what == 0 ? (*image)->discard(0, kHalf) : (*image)->write_zeroes(0, kHalf, what == 1)));
        REQUIRE((*image)->flush());
        CHECK(test::read_file(path) == std::string(kHalf, '\0') + std::string(kHalf, '.'));
        CHECK((host_bytes(path) < kSize) == (what != 2));
        // Not what a cluster or a page of the host's is.
        REQUIRE((*image)->write_zeroes(kSize - 1536, 512, true));
        CHECK(test::read_file(path) == std::string(kHalf, '\0') + std::string(kHalf - 1536, '.') +
                                           std::string(512, '\0') + std::string(1024, '.'));
    }
    const auto frozen = backend::RawImage::open(dir.file("disk"), {.read_only = true});
    REQUIRE(frozen);
    CHECK((*frozen)->discard(0, 512).error().message() ==
          "disk image '" + dir.file("disk") + "': opened read-only");
    CHECK_FALSE((*frozen)->write_zeroes(0, 512, false));
}

TEST_CASE("what the host has at hand is read at once, and nothing is written past the guard of signatures",
          "[block-raw]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(8192, '.'));
    const auto image = backend::RawImage::open(path, {});
    REQUIRE(image);
    std::vector<uint8_t> data(512);
    REQUIRE((*image)->read(4096, data));
    // Not every file system knows how.
    if ((*image)->read_at_once(4096, data)) {
        CHECK(data == std::vector<uint8_t>(512, '.'));
    }
    for (const uint64_t offset : {uint64_t{0}, uint64_t{8192 - 512}}) {
        CHECK_FALSE((*image)->write_at_once(offset, data));
    }
    std::vector<uint8_t> signature(512);
    std::ranges::copy(std::string_view("QFI\xfb"), signature.begin());
    CHECK_FALSE((*image)->write_at_once(0, signature));
    CHECK_FALSE((*image)->write(0, signature));
    CHECK(test::read_file(path) == std::string(8192, '.'));
    const auto through =
        backend::RawImage::open(dir.write("other", std::string(8192, '.')), {.write_through = true});
    REQUIRE(through);
    CHECK((*through)->writes_wait());
    CHECK_FALSE((*through)->write_at_once(4096, data));
}
