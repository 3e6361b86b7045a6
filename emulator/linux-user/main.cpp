// weft-riscv64: runs a program for riscv64 Linux.
#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/messages.h"
#include "emulator/accel/accel_chain.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "emulator/linux-user/accelerators.h"
#include "emulator/linux-user/binfmt.h"
#include "emulator/linux-user/host_parts.h"
#include "emulator/linux-user/options.h"
#include "emulator/linux-user/run.h"
#include "emulator/linux-user/signal/fatal.h"

namespace weft::user {

namespace {

// What binfmt_misc tells by the auxiliary vector (Linux, "Kernel Support for miscellaneous Binary Formats").
struct KernelStart {
    static constexpr uint64_t kPreserveArgument0 = 1;  // AT_FLAGS_PRESERVE_ARGV0, flag P
    bool preserves_argument0 = (::getauxval(AT_FLAGS) & kPreserveArgument0) != 0;
    UniqueFd file;  // AT_EXECFD, flag O: any number, 0 too

    KernelStart() {
        errno = 0;
        const auto fd = static_cast<int>(::getauxval(AT_EXECFD));
        if (errno == 0) {
            file.reset(fd);
        }
    }
    bool started() const { return preserves_argument0 || file; }
};

bool has_more_rights() { return ::getauxval(AT_SECURE) != 0; }

// Nothing of a caller's that has fewer rights (secure_getenv(3)).
std::optional<std::string> environment(const char* name) {
    const char* value = has_more_rights() ? nullptr : std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// What the guest's execve runs: by the kernel's link, which leads to this program also from a chroot that does not have it; or, where
// there is no /proc, as it was started.
std::string own_path() {
    constexpr const char* kLink = "/proc/self/exe";
    return ::access(kLink, X_OK) == 0 ? kLink : reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
}

std::string own_folder() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

// For whoever sees the line, and not for a file that it goes to.
void explain_binfmt() {
    if (::isatty(STDOUT_FILENO) == 0) {
        return;
    }
    std::fputs(
        "As root, write this line to /proc/sys/fs/binfmt_misc/register, or to "
        "/etc/binfmt.d/weft-riscv64.conf "
        "and\nrestart systemd-binfmt. From then on Linux starts riscv64 programs with weft.\n",
        stderr);
}

// The interpreter is the program that needs no other file, if it is here.
Result<std::string> binfmt_text(const std::string& flags) {
    std::error_code ignored;
    const std::string alone = fmt::format("{}/{}-static", own_folder(), kProgramName);
    const std::string interpreter = ::access(alone.c_str(), X_OK) == 0
                                        ? alone
                                        : std::filesystem::read_symlink("/proc/self/exe", ignored).string();
    return binfmt_line(interpreter, flags);
}

loader::AccelSources accel_sources(const Options& options) {
    return accelerators(
        loader::module_folders(options.module_dir, environment("WEFT_MODULE_DIR"), own_folder()));
}

Result<std::string> help_text(const Options& options) {
    switch (options.help) {
        case HelpTopic::none:
            break;
        case HelpTopic::usage:
            return usage_text();
        case HelpTopic::version:
            return fmt::format("{} {}\n", kProgramName, WEFT_VERSION);
        case HelpTopic::accels:
            return loader::accelerators_text(accel_sources(options));
        case HelpTopic::accel_properties: {
            const auto loaded = loader::load_accelerator(accel_sources(options), options.help_subject);
            return loaded ? Result<std::string>(loader::properties_text(**loaded))
                          : std::unexpected(loaded.error());
        }
        case HelpTopic::cpus:
            return cpus_text();
        case HelpTopic::log_items:
            return log_items_help() + "strace  system calls\n";
        case HelpTopic::binfmt:
            return binfmt_text(options.help_subject);
    }
    return std::string();
}

// The limit of the first stack. The host's kernel grows it, so -s sets the host's limit.
Result<uint64_t> stack_limit(const Options& options) {
    // Weft's own first thread lives with the same limit.
    constexpr uint64_t kLeast = 1024 * 1024;
    ::rlimit limit{};
    if (::getrlimit(RLIMIT_STACK, &limit) != 0) {
        return fail_errno("the stack's limit");
    }
    // Of a program that the guest executes it is what the guest made of it.
    if (options.stack_size && !options.handover) {
        if (*options.stack_size < kLeast) {
            return fail(fmt::format("-s: a stack has {} bytes at least", kLeast));
        }
        limit.rlim_cur = *options.stack_size;
        if (::setrlimit(RLIMIT_STACK, &limit) != 0) {
            return fail_errno(fmt::format("-s: a stack of {} bytes", *options.stack_size));
        }
    }
    return limit.rlim_cur;
}

Result<std::array<std::byte, 16>> random_bytes(const Options& options) {
    std::array<std::byte, 16> bytes{};
    if (options.seed) {
        std::mt19937_64 generator(*options.seed);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(generator());
        }
    } else if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return fail_errno("random bytes");
    }
    return bytes;
}

Result<RunSettings> run_settings(Options& options, KernelStart& start) {
    RunSettings settings{
        .program = {.path = options.arguments.front(), .arguments = std::move(options.arguments)}};
    std::vector<std::string>& arguments = settings.program.arguments;
    if (start.preserves_argument0 && arguments.size() > 1) {
        arguments.erase(arguments.begin());
        settings.at_flags = KernelStart::kPreserveArgument0;
    }
    if (options.argument0) {
        arguments.front() = *options.argument0;
    }
    settings.program.prefix = options.prefix;
    settings.program.opened = std::move(start.file);
    settings.environment = std::move(options.environment);
    const Result<uint64_t> stack = stack_limit(options);
    if (!stack) {
        return std::unexpected(stack.error());
    }
    settings.space = {.base = options.base, .reserved = options.reserved, .stack_limit = *stack};
    const auto random = random_bytes(options);
    if (!random) {
        return std::unexpected(random.error());
    }
    settings.random = *random;
    settings.bounds = options.bounds;
    settings.secure = has_more_rights();
    settings.release = options.release;
    settings.cpu = &options.cpu;
    settings.strace = options.strace;
    settings.debugger = options.debugger;
    settings.own_path = own_path();
    settings.own_options = std::move(options.inherited);
    settings.handover = options.handover;
    settings.comes_back = sanitizer_mode() != SanitizerMode::none;
    return settings;
}

std::expected<int, RunError> run(Options& options, KernelStart& start) {
    const auto refuse = [](const Error& error) {
        return std::unexpected(RunError{error.message(), kStatusError});
    };
    loader::AccelChain accel(options.accelerators, accel_sources(options), print_error);
    if (const Result<> usable = accel.advance(); !usable) {
        return refuse(usable.error());
    }
    const auto log = Log::open(options.log_items, options.log_filter, options.log_file);
    if (!log) {
        return refuse(log.error().within("-D"));
    }
    Result<RunSettings> settings = run_settings(options, start);
    if (!settings) {
        return refuse(settings.error());
    }
    const GuestArch guest = riscv::guest_arch_user(options.cpu);
    return run_process(std::move(*settings), host_parts(guest), accel, **log);
}

int run_program(std::span<const char* const> arguments, std::span<const char* const> variables) {
    KernelStart start;
    Result<Options> options =
        parse_options(arguments, variables, {.kernel = start.started(), .more_rights = has_more_rights()});
    if (!options) {
        print_error(options.error().message());
        return kStatusError;
    }
    if (options->help != HelpTopic::none) {
        const Result<std::string> text = help_text(*options);
        if (!text) {
            print_error(text.error().message());
            return kStatusError;
        }
        std::fputs(text->c_str(), stdout);
        if (options->help == HelpTopic::binfmt) {
            explain_binfmt();
        }
        return std::fflush(stdout) == 0 ? 0 : kStatusError;
    }
    const auto status = run(*options, start);
    if (!status) {
        print_error(status.error().message);
        if (options->handover) {
            // The program that called execve is gone: Linux' force_fatal_sig (fs/exec.c).
            end_by_signal(Siginfo::fault(SIGSEGV, SI_KERNEL, 0));
        }
        return status.error().status;
    }
    return *status;
}

// Of the limit that weft was started with, which is the guest's as well: to overflow its own stack would be silent.
bool has_stack() {
    constexpr ::rlim_t kLeast = ::rlim_t{128} << 10;
    ::rlimit limit{};
    return ::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kLeast;
}

int main(std::span<const char* const> arguments, std::span<const char* const> variables) {
    if (!has_stack()) {
        print_error("the limit of the stack (ulimit -s) is below the 128 KiB that weft itself needs");
        return kStatusError;
    }
    try {
        return run_program(arguments, variables);
    } catch (const std::bad_alloc&) {
        print_error("out of memory");
        return kStatusError;
    }
}

}  // namespace

}  // namespace weft::user

int main(int argc, char** argv) {
    const std::span<const char* const> arguments(argv, static_cast<size_t>(argc));
    size_t variables = 0;
    while (environ[variables] != nullptr) {
        ++variables;
    }
    return weft::user::main(arguments.subspan(argc > 0 ? 1 : 0), {environ, variables});
}
