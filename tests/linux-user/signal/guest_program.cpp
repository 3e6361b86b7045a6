#include "guest_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "emulator/linux-user/loader/vdso.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/syscall/dispatch.h"

// The oracle's own.
extern "C" const char weft_test_signal_return[];
asm(".text\n"
    "weft_test_signal_return:\n"
    "    mov $15, %eax\n"
    "    syscall\n");

namespace weft::user::test {

namespace {

constexpr uint64_t kCode = 0x20000000;      // where calls are
constexpr uint64_t kHandlers = 0x21000000;  // where handlers are, 16 apart
constexpr uint64_t kVdso = 0x22000000;
constexpr unsigned kSp = 2;
constexpr unsigned kA0 = 10;

const Syscall& row(std::string_view name) {
    for (const Syscall& call : syscalls()) {
        if (call.name == name) {
            return call;
        }
    }
    std::abort();
}

bool is_in_alt_stack(uint64_t sp) { return sp >= kAltStack && sp <= kAltStack + kStackSize; }

class KernelSys final : public Sys {
  public:
    KernelSys() { instance = this; }
    int64_t call(std::string_view name, const Args& args) override {
        const long result =
            ::syscall(row(name).host_number, args[0], args[1], args[2], args[3], args[4], args[5]);
        return result == -1 ? -errno : result;
    }
    int64_t action(int signal, const abi::Sigaction* action, abi::Sigaction* old) override {
        abi::HostSigaction wanted{}, before{};
        if (action != nullptr) {
            if (action->handler > 1 && signal >= 1 && signal <= 64) {
                of_signal_[static_cast<size_t>(signal)] = action->handler;
            }
            wanted = {
                .handler = action->handler > 1 ? reinterpret_cast<uint64_t>(&on_signal) : action->handler,
                .flags = action->flags | SA_SIGINFO | abi::kHostSaRestorer,
                .restorer = reinterpret_cast<uint64_t>(weft_test_signal_return),
                .mask = action->mask};
        }
        const long result =
            ::syscall(SYS_rt_sigaction, signal, action != nullptr ? &wanted : nullptr, &before, 8);
        if (result < 0) {
            return -errno;
        }
        if (old != nullptr) {
            *old = {.handler = before.handler > 1 ? of_signal_[static_cast<size_t>(signal)] : before.handler,
                    .flags = before.flags & ~abi::kHostSaRestorer,
                    .mask = before.mask};
        }
        return 0;
    }
    uint64_t handler(Body body) override {
        bodies_.push_back(std::move(body));
        return kHandlers + 16 * bodies_.size();
    }
    void load(uint64_t address) override { static_cast<void>(*reinterpret_cast<volatile char*>(address)); }

