// Random bytes of the host.
#include "emulator/backend/rng/rng_host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/subprocess.h"

namespace weft::backend {
namespace {

TEST_CASE("the kernel's random numbers differ each time") {
    RngKernel kernel;
    std::array<uint8_t, 64> first{};
    std::array<uint8_t, 64> second{};
    CHECK(kernel.fill(first).value() == 64);
    CHECK(kernel.fill(second).value() == 64);
    CHECK(first != second);
}

TEST_CASE("a file's bytes come in order, and end") {
    const test::TempDir folder;
    const std::string path = folder.path() + "/bytes";
    std::ofstream(path) << "0123456789";
    const auto file = RngFile::open(path);
    REQUIRE(file);
    std::array<uint8_t, 7> bytes{};
    CHECK((*file)->fill(bytes).value() == 7);
    CHECK(std::string(bytes.begin(), bytes.end()) == "0123456");
    CHECK((*file)->fill(bytes).value() == 3);
    CHECK(std::string(bytes.begin(), bytes.begin() + 3) == "789");
    const auto end = (*file)->fill(bytes);
    REQUIRE(!end);
    CHECK(end.error().message() == "'" + path + "' has no random bytes left");
}

TEST_CASE("a pipe that nobody writes to has nothing now") {
    const test::TempDir folder;
    const std::string path = folder.path() + "/pipe";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    const auto file = RngFile::open(path);
    REQUIRE(file);
    std::array<uint8_t, 4> bytes{};
    CHECK((*file)->fill(bytes).value() == 0);
    const UniqueFd writer(open(path.c_str(), O_WRONLY));
    REQUIRE(writer);
    CHECK((*file)->fill(bytes).value() == 0);
    REQUIRE(write(writer.get(), "ab", 2) == 2);
    CHECK((*file)->fill(bytes).value() == 2);
}

TEST_CASE("what cannot be a source is refused") {
    const test::TempDir folder;
    CHECK(RngFile::open(folder.path()).error().message() ==
          "cannot open '" + folder.path() + "': Is a directory");
    CHECK(RngFile::open(folder.path() + "/none").error().message() ==
          "cannot open '" + folder.path() + "/none': No such file or directory");
}

}  // namespace
}  // namespace weft::backend
