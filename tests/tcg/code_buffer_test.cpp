#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "tcg/code/code_buffer.h"
#include "tests/support/failing_host_calls.h"
#include "tests/support/process_end.h"
#include "tests/tcg/code_maps.h"

namespace weft::tcg {
namespace {

using test::MapEntry;

constexpr size_t kPage = 4096;
constexpr size_t kSize = 4 << 20;

CodeBuffer make(SplitWx split, bool executes = true) {
    auto buffer = CodeBuffer::create(kSize, split, executes);
    REQUIRE(buffer);
    return std::move(*buffer);
}

std::vector<MapEntry> maps_of(const CodeBuffer& buffer) {
    std::vector<MapEntry> maps = test::maps_in(buffer.rw().value(), buffer.size());
    if (buffer.split()) {
        std::ranges::copy(test::maps_in(buffer.rx().value(), buffer.size()), std::back_inserter(maps));
    }
    return maps;
}

TEST_CASE("split-wx=off: one private mapping without access, opened read-write-execute range by range") {
    const CodeBuffer buffer = make(SplitWx::off);
    CHECK_FALSE(buffer.split());
    CHECK(buffer.split_refusal().empty());
    CHECK(buffer.rw().value() == buffer.rx().value());
    CHECK(buffer.rw().value() % CodeBuffer::kAlignment == 0);
    CHECK(buffer.size() == kSize);
    auto maps = maps_of(buffer);
    REQUIRE(maps.size() == 1);
    CHECK(maps[0].access == "---p");
    CHECK(maps[0].has_flag("hg"));

    REQUIRE(buffer.open(0, 8 * kPage));
    REQUIRE(buffer.open(9 * kPage, kPage));
    maps = maps_of(buffer);
    REQUIRE(maps.size() == 4);
    CHECK(maps[0].access == "rwxp");
    CHECK(maps[0].size() == 8 * kPage);
    CHECK(maps[1].access == "---p");
    CHECK(maps[1].size() == kPage);
    CHECK(maps[2].access == "rwxp");
    CHECK(maps[3].access == "---p");
    CHECK(std::ranges::all_of(maps, [](const MapEntry& entry) { return entry.has_flag("hg"); }));
}

TEST_CASE("split-wx=on: two mappings of one file, never writable and executable") {
    const size_t descriptors = test::open_descriptors();
    const CodeBuffer buffer = make(SplitWx::on);
    CHECK(test::open_descriptors() == descriptors);
    CHECK(buffer.split());
    CHECK(buffer.rw().value() % CodeBuffer::kAlignment == 0);
    CHECK(buffer.rx().value() % CodeBuffer::kAlignment == 0);
    REQUIRE(buffer.open(0, kPage));
    const auto rw = test::maps_in(buffer.rw().value(), kSize);
    const auto rx = test::maps_in(buffer.rx().value(), kSize);
    REQUIRE(rw.size() == 1);
    REQUIRE(rx.size() == 1);
    CHECK(rw[0].access == "rw-s");
    CHECK(rx[0].access == "r-xs");
    CHECK(rw[0].has_flag("hg"));
    CHECK(rx[0].has_flag("hg"));
    CHECK_THAT(rw[0].name, Catch::Contains("weft-code"));
    CHECK(rw[0].name == rx[0].name);

    std::memset((buffer.rw() + 12345).as<uint8_t>(), 0xa5, 100);
    CHECK(std::memcmp((buffer.rw() + 12345).as<uint8_t>(), (buffer.rx() + 12345).as<uint8_t>(), 100) == 0);

    SECTION("guards are in the writable view only") {
        buffer.guard(16 * kPage, kPage);
        CHECK(test::maps_in(buffer.rx().value(), kSize).size() == 1);
        const auto guarded = test::maps_in(buffer.rw().value(), kSize);
        REQUIRE(guarded.size() == 3);
        CHECK(guarded[1].access == "---s");
        CHECK(guarded[1].start == buffer.rw().value() + 16 * kPage);
        CHECK(guarded[1].size() == kPage);
    }
}

TEST_CASE("the interpreter's buffer is never executable, whatever split-wx is") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on, SplitWx::automatic}) {
        const CodeBuffer buffer = make(split, false);
        CHECK_FALSE(buffer.split());
        CHECK_FALSE(buffer.executes());
        REQUIRE(buffer.open(0, kSize));
        const auto maps = maps_of(buffer);
        REQUIRE(maps.size() == 1);
        CHECK(maps[0].access == "rw-p");
    }
}