  private:
    static void on_signal(int signal, siginfo_t* info, void* ucontext) {
        const int saved = errno;
        // Not the address of a variable: AddressSanitizer keeps those elsewhere.
        const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
        Event event{.signal = signal, .info = {}, .saved_mask = 0, .on_alt_stack = is_in_alt_stack(here)};
        std::memcpy(event.info.words.data(), info, sizeof(event.info.words));
        std::memcpy(&event.saved_mask, &static_cast<ucontext_t*>(ucontext)->uc_sigmask,
                    sizeof(event.saved_mask));
        const uint64_t which = instance->of_signal_[static_cast<size_t>(signal)];
        instance->bodies_[(which - kHandlers) / 16 - 1](*instance, event);
        errno = saved;
    }
    static KernelSys* instance;
    std::array<uint64_t, 65> of_signal_{};
    std::vector<Body> bodies_;
};
KernelSys* KernelSys::instance = nullptr;

}  // namespace

uint64_t Sys::mask() {
    call("rt_sigprocmask", {SIG_BLOCK, 0, kArena + 4000, 8});
    return at<uint64_t>(4000);
}
int64_t Sys::set_mask(int how, uint64_t mask) {
    at<uint64_t>(4008) = mask;
    return call("rt_sigprocmask", {static_cast<uint64_t>(how), kArena + 4008, 0, 8});
}
int64_t Sys::raise(int signal) {
    return call("tgkill", {static_cast<uint64_t>(getpid()), static_cast<uint64_t>(gettid()),
                           static_cast<uint64_t>(signal)});
}
int64_t Sys::queue(int signal, int code, uint64_t value) {
    Siginfo info = Siginfo::fault(signal, code, 0);
    info.words[3] = value;  // si_value, behind pid and uid
    std::memcpy(&at<char>(3768), info.words.data(), sizeof(info.words));
    return call("rt_tgsigqueueinfo", {static_cast<uint64_t>(getpid()), static_cast<uint64_t>(gettid()),
                                      static_cast<uint64_t>(signal), kArena + 3768});
}
void Sys::log(int64_t value) {
    if (write(log_fd, &value, sizeof(value)) != sizeof(value)) {
        std::abort();
    }
}

WeftSys::WeftSys(Process& process, uint64_t stack_top)
    : thread(std::make_unique<Thread>(process, gettid(), asked)) {
    registers.x[kSp] = stack_top;
    registers.pc = kCode;
    thread->signals.registers = this;
}
void WeftSys::start() { start_signals(*thread, begin_signals(sighand_of(*thread))); }
void WeftSys::start_thread() { start_thread_signals(*thread); }

SyscallOutcome WeftSys::dispatch_call(std::string_view name, const Args& args) {
    std::copy(args.begin(), args.end(), registers.x.begin() + kA0);
    return dispatch(*thread, row(name).number, args);
}

int64_t WeftSys::call(std::string_view name, const Args& args) {
    const uint64_t before = registers.pc;
    for (;;) {
        const SyscallOutcome outcome = dispatch_call(name, args);
        if (outcome.kind == SyscallOutcome::Kind::value) {
            registers.x[kA0] = static_cast<uint64_t>(outcome.value);
            registers.pc += 4;
        } else if (outcome.kind != SyscallOutcome::Kind::restart) {
            std::abort();
        }
        settle();
        if (registers.pc == before + 4) {
            return static_cast<int64_t>(registers.x[kA0]);
        }
        if (registers.pc != before || registers.x[kA0] != args[0]) {
            std::abort();  // a call is begun again with the same arguments
        }
    }
}

void WeftSys::settle() {
    asked.exchange(0);
    if (signal_waits(*thread)) {
        take_signal(*thread);
        run_handlers();
    }
}

// Until the registers are no handler's: each returns by rt_sigreturn to where the frame says.
void WeftSys::run_handlers() {
    for (auto body = bodies_.find(registers.pc); body != bodies_.end(); body = bodies_.find(registers.pc)) {
        Event event{.signal = static_cast<int>(registers.x[kA0]),
                    .info = {},
                    .saved_mask = 0,
                    .on_alt_stack = is_in_alt_stack(registers.x[kSp])};
        const auto* frame = reinterpret_cast<const abi::RtSigframe*>(registers.x[kSp]);
        if (registers.x[kA0 + 1] != registers.x[kSp] ||
            registers.x[1] != thread->process.program().vdso.start + kVdsoImage.rt_sigreturn) {
            std::abort();
        }
        std::memcpy(event.info.words.data(), frame->info, sizeof(frame->info));
        event.saved_mask = frame->uc.sigmask;
        const FrameRegisters entry = registers;
        registers.pc = kCode + (registers.pc - kHandlers) * 16;
        body->second(*this, event);
        registers.pc = entry.pc + 4;  // the ecall of rt_sigreturn
        registers.x[kSp] = entry.x[kSp];
        while (dispatch_call("rt_sigreturn", {}).kind == SyscallOutcome::Kind::restart) {
            settle();
            registers.x[kSp] = entry.x[kSp];
        }
        asked.exchange(0);
        if (signal_waits(*thread)) {
            take_signal(*thread);
        }
    }
}

int64_t WeftSys::action(int signal, const abi::Sigaction* action, abi::Sigaction* old) {
    if (action != nullptr) {
        at<abi::Sigaction>(3904) = *action;
        at<abi::Sigaction>(3904).flags |= SA_SIGINFO;
    }
    const int64_t result = call("rt_sigaction", {static_cast<uint64_t>(signal),
                                                 action != nullptr ? kArena + 3904 : 0, kArena + 3952, 8});
    if (old != nullptr && result == 0) {
        *old = at<abi::Sigaction>(3952);
    }
    return result;
}

uint64_t WeftSys::handler(Body body) {
    const uint64_t address = kHandlers + 16 * (bodies_.size() + 1);
    bodies_[address] = std::move(body);
    return address;
}

void WeftSys::load(uint64_t address) {
    char byte;
    while (!thread->process.memory().read(address, &byte, 1)) {
        const uint64_t before = registers.pc;
        raise_exception(*thread, SIGSEGV, SEGV_MAPERR, address);
        settle();
        if (registers.pc != before) {
            std::abort();
        }
    }
}

std::unique_ptr<Process> make_process() {
    MemoryConfig memory;
    memory.limit = uint64_t{1} << 45;
    auto made = Process::create({}, memory, HostMemory::real());
    REQUIRE(made.has_value());
    for (const auto& [start, size, type] : {std::tuple{kArena, kGuestPage, MAP_SHARED},
                                            {kStack, kStackSize, MAP_PRIVATE},
                                            {kAltStack, kStackSize, MAP_PRIVATE}}) {
        REQUIRE((*made)->mapper().map(start, size, PROT_READ | PROT_WRITE, type | MAP_ANONYMOUS | MAP_FIXED,
                                      -1, 0) >= 0);
    }
    Program loaded;
    loaded.vdso = {kVdso, kVdso + kGuestPage};
    (*made)->loaded(loaded);
    return std::move(*made);
}

Child::Child(Side side, const GuestProgram& program) : process_(make_process()) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
        // Catch2 has handlers of its own, and a stack for them.
        const stack_t no_stack{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
        sigaltstack(&no_stack, nullptr);
        for (int signal = 1; signal <= 64; ++signal) {
            struct sigaction by_default{};
            sigaction(signal, &by_default, nullptr);
        }
        const rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
        std::unique_ptr<Sys> sys;
        if (side == Side::kernel) {
            sys = std::make_unique<KernelSys>();
        } else {
            auto weft = std::make_unique<WeftSys>(*process_, kStack + kStackSize);
            weft->start();
            sys = std::move(weft);
        }
        sys->log_fd = ends[1];
        program(*sys);
        _exit(0);
    }
    close(ends[1]);
    log_ = ends[0];
}

