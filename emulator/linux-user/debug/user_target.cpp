#include "emulator/linux-user/debug/user_target.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>

#include "base/raw_syscall.h"
#include "emulator/linux-user/debug/register_file.h"
#include "emulator/linux-user/debug/signal_numbers.h"
#include "emulator/linux-user/signal/host_signals.h"
#include "emulator/linux-user/syscall/paths.h"

namespace weft::user {

namespace {

constexpr std::string_view kFeatures = "features";
constexpr std::string_view kAuxv = "auxv";
constexpr std::string_view kExecFile = "exec-file";
constexpr std::string_view kSiginfo = "siginfo";
constexpr std::array kObjects = {kFeatures, kAuxv, kExecFile, kSiginfo};

// While this thread accesses the guest's memory, faults come to it. Else it has all signals blocked, so that those that are sent find a
// thread of the guest's.
class OpenToFaults {
  public:
    OpenToFaults() { set_host_mask(host_signal_mask(kAllSignals)); }
    ~OpenToFaults() { set_host_mask(kAllSignals); }
    OpenToFaults(const OpenToFaults&) = delete;
    OpenToFaults& operator=(const OpenToFaults&) = delete;
};

}  // namespace

UserTarget::UserTarget(Process& process, StopControl& stops, Breakpoints& breakpoints, CodeListener& listener)
    : process_(process),
      stops_(stops),
      breakpoints_(breakpoints),
      listener_(listener),
      files_([&process](const std::string& path) { return under_prefix(process.options().prefix, path); }) {}

uint64_t UserTarget::process() { return static_cast<uint64_t>(::getpid()); }

std::string UserTarget::name(uint64_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
}

// ---- registers ----

unsigned UserTarget::register_count() { return gdb_register_count(); }

std::string UserTarget::read_register(uint64_t thread, unsigned number) {
    return read_gdb_register(stops_.registers(thread).value_or(FrameRegisters{}), number);
}

bool UserTarget::write_register(uint64_t thread, unsigned number, std::string_view bytes) {
    auto registers = stops_.registers(thread);
    return registers && write_gdb_register(*registers, number, bytes) &&
           stops_.set_registers(thread, *registers);
}

// ---- memory ----

std::string UserTarget::read_memory(uint64_t address, size_t size) {
    const OpenToFaults open;
    std::string bytes(size, '\0');
    size_t done = 0;
    while (done < size) {
        // Page by page, as the next one need not be there.
        const uint64_t at = address + done;
        const size_t part = std::min<uint64_t>(size - done, kGuestPage - at % kGuestPage);
        if (!process_.memory().read(at, bytes.data() + done, part)) {
            break;
        }
        done += part;
    }
    bytes.resize(done);
    return bytes;
}

bool UserTarget::write_memory(uint64_t address, std::string_view bytes) {
    const OpenToFaults open;
    if (!process_.memory().write(address, bytes.data(), bytes.size())) {
        return false;
    }
    if (CodeSync* code = process_.options().code; code != nullptr && !bytes.empty()) {
        code->sync(address, address + bytes.size(), true);
    }
    return true;
}

// ---- breakpoints ----

void UserTarget::end_translations(uint64_t address) {
    constexpr uint64_t kLongestInsn = 4;
    {
        MutexLock lock(process_.core().space().mutex());
        listener_.code_gone(round_down(address, kGuestPage), round_up(address + kLongestInsn, kGuestPage));
    }
    listener_.code_settle();
}

bool UserTarget::insert_breakpoint(uint64_t address, uint64_t kind) {
    constexpr uint64_t kLongestEbreak = 4;
    // Where nothing can be read, nothing is executed.
    if (kind > kLongestEbreak || read_memory(address, kind).size() != kind) {
        return false;
    }
    bool done = false;
    stops_.undivided([&] {
        done = breakpoints_.insert(address, kind);
        if (done) {
            marked_.insert(address);
        }
    });
    if (done) {
        end_translations(address);
    }
    return done;
}

bool UserTarget::remove_breakpoint(uint64_t address, uint64_t) {
    bool was_there = false;
    stops_.undivided([&] { was_there = breakpoints_.remove(address); });
    if (was_there) {
        end_translations(address);
        stops_.undivided([&] { marked_.erase(address); });
    }
    return true;
}

void UserTarget::detach() {
    std::vector<uint64_t> addresses;
    stops_.undivided([&] { addresses = breakpoints_.clear(); });
    for (const uint64_t address : addresses) {
        end_translations(address);
    }
    process_.sighand().intercept(false);
    stops_.detach([&] { marked_.clear(); });
}

void UserTarget::fork_child() {
    breakpoints_.clear();
    for (const uint64_t address : marked_) {
        end_translations(address);
    }
    marked_.clear();
    process_.sighand().intercept(false);
}

// ---- running ----

void UserTarget::resume(std::span<const control::gdb::ThreadAction> actions) { stops_.resume(actions); }

void UserTarget::pass_signals(std::span<const int> signals) {
    uint64_t mask = 0;
    for (const int number : signals) {
        const int signal = linux_signal(number);
        mask |= signal != 0 ? signal_bit(signal) : 0;
    }
    stops_.pass_signals(mask);
}

void UserTarget::kill() {
    while (true) {
        raw_syscall(SYS_kill, ::getpid(), SIGKILL);
    }
}

// ---- objects ----

std::span<const std::string_view> UserTarget::objects() { return kObjects; }

std::optional<std::string> UserTarget::object(std::string_view name, std::string_view annex,
                                              uint64_t thread) {
    const Program& program = process_.program();
    if (name == kFeatures) {
        return annex == "target.xml" ? std::optional(gdb_target_description()) : std::nullopt;
    }
    if (name == kExecFile) {
        // The annex is a process, or nothing for the one.
        return program.path;
    }
    if (!annex.empty()) {
        return std::nullopt;
    }
    if (name == kAuxv) {
        return read_memory(program.auxv.start, program.auxv.end - program.auxv.start);
    }
    const auto info = stops_.siginfo(thread);
    if (!info) {
        return std::nullopt;
    }
    const auto bytes = info->bytes();
    return std::string(bytes.begin(), bytes.end());
}

}  // namespace weft::user
