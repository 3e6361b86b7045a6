// Faulting accesses and the handlers they rely on: many threads, handlers that fault themselves, backtraces, modules.
#include <dlfcn.h>
#include <execinfo.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <thread>
#include <vector>

#include "base/faulting_access.h"
#include "tests/support/faults.h"

using namespace weft;
using faulting::AtomicOp;
using faulting::Fault;
using test::FaultHandlers;
using test::page_size;
using test::Pages;
using Access = HostContext::Access;

namespace {

constexpr unsigned kThreads = 8;

// Runs `work(thread)` in all threads at once; it returns how often something was wrong.
template <class Work>
unsigned wrong_in_threads(Work work) {
    std::atomic<unsigned> wrong{0};
    std::latch ready(kThreads);
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            ready.arrive_and_wait();
            wrong.fetch_add(work(thread));
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return wrong.load();
}

}  // namespace

TEST_CASE("eight threads fault at once, each at a place of its own") {
    const FaultHandlers handlers;
    const Pages pages(kThreads);
    for (unsigned thread = 0; thread < kThreads; ++thread) {
        pages.protect(thread, thread % 2 == 0 ? PROT_NONE : PROT_READ);
    }
    CHECK(wrong_in_threads([&](unsigned thread) {
              unsigned wrong = 0;
              for (unsigned round = 0; round < 2000; ++round) {
                  const uint64_t address = pages.address(thread) + round % 500 * 8;
                  Fault fault;
                  wrong +=
                      faulting::store<uint32_t>(address, 1, &fault) || fault != Fault{address, Access::store};
                  const uint64_t wild = 0x8000'0000'0000'0000 + address;
                  wrong += faulting::store<uint32_t>(wild, 1, &fault) || fault != Fault{wild, Access::store};
                  uint64_t value = 7;
                  const bool may_read = thread % 2 != 0;
                  fault = {};
                  wrong += faulting::load(address, &value, &fault) != may_read ||
                           value != (may_read ? 0 : 7) ||
                           fault != (may_read ? Fault{} : Fault{address, Access::load});
              }
              return wrong;
          }) == 0);
}