Child::~Child() {
    close(log_);
    if (pid_ != 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
}

int64_t Child::next() {
    int64_t value = 0;
    REQUIRE(read(log_, &value, sizeof(value)) == sizeof(value));
    return value;
}

bool Child::has_more() const {
    pollfd entry{log_, POLLIN, 0};
    return poll(&entry, 1, 0) != 0;
}

void Child::wait_for_call(std::string_view name) const {
    const std::string number = std::to_string(row(name).host_number) + " ";
    for (std::string text; !text.starts_with(number);) {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/syscall");
        std::getline(file, text);
        std::this_thread::yield();
    }
}

Ending Child::end() {
    Ending ending;
    int64_t value = 0;
    while (read(log_, &value, sizeof(value)) == sizeof(value)) {
        ending.log.push_back(value);
    }
    constexpr int kCore = 0x80;
    REQUIRE(waitpid(pid_, &ending.status, 0) == pid_);
    ending.status &= ~kCore;
    pid_ = 0;
    return ending;
}

Ending same(const GuestProgram& program) {
    const Ending native = Child(Side::kernel, program).end();
    const Ending weft = Child(Side::weft, program).end();
    CHECK(weft.log == native.log);
    CHECK(weft.status == native.status);
    return native;
}

}  // namespace weft::user::test