#if defined(__x86_64__)
TEST_CASE("what is written through the writable view runs in the executable one") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const CodeBuffer buffer = make(split);
        REQUIRE(buffer.open(0, kPage));
        const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
        std::memcpy((buffer.rw() + 64).as<void>(), code, sizeof(code));
        CHECK(reinterpret_cast<int (*)()>((buffer.rx() + 64).value())() == 42);
    }
}
#endif

TEST_CASE("stores to guards, to what was not opened and to the executable view fault") {
    const auto store = [](uintptr_t address) {
        return test::signal_of([&] { *reinterpret_cast<volatile uint8_t*>(address) = 1; });
    };
    const CodeBuffer single = make(SplitWx::off);
    REQUIRE(single.open(0, kPage));
    CHECK(store(single.rw().value()) == 0);
    CHECK(store(single.rw().value() + kPage) == SIGSEGV);
    const CodeBuffer split = make(SplitWx::on);
    split.guard(kPage, kPage);
    CHECK(store(split.rw().value() + kPage - 1) == 0);
    CHECK(store(split.rw().value() + kPage) == SIGSEGV);
    CHECK(store(split.rw().value() + 2 * kPage) == 0);
    CHECK(store(split.rx().value()) == SIGSEGV);
}

// Lowers what this process may have, for the while.
class Lowered {
  public:
    explicit Lowered(decltype(RLIMIT_FSIZE) which) : which_(which) {
        REQUIRE(getrlimit(which_, &old_) == 0);
        const rlimit none{0, old_.rlim_max};
        REQUIRE(setrlimit(which_, &none) == 0);
    }
    ~Lowered() { setrlimit(which_, &old_); }
    Lowered(const Lowered&) = delete;
    Lowered& operator=(const Lowered&) = delete;

  private:
    decltype(RLIMIT_FSIZE) which_;
    rlimit old_{};
};

TEST_CASE("memory of its own is two views as well, where no file may be opened or grow") {
    const CodeBuffer buffer = make(SplitWx::on);
    REQUIRE(buffer.open(0, kSize));
    std::memset(buffer.rw().as<uint8_t>(), 0xa5, 2 * kPage);
    buffer.guard(3 * kPage, kPage);
    {
        const Lowered files(RLIMIT_NOFILE);
        const Lowered sizes(RLIMIT_FSIZE);
        REQUIRE(buffer.unshare(kPage));
    }
    const auto maps = maps_of(buffer);
    REQUIRE(maps.size() == 2);
    CHECK(maps[0].access == "rw-s");
    CHECK(maps[1].access == "r-xs");
    const auto* const seen = buffer.rx().as<const uint8_t>();
    CHECK(std::all_of(seen, seen + kPage, [](uint8_t byte) { return byte == 0xa5; }));
    CHECK(std::all_of(seen + kPage, seen + kSize, [](uint8_t byte) { return byte == 0; }));
    std::memset((buffer.rw() + 2 * kPage).as<uint8_t>(), 0x5a, kPage);
    CHECK(std::memcmp((buffer.rw() + 2 * kPage).as<uint8_t>(), seen + 2 * kPage, kPage) == 0);
    REQUIRE(buffer.discard(2 * kPage, kPage));
    CHECK(seen[2 * kPage] == 0);
}

