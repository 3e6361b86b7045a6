// execve(2): programs for the guest's CPU are run by another weft, whatever the host's binfmt_misc knows; all others by the host.
#include <sys/syscall.h>

#include <cerrno>
#include <string_view>

#include "base/raw_syscall.h"
#include "emulator/linux-user/life/guest_threads.h"
#include "emulator/linux-user/options.h"
#include "emulator/linux-user/start/program_file.h"
#include "emulator/linux-user/syscall/paths.h"

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

int64_t host_execve(const std::string& path, const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment) {
    return raw_syscall(SYS_execve, path.c_str(), pointers(arguments).data(), pointers(environment).data());
}

// Variables that the host's dynamic linker would take for its own.
bool is_linkers(std::string_view variable) { return variable.starts_with("LD_"); }

}  // namespace

int64_t GuestThreads::execute(Thread& caller, const ExecuteRequest& request) {
    const std::string& prefix = caller.process.options().prefix;
    const std::string path = under_prefix(prefix, request.path);
    {
        const auto found = open_executable({.path = path, .arguments = request.arguments, .prefix = prefix});
        if (!found) {
            // Another machine's, or a format that the host may know.
            return found.error().number == ENOEXEC ? host_execve(path, request.arguments, request.environment)
                                                   : -int64_t{found.error().number};
        }
    }
    // Its files are closed: the other weft finds them the same way.
    std::vector<std::string> arguments = {kProgramName};
    arguments.insert(arguments.end(), runtime_.own_options.begin(), runtime_.own_options.end());
    std::vector<std::string> environment;
    for (const std::string& variable : request.environment) {
        environment.push_back(is_linkers(variable) ? kGuestVariable + variable : variable);
    }
    arguments.emplace_back("-0");
    arguments.push_back(request.arguments.empty() ? std::string() : request.arguments.front());
    // So that a name that begins with a dash is none of an option's.
    arguments.emplace_back("--");
    arguments.push_back(path);
    if (!request.arguments.empty()) {
        arguments.insert(arguments.end(), request.arguments.begin() + 1, request.arguments.end());
    }
    return host_execve(runtime_.own_path, arguments, environment);
}

}  // namespace weft::user
