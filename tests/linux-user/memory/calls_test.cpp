// Rules that neither the model nor the host's own kernel shows: heap, stack, seals, code, edges, limits.
#include <sys/resource.h>

#include "emulator/linux-user/memory/advice.h"
#include "emulator/linux-user/memory/heap.h"
#include "emulator/linux-user/memory/stack.h"
#include "tests/linux-user/memory/failing_host_memory.h"
#include "tests/linux-user/memory/guest_space.h"

using namespace weft;
using namespace weft::test;

namespace {

constexpr int kRW = PROT_READ | PROT_WRITE;

}  // namespace

TEST_CASE("a space that cannot be is one clear line", "[user][A2][A10]") {
    const auto message = [](const MemoryConfig& config) {
        auto made = MemoryCore::create(config, HostMemory::real(), nullptr);
        return made ? std::string() : made.error().message();
    };
    MemoryConfig config = space_config(16384);
    config.base = 4096;
    CHECK(message(config) == "guest base 0x1000 is no multiple of the host's page of 16384 bytes");
    config = space_config(65536);
    config.limit += 4096;
    CHECK(message(config).find("is no multiple of the host's page of 65536 bytes") != std::string::npos);
    config = space_config(2048);
    CHECK(message(config) == "guest memory: pages of 2048 bytes cannot be kept on this host");
    config = space_config(4096, false, true);
    GuestSpace first(config);
    CHECK(message(config).find("cannot reserve 0x400000000 bytes of guest space: ") == 0);
}

TEST_CASE("fixed addresses are checked against the space", "[user][A1][M5]") {
    GuestSpace space;
    const uint64_t limit = space.core->layout().limit();
    CHECK(space.fix(limit - 4096, 8192) == -ENOMEM);
    CHECK(space.fix(limit, 4096) == -ENOMEM);
    CHECK(space.fix(32768, 4096) == -EPERM);
    CHECK(space.fix(kArena + 1, 4096) == -EINVAL);
    CHECK(space.mapper->unmap(limit, 4096) == -EINVAL);
    CHECK(space.mapper->protect(limit, 4096, 0) == -ENOMEM);
    // Bits of x86 mean nothing.
    CHECK(space.mapper->map(0, 4096, kRW, MAP_PRIVATE | MAP_ANONYMOUS | 0x40 | 0x80, -1, 0) ==
          static_cast<SysResult>(space.core->layout().mmap_base() - 4096));
}

TEST_CASE("there are no protection keys", "[user][P8]") {
    GuestSpace space;
    REQUIRE(space.fix(kArena, 4096) > 0);
    CHECK(space.mapper->protect_with_key(kArena, 4096, PROT_READ, -1) == 0);
    CHECK(space.mapper->protect_with_key(kArena, 4096, PROT_READ, 0) == -EINVAL);
    CHECK(space.mapper->allocate_key() == -ENOSPC);
}

TEST_CASE("the heap", "[user][S1]") {
    GuestSpace space;
    Heap heap(*space.core, kArena + 100);
    const uint64_t start = kArena + 4096;
    CHECK(heap.start() == start);
    CHECK(heap.set(0) == start);
    CHECK(heap.set(start - 1) == start);
    CHECK(heap.set(start + 6000) == start + 6000);
    CHECK(space.text() == "1-3:rw ");
    std::memset(space.at(start), 7, 8192);
    CHECK(heap.set(start + 5000) == start + 5000);
    CHECK(heap.set(start + 100) == start + 100);
    CHECK(space.text() == "1-2:rw ");
    CHECK(heap.set(start + 8192) == start + 8192);
    CHECK(space.at(start)[0] == 7);
    CHECK(byte_of(space, start + 4096) == 0);
    // One page stays free before the next mapping.
    REQUIRE(space.fix(start + pages(8), 4096, PROT_READ) > 0);
    CHECK(heap.set(start + pages(8)) == start + 8192);
    CHECK(heap.set(start + pages(7) + 1) == start + 8192);
    CHECK(heap.set(start + pages(7)) == start + pages(7));
    space.core->set_limits({.data = pages(7)});
    CHECK(heap.set(start + pages(6)) == start + pages(6));
    space.core->set_limits({.data = pages(2)});
    CHECK(heap.set(start + pages(6) + 1) == start + pages(6));
    CHECK(heap.set(~uint64_t{0}) == start + pages(6));
}