TEST_CASE("addresses convert between the views; null stays null; one past the end is inside") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const CodeBuffer buffer = make(split);
        CHECK(buffer.to_rx(RwAddress()) == RxAddress());
        CHECK(buffer.to_rw(RxAddress()) == RwAddress());
        for (const size_t offset : {size_t{0}, size_t{1}, kSize - 1, kSize}) {
            CHECK(buffer.to_rx(buffer.rw() + offset) == buffer.rx() + offset);
            CHECK(buffer.to_rw(buffer.rx() + offset) == buffer.rw() + offset);
        }
        CHECK(buffer.offset_of(buffer.rw().value() + 5) == size_t{5});
        CHECK(buffer.offset_of(buffer.rx().value() + 5) == size_t{5});
        CHECK(buffer.offset_of(buffer.rx().value() + kSize - 1) == kSize - 1);
        CHECK_FALSE(buffer.offset_of(std::max(buffer.rx().value(), buffer.rw().value()) + kSize));
        CHECK_FALSE(buffer.offset_of(std::min(buffer.rx().value(), buffer.rw().value()) - 1));
        CHECK_FALSE(buffer.offset_of(0));
        const CodeWindow window = buffer.window(100, 28);
        CHECK(window.rw == buffer.rw() + 100);
        CHECK(window.rx == buffer.rx() + 100);
        CHECK(window.size == 28);
    }
    static_assert(!std::is_convertible_v<RwAddress, RxAddress> &&
                  !std::is_convertible_v<RxAddress, RwAddress>);
}

#if WEFT_DEBUG
TEST_CASE("debug builds stop at a conversion of an address outside the buffer") {
    const CodeBuffer buffer = make(SplitWx::on);
    const auto converts = [&](uintptr_t rw, uintptr_t rx) {
        return test::signal_of([&] {
            static_cast<void>(buffer.to_rx(RwAddress(rw)));
            static_cast<void>(buffer.to_rw(RxAddress(rx)));
        });
    };
    const uintptr_t rw = buffer.rw().value();
    const uintptr_t rx = buffer.rx().value();
    CHECK(converts(rw, rx) == 0);
    CHECK(converts(rw + kSize, rx + kSize) == 0);
    CHECK(converts(rw + kSize + 1, rx) == SIGABRT);
    CHECK(converts(rw - 1, rx) == SIGABRT);
    CHECK(converts(rw, rx + kSize + 1) == SIGABRT);
    CHECK(converts(rw, rx - 1) == SIGABRT);
}
#endif

TEST_CASE("discarded memory goes back to the host and reads as zero") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const CodeBuffer buffer = make(split);
        REQUIRE(buffer.open(0, kSize));
        std::memset(buffer.rw().as<uint8_t>(), 0xcc, kSize);
        const auto* rx = buffer.rx().as<uint8_t>();
        CHECK(rx[kSize - 1] == 0xcc);
        REQUIRE(test::resident_in(buffer.rw().value(), kSize) == kSize);
        REQUIRE(buffer.discard(kPage, kSize - 2 * kPage));
        CHECK(test::resident_in(buffer.rw().value(), kSize) <= 2 * kPage);
        CHECK(test::resident_in(buffer.rx().value(), kSize) <= 2 * kPage);
        CHECK(rx[kPage - 1] == 0xcc);
        CHECK(rx[kPage] == 0);
        CHECK(rx[kSize - kPage - 1] == 0);
        CHECK(rx[kSize - kPage] == 0xcc);
    }
}

// Refuses calls of one kind.
class Refusing : public HostCalls {
  public:
    bool memfd = false;
    bool truncation = false;
    bool advice = false;
    int map_prot = -1;
    mutable int advised = 0;
    mutable size_t advised_bytes = 0;

    int create_memfd(const char* name, unsigned flags) const override {
        return memfd ? refuse(ENOSYS) : HostCalls::create_memfd(name, flags);
    }
    int truncate(int fd, off_t size) const override {
        return truncation ? refuse(ENOSPC) : HostCalls::truncate(fd, size);
    }
    int advise(void* address, size_t size, int what) const override {
        advised += what == MADV_HUGEPAGE;
        advised_bytes += what == MADV_HUGEPAGE ? size : 0;
        return advice ? refuse(EINVAL) : HostCalls::advise(address, size, what);
    }
    void* map(void* address, size_t size, int prot, int flags, int fd, off_t offset) const override {
        return prot == map_prot ? (refuse(EACCES), MAP_FAILED)
                                : HostCalls::map(address, size, prot, flags, fd, offset);
    }

  private:
    static int refuse(int error) {
        errno = error;
        return -1;
    }
};

