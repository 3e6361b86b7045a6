// execve(2): programs for the guest's CPU are run by another weft, whatever the host's binfmt_misc knows; all others by the host.
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string_view>

#include "emulator/linux-user/handover.h"
#include "emulator/linux-user/life/guest_threads.h"
#include "emulator/linux-user/loader/auxv.h"
#include "emulator/linux-user/options.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/start/program_file.h"
#include "emulator/linux-user/syscall/paths.h"
#include "emulator/linux-user/syscall/safe_call.h"

namespace weft::user {

namespace {

std::vector<const char*> pointers(const std::vector<std::string>& strings) {
    std::vector<const char*> all;
    all.reserve(strings.size() + 1);
    for (const std::string& each : strings) {
        all.push_back(each.c_str());
    }
    all.push_back(nullptr);
    return all;
}

// With kRestart, where a signal came before.
int64_t host_execve(Thread& caller, const std::string& path, const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment) {
    const std::vector<const char*> argv = pointers(arguments);
    const std::vector<const char*> envp = pointers(environment);
    const auto word = [](const auto* pointer) { return reinterpret_cast<uint64_t>(pointer); };
    if (signals_to_kernel(caller) == kRestart) {
        return kRestart;
    }
    const int64_t failed =
        safe_call(caller.asked, SYS_execve, {word(path.c_str()), word(argv.data()), word(envp.data())});
    signals_from_kernel(caller);
    return failed;
}

// Variables that the host's dynamic linker would take for its own.
bool is_linkers(std::string_view variable) { return variable.starts_with("LD_"); }

}  // namespace

int64_t GuestThreads::may_execute(Thread& caller, const std::string& path) {
    return -int64_t{check_executable(under_prefix(caller.process.options().prefix, path))};
}

int64_t GuestThreads::execute(Thread& caller, const ExecuteRequest& request) {
    const std::string& prefix = caller.process.options().prefix;
    const std::string path = under_prefix(prefix, request.path);
    {
        const auto found = open_executable({.path = path, .arguments = request.arguments, .prefix = prefix});
        if (!found) {
            if (found.error().number != ENOEXEC) {
                return -int64_t{found.error().number};
            }
            // Another machine's, or a format that the host may know.
            runtime_.ops.keep(runtime_.instance);
            return host_execve(caller, path, request.arguments, request.environment);
        }
        // The kernel does not know what scripts add.
        ::rlimit stack{};
        ::getrlimit(RLIMIT_STACK, &stack);
        const StackStrings strings{found->name, found->arguments, request.environment};
        if (const auto fits = check_stack_size(strings, found->argument_count, stack.rlim_cur); !fits) {
            return -int64_t{fits.error().number};
        }
    }
    // Its files are closed: the other weft finds them the same way.
    std::vector<std::string> arguments = {kProgramName};
    arguments.insert(arguments.end(), runtime_.own_options.begin(), runtime_.own_options.end());
    std::vector<std::string> environment;
    for (const std::string& variable : request.environment) {
        environment.push_back(is_linkers(variable) ? kGuestVariable + variable : variable);
    }
    arguments.emplace_back("-after-exec");
    arguments.push_back(handover_text(hand_over(caller.process, sighand_of(caller))));
    arguments.emplace_back("-0");
    arguments.push_back(request.arguments.empty() ? std::string() : request.arguments.front());
    // So that a name that begins with a dash is none of an option's.
    arguments.emplace_back("--");
    arguments.push_back(path);
    if (!request.arguments.empty()) {
        arguments.insert(arguments.end(), request.arguments.begin() + 1, request.arguments.end());
    }
    runtime_.ops.keep(runtime_.instance);
    return host_execve(caller, runtime_.own_path, arguments, environment);
}

}  // namespace weft::user