TEST_CASE("limits are counted over the map", "[user][S4]") {
    GuestSpace space;
    space.core->set_limits({.space = pages(8), .data = pages(4)});
    CHECK(space.fix(kArena, pages(4)) > 0);
    CHECK(space.fix(kArena + pages(4), 4096) == -ENOMEM);
    CHECK(space.fix(kArena + pages(4), pages(4), PROT_READ) > 0);
    CHECK(space.fix(kArena + pages(8), 4096, PROT_READ) == -ENOMEM);
    // What is replaced does not count.
    CHECK(space.fix(kArena, pages(4)) > 0);
    CHECK(space.mapper->protect(kArena + pages(4), 4096, kRW) == -ENOMEM);
    CHECK(space.mapper->remap(kArena, pages(4), pages(5), MREMAP_MAYMOVE, 0) == -ENOMEM);
    CHECK(space.mapper->unmap(kArena + pages(4), pages(4)) == 0);
    CHECK(space.fix(kArena + pages(4), 4096, PROT_READ) > 0);
}

TEST_CASE("the stack grows by accesses, and the map learns of it", "[user][S2][S3]") {
    for (const bool reserve : {false, true}) {
        GuestSpace space(space_config(4096, true, reserve));
        Stack stack(*space.core);
        REQUIRE(stack.create(pages(4), false) == static_cast<SysResult>(space.core->layout().window_top()));
        CHECK(stack.low() == stack.top() - pages(4));
        *space.at(stack.top() - pages(20)) = 1;
        CHECK(stack.low() == stack.top() - pages(20));
        // Calls on the grown part find it, too.
        *space.at(stack.top() - pages(40)) = 1;
        CHECK(space.mapper->protect(stack.top() - pages(30), 4096, PROT_READ) == 0);
        CHECK(stack.low() == stack.top() - pages(40));
        // A choice, or a growing mapping below it, leaves the gap.
        CHECK(space.fix(stack.top() - pages(45), 4096) > 0);
    }
}

TEST_CASE("sealed memory is refused as a whole", "[user][W4]") {
    GuestSpace space;
    Advice advice(*space.core);
    if (!HostMemory::real().has_seals()) {
        CHECK(advice.seal(kArena, 4096, 0) == -ENOSYS);
        return;
    }
    REQUIRE(space.fix(kArena, pages(4)) > 0);
    CHECK(advice.seal(kArena + 1, 4096, 0) == -EINVAL);
    CHECK(advice.seal(kArena, 4096, 1) == -EINVAL);
    CHECK(advice.seal(kArena, pages(5), 0) == -ENOMEM);
    CHECK(advice.seal(kArena, 0, 0) == 0);
    REQUIRE(space.mapper->protect(kArena + pages(2), 4096, PROT_READ) == 0);
    REQUIRE(advice.seal(kArena + pages(2), 4096, 0) == 0);
    const std::string before = space.text();
    CHECK(space.mapper->unmap(kArena, pages(4)) == -EPERM);
    CHECK(space.mapper->protect(kArena, pages(4), 0) == -EPERM);
    CHECK(space.fix(kArena, pages(4)) == -EPERM);
    CHECK(space.mapper->remap(kArena + pages(2), 4096, 4096, 3, kArena + pages(9)) == -EPERM);
    CHECK(space.mapper->remap(kArena + pages(3), 4096, 4096, 3, kArena + pages(2)) == -EPERM);
    space.at(kArena)[0] = 5;
    CHECK(advice.advise(kArena, pages(4), MADV_DONTNEED) == -EPERM);
    CHECK(space.at(kArena)[0] == 5);
    CHECK(space.text() == before);
}

