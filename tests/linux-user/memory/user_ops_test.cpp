// What an accelerator is told of the guest's memory: kinds of pages, protection of code, what a fault means. The host's side is
// read from /proc/self/maps.
#include "emulator/linux-user/memory/user_ops.h"

#include <string>
#include <vector>

#include "emulator/linux-user/memory/advice.h"
#include "emulator/linux-user/memory/checked_code.h"
#include "tests/linux-user/memory/failing_host_memory.h"
#include "tests/linux-user/memory/guest_access.h"
#include "tests/linux-user/memory/guest_space.h"

using namespace weft;
using namespace weft::test;

namespace {

constexpr int kR = PROT_READ;
constexpr int kRW = PROT_READ | PROT_WRITE;
constexpr int kRX = PROT_READ | PROT_EXEC;
constexpr int kRWX = PROT_READ | PROT_WRITE | PROT_EXEC;
using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

// A guest with a clock that stands still, and an accelerator that notes.
struct Guest {
    explicit Guest(const MemoryConfig& config = {}, const HostMemory& host = HostMemory::real())
        : space(config, host), ops(*space.core, {.now = [this] { return now; }, .errors = &sink}) {
        catch_faults();
    }

    CodePageKind kind(uint64_t page) { return ops.fetch(page).kind; }
    SysResult protect(uint64_t start, uint64_t count, int protection) {
        return space.mapper->protect(start, pages(count), protection);
    }
    bool is_protected(uint64_t page) {
        MutexLock lock(space.core->space().mutex());
        return space.core->protected_pages().contains(space.core->down(page));
    }
    Ranges take_written() { return std::exchange(space.listener.written, {}); }
    Ranges take_gone() { return std::exchange(space.listener.gone, {}); }

    uint64_t now = 0;
    std::vector<std::string> errors;
    const ErrorSink sink{
        [](void* opaque, const char* message) { static_cast<Guest*>(opaque)->errors.emplace_back(message); },
        this};
    GuestSpace space;
    UserOps ops;
    GuestThread thread{ops, space.core->config().base};
};

// The host's right to write at the moment in which the guest's write is announced.
class WatchingListener : public CodeListener {
  public:
    void code_gone(uint64_t, uint64_t) override {}
    void code_settle() override {}
    void code_written(uint64_t start, uint64_t) override {
        // By a call of the kernel's that would write.
        uint8_t byte = 0;
        const uint64_t from = reinterpret_cast<uintptr_t>(&byte);
        writable.push_back(HostMemory::real().copy(start, from, 1) == 1);
    }
    std::vector<bool> writable;
};

}  // namespace

