// A process of a few pages of the host's, for tests of DirectMemory: what may be accessed, and what the emulator answers where the host
// refuses, is the test's to say.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <vector>

#include "accel/tcg/mmu/direct_memory.h"
#include "accel/tcg/vcpu/state_block.h"
#include "tests/accel/toy_guest.h"
#include "tests/support/faults.h"
#include "weft/abi.h"

namespace weft::test {

// Of the host, below 2^46, where the sanitizer has no shadow.
inline constexpr uint64_t kWindow = uint64_t{1} << (sanitizer_mode() == SanitizerMode::thread ? 40 : 45);
inline constexpr unsigned kPages = 8;
inline constexpr unsigned kLimitPage = 6;  // pages from here on are the host's, and not the guest's
// With the guest's addresses being the host's, and with others.
inline constexpr std::array<uint64_t, 2> kFirstAddresses = {kWindow, 0x10000};
inline constexpr uint64_t kUntouched = 0x5a5a'5a5a'5a5a'5a5a;

// Tells the signals apart by codes.
inline void redirect_with_signal(int signal, siginfo_t* info, void* context) {
    HostContext host(context);
    if (!redirect_faulting_access(host, reinterpret_cast<uint64_t>(info->si_addr),
                                  static_cast<uint32_t>(signal))) {
        ::signal(signal, SIG_DFL);
    }
}

struct Question {
    uint64_t vaddr;
    Access access;
    uint32_t code;
    bool operator==(const Question&) const = default;
};

// All of its pages may be read and written unless something else was said.
class Process {
  public:
    // `first`: guest address of its first page. Its memory lies where it is with UserMemoryOps::base 0 if that is kWindow.
    explicit Process(uint64_t first)
        : first_(first), handlers_(redirect_with_signal), block_(toy::guest_arch().state_size) {
        void* const wanted = reinterpret_cast<void*>(kWindow);
        if (mmap(wanted, size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                 -1, 0) != wanted) {
            abort();
        }
        user = {.abi_version = kUserMemoryAbiVersion,
                .opaque = this,
                .base = kWindow - first,
                .limit = address(kLimitPage),
                .bounds = false,
                .fetch = [](void* self, uint64_t page,
                            CodePageInfo* info) { *info = static_cast<Process*>(self)->code(page); },
                .protect = [](void*, uint64_t) { return false; },
                .fault =
                    [](void* self, void* state, uint64_t vaddr, Access access, uint32_t host_code,
                       MemoryFault* kind) {
                        auto& process = *static_cast<Process*>(self);
                        process.wrong_state |= state != process.block_.state();
                        process.asked.push_back({vaddr, access, host_code});
                        return process.answer && process.answer(process.asked.back(), kind);
                    }};
        memory.emplace(block_.state(), toy::guest_arch(), user);
        for (size_t i = 0; i < size(); ++i) {
            bytes()[i] = static_cast<uint8_t>(i * 37 + i / 256 + 1);
        }
    }
    ~Process() { munmap(bytes(), size()); }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    static size_t size() { return kPages * page_size(); }
    static uint8_t* bytes() { return reinterpret_cast<uint8_t*>(kWindow); }
    uint64_t address(unsigned page) const { return first_ + page * page_size(); }
    uint8_t* at(uint64_t vaddr) const { return bytes() + (vaddr - first_); }

    static void protect(unsigned page, int protection) {
        if (mprotect(bytes() + page * page_size(), page_size(), protection) != 0) {
            abort();
        }
    }
    static void unmap(unsigned page) { munmap(bytes() + page * page_size(), page_size()); }
    static void map(unsigned page) {
        void* const place = bytes() + page * page_size();
        if (mmap(place, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) != place) {
            abort();
        }
    }
    // Makes the page lie behind the end of a file.
    static void end_file_at(unsigned page) {
        const int fd = memfd_create("process", MFD_CLOEXEC);
        void* const place = bytes() + page * page_size();
        if (fd < 0 ||
            mmap(place, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != place) {
            abort();
        }
        close(fd);
    }

    // What the toy guest was told, and that nothing was.
    void expect_fault(MemoryFault kind, Access access, uint64_t vaddr) {
        CHECK(state().exception_cause == toy::memory_fault_cause(kind, access));
        CHECK(state().exception_tval == vaddr);
        forget();
    }
    void expect_misaligned(uint64_t vaddr) {
        CHECK(state().exception_cause == toy::kMisaligned);
        CHECK(state().exception_tval == vaddr);
        forget();
    }
    void expect_nothing() {
        CHECK(state().exception_cause == 0);
        CHECK(asked.empty());
    }
    void expect_asked(const std::vector<Question>& questions) {
        CHECK(asked == questions);
        CHECK_FALSE(wrong_state);
        asked.clear();
    }
    void forget() { state().exception_cause = state().exception_tval = 0; }

    toy::State& state() { return toy::state_of(block_.state()); }

    UserMemoryOps user{};
    std::optional<accel::DirectMemory> memory;
    std::function<bool(const Question&, MemoryFault*)> answer;  // none: false, and the kind is left alone
    std::function<CodePageInfo(uint64_t)> code;
    std::vector<Question> asked;
    bool wrong_state = false;

  private:
    const uint64_t first_;
    const FaultHandlers handlers_;
    const accel::StateBlock block_;
};

}  // namespace weft::test