TEST_CASE("while protection changes, an access is made whole or fails") {
    const FaultHandlers handlers;
    const Pages pages(1);
    // Each thread stores words of eight equal bytes and reads what any has stored; the first changes the protection.
    CHECK(wrong_in_threads([&](unsigned thread) {
              unsigned wrong = 0;
              for (unsigned round = 0; round < 4000; ++round) {
                  if (thread == 0) {
                      constexpr std::array kProtections = {PROT_NONE, PROT_READ | PROT_WRITE, PROT_READ,
                                                           PROT_READ | PROT_WRITE};
                      pages.protect(0, kProtections[round % kProtections.size()]);
                      continue;
                  }
                  const uint64_t address = pages.address() + round % 16 * 8;
                  Fault fault;
                  if (!faulting::store(address, 0x0101'0101'0101'0101u * (round % 256), &fault)) {
                      wrong += fault != Fault{address, Access::store};
                  }
                  uint64_t value = 0;
                  if (!faulting::load(address, &value, &fault)) {
                      wrong += fault != Fault{address, Access::load};
                  }
                  wrong += value != 0x0101'0101'0101'0101u * (value % 256);
                  std::array<uint64_t, 4> words{};
                  if (faulting::copy_in(words.data(), pages.address(), sizeof(words), &fault) % 8 != 0) {
                      ++wrong;
                  }
                  for (const uint64_t word : words) {
                      wrong += word != 0x0101'0101'0101'0101u * (word % 256);
                  }
              }
              return wrong;
          }) == 0);
}

TEST_CASE("operations of eight threads on the same words are atomic") {
    const FaultHandlers handlers;
    const Pages pages(1);
    constexpr unsigned kRounds = 20000;
    struct Words {
        uint64_t sum, swapped_sum, bits, toggled, largest, smallest, largest_signed, smallest_signed,
            exchanged;
    };
    auto* const words = reinterpret_cast<Words*>(pages.bytes());
    *words = {};
    words->smallest = ~uint64_t{0};
    const auto at = [](const uint64_t& word) { return reinterpret_cast<uint64_t>(&word); };
    std::array<uint64_t, kThreads> taken{};
    CHECK(wrong_in_threads([&](unsigned thread) {
              unsigned wrong = 0;
              Fault fault;
              uint64_t before = 0;
              const uint64_t mine = uint64_t{1} << thread;
              for (unsigned round = 0; round < kRounds; ++round) {
                  const uint64_t number = uint64_t{round} * kThreads + thread;
                  const auto apply = [&](AtomicOp op, const uint64_t& word, uint64_t operand) {
                      wrong += !faulting::atomic(op, at(word), operand, &before, &fault);
                  };
                  apply(AtomicOp::add, words->sum, 1);
                  // What others do to their bits changes none of this thread's.
                  apply(AtomicOp::or_, words->bits, mine);
                  wrong += (before & mine) != 0;
                  apply(AtomicOp::and_, words->bits, ~mine);
                  wrong += (before & mine) == 0;
                  apply(AtomicOp::xor_, words->toggled, mine);
                  wrong += ((before & mine) != 0) != (round % 2 != 0);
                  apply(AtomicOp::umax, words->largest, number);
                  apply(AtomicOp::umin, words->smallest, number + 5);
                  apply(AtomicOp::smax, words->largest_signed, number);
                  apply(AtomicOp::smin, words->smallest_signed, uint64_t{0} - number);
                  // Each value that was put in is taken out once, but for the one that stays.
                  apply(AtomicOp::exchange, words->exchanged, number);
                  taken[thread] += before;
                  uint64_t old = 0;
                  wrong += !faulting::load(at(words->swapped_sum), &old, &fault);
                  while (faulting::compare_exchange(at(words->swapped_sum), old, old + 1, &before, &fault) &&
                         before != old) {
                      old = before;
                  }
              }
              return wrong;
          }) == 0);
    constexpr uint64_t kAll = uint64_t{kRounds} * kThreads;
    CHECK(words->sum == kAll);
    CHECK(words->swapped_sum == kAll);
    CHECK(words->bits == 0);
    CHECK(words->toggled == 0);
    CHECK(words->largest == kAll - 1);
    CHECK(words->smallest == 5);
    CHECK(words->largest_signed == kAll - 1);
    CHECK(words->smallest_signed == uint64_t{0} - (kAll - 1));
    uint64_t total = words->exchanged;
    for (const uint64_t sum : taken) {
        total += sum;
    }
    CHECK(total == kAll * (kAll - 1) / 2);
}

namespace {

// What handlers below are given and say: written by the test before a fault and by the handler within it, on one thread.
struct Exchange {
    uint64_t inner_address;
    unsigned depth;
    unsigned deepest;
    unsigned inner_failures;
    Fault inner_fault;
    bool redirected;
    uint64_t resume;
    std::array<void*, 64> frames;
    int frame_count;
};
Exchange exchange;

#ifdef __has_feature
#define WEFT_HAS_FEATURE(name) __has_feature(name)
#else
#define WEFT_HAS_FEATURE(name) 0
#endif

// ThreadSanitizer runs handlers with all signals blocked, whatever their sa_mask says.
void allow_faults() {
#if defined(__SANITIZE_THREAD__) || WEFT_HAS_FEATURE(thread_sanitizer)
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigaddset(&set, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
#endif
}

// Makes faulting accesses of its own, down to the third fault, before it lets the interrupted one fail.
void on_fault_nested(int signal, siginfo_t* info, void* context) {
    allow_faults();
    ++exchange.depth;
    exchange.deepest = std::max(exchange.deepest, exchange.depth);
    if (exchange.depth < 3) {
        std::array<uint8_t, 64> buffer;
        exchange.inner_failures += faulting::copy_in(buffer.data(), exchange.inner_address - 24,
                                                     buffer.size(), &exchange.inner_fault) == 24;
    }
    --exchange.depth;
    test::redirect_or_die(signal, info, context);
}

void on_user_signal(int) {
    allow_faults();
    std::array<uint8_t, 64> buffer;
    exchange.inner_failures += faulting::copy_in(buffer.data(), exchange.inner_address - 24, buffer.size(),
                                                 &exchange.inner_fault) == 24;
}

}  // namespace

TEST_CASE("handlers make faulting accesses, also those that handle a fault") {
    const Pages pages(4);
    pages.protect(1, PROT_NONE);
    pages.protect(3, PROT_NONE);
    exchange = {};
    exchange.inner_address = pages.address(3);
    SECTION("a handler of the fault") {
        const FaultHandlers handlers(on_fault_nested);
        std::array<uint8_t, 64> buffer{};
        Fault fault;
        CHECK(faulting::copy_out(pages.address(1) - 17, buffer.data(), buffer.size(), &fault) == 17);
        CHECK(fault == Fault{pages.address(1), Access::store});
        CHECK(exchange.deepest == 3);
        CHECK(exchange.depth == 0);
        CHECK(exchange.inner_failures == 2);
        CHECK(exchange.inner_fault == Fault{pages.address(3), Access::load});
    }
    SECTION("a handler of another signal") {
        const FaultHandlers handlers;
        struct sigaction action{}, before;
        action.sa_handler = on_user_signal;
        sigaction(SIGUSR1, &action, &before);
        raise(SIGUSR1);
        sigaction(SIGUSR1, &before, nullptr);
        CHECK(exchange.inner_failures == 1);
        CHECK(exchange.inner_fault == Fault{pages.address(3), Access::load});
    }
}

namespace {

void on_fault_elsewhere(int, siginfo_t* info, void* context) {
    HostContext host(context);
    std::array<uint64_t, 16> registers;
    for (unsigned number = 0; number < 16; ++number) {
        registers[number] = host.reg(number);
    }
    const uint64_t pc = host.pc();
    exchange.redirected = redirect_faulting_access(host, reinterpret_cast<uint64_t>(info->si_addr));
    exchange.inner_failures += host.pc() != pc;
    for (unsigned number = 0; number < 16; ++number) {
        exchange.inner_failures += host.reg(number) != registers[number];
    }
    host.set_pc(exchange.resume);
}

}  // namespace

TEST_CASE("what is no access of the table is left alone") {
    const FaultHandlers handlers(on_fault_elsewhere);
    exchange = {};
    exchange.redirected = true;
    asm volatile(
        "lea 1f(%%rip), %%rax; mov %%rax, %0; xor %%edx, %%edx; mov %1, %%rdi; movb (%%rdi), %%al; 1:"
        : "=m"(exchange.resume)
        : "r"(uint64_t{16})
        : "rax", "rdx", "rdi", "memory", "cc");
    CHECK_FALSE(exchange.redirected);
    CHECK(exchange.inner_failures == 0);
}

namespace {

// The interrupted instruction's opcode, in the map of one byte or in that of 0f and a second one (Intel SDM volume 2, "Instruction
// Format"), and whether it has the lock prefix.
struct Instruction {
    unsigned opcode;
    bool locked;
    bool operator==(const Instruction&) const = default;
};
Instruction interrupted;  // as `exchange`

void on_fault_decoding(int signal, siginfo_t* info, void* context) {
    const auto* byte = reinterpret_cast<const uint8_t*>(HostContext(context).pc());
    interrupted = {};
    for (; *byte == 0xf0 || *byte == 0x66 || (*byte & 0xf0) == 0x40; ++byte) {
        interrupted.locked = interrupted.locked || *byte == 0xf0;
    }
    interrupted.opcode = *byte == 0x0f ? 0x0f00u + byte[1] : *byte;
    test::redirect_or_die(signal, info, context);
}

}  // namespace

TEST_CASE("each access is the one instruction that makes it whole") {
    const FaultHandlers handlers(on_fault_decoding);
    const Pages pages(1);
    pages.protect(0, PROT_READ);  // so that the second instruction of a loop is met too
    const auto check = [&]<class T>(T) {
        const unsigned wide = sizeof(T) == 1 ? 0 : 1;  // the low bit of these opcodes
        T before = 0;
        Fault fault;
        CHECK_FALSE(faulting::load(16, &before, &fault));
        CHECK(interrupted == Instruction{0x8a + wide, false});
        CHECK_FALSE(faulting::store<T>(16, 1, &fault));
        CHECK(interrupted == Instruction{0x88 + wide, false});
        const uint64_t at = pages.address();
        CHECK_FALSE(faulting::compare_exchange<T>(at, 0, 1, &before, &fault));
        CHECK(interrupted == Instruction{0x0fb0 + wide, true});
        CHECK_FALSE(faulting::atomic<T>(AtomicOp::exchange, at, 1, &before, &fault));
        CHECK(interrupted == Instruction{0x86 + wide, false});  // locked by itself
        CHECK_FALSE(faulting::atomic<T>(AtomicOp::add, at, 1, &before, &fault));
        CHECK(interrupted == Instruction{0x0fc0 + wide, true});
        for (const AtomicOp op : {AtomicOp::and_, AtomicOp::or_, AtomicOp::xor_, AtomicOp::smin,
                                  AtomicOp::smax, AtomicOp::umin, AtomicOp::umax}) {
            CHECK_FALSE(faulting::atomic<T>(op, at, 1, &before, &fault));
            CHECK(interrupted == Instruction{0x0fb0 + wide, true});
        }
    };
    check(uint8_t{});
    check(uint16_t{});
    check(uint32_t{});
    check(uint64_t{});
}

namespace {

void on_fault_backtrace(int signal, siginfo_t* info, void* context) {
    exchange.frame_count = backtrace(exchange.frames.data(), static_cast<int>(exchange.frames.size()));
    test::redirect_or_die(signal, info, context);
}

// What the trace must reach.
[[gnu::noinline]] bool call(bool (*access)(uint64_t), uint64_t address) {
    const bool result = access(address);
    asm volatile("" ::: "memory");  // no tail call
    return result;
}

}  // namespace

TEST_CASE("a backtrace from a handler goes through the interrupted access") {
    const FaultHandlers handlers(on_fault_backtrace);
    // The first one loads the unwinder.
    exchange = {};
    REQUIRE(backtrace(exchange.frames.data(), 4) > 0);
    constexpr std::array<bool (*)(uint64_t), 7> kAccesses = {
        [](uint64_t address) {
            uint8_t value;
            Fault fault;
            return faulting::load(address, &value, &fault);
        },
        [](uint64_t address) {
            Fault fault;
            return faulting::store<uint16_t>(address, 1, &fault);
        },
        [](uint64_t address) {
            uint32_t before;
            Fault fault;
            return faulting::compare_exchange<uint32_t>(address, 1, 2, &before, &fault);
        },
        [](uint64_t address) {
            uint64_t before;
            Fault fault;
            return faulting::atomic<uint64_t>(AtomicOp::exchange, address, 1, &before, &fault) ||
                   faulting::atomic<uint64_t>(AtomicOp::add, address, 1, &before, &fault) ||
                   faulting::atomic<uint64_t>(AtomicOp::umax, address, 1, &before, &fault);
        },
        [](uint64_t address) {
            std::array<char, 40> buffer;
            Fault fault;
            return faulting::copy_in(buffer.data(), address, buffer.size(), &fault) != 0;
        },
        [](uint64_t address) {
            std::array<char, 40> buffer{};
            Fault fault;
            return faulting::copy_out(address, buffer.data(), buffer.size(), &fault) != 0;
        },
        [](uint64_t address) {
            Fault fault;
            return faulting::string_length(address, 10, &fault).end != faulting::StringEnd::fault;
        },
    };
    for (size_t i = 0; i < kAccesses.size(); ++i) {
        INFO("access " << i);
        exchange.frame_count = 0;
        CHECK_FALSE(call(kAccesses[i], 16));
        CHECK(std::any_of(
            exchange.frames.begin(), exchange.frames.begin() + exchange.frame_count,
            [](void* pc) { return _Unwind_FindEnclosingFunction(pc) == reinterpret_cast<void*>(&call); }));
    }
}

namespace {

using ModuleRedirect = bool (*)(void*, uint64_t);
struct Owners {
    ModuleRedirect module;
    unsigned program_redirected, module_redirected;
};
Owners owners;  // as `exchange`

void on_fault_asking_both(int signal, siginfo_t* info, void* context) {
    HostContext host(context);
    const auto address = reinterpret_cast<uint64_t>(info->si_addr);
    if (redirect_faulting_access(host, address)) {
        ++owners.program_redirected;
    } else if (owners.module(context, address)) {
        ++owners.module_redirected;
    } else {
        ::signal(signal, SIG_DFL);
    }
}

}  // namespace

TEST_CASE("a program and a module know their own accesses only") {
    const char* const path = std::getenv("WEFT_TEST_FAULTING_MODULE");
    REQUIRE(path != nullptr);
    void* const module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(module != nullptr);
    owners = {};
    owners.module = reinterpret_cast<ModuleRedirect>(dlsym(module, "weft_test_redirect"));
    const auto load = reinterpret_cast<bool (*)(uint64_t, uint64_t*)>(dlsym(module, "weft_test_load"));
    REQUIRE(owners.module != nullptr);
    REQUIRE(load != nullptr);
    // None of base's or the linker's names is seen from outside, so that none can be taken for another's.
    CHECK(dlsym(module, "__start_weft_faulting_accesses") == nullptr);
    const FaultHandlers handlers(on_fault_asking_both);
    uint64_t value = 0;
    Fault fault;
    CHECK_FALSE(load(16, &value));
    CHECK(owners.module_redirected == 1);
    CHECK(owners.program_redirected == 0);
    CHECK_FALSE(faulting::load(24, &value, &fault));
    CHECK(owners.module_redirected == 1);
    CHECK(owners.program_redirected == 1);
    CHECK(fault == Fault{24, Access::load});
}