TEST_CASE("what a page is as a place for code", "[user][T6][X3][X4]") {
    for (const bool based : {false, true}) {
        Guest guest(space_config(4096, based));
        const auto at = [](uint64_t page) { return kArena + pages(page); };
        REQUIRE(guest.space.fix(at(0), 4096, kRW) > 0);
        REQUIRE(guest.space.fix(at(1), 4096, kRWX) > 0);
        REQUIRE(guest.space.fix(at(2), 4096, PROT_EXEC) > 0);
        REQUIRE(guest.space.fix(at(3), 4096, kRX, MAP_SHARED) > 0);
        CHECK(guest.kind(at(0)) == CodePageKind::no_exec);
        CHECK(guest.kind(at(1)) == CodePageKind::private_);
        CHECK(guest.kind(at(2)) == CodePageKind::private_);
        CHECK(guest.kind(at(3)) == CodePageKind::shared);
        CHECK(guest.kind(at(4)) == CodePageKind::unmapped);
        CHECK_FALSE(guest.ops.protect(at(0)));
        CHECK_FALSE(guest.ops.protect(at(3)));
        CHECK_FALSE(guest.ops.protect(at(4)));
        CHECK(guest.ops.protect(at(1)));
        CHECK(guest.ops.protect(at(2)));
        CHECK(guest.space.host_protections(at(0), 4) == std::vector{kRW, kR, kR, kR});

        const uint64_t before = guest.ops.fetch(at(1)).generation;
        CHECK(guest.ops.fetch(at(1)).generation == before);
        REQUIRE(guest.space.fix(at(1), 4096, kRWX) > 0);
        CHECK(guest.ops.fetch(at(1)).generation != before);
        // Something of the host's is nothing of the guest's.
        REQUIRE(::mmap(guest.space.at(at(6)), 4096, kR, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
                MAP_FAILED);
        REQUIRE(guest.space.mapper->map(at(6), 4096, kRX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) <
                0);
        CHECK(guest.kind(at(6)) == CodePageKind::unmapped);
        CHECK(guest.thread.store(at(6), 1) == MemoryFault::unmapped);
        ::munmap(guest.space.at(at(6)), 4096);
    }
}

TEST_CASE("a store to code is announced, then made", "[user][X3][T2]") {
    for (const bool based : {false, true}) {
        Guest guest(space_config(4096, based));
        REQUIRE(guest.space.fix(kArena, pages(3), kRWX) > 0);
        REQUIRE_FALSE(guest.thread.store(kArena + 8, 7));
        REQUIRE(guest.ops.protect(kArena));
        REQUIRE(guest.ops.protect(kArena + pages(1)));
        CHECK(guest.space.host_protections(kArena, 3) == std::vector{kR, kR, kRW});
        uint32_t value = 0;
        CHECK_FALSE(guest.thread.load(kArena + 8, &value));
        CHECK(value == 7);
        CHECK(guest.thread.faults == 0);
        CHECK_FALSE(guest.thread.store(kArena + 8, 9));
        CHECK(guest.thread.faults == 1);
        CHECK(guest.take_written() == Ranges{{kArena, kArena + pages(1)}});
        CHECK(guest.space.host_protections(kArena, 3) == std::vector{kRW, kR, kRW});
        CHECK_FALSE(guest.thread.load(kArena + 8, &value));
        CHECK(value == 9);
        // Once: the next is a store like any other, until someone makes code of the page again.
        CHECK_FALSE(guest.thread.store(kArena + 8, 10));
        CHECK(guest.thread.faults == 1);
        REQUIRE(guest.ops.protect(kArena));
        CHECK_FALSE(guest.thread.store(kArena + 8, 11));
        CHECK(guest.take_written().size() == 1);
        CHECK(guest.kind(kArena) == CodePageKind::private_);
        CHECK(guest.take_gone().empty());
    }
}

TEST_CASE("the right to write comes after the announcement", "[user][X3][X5]") {
    catch_faults();
    WatchingListener listener;
    auto core = MemoryCore::create({}, HostMemory::real(), &listener);
    REQUIRE(core.has_value());
    Mapper mapper(**core);
    UserOps ops(**core, {});
    GuestThread thread(ops, 0);
    REQUIRE(mapper.map(kArena, pages(2), kRWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) > 0);
    REQUIRE(ops.protect(kArena));
    REQUIRE(ops.protect(kArena + pages(1)));
    CHECK_FALSE(thread.store(kArena, 1));
    CHECK(make_checked(**core, kArena, pages(2)));
    CHECK(listener.writable == std::vector{false, false});
}

TEST_CASE("a page of code that is written to all the time is hot", "[user][X4]") {
    Guest guest;
    REQUIRE(guest.space.fix(kArena, pages(2), kRWX) > 0);
    const auto write = [&](uint64_t times, uint64_t every) {
        for (uint64_t i = 0; i < times; i++) {
            REQUIRE(guest.ops.protect(kArena));
            REQUIRE_FALSE(guest.thread.store(kArena, 1));
            guest.now += every;
        }
    };
    guest.now = 1'000'000'000;
    write(100, 1'000'000);  // ten within 10 ms
    CHECK(guest.kind(kArena) == CodePageKind::private_);
    guest.now += 100'000'000;
    write(16, 1000);
    CHECK(guest.kind(kArena) == CodePageKind::private_);
    const uint64_t before = guest.ops.fetch(kArena).generation;
    write(1, 1000);
    CHECK(guest.kind(kArena) == CodePageKind::hot);
    CHECK(guest.ops.fetch(kArena).generation != before);
    CHECK(guest.kind(kArena + pages(1)) == CodePageKind::private_);
    CHECK_FALSE(guest.ops.protect(kArena));
    CHECK_FALSE(guest.thread.store(kArena, 1));
    CHECK(guest.thread.faults == 117);
    // What it was made of goes, and with it that it was.
    REQUIRE(guest.protect(kArena, 1, kRW) == 0);
    REQUIRE(guest.protect(kArena, 1, kRWX) == 0);
    CHECK(guest.kind(kArena) == CodePageKind::private_);
    CHECK(guest.space.text() == "0-2:rwx ");
}

TEST_CASE("mprotect keeps code protected as long as it may be executed", "[user][T2][X3][X6]") {
    Guest guest;
    REQUIRE(guest.space.fix(kArena, pages(4), kRX) > 0);
    // Nothing to take, and yet protected: it may get W.
    REQUIRE(guest.ops.protect(kArena + pages(1)));
    REQUIRE(guest.ops.protect(kArena + pages(2)));
    CHECK(guest.thread.store(kArena + pages(1), 1) == MemoryFault::protection);
    REQUIRE(guest.protect(kArena, 4, kRWX) == 0);
    CHECK(guest.space.host_protections(kArena, 4) == std::vector{kRW, kR, kR, kRW});
    CHECK(guest.take_gone().empty());
    REQUIRE(guest.protect(kArena, 4, kRX) == 0);
    REQUIRE(guest.protect(kArena, 4, PROT_EXEC) == 0);
    REQUIRE(guest.protect(kArena, 4, PROT_WRITE | PROT_EXEC) == 0);
    CHECK(guest.space.host_protections(kArena, 4) == std::vector{kRW, kR, kR, kRW});
    CHECK_FALSE(guest.thread.store(kArena + pages(2), 1));
    CHECK(guest.take_written() == Ranges{{kArena + pages(2), kArena + pages(3)}});
    CHECK(guest.take_gone().empty());
    // Without X there is no code.
    REQUIRE(guest.protect(kArena, 4, kRW) == 0);
    CHECK(guest.space.host_protections(kArena, 4) == std::vector{kRW, kRW, kRW, kRW});
    const Ranges gone = guest.take_gone();
    REQUIRE_FALSE(gone.empty());
    CHECK(gone.back() == std::pair{kArena, kArena + pages(4)});
    CHECK_FALSE(guest.is_protected(kArena + pages(1)));
    CHECK_FALSE(guest.thread.store(kArena + pages(1), 1));
    REQUIRE(guest.protect(kArena, 4, kRWX) == 0);
    CHECK(guest.space.host_protections(kArena, 4) == std::vector{kRW, kRW, kRW, kRW});
    CHECK(guest.take_written().empty());
    CHECK(guest.errors.empty());
}

TEST_CASE("what replaces code is not protected", "[user][T2][X6]") {
    Guest guest;
    Advice advice(*guest.space.core);
    const auto fresh = [&] {
        REQUIRE(guest.space.fix(kArena, pages(4), kRWX) > 0);
        CHECK(guest.space.host_protections(kArena, 4) == std::vector{kRW, kRW, kRW, kRW});
        REQUIRE(guest.ops.protect(kArena + pages(1)));
        REQUIRE(guest.ops.protect(kArena + pages(3)));
        guest.space.listener.settled = 0;
        guest.take_gone();
    };
    fresh();
    fresh();  // over itself
    REQUIRE(guest.space.mapper->unmap(kArena, pages(4)) == 0);
    CHECK(guest.space.listener.settled == 1);
    CHECK_FALSE(guest.is_protected(kArena + pages(1)));
    CHECK(guest.thread.store(kArena + pages(1), 1) == MemoryFault::unmapped);

    fresh();
    REQUIRE(advice.advise(kArena, pages(4), MADV_DONTNEED) == 0);
    CHECK(guest.space.host_protections(kArena, 4) == std::vector{kRW, kRW, kRW, kRW});

    // A move takes whole mappings, wherever code lay in them.
    fresh();
    const uint64_t to = kArena + pages(100);
    REQUIRE(guest.space.mapper->remap(kArena, pages(4), pages(4), MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
            static_cast<SysResult>(to));
    CHECK(guest.space.host_protections(to, 4) == std::vector{kRW, kRW, kRW, kRW});
    CHECK_FALSE(guest.is_protected(to + pages(1)));
    CHECK(guest.space.host_protections(kArena, 1) == std::vector{-1});
    REQUIRE(guest.space.mapper->unmap(to, pages(4)) == 0);

    // Growth goes on from a page of code.
    fresh();
    REQUIRE(guest.space.mapper->remap(kArena, pages(4), pages(6), 0, 0) == static_cast<SysResult>(kArena));
    CHECK(guest.space.host_protections(kArena, 6) == std::vector{kRW, kR, kRW, kR, kRW, kRW});
    CHECK(guest.errors.empty());
}

TEST_CASE("why an access may not be made", "[user][T4][T5][Y1][X10]") {
    for (const bool based : {false, true}) {
        for (const bool reserve : {false, true}) {
            Guest guest(space_config(4096, based, reserve));
            const auto at = [](uint64_t page) { return kArena + pages(page); };
            REQUIRE(guest.space.fix(at(0), 4096, kR) > 0);
            REQUIRE(guest.space.fix(at(1), 4096, PROT_NONE) > 0);
            REQUIRE(guest.space.fix(at(2), 4096, PROT_WRITE) > 0);
            REQUIRE(guest.space.fix(at(3), 4096, PROT_EXEC) > 0);
            const UniqueFd file = numbered_file(1, 1);
            REQUIRE(guest.space.mapper->map(at(4), pages(2), kRW, MAP_SHARED | MAP_FIXED, file.get(), 0) > 0);
            CHECK(guest.thread.store(at(0), 1) == MemoryFault::protection);
            CHECK_FALSE(guest.thread.load(at(0)));
            CHECK(guest.thread.load(at(1)) == MemoryFault::protection);
            CHECK(guest.thread.store(at(1), 1) == MemoryFault::protection);
            CHECK_FALSE(guest.thread.load(at(2)));
            CHECK_FALSE(guest.thread.load(at(3)));
            CHECK(guest.thread.store(at(3), 1) == MemoryFault::protection);
            CHECK_FALSE(guest.thread.store(at(4), 1));
            CHECK(guest.thread.store(at(5), 1) == MemoryFault::bus);
            CHECK(guest.thread.load(at(5)) == MemoryFault::bus);
            CHECK(guest.thread.load(at(6)) == MemoryFault::unmapped);
            CHECK(guest.thread.store(at(6), 1) == MemoryFault::unmapped);
            MemoryFault kind{};
            CHECK_FALSE(guest.ops.fault(nullptr, at(2), Access::fetch, no_fault, &kind));
            CHECK(kind == MemoryFault::protection);
            CHECK_FALSE(guest.ops.fault(nullptr, at(6), Access::fetch, no_fault, &kind));
            CHECK(kind == MemoryFault::unmapped);
            CHECK(guest.ops.fault(nullptr, at(3), Access::fetch, no_fault, &kind));
            // Of reads that failed between two steps of another thread's.
            CHECK(guest.ops.fault(nullptr, at(2), Access::load, segv_accerr, &kind));
            CHECK(guest.ops.fault(nullptr, at(3), Access::load, segv_accerr, &kind));
            CHECK(guest.errors.empty());
        }
    }
}

TEST_CASE("an access that the map allows is tried again, but not for ever", "[user][X10]") {
    Guest guest;
    REQUIRE(guest.space.fix(kArena, pages(4), kRWX) > 0);
    const auto take_rights = [&](uint64_t page) {
        REQUIRE(::mprotect(guest.space.at(page), 4096, PROT_NONE) == 0);
    };
    // Behind the map's back: what another thread's call, which has ended since, looks like.
    take_rights(kArena);
    CHECK_FALSE(guest.thread.store(kArena, 1));
    CHECK(guest.thread.faults == 1);

    // The host refuses for good.
    MemoryFault kind{};
    const auto refused = [&](const void* state, uint64_t address, uint32_t code) {
        return !guest.ops.fault(state, address, Access::load, code, &kind);
    };
    const int one = 0, other = 0;
    CHECK_FALSE(refused(&one, kArena, segv_accerr));
    CHECK_FALSE(refused(&one, kArena, segv_accerr));
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    CHECK(refused(&one, kArena, segv_accerr));
    CHECK(kind == MemoryFault::bus);
    CHECK(guest.errors.size() == 1);
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    CHECK_FALSE(refused(&other, kArena + 4, segv_accerr));  // another address
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    REQUIRE(guest.space.fix(kArena + pages(8), 4096) > 0);  // another map
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    // Another page's protection began and ended, as it does where two threads write to one word beside code.
    REQUIRE(guest.ops.protect(kArena));
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    CHECK_FALSE(refused(&other, kArena, segv_accerr));
    CHECK(guest.errors.size() == 1);
    CHECK_FALSE(refused(&one, kArena, segv_maperr));
    CHECK_FALSE(refused(&one, kArena, segv_maperr));
    CHECK(refused(&one, kArena, segv_maperr));
    CHECK(kind == MemoryFault::unmapped);
    CHECK(guest.errors.size() == 1);
}

TEST_CASE("what the host does not let the guest write to again is SIGBUS, and said", "[user][X3][Y1]") {
    FailingHostMemory host;
    Guest guest({}, host);
    REQUIRE(guest.space.fix(kArena, pages(2), kRWX) > 0);
    REQUIRE(guest.ops.protect(kArena));
    host.fail_at = host.calls;
    host.onwards = true;
    CHECK(guest.thread.store(kArena, 1) == MemoryFault::bus);
    REQUIRE(guest.errors.size() == 1);
    CHECK(guest.errors.front().ends_with("back: Cannot allocate memory"));
    // Only for want of memory.
    host.fail_at = INT_MAX;
    host.onwards = false;
    CHECK_FALSE(guest.thread.store(kArena, 1));
    CHECK(guest.errors.size() == 1);
}

TEST_CASE("guard pages of the guest's own are not there", "[user][D5][X10]") {
    Guest guest;
    Advice advice(*guest.space.core);
    constexpr int kGuardInstall = 102;
    REQUIRE(guest.space.fix(kArena, pages(2), kRW) > 0);
    if (advice.advise(kArena, 4096, kGuardInstall) != 0) {
        return;  // before Linux 6.13
    }
    CHECK(guest.thread.store(kArena, 1) == MemoryFault::unmapped);
    CHECK_FALSE(guest.thread.store(kArena + pages(1), 1));
    CHECK(guest.errors.empty());
}

TEST_CASE("a stack grows under its users", "[user][S2][S3][X10]") {
    Guest guest;
    const uint64_t top = kArena + pages(1024);
    REQUIRE(guest.space.fix(top - pages(2), pages(2), kRWX, MAP_PRIVATE | MAP_GROWSDOWN) > 0);
    CHECK_FALSE(guest.thread.store(top - pages(4), 7));
    // The map did not see it, until code is wanted there.
    CHECK(guest.kind(top - pages(4)) == CodePageKind::unmapped);
    MemoryFault kind{};
    CHECK(guest.ops.fault(nullptr, top - pages(4), Access::fetch, no_fault, &kind));
    CHECK(guest.kind(top - pages(4)) == CodePageKind::private_);
    // Below a page that lost W, the host grows pages without W.
    REQUIRE(guest.ops.protect(top - pages(4)));
    CHECK_FALSE(guest.thread.store(top - pages(6), 8));
    CHECK(guest.space.host_protections(top - pages(4), 4) == std::vector{kR, kRW, kRW, kRW});
    CHECK(guest.take_written().empty());
    CHECK_FALSE(guest.thread.store(top - pages(4), 9));
    CHECK(guest.take_written().size() == 1);
    CHECK(guest.thread.store(kArena - pages(1 << 16), 1) == MemoryFault::unmapped);
    CHECK(guest.errors.empty());
}

TEST_CASE("code where the host's pages are larger", "[user][T2][X3][G3][G4]") {
    Guest guest(space_config(16384));
    Advice advice(*guest.space.core);
    const auto at = [](uint64_t page) { return kArena + pages(page); };
    const Ranges whole{{at(0), at(4)}};
    const auto host = [&] { return guest.space.host_protection_of(at(0)); };
    const auto told = [&] {
        const Ranges gone = guest.take_gone();
        return gone.empty() ? guest.take_written() == whole : gone.front() == whole.front();
    };
    // Code and data in one host page: writes to the data are those to the code's host page.
    REQUIRE(guest.space.fix(at(0), pages(2), kRX) > 0);
    REQUIRE(guest.space.fix(at(2), pages(2), kRW) > 0);
    REQUIRE(guest.ops.protect(at(1)));
    CHECK(host() == kR);
    CHECK_FALSE(guest.thread.store(at(2), 5));
    CHECK(guest.take_written() == whole);
    CHECK(host() == kRW);
    CHECK(guest.thread.faults == 1);

    // A neighbour that goes is zeroed: nobody may miss that it could be written to meanwhile.
    REQUIRE(guest.ops.protect(at(0)));
    REQUIRE(guest.space.mapper->unmap(at(2), pages(1)) == 0);
    CHECK_FALSE(guest.is_protected(at(0)));
    CHECK(told());
    CHECK(guest.space.listener.settled == 1);
    CHECK(host() == kRW);
    CHECK(byte_of(guest.space, at(2)) == 0);

    // One that comes, too.
    REQUIRE(guest.ops.protect(at(0)));
    CHECK(host() == kR);
    const UniqueFd file = numbered_file(1, 9);
    REQUIRE(guest.space.mapper->map(at(2), 4096, kRW, MAP_PRIVATE | MAP_FIXED, file.get(), 0) > 0);
    CHECK(byte_of(guest.space, at(2)) == 9);
    CHECK(told());

    // And what is discarded.
    REQUIRE_FALSE(guest.thread.store(at(3), 6));
    REQUIRE(guest.take_written().empty());
    REQUIRE(guest.ops.protect(at(0)));
    REQUIRE(advice.advise(at(3), 4096, MADV_DONTNEED) == 0);
    CHECK(byte_of(guest.space, at(3)) == 0);
    CHECK(told());
    CHECK(host() == kRW);

    // A call on the code's part alone: the rest of the host page's code ends with it.
    REQUIRE(guest.ops.protect(at(0)));
    guest.take_gone();
    REQUIRE(guest.protect(at(0), 1, kRW) == 0);
    CHECK(guest.take_gone() == Ranges{{at(0), at(4)}, {at(0), at(1)}});
    CHECK(host() == kRW);

    // mprotect of a neighbour, and growth into the host page.
    REQUIRE(guest.ops.protect(at(1)));
    REQUIRE(guest.protect(at(3), 1, kRX) == 0);
    CHECK(told());
    CHECK(host() == kRW);
    REQUIRE(guest.space.mapper->unmap(at(3), 4096) == 0);
    REQUIRE(guest.space.fix(at(2), 4096) > 0);
    REQUIRE(guest.ops.protect(at(1)));
    guest.take_written();
    guest.take_gone();
    REQUIRE(guest.space.mapper->remap(at(2), 4096, pages(2), 0, 0) > 0);
    CHECK(told());
    CHECK(byte_of(guest.space, at(3)) == 0);

    // Buffers beside code.
    REQUIRE(guest.ops.protect(at(1)));
    CHECK(make_checked(*guest.space.core, at(3) + 5, 1));
    CHECK(host() == kRW);
    CHECK(guest.kind(at(1)) == CodePageKind::hot);
    CHECK_FALSE(guest.ops.protect(at(1)));
    CHECK_FALSE(make_checked(*guest.space.core, at(3) + 5, 1));
    CHECK(guest.errors.empty());
}

TEST_CASE("what the kernel writes to is not protected", "[user][X5]") {
    Guest guest;
    MemoryCore& core = *guest.space.core;
    const auto at = [](uint64_t page) { return kArena + pages(page); };
    REQUIRE(guest.space.fix(at(0), pages(2), kRW) > 0);
    CHECK_FALSE(make_checked(core, at(0), pages(2)));
    REQUIRE(guest.space.fix(at(2), pages(4), kRWX) > 0);
    REQUIRE(guest.space.fix(at(6), pages(2), kRX) > 0);
    REQUIRE(guest.ops.protect(at(3)));
    REQUIRE(guest.ops.protect(at(5)));
    REQUIRE(guest.ops.protect(at(6)));
    CHECK_FALSE(make_checked(core, at(0), pages(2)));
    CHECK_FALSE(make_checked(core, at(6), pages(100)));
    CHECK_FALSE(make_checked(core, at(3), 0));
    CHECK_FALSE(make_checked(core, ~uint64_t{0}, 5));

    const UniqueFd file = numbered_file(4, 1);
    const auto fill = [&](uint64_t from, uint64_t count) {
        return HostMemory::real().read_file(file.get(), guest.space.at(from), count, 0);
    };
    CHECK(fill(at(3), 16) == -EFAULT);
    const uint64_t before = guest.ops.fetch(at(3)).generation;
    CHECK(make_checked(core, at(1) + 100, pages(2)));
    CHECK(guest.take_written() == Ranges{{at(3), at(4)}});
    CHECK(fill(at(1) + 100, pages(2)) == static_cast<int64_t>(pages(2)));
    CHECK(guest.ops.fetch(at(3)).generation != before);
    // With or without code yet, and none more.
    CHECK(guest.kind(at(2)) == CodePageKind::hot);
    CHECK(guest.kind(at(3)) == CodePageKind::hot);
    CHECK(guest.kind(at(4)) == CodePageKind::private_);
    CHECK_FALSE(guest.ops.protect(at(2)));
    CHECK(guest.ops.protect(at(4)));
    CHECK_FALSE(make_checked(core, at(1) + 100, pages(2)));

    // To the end of the space and beyond.
    CHECK(make_checked(core, at(4), ~uint64_t{0}));
    CHECK(guest.kind(at(4)) == CodePageKind::hot);
    CHECK(guest.kind(at(6)) == CodePageKind::private_);
    CHECK(guest.is_protected(at(6)));
    CHECK(guest.space.text() == "0-2:rw 2-6:rwx 6-8:rx ");

    // The kernel writes for madvise as well.
    constexpr int kPopulateWrite = 23;
    REQUIRE(guest.space.fix(at(2), pages(4), kRWX) > 0);
    REQUIRE(guest.ops.protect(at(3)));
    Advice advice(core);
    const SysResult populated = advice.advise(at(2), pages(4), kPopulateWrite);
    CHECK((populated == 0 || ::madvise(guest.space.at(at(0)), 4096, kPopulateWrite) != 0));
    CHECK_FALSE(guest.is_protected(at(3)));
    CHECK(guest.errors.empty());
}

TEST_CASE("a host that has no room for protections", "[user][X3][C5]") {
    FailingHostMemory host;
    Guest guest({}, host);
    REQUIRE(guest.space.fix(kArena, pages(8), kRWX) > 0);
    host.fail_at = host.calls;
    CHECK_FALSE(guest.ops.protect(kArena + pages(3)));
    CHECK_FALSE(guest.is_protected(kArena + pages(3)));
    CHECK(guest.space.host_protection_of(kArena + pages(3)) == kRW);
    CHECK_FALSE(guest.thread.store(kArena + pages(3), 1));
    for (uint64_t page = 2; page < 5; page++) {
        REQUIRE(guest.ops.protect(kArena + pages(page)));
    }
    // The middle of a mapping would be two more: all of it is none.
    host.fail_at = host.calls;
    CHECK_FALSE(guest.thread.store(kArena + pages(3), 1));
    CHECK(guest.take_written().back() == std::pair{kArena + pages(2), kArena + pages(5)});
    CHECK(guest.space.host_protections(kArena, 8) == std::vector(8, kRW));
    CHECK_FALSE(guest.is_protected(kArena + pages(2)));
    CHECK(guest.errors.empty());
}

TEST_CASE("what a signal says of a fault", "[user][Y1]") {
    STATIC_REQUIRE(host_fault_code(SIGSEGV, SEGV_MAPERR) == segv_maperr);
    STATIC_REQUIRE(host_fault_code(SIGSEGV, SEGV_ACCERR) == segv_accerr);
    STATIC_REQUIRE(host_fault_code(SIGSEGV, SI_KERNEL) == segv_maperr);
    STATIC_REQUIRE(host_fault_code(SIGBUS, BUS_ADRERR) == bus);
    STATIC_REQUIRE(host_fault_code(SIGBUS, BUS_MCEERR_AR) == bus);
    STATIC_REQUIRE(host_fault_code(SIGSEGV, SI_USER) == no_fault);
    STATIC_REQUIRE(host_fault_code(SIGBUS, SI_TKILL) == no_fault);
    STATIC_REQUIRE(host_fault_code(SIGTRAP, TRAP_BRKPT) == no_fault);
}