TEST_CASE("remap_file_pages leaves sealed memory as it is", "[user][W4][R14]") {
    GuestSpace space;
    Advice advice(*space.core);
    if (!HostMemory::real().has_seals()) {
        WARN("the host has no seals");
        return;
    }
    REQUIRE(space.fix(kArena, pages(4), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS) > 0);
    space.at(kArena + pages(1))[0] = 5;
    REQUIRE(advice.seal(kArena + pages(1), 4096, 0) == 0);
    const std::string before = space.text();
    CHECK(space.mapper->remap_file_pages(kArena + pages(1), 4096, 0, 3, 0) == -EPERM);
    CHECK(space.mapper->remap_file_pages(kArena, pages(2), 0, 2, 0) == -EINVAL);
    CHECK(space.mapper->remap_file_pages(kArena + pages(1), pages(2), 0, 2, 0) == -EINVAL);
    CHECK(space.at(kArena + pages(1))[0] == 5);
    CHECK(space.text() == before);
    CHECK(space.mapper->remap_file_pages(kArena + pages(2), pages(2), 0, 0, 0) == 0);
}

TEST_CASE("advice that hosts must not get, and what fork is told", "[user][D4][D5]") {
    GuestSpace space;
    Advice advice(*space.core);
    REQUIRE(space.fix(kArena, pages(2)) > 0);
    // Hosts whose kernel does not know errors of memory say so of any range.
    const SysResult refused = space.core->host().advise(0, 0, 100) < 0 ? -EINVAL : -EPERM;
    CHECK(advice.advise(kArena, 4096, 100) == refused);
    CHECK(advice.advise(kArena, 4096, 101) == refused);
    CHECK(advice.advise(kArena, 4096, 10) == 0);
    CHECK(space.text() == "0-1:rw 1-2:rw ");
    CHECK(advice.advise(kArena, 4096, 11) == 0);
    CHECK(space.text() == "0-2:rw ");
}

TEST_CASE("mlockall locks what is the guest's, and what comes", "[user][W3]") {
    GuestSpace space;
    Advice advice(*space.core);
    const auto locked = [&](uint64_t page) {
        MutexLock lock(space.core->space().mutex());
        return space.core->space().tree().at(kArena + pages(page))->attributes.locked;
    };
    REQUIRE(space.fix(kArena, pages(2)) > 0);
    CHECK(advice.lock_all(0) == -EINVAL);
    CHECK(advice.lock_all(4) == -EINVAL);
    CHECK(advice.lock_all(8) == -EINVAL);
    CHECK(advice.lock_all(1) == 0);
    CHECK(locked(0));
    CHECK(advice.lock_all(2) == 0);
    REQUIRE(space.fix(kArena + pages(8), 4096) > 0);
    CHECK(locked(8));
    // MCL_FUTURE makes what comes present at once, with MCL_ONFAULT not.
    const auto present = [&](uint64_t page) {
        unsigned char there = 0;
        REQUIRE(space.core->host().resident(space.core->host_address(kArena + pages(page)), 4096, &there) ==
                0);
        return (there & 1) != 0;
    };
    CHECK(present(8));
    CHECK(advice.lock_all(2 | 4) == 0);
    REQUIRE(space.fix(kArena + pages(10), 4096) > 0);
    CHECK(locked(10));
    CHECK_FALSE(present(10));
    CHECK(advice.unlock_all() == 0);
    CHECK_FALSE(locked(0));
    REQUIRE(space.fix(kArena + pages(9), 4096) > 0);
    CHECK_FALSE(locked(9));
}

TEST_CASE("code that goes is told of once the map says so, and waited for without the lock",
          "[user][X6][X7]") {
    using Gone = std::vector<std::pair<uint64_t, uint64_t>>;
    GuestSpace space;
    Advice advice(*space.core);
    RecordingListener& listener = space.listener;
    const auto expect = [&](const Gone& gone) {
        CHECK(listener.gone == gone);
        CHECK(listener.settled == (gone.empty() ? 0 : 1));
        listener.gone.clear();
        listener.settled = 0;
    };
    const uint64_t at = kArena;
    REQUIRE(space.fix(at, pages(2), kRW) > 0);
    REQUIRE(space.fix(at + pages(2), pages(2), PROT_READ | PROT_EXEC) > 0);
    expect({});
    REQUIRE(space.mapper->protect(at + pages(1), pages(2), kRW) == 0);
    expect({{at + pages(2), at + pages(3)}});
    REQUIRE(space.mapper->protect(at, pages(4), kRW | PROT_EXEC) == 0);
    expect({});
    REQUIRE(space.fix(at, 4096, kRW | PROT_EXEC) > 0);
    expect({{at, at + pages(1)}});
    REQUIRE(space.mapper->remap(at, 4096, 4096, 3, at + pages(3)) > 0);
    CHECK(listener.gone == Gone{{at + pages(3), at + pages(4)}, {at, at + pages(1)}});
    listener.gone.clear();
    listener.settled = 0;
    REQUIRE(advice.advise(at + pages(1), 4096, MADV_DONTNEED) == 0);
    expect({{at + pages(1), at + pages(2)}});
    REQUIRE(space.mapper->unmap(at, pages(8)) == 0);
    expect({{at + pages(1), at + pages(4)}});
    // A call that fails has nothing to tell.
    REQUIRE(space.fix(at, 4096, PROT_EXEC) > 0);
    CHECK(space.mapper->map(at, 4096, kRW, MAP_FIXED | MAP_ANONYMOUS, -1, 0) == -EINVAL);
    expect({});
}

