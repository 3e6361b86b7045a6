#include "base/host_info.h"

#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace weft;

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// A directory that plays "/".
class FakeRoot {
  public:
    FakeRoot() {
        std::string pattern = (std::filesystem::temp_directory_path() / "weft-host-info-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~FakeRoot() { std::filesystem::remove_all(path_); }
    FakeRoot(const FakeRoot&) = delete;
    FakeRoot& operator=(const FakeRoot&) = delete;

    FakeRoot& file(const std::string& name, const std::string& text) {
        const std::filesystem::path whole = path_ + name;
        std::filesystem::create_directories(whole.parent_path());
        std::ofstream(whole) << text;
        return *this;
    }
    FakeRoot& ram_16g() { return file("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:   1 kB\n"); }

    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

const char* const kMountsV2 =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const char* const kMountsV1 =
    "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "32 30 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n";

}  // namespace

TEST_CASE("this host has pages and processors") {
    REQUIRE(host_page_size() >= 4096);
    REQUIRE((host_page_size() & (host_page_size() - 1)) == 0);
    REQUIRE(host_online_cpus() >= 1);
    const auto memory = available_memory();
    REQUIRE(memory);
    REQUIRE(*memory > (std::uint64_t{1} << 20));
    // An independent source: sysconf's count of pages.
    const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    REQUIRE(host_memory() == pages * host_page_size());
}

TEST_CASE("the processors that may be used are those of the affinity mask") {
    cpu_set_t before;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    CHECK(host_usable_cpus() == static_cast<unsigned>(CPU_COUNT(&before)));
    int first = 0;
    while (!CPU_ISSET(first, &before)) {
        ++first;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(host_usable_cpus() == 1);
    REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
}

TEST_CASE("an empty tree knows nothing") {
    FakeRoot root;
    REQUIRE_FALSE(host_memory(root.path()));
    REQUIRE_FALSE(cgroup_memory_limit(root.path()));
    REQUIRE_FALSE(available_memory(root.path()));
    root.file("/proc/meminfo", "MemTotal: lots kB\n");
    REQUIRE_FALSE(host_memory(root.path()));
    root.file("/proc/meminfo", "MemFree: 5 kB\nMemTotal: 99999999999999999999 kB\n");
    REQUIRE_FALSE(host_memory(root.path()));
    root.ram_16g();
    REQUIRE(available_memory(root.path()) == 16 * kGiB);
}

TEST_CASE("control groups version 2: the smallest limit up to the root") {
    FakeRoot root;
    root.ram_16g().file("/proc/self/mountinfo", kMountsV2).file("/proc/self/cgroup", "0::/user/build/job\n");
    root.file("/sys/fs/cgroup/user/build/job/memory.max", "max\n");
    REQUIRE_FALSE(cgroup_memory_limit(root.path()));
    REQUIRE(available_memory(root.path()) == 16 * kGiB);
    root.file("/sys/fs/cgroup/user/build/memory.max", "2147483648\n");
    REQUIRE(available_memory(root.path()) == 2 * kGiB);
    root.file("/sys/fs/cgroup/user/memory.max", "1073741824\n");
    REQUIRE(cgroup_memory_limit(root.path()) == kGiB);
    root.file("/sys/fs/cgroup/user/build/job/memory.max", "536870912\n");
    REQUIRE(cgroup_memory_limit(root.path()) == kGiB / 2);
    // More than the host has is no limit to us.
    root.file("/sys/fs/cgroup/user/build/job/memory.max", "1099511627776\n");
    root.file("/sys/fs/cgroup/user/build/memory.max", "max\n");
    root.file("/sys/fs/cgroup/user/memory.max", "max\n");
    REQUIRE(available_memory(root.path()) == 16 * kGiB);
}

TEST_CASE("control groups version 1") {
    FakeRoot root;
    root.file("/proc/self/mountinfo", kMountsV1);
    root.file("/proc/self/cgroup", "9:name=systemd:/elsewhere\n5:cpu,cpuacct:/elsewhere\n4:memory:/a/b\n");
    root.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    root.file("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    REQUIRE_FALSE(cgroup_memory_limit(root.path()));
    root.file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3221225472\n");
    REQUIRE(cgroup_memory_limit(root.path()) == 3 * kGiB);
    // The limit alone is an answer where the host's memory is unknown.
    REQUIRE(available_memory(root.path()) == 3 * kGiB);
}

TEST_CASE("a host with both versions takes the one with the memory controller") {
    FakeRoot root;
    root.ram_16g().file("/proc/self/mountinfo", std::string(kMountsV2) + kMountsV1);
    root.file("/proc/self/cgroup", "4:memory:/a\n0::/a\n");
    root.file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824\n");
    REQUIRE(available_memory(root.path()) == kGiB);
}

TEST_CASE("containers: only a part of the hierarchy is mounted") {
    FakeRoot root;
    root.ram_16g();
    // The mount shows the group itself: its path begins with the mount's root.
    root.file("/proc/self/mountinfo", "30 22 0:26 /pod/one /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    root.file("/proc/self/cgroup", "0::/pod/one/inner\n");
    root.file("/sys/fs/cgroup/inner/memory.max", "1073741824\n");
    REQUIRE(available_memory(root.path()) == kGiB);
    // A name that only begins alike is another group.
    root.file("/proc/self/cgroup", "0::/pod/one-more/inner\n");
    REQUIRE(available_memory(root.path()) == 16 * kGiB);
    root.file("/sys/fs/cgroup/memory.max", "2147483648\n");
    REQUIRE(available_memory(root.path()) == 2 * kGiB);
    root.file("/proc/self/cgroup", "0::/another/inner\n");
    REQUIRE(available_memory(root.path()) == 2 * kGiB);
    // Outside the cgroup namespace.
    root.file("/proc/self/cgroup", "0::/../../other\n");
    REQUIRE(available_memory(root.path()) == 2 * kGiB);
}

TEST_CASE("mount points with blanks, and lines that make no sense") {
    FakeRoot root;
    root.file("/proc/self/mountinfo",
              "\nshort line\n1 2 3 4 5 6 - cgroup2\n"
              "30 22 0:26 / /odd\\040place\\134x rw - cgroup2 cgroup2 rw\n");
    root.file("/proc/self/cgroup", "nonsense\n\n0::/g/\n");
    root.file("/odd place\\x/g/memory.max", "1073741824\n");
    REQUIRE(cgroup_memory_limit(root.path()) == kGiB);
    root.file("/odd place\\x/g/memory.max", "12 monkeys");
    REQUIRE(cgroup_memory_limit(root.path()) == 12);
    root.file("/odd place\\x/g/memory.max", "12monkeys");
    REQUIRE_FALSE(cgroup_memory_limit(root.path()));
    root.file("/proc/self/cgroup", "0::relative\n");
    REQUIRE_FALSE(cgroup_memory_limit(root.path()));
}
