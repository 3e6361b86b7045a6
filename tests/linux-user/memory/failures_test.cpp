// The host refuses, has memory of its own in the guest's space, or the guest maps more than any host could: calls are whole or not
// at all, and cost what intervals cost.
#include <malloc.h>
#include <sys/wait.h>

#include "emulator/linux-user/memory/advice.h"
#include "tests/linux-user/memory/failing_host_memory.h"
#include "tests/linux-user/memory/guest_space.h"

using namespace weft;
using namespace weft::test;

namespace {

constexpr int kRW = PROT_READ | PROT_WRITE;

// A page of the host's own at a guest address.
class Planted {
  public:
    Planted(const GuestSpace& space, uint64_t guest, uint64_t size = 4096)
        : at_(space.core->host_address(guest)), size_(size) {
        REQUIRE(HostMemory::real().map(at_, size_, kRW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                                       0) == static_cast<int64_t>(at_));
        std::memset(reinterpret_cast<void*>(at_), 0x5a, size_);
    }
    ~Planted() { HostMemory::real().unmap(at_, size_); }
    bool whole() const { return *reinterpret_cast<uint8_t*>(at_) == 0x5a; }

  private:
    const uint64_t at_;
    const uint64_t size_;
};

}  // namespace

TEST_CASE("a large mapping of the host's is found once", "[user][A8]") {
    struct Counting : HostMemory {
        int64_t mappings(uint64_t start, uint64_t end,
                         const std::function<void(uint64_t, uint64_t)>& found) const override {
            looks++;
            return HostMemory::mappings(start, end, found);
        }
        mutable unsigned looks = 0;
    };
    const Counting host;
    GuestSpace space(space_config(4096), host);
    // Where choices begin, and far below it.
    constexpr uint64_t kSize = uint64_t{16} << 20;
    const uint64_t top = space.core->layout().mmap_base();
    const Planted planted(space, top - kSize, kSize);
    for (int i = 0; i < 3; ++i) {
        CHECK(space.mapper->map(0, 8192, kRW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
              static_cast<SysResult>(top - kSize - static_cast<uint64_t>(i + 1) * 8192));
    }
    CHECK(host.looks == 1);
    CHECK(planted.whole());
}

TEST_CASE("the host's own memory is never touched, and choices go around it", "[user][A8][A9][M7][R8][R9]") {
    for (const bool old_kernel : {false, true}) {
        for (const uint64_t host_page : {4096, 16384}) {
            FailingHostMemory host;
            host.old_kernel = old_kernel;
            GuestSpace space(space_config(host_page), host);
            const uint64_t at = kArena + 4 * host_page;
            Planted planted(space, at, host_page);
            CHECK(space.fix(kArena, 8 * host_page) == -ENOMEM);
            CHECK(space.text() != "");
            CHECK(space.fix(at, 4096) == -ENOMEM);
            CHECK(space.fix(at, 4096, kRW, MAP_PRIVATE | MAP_FIXED_NOREPLACE) == -ENOMEM);
            CHECK(space.mapper->protect(at, 4096, PROT_READ) == -ENOMEM);
            CHECK(space.mapper->remap(at, 4096, 4096, 3, kArena) == -ENOMEM);
            REQUIRE(space.fix(kArena, 4 * host_page) > 0);
            CHECK(space.mapper->remap(kArena, 4096, 4096, 3, at) == -ENOMEM);
            // In place there is no room.
            CHECK(space.mapper->remap(kArena + 3 * host_page, host_page, 2 * host_page, 0, 0) == -ENOMEM);
            const SysResult moved =
                space.mapper->remap(kArena + 3 * host_page, host_page, 2 * host_page, 1, 0);
            CHECK(moved > 0);
            CHECK(space.mapper->unmap(static_cast<uint64_t>(moved), 2 * host_page) == 0);
            CHECK(space.mapper->unmap(kArena, 16 * host_page) == 0);
            CHECK(planted.whole());
            // A choice where the host has something that the map does not know.
            const uint64_t top = space.core->layout().mmap_base();
            Planted other(space, top - 2 * host_page, host_page);
            const SysResult chosen =
                space.mapper->map(0, 3 * host_page, kRW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            REQUIRE(chosen > 0);
            CHECK(static_cast<uint64_t>(chosen) + 3 * host_page <= top - 2 * host_page);
            CHECK(other.whole());
        }
    }
}

TEST_CASE("each call of the host's fails in turn: map and memory are as before", "[user][C4][U2][R9][R10]") {
    struct Step {
        const char* name;
        SysResult (*run)(GuestSpace&, int fd);
    };
    const Step steps[] = {
        {"map over", [](GuestSpace& s, int) { return s.fix(kArena + pages(1), pages(9), PROT_READ); }},
        {"map beyond", [](GuestSpace& s, int) { return s.fix(kArena + pages(14), pages(9), PROT_READ); }},
        {"map file",
         [](GuestSpace& s, int fd) {
             return s.mapper->map(kArena + pages(3), pages(8), PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
         }},
        {"unmap", [](GuestSpace& s, int) { return s.mapper->unmap(kArena + pages(3), pages(6)); }},
        {"protect",
         [](GuestSpace& s, int) { return s.mapper->protect(kArena + pages(1), pages(9), PROT_NONE); }},
        {"grow", [](GuestSpace& s, int) { return s.mapper->remap(kArena, pages(16), pages(35), 0, 0); }},
        {"move",
         [](GuestSpace& s, int) {
             return s.mapper->remap(kArena, pages(16), pages(16), 1 | 2, kArena + pages(64));
         }},
        {"move part",
         [](GuestSpace& s, int) {
             return s.mapper->remap(kArena + pages(1), pages(6), pages(6), 1 | 2, kArena + pages(66));
         }},
    };
    for (const uint64_t host_page : {4096, 16384, 65536}) {
        for (const bool reserve : {false, true}) {
            for (const Step& step : steps) {
                UniqueFd file = numbered_file(16, 100);
                bool done = false;
                for (int fail = 0; !done && fail < 200; fail++) {
                    FailingHostMemory host;
                    GuestSpace space(space_config(host_page, true, reserve), host);
                    REQUIRE(space.fix(kArena, pages(16)) > 0);
                    for (uint64_t i = 0; i < 16; i++) {
                        std::memset(space.at(kArena + pages(i)), static_cast<int>(i + 1), 4096);
                    }
                    const std::string before = space.text();
                    const std::vector<int> protections = space.host_protections(kArena, 128);
                    host.calls = 0;
                    host.fail_at = fail;
                    host.fail_unmap = std::string(step.name) == "unmap";
                    const SysResult outcome = step.run(space, file.get());
                    done = host.calls <= fail;
                    host.fail_at = INT_MAX;
                    host.fail_unmap = false;
                    INFO(step.name << " call " << fail << " host page " << host_page << " reserved "
                                   << reserve << " now " << space.text());
                    if (outcome < 0) {
                        CHECK_FALSE(done);
                        CHECK(space.text() == before);
                        CHECK(space.host_protections(kArena, 128) == protections);
                        for (uint64_t i = 0; i < 16; i++) {
                            CHECK(byte_of(space, kArena + pages(i)) == static_cast<int>(i + 1));
                        }
                    }
                }
                CHECK(done);
            }
        }
    }
}

TEST_CASE(
    "a move that the host refuses, unmapping too: the bytes are in one place at least, and the map says what "
    "is there",
    "[user][C4][R9][R10]") {
    // Mappings of several kinds that move together, to a place that is not congruent: by copying where the host's pages are larger.
    constexpr uint64_t kFrom = 1, kCount = 12, kTo = 66;
    constexpr uint64_t kLook = 128;
    for (const uint64_t host_page : {4096, 16384, 65536}) {
        for (const bool reserve : {false, true}) {
            for (const bool onwards : {false, true}) {
                bool done = false;
                for (int fail = 0; !done && fail < 200; fail++) {
                    FailingHostMemory host;
                    GuestSpace space(space_config(host_page, true, reserve), host);
                    REQUIRE(space.fix(kArena, pages(16)) > 0);
                    for (uint64_t i = 0; i < 16; i++) {
                        std::memset(space.at(kArena + pages(i)), static_cast<int>(i + 1), 4096);
                    }
                    REQUIRE(space.mapper->protect(kArena + pages(4), pages(2), PROT_READ) == 0);
                    host.calls = 0;
                    host.fail_at = fail;
                    host.onwards = onwards;
                    host.fail_unmap = true;
                    const SysResult outcome = space.mapper->remap(kArena + pages(kFrom), pages(kCount),
                                                                  pages(kCount), 3, kArena + pages(kTo));
                    done = host.calls <= fail;
                    host.fail_at = INT_MAX;
                    host.onwards = false;
                    INFO("call " << fail << (onwards ? " and all later" : "") << " host page " << host_page
                                 << " reserved " << reserve << " outcome " << outcome << " now "
                                 << space.text());
                    const std::vector<int> protections = space.host_protections(kArena, kLook);
                    for (uint64_t i = 0; i < kLook; i++) {
                        MutexLock lock(space.core->space().mutex());
                        const Interval* interval = space.core->space().tree().at(kArena + pages(i));
                        INFO("page " << i << " host " << protections[i]);
                        if (interval != nullptr && interval->attributes.kind != Kind::foreign) {
                            CHECK((protections[i] & PROT_READ) != 0);
                        }
                    }
                    for (uint64_t i = 0; i < kCount; i++) {
                        const int byte = static_cast<int>(kFrom + i + 1);
                        INFO("byte " << byte);
                        if (outcome >= 0) {
                            CHECK(byte_of(space, kArena + pages(kTo + i)) == byte);
                        } else {
                            CHECK(byte_of(space, kArena + pages(kFrom + i)) == byte);
                        }
                    }
                    CHECK(byte_of(space, kArena) == 1);
                    CHECK(byte_of(space, kArena + pages(15)) == 16);
                    // What the host refused to take back is nobody's.
                    HostMemory::real().unmap(space.core->host_address(kArena), pages(kLook));
                }
                CHECK(done);
            }
        }
    }
}

TEST_CASE("the host refuses a lock: nothing is locked", "[user][W3]") {
    FailingHostMemory host;
    GuestSpace space(space_config(4096), host);
    Advice advice(*space.core);
    REQUIRE(space.fix(kArena, pages(3)) > 0);
    REQUIRE(space.mapper->protect(kArena + pages(1), pages(1), PROT_READ) == 0);
    for (int fail = 0;; fail++) {
        host.calls = 0;
        host.fail_at = fail;
        const SysResult outcome = advice.lock(kArena, pages(3), MLOCK_ONFAULT);
        const bool failed = host.calls > fail;
        host.fail_at = INT_MAX;
        CHECK(outcome == (failed ? -ENOMEM : 0));
        for (uint64_t i = 0; i < 3; i++) {
            // EBUSY by the map, else by the kernel, if the page is locked.
            CHECK(advice.sync(kArena + pages(i), 4096, MS_INVALIDATE) == (failed ? 0 : -EBUSY));
        }
        if (!failed) {
            break;
        }
    }
    CHECK(advice.unlock_all() == 0);
    CHECK(advice.sync(kArena, pages(3), MS_INVALIDATE) == 0);
}

TEST_CASE("the host refuses to leave a part out of children: its parts before are left out, by the map too",
          "[user][D4]") {
    for (const int fail : {0, 1, 2, INT_MAX}) {
        FailingHostMemory host;
        GuestSpace space(space_config(4096), host);
        Advice advice(*space.core);
        REQUIRE(space.fix(kArena, pages(4)) > 0);
        REQUIRE(space.mapper->protect(kArena + pages(1), pages(1), PROT_READ) == 0);
        host.calls = 0;
        host.fail_at = fail;
        CHECK(advice.advise(kArena, pages(3), MADV_DONTFORK) == (fail < 3 ? -ENOMEM : 0));
        host.fail_at = INT_MAX;
        space.core->fork_prepare();
        const pid_t child = ::fork();
        if (child == 0) {
            space.core->fork_child();
            const std::vector<int> there = space.host_protections(kArena, 4);
            int wrong = 0;
            MutexLock lock(space.core->space().mutex());
            for (uint64_t i = 0; i < 4; i++) {
                const bool known = space.core->space().tree().at(kArena + pages(i)) != nullptr;
                const bool kept = i == 3 || i >= static_cast<uint64_t>(fail);
                wrong += known != kept || (there[i] != -1) != kept;
            }
            ::_exit(wrong);
        }
        space.core->fork_parent();
        int status = -1;
        REQUIRE(::waitpid(child, &status, 0) == child);
        INFO("call " << fail);
        CHECK(status == 0);
    }
}

TEST_CASE("16 TiB without access cost a few nodes", "[user][C6]") {
    GuestSpace space;
    constexpr uint64_t kSize = uint64_t{16} << 40;
    const auto used = [] { return ::mallinfo2().uordblks; };
    const size_t before = used();
    size_t most = before;
    const SysResult at =
        space.mapper->map(0, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(at > 0);
    const auto start = static_cast<uint64_t>(at);
    most = std::max(most, used());
    CHECK(space.mapper->protect(start + 4096, kSize / 2, PROT_READ) == 0);
    most = std::max(most, used());
    CHECK(space.mapper->protect(start, kSize, PROT_NONE) == 0);
    const SysResult moved = space.mapper->remap(start, kSize, kSize / 4, 0, 0);
    CHECK(moved == at);
    CHECK(space.mapper->remap(start, kSize / 4, kSize / 4, 3, start + kSize / 2) > 0);
    most = std::max(most, used());
    CHECK(space.mapper->unmap(start, kSize) == 0);
    CHECK(space.text() == "");
    CHECK(most - before < 65536);
}

TEST_CASE("a million mappings cost 200 bytes each at most", "[user][C6]") {
    static const NoHostMemory kHost;
    GuestSpace space({}, kHost);
    const uint64_t count = std::getenv("WEFT_TEST_FULL") != nullptr ? 1000000 : 50000;
    const size_t before = ::mallinfo2().uordblks;
    for (uint64_t i = 0; i < count; i++) {
        REQUIRE(space.fix(kArena + pages(2 * i), 4096) > 0);
    }
    CHECK(::mallinfo2().uordblks - before <= 200 * count);
    CHECK(space.mapper->unmap(kArena, pages(2 * count)) == 0);
}
