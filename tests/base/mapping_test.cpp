#include "base/mapping.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

#include "base/host_info.h"
#include "base/memfd.h"
#include "base/unique_fd.h"
#include "tests/support/failing_host_calls.h"

using namespace weft;

namespace {

const std::size_t kPage = host_page_size();

// What the kernel says of the page at `address`: "rwxs"-like access, "" where nothing is mapped.
std::string access_at(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::size_t used = 0;
        const std::uintptr_t start = std::stoull(line, &used, 16);
        const std::uintptr_t end = std::stoull(line.substr(used + 1), nullptr, 16);
        if (wanted >= start && wanted < end) {
            return line.substr(line.find(' ') + 1, 4);
        }
    }
    return "";
}

// Adds up what stays mapped.
class CountingCalls : public HostCalls {
  public:
    mutable std::size_t mapped = 0;

    void* map(void* address, std::size_t size, int prot, int flags, int fd, off_t offset) const override {
        mapped += (flags & MAP_FIXED) == 0 ? size : 0;
        return HostCalls::map(address, size, prot, flags, fd, offset);
    }
    int unmap(void* address, std::size_t size) const override {
        mapped -= (size + kPage - 1) / kPage * kPage;
        return HostCalls::unmap(address, size);
    }
};

bool fd_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner") {
    const int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(raw >= 0);
    {
        UniqueFd first(raw);
        UniqueFd second(std::move(first));
        REQUIRE_FALSE(first);
        REQUIRE(second.get() == raw);
        first = std::move(second);
        REQUIRE(first.get() == raw);
        REQUIRE(fd_open(raw));
    }
    REQUIRE_FALSE(fd_open(raw));

    UniqueFd released(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int mine = released.release();
    released.reset();
    REQUIRE(fd_open(mine));
    errno = EDOM;
    released.reset(mine);
    released.reset();
    REQUIRE(errno == EDOM);
    REQUIRE_FALSE(fd_open(mine));
}

TEST_CASE("anonymous memory: zero, owned, unmapped at the end") {
    std::byte* address = nullptr;
    {
        auto mapping = Mapping::anonymous(3 * kPage, PROT_READ | PROT_WRITE);
        REQUIRE(mapping);
        address = mapping->data();
        REQUIRE(mapping->size() == 3 * kPage);
        REQUIRE(mapping->contains(address));
        REQUIRE(mapping->contains(address + 3 * kPage - 1));
        REQUIRE_FALSE(mapping->contains(address + 3 * kPage));
        REQUIRE_FALSE(mapping->contains(address - 1));
        REQUIRE(address[kPage] == std::byte{0});
        address[kPage] = std::byte{7};
        Mapping moved(std::move(*mapping));
        REQUIRE_FALSE(*mapping);
        REQUIRE(moved.data()[kPage] == std::byte{7});
        REQUIRE(moved.discard(0, 3 * kPage));
        REQUIRE(moved.data()[kPage] == std::byte{0});
        REQUIRE(access_at(address) == "rw-p");
    }
    REQUIRE(access_at(address) == "");
    REQUIRE(access_at(address + 2 * kPage) == "");
}

TEST_CASE("protection page by page") {
    auto mapping = Mapping::reserve(4 * kPage);
    REQUIRE(mapping);
    REQUIRE(access_at(mapping->data()) == "---p");
    REQUIRE(mapping->protect(kPage, kPage, PROT_READ | PROT_WRITE));
    REQUIRE(mapping->protect(2 * kPage, kPage, PROT_READ | PROT_EXEC));
    REQUIRE(access_at(mapping->data()) == "---p");
    REQUIRE(access_at(mapping->data() + kPage) == "rw-p");
    REQUIRE(access_at(mapping->data() + 2 * kPage) == "r-xp");
    REQUIRE(access_at(mapping->data() + 3 * kPage) == "---p");
}

TEST_CASE("aligned mappings leave nothing beside them") {
    constexpr std::size_t kHuge = std::size_t{2} << 20;
    for (int round = 0; round < 8; ++round) {
        CountingCalls calls;
        auto mapping = Mapping::anonymous(kHuge + kPage + 1, PROT_READ | PROT_WRITE, 0, kHuge, calls);
        REQUIRE(mapping);
        REQUIRE(calls.mapped == kHuge + 2 * kPage);
        REQUIRE(reinterpret_cast<std::uintptr_t>(mapping->data()) % kHuge == 0);
        mapping->data()[kHuge + kPage] = std::byte{1};
        REQUIRE(access_at(mapping->data()) == "rw-p");
        std::byte* const address = mapping->data();
        mapping->reset();
        REQUIRE(calls.mapped == 0);
        REQUIRE(access_at(address) == "");
        REQUIRE(access_at(address + kHuge + kPage) == "");
    }
    REQUIRE_FALSE(Mapping::reserve(~std::size_t{0} - kPage, kHuge));
    REQUIRE_FALSE(Mapping::reserve(0, kHuge));
}