TEST_CASE("where two views are impossible: on is an error, unspecified carries on with one") {
    Refusing calls;
    std::string reason;
    SECTION("no memory files") {
        calls.memfd = true;
        reason = "memory file";
    }
    SECTION("no space") {
        calls.truncation = true;
        reason = "No space";
    }
    SECTION("no writable view") {
        calls.map_prot = PROT_READ | PROT_WRITE;
        reason = "read/write: Permission denied";
    }
    SECTION("no executable view") {
        calls.map_prot = PROT_READ | PROT_EXEC;
        reason = "read/execute: Permission denied";
    }
    const size_t maps = test::count_maps();
    const size_t descriptors = test::open_descriptors();
    {
        const auto refused = CodeBuffer::create(kSize, SplitWx::on, true, calls);
        REQUIRE_FALSE(refused);
        CHECK_THAT(refused.error().message(), Catch::Contains("apart") && Catch::Contains(reason));
        const auto single = CodeBuffer::create(kSize, SplitWx::automatic, true, calls);
        REQUIRE(single);
        CHECK_FALSE(single->split());
        CHECK_THAT(single->split_refusal(), Catch::Contains(reason));
        CHECK(CodeBuffer::create(kSize, SplitWx::off, true, calls));
    }
    CHECK(test::count_maps() == maps);
    CHECK(test::open_descriptors() == descriptors);
}

TEST_CASE("unspecified split-wx takes two views where it can") {
    const CodeBuffer buffer = make(SplitWx::automatic);
    CHECK(buffer.split());
    CHECK(buffer.split_refusal().empty());
}

TEST_CASE("huge pages are asked for on each view, and a refusal does not matter") {
    Refusing calls;
    calls.advice = true;
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        calls.advised = 0;
        CHECK(CodeBuffer::create(kSize, split, true, calls));
        CHECK(calls.advised == (split == SplitWx::on ? 2 : 1));
    }
}

TEST_CASE("the first 2 MiB of one view lie in small pages where asked for, until they are gathered") {
    const bool refused = GENERATE(false, true);
    Refusing calls;
    calls.advice = refused;
    const auto buffer = CodeBuffer::create(kSize, SplitWx::off, true, calls, true);
    REQUIRE(buffer);
    CHECK(calls.advised_bytes == kSize - CodeBuffer::kAlignment);
    REQUIRE(buffer->open(0, kSize));
    buffer->rw().as<uint8_t>()[100] = 7;
    CHECK(test::resident_in(buffer->rw().value(), kSize) <= 64 << 10);
    buffer->gather_first();
    CHECK(calls.advised_bytes == kSize);
    CHECK(buffer->rw().as<uint8_t>()[100] == 7);

    // All of it from the start: nothing is left to do.
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        calls.advised_bytes = 0;
        const auto plain = CodeBuffer::create(kSize, split, true, calls, split == SplitWx::on);
        REQUIRE(plain);
        CHECK(calls.advised_bytes == (split == SplitWx::on ? 2 : 1) * kSize);
        plain->gather_first();
        CHECK(calls.advised_bytes == (split == SplitWx::on ? 2 : 1) * kSize);
    }
}

TEST_CASE("every system call of creating a buffer may fail without a leak") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on, SplitWx::automatic}) {
        const size_t maps = test::count_maps();
        const size_t descriptors = test::open_descriptors();
        for (int n = 0;; ++n) {
            const test::FailingHostCalls calls(n);
            {
                const auto buffer = CodeBuffer::create(kSize, split, true, calls);
                if (!buffer) {
                    CHECK_THAT(buffer.error().message(), Catch::Contains("Cannot allocate memory"));
                }
            }
            CHECK(test::count_maps() == maps);
            CHECK(test::open_descriptors() == descriptors);
            if (!calls.failed()) {
                break;
            }
        }
    }
}

TEST_CASE("a large buffer costs nothing until it is used") {
    for (const SplitWx split : {SplitWx::off, SplitWx::on}) {
        const auto buffer = CodeBuffer::create(size_t{2} << 30, split, true);
        REQUIRE(buffer);
        REQUIRE(buffer->open(0, buffer->size()));
        CHECK(test::resident_in(buffer->rw().value(), buffer->size()) == 0);
        CHECK(test::resident_in(buffer->rx().value(), buffer->size()) == 0);
    }
}

}  // namespace
}  // namespace weft::tcg
