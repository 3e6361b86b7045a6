// Calls by dispatch() and to the host's own kernel: the same results and bytes, for good arguments and for each bad one.
#pragma once

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "emulator/linux-user/syscall/dispatch.h"

#include "tests/support/faults.h"

namespace weft::user {

constexpr uint64_t kArena = 0x10000000;
constexpr uint64_t kPages = 4;
constexpr uint64_t kReadOnly = 2 * kGuestPage;  // pages 1 and 3 are not mapped

using Args = std::array<uint64_t, 6>;

inline const Syscall& named(std::string_view name) {
    for (const Syscall& call : syscalls()) {
        if (call.name == name) {
            return call;
        }
    }
    FAIL("no call " << name);
    std::abort();
}

struct Guest {
    explicit Guest(uint64_t base = 0, ProcessOptions options = {}) {
        MemoryConfig memory;
        memory.base = base;
        memory.limit = uint64_t{1} << 45;
        auto made = Process::create(options, memory, HostMemory::real());
        REQUIRE(made.has_value());
        process = std::move(*made);
        thread.emplace(*process, gettid(), asked);
        for (const uint64_t page : {uint64_t{0}, kReadOnly}) {
            REQUIRE(process->mapper().map(kArena + page, kGuestPage, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) >= 0);
        }
    }
    // Of accesses to memory that is not there.
    test::FaultHandlers handlers;
    SyscallOutcome operator()(std::string_view name, const Args& args) {
        return dispatch(*thread, named(name).number, args);
    }
    uint8_t* at(uint64_t offset) {
        return reinterpret_cast<uint8_t*>(process->core().host_address(kArena + offset));
    }
    void text(uint64_t offset, std::string_view value) {
        std::memcpy(at(offset), value.data(), value.size());
        at(offset)[value.size()] = 0;
    }

    std::atomic<uint32_t> asked{0};
    std::unique_ptr<Process> process;
    std::optional<Thread> thread;
};

// The same pages, for the host's kernel.
struct Native {
    Native() {
        void* all =
            mmap(nullptr, kPages * kGuestPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(all != MAP_FAILED);
        base = static_cast<uint8_t*>(all);
        munmap(base + kGuestPage, kGuestPage);
        munmap(base + 3 * kGuestPage, kGuestPage);
    }
    ~Native() { munmap(base, kPages * kGuestPage); }
    uint8_t* base;
};

// A number, or an offset in the arena.
struct Word {
    Word(long value) : number(static_cast<uint64_t>(value)) {}  // NOLINT: tables are of numbers
    static Word at(uint64_t offset) {
        Word word(0);
        word.pointer = true;
        word.number = offset;
        return word;
    }
    uint64_t number;
    bool pointer = false;
    bool may_be_null = true;  // not a time after which a call gives up
};

struct Case {
    const char* name;
    std::vector<Word> args;
    bool gives_descriptor = false;
    bool own_layout = false;  // the bytes are compared elsewhere
};

inline int64_t native_call(const Syscall& call, const Args& args) {
    const long result = syscall(call.host_number, args[0], args[1], args[2], args[3], args[4], args[5]);
    return result == -1 ? -errno : result;
}

struct Comparison {
    Guest& guest;
    Native& native;
    void (*fill)(uint8_t* arena);  // its bytes before each call
    long index = 0;                // of the case

    // Both sides with the argument `bad` (or none) at `offset`; the bytes of both afterwards.
    void check(const Case& one, int bad, uint64_t guest_bad, uint64_t native_bad) {
        const Syscall& call = named(one.name);
        Args for_guest{}, for_host{};
        for (size_t i = 0; i < one.args.size(); ++i) {
            const Word& word = one.args[i];
            for_guest[i] = word.pointer ? kArena + word.number : word.number;
            for_host[i] = word.pointer ? reinterpret_cast<uint64_t>(native.base) + word.number : word.number;
        }
        if (bad >= 0) {
            for_guest[static_cast<size_t>(bad)] = guest_bad;
            for_host[static_cast<size_t>(bad)] = native_bad;
        }
        fill_both();
        const int64_t expected = native_call(call, for_host);
        if (one.gives_descriptor && expected >= 0) {
            close(static_cast<int>(expected));
        }
        const SyscallOutcome outcome = guest(one.name, for_guest);
        if (one.gives_descriptor && outcome.value >= 0) {
            close(static_cast<int>(outcome.value));
        }
        std::ostringstream what;
        what << one.name << " case " << index << ", bad argument " << bad << " = " << std::hex << guest_bad;
        INFO(what.str());
        CHECK(outcome == SyscallOutcome(expected));
        if (!one.own_layout) {
            CHECK(std::memcmp(guest.at(0), native.base, kGuestPage) == 0);
        }
        protect(PROT_READ | PROT_WRITE);
    }

    // Each case as it is, and with each of its pointers to nothing, to memory that is not there or may not be written, and to what no
    // program has.
    void check_all(const std::vector<Case>& cases) {
        const auto host = reinterpret_cast<uint64_t>(native.base);
        for (const Case& one : cases) {
            index = &one - cases.data();
            check(one, -1, 0, 0);
            for (size_t i = 0; i < one.args.size(); ++i) {
                if (!one.args[i].pointer) {
                    continue;
                }
                const int bad = static_cast<int>(i);
                if (one.args[i].may_be_null) {
                    check(one, bad, 0, 0);
                }
                for (const uint64_t offset :
                     {kGuestPage + 512, kGuestPage - 4, kReadOnly + one.args[i].number}) {
                    check(one, bad, kArena + offset, host + offset);
                }
                for (const uint64_t wild : {uint64_t{1} << 45, uint64_t{1} << 62, ~uint64_t{0}}) {
                    check(one, bad, wild, kBadAddress + (wild & 7));  // futex looks at the alignment
                }
            }
        }
    }

  private:
    void protect(int protection) {
        mprotect(native.base + kReadOnly, kGuestPage, protection);
        REQUIRE(guest.process->mapper().protect(kArena + kReadOnly, kGuestPage, protection) == 0);
    }
    void fill_both() {
        fill(native.base);
        fill(guest.at(0));
        protect(PROT_READ);
    }
};

}  // namespace weft::user