TEST_CASE("errors name the size, the access and the reason") {
    auto none = Mapping::anonymous(0, PROT_READ);
    REQUIRE_FALSE(none);
    REQUIRE(none.error().message() == "cannot map 0 bytes of memory for read: Invalid argument");
    auto bad = Mapping::of_fd(9999, 0, kPage, PROT_READ | PROT_WRITE, true);
    REQUIRE_FALSE(bad);
    REQUIRE(bad.error().message() ==
            "cannot map " + std::to_string(kPage) + " bytes of a file for read/write: Bad file descriptor");
}

TEST_CASE("a memory file mapped twice is one memory, and a hole is zero in both") {
    constexpr std::size_t kHuge = std::size_t{2} << 20;
    auto file = Memfd::create("weft-test", 4 * kPage);
    REQUIRE(file);
    auto writer = file->map(PROT_READ | PROT_WRITE, kHuge);
    auto reader = file->map(PROT_READ);
    REQUIRE(writer);
    REQUIRE(reader);
    REQUIRE(reinterpret_cast<std::uintptr_t>(writer->data()) % kHuge == 0);
    REQUIRE(access_at(writer->data()) == "rw-s");
    REQUIRE(access_at(reader->data()) == "r--s");
    volatile std::byte* const seen = reader->data();
    writer->data()[0] = std::byte{1};
    writer->data()[2 * kPage] = std::byte{3};
    REQUIRE(seen[0] == std::byte{1});
    REQUIRE(seen[2 * kPage] == std::byte{3});
    // Dropping the pages of one view of a file keeps what is in the file.
    REQUIRE(writer->discard(0, 4 * kPage));
    REQUIRE(seen[0] == std::byte{1});
    REQUIRE(seen[2 * kPage] == std::byte{3});

    auto private_view = Mapping::of_fd(file->fd(), 0, kPage, PROT_READ | PROT_WRITE, false);
    REQUIRE(private_view);
    private_view->data()[0] = std::byte{9};
    REQUIRE(seen[0] == std::byte{1});
}

TEST_CASE("every system call failing in turn is an error and leaks nothing") {
    const auto count_maps = [] {
        std::ifstream maps("/proc/self/maps");
        std::size_t lines = 0;
        for (std::string line; std::getline(maps, line);) {
            // Only what this test could leave: sanitizers and the allocator map as they like.
            lines += line.find("weft-test") != std::string::npos ? 1 : 0;
        }
        return lines;
    };
    const auto operation = [](const HostCalls& calls) -> Result<> {
        auto file = Memfd::create("weft-test", 8 * kPage, calls);
        if (!file) {
            return std::unexpected(file.error());
        }
        auto view = file->map(PROT_READ | PROT_WRITE, 4 * kPage);
        if (!view) {
            return std::unexpected(view.error());
        }
        auto memory = Mapping::reserve(4 * kPage, 0, calls);
        if (!memory) {
            return std::unexpected(memory.error());
        }
        for (const auto& step :
             {std::function<Result<>()>([&] { return memory->protect(0, kPage, PROT_READ); }),
              std::function<Result<>()>([&] { return memory->advise(0, kPage, MADV_NORMAL); }),
              std::function<Result<>()>([&] { return memory->discard(0, kPage); })}) {
            if (auto result = step(); !result) {
                return result;
            }
        }
        return {};
    };
    int failures = 0;
    while (true) {
        const int next_fd = ::dup(0);
        ::close(next_fd);
        test::FailingHostCalls calls(failures, EPERM);
        const Result<> result = operation(calls);
        REQUIRE(count_maps() == 0);
        const int fd_now = ::dup(0);
        ::close(fd_now);
        REQUIRE(fd_now == next_fd);
        if (result) {
            REQUIRE_FALSE(calls.failed());
            break;
        }
        REQUIRE(calls.failed());
        REQUIRE(calls.calls() == failures + 1);
        REQUIRE(result.error().message().ends_with(": Operation not permitted"));
        ++failures;
    }
    // memfd, size, reservation and view of the file, reservation, four steps.
    REQUIRE(failures == 8);
}
