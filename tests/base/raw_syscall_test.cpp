// System calls without the C library, against the same by the C library.
#include "base/raw_syscall.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "base/unique_fd.h"

using namespace weft;

namespace {

UniqueFd file_of_pages(unsigned count) {
    UniqueFd fd(memfd_create("raw-syscall", MFD_CLOEXEC));
    const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    for (unsigned page = 0; page < count; ++page) {
        const char mark = static_cast<char>('a' + page);
        REQUIRE(pwrite(fd.get(), &mark, 1, static_cast<off_t>(page * size)) == 1);
    }
    REQUIRE(ftruncate(fd.get(), static_cast<off_t>(count * size)) == 0);
    return fd;
}

}  // namespace

TEST_CASE("results are the kernel's, and errno is left alone") {
    errno = EXFULL;
    CHECK(raw_syscall(SYS_getpid) == getpid());
    CHECK(raw_syscall(SYS_close, -1) == -EBADF);
    CHECK(raw_syscall(SYS_openat, AT_FDCWD, "", O_RDONLY, 0) == -ENOENT);
    CHECK(errno == EXFULL);
    // A large address is no error.
    void* const page = mmap(nullptr, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(raw_syscall(SYS_mremap, page, 1, 1, 0) == reinterpret_cast<int64_t>(page));
    munmap(page, 1);
}

TEST_CASE("six arguments arrive in their order") {
    const UniqueFd fd = file_of_pages(3);
    const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const int64_t at = raw_syscall(SYS_mmap, nullptr, 2 * size, PROT_READ, MAP_SHARED, fd.get(), size);
    REQUIRE(at > 0);
    const auto* const bytes = reinterpret_cast<const char*>(at);
    CHECK(bytes[0] == 'b');
    CHECK(bytes[size] == 'c');
    char mark = 0;
    CHECK(raw_syscall(SYS_pread64, fd.get(), &mark, 1, 2 * size) == 1);
    CHECK(mark == 'c');
    CHECK(raw_syscall(SYS_munmap, at, 2 * size) == 0);
}

TEST_CASE("numbers are widened by their sign, and arguments that are left out are zero") {
    const UniqueFd fd = file_of_pages(1);
    const int64_t size = sysconf(_SC_PAGESIZE);
    CHECK(raw_syscall(SYS_lseek, fd.get(), -1, SEEK_END) == size - 1);
    CHECK(raw_syscall(SYS_lseek, fd.get(), uint32_t{0xffff'ffff}, SEEK_SET) == 0xffff'ffff);
    const mode_t before = umask(027);
    CHECK(raw_syscall(SYS_umask) == 027);
    CHECK(umask(before) == 0);
}

namespace {

// Nothing but the call itself tells the compiler of these accesses.
[[gnu::noinline]] char read_one(int fd) {
    char found = 0;
    raw_syscall(SYS_read, fd, &found, 1);
    return found;
}

[[gnu::noinline]] void write_one(int fd, char value) {
    char written;
    written = value;
    raw_syscall(SYS_write, fd, &written, 1);
}

}  // namespace

TEST_CASE("what the kernel wrote is seen, and what it reads was written") {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd reader(ends[0]), writer(ends[1]);
    write_one(writer.get(), 'W');
    char found = 0;
    CHECK(read(reader.get(), &found, 1) == 1);
    CHECK(found == 'W');
    REQUIRE(write(writer.get(), "R", 1) == 1);
    CHECK(read_one(reader.get()) == 'R');
}