TEST_CASE("at most three calls of the host's for one mprotect", "[user][P7]") {
    for (const uint64_t host_page : {4096, 16384, 65536}) {
        FailingHostMemory host;
        GuestSpace space(space_config(host_page), host);
        REQUIRE(space.fix(kArena, pages(128)) > 0);
        for (uint64_t i = 1; i < 100; i += 2) {
            REQUIRE(space.mapper->protect(kArena + pages(i), 4096, PROT_READ) == 0);
        }
        for (const int protection : {PROT_NONE, PROT_READ | PROT_WRITE, int{PROT_READ}}) {
            host.protects = 0;
            REQUIRE(space.mapper->protect(kArena + pages(1), pages(99), protection) == 0);
            CHECK(host.protects <= 3);
        }
        REQUIRE(space.mapper->protect(kArena, pages(128), kRW) == 0);
        CHECK(space.text() == "0-128:rw ");
    }
}

TEST_CASE("a file's edge is read completely, or the call undone", "[user][G2][G5][E3]") {
    for (const uint64_t host_page : {16384, 65536}) {
        FailingHostMemory host;
        host.most_read = 1000;
        GuestSpace space(space_config(host_page), host);
        UniqueFd file = numbered_file(6, 1, 100);
        REQUIRE(space.fix(kArena, 4096) > 0);
        std::memset(space.at(kArena), 9, 4096);
        // Beside the anonymous page, and not congruent: read, with zeros behind the end.
        REQUIRE(space.mapper->map(kArena + pages(1), pages(7), kRW, MAP_PRIVATE | MAP_FIXED, file.get(), 0) >
                0);
        CHECK(byte_of(space, kArena) == 9);
        CHECK(byte_of(space, kArena + pages(1)) == 1);
        CHECK(byte_of(space, kArena + pages(6)) == 6);
        CHECK(space.at(kArena + pages(7))[99] == 7);
        CHECK(space.at(kArena + pages(7))[100] == 0);
        const std::string before = space.text();
        for (int fail = 0; fail < 100; fail++) {
            host.calls = 0;
            host.fail_at = fail;
            const SysResult outcome = space.mapper->map(kArena + pages(1), pages(7), PROT_READ,
                                                        MAP_PRIVATE | MAP_FIXED, file.get(), pages(1));
            if (outcome > 0) {
                break;
            }
            CHECK((outcome == -EIO || outcome == -ENOMEM));
            CHECK(space.text() == before);
            CHECK(byte_of(space, kArena + pages(1)) == 1);
        }
        host.fail_at = INT_MAX;
        CHECK(byte_of(space, kArena + pages(1)) == 2);
        CHECK(byte_of(space, kArena) == 9);
        // E3: pages behind the end within the last host page read as zero.
        const SysResult chosen =
            space.mapper->map(0, pages(host_page / 4096), PROT_READ, MAP_PRIVATE, file.get(), 0);
        REQUIRE(chosen > 0);
        UniqueFd small = numbered_file(1, 1);
        const SysResult sparse = space.mapper->map(0, pages(2), PROT_READ, MAP_PRIVATE, small.get(), 0);
        REQUIRE(sparse > 0);
        CHECK(byte_of(space, static_cast<uint64_t>(sparse)) == 1);
    }
}
