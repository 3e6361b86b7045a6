// Prints the table of system calls, a call a line: number, host's number or "-", name, policy, number of arguments, reason.
#include <cstdio>

#include "emulator/linux-user/syscall/table.h"

int main() {
    for (const weft::user::Syscall& call : weft::user::syscalls()) {
        constexpr const char* kPolicies[] = {"own", "pass", "enosys"};
        std::printf("%u\t%d\t%.*s\t%s\t%u\t%.*s\n", call.number, call.host_number,
                    static_cast<int>(call.name.size()), call.name.data(),
                    kPolicies[static_cast<unsigned>(call.policy.kind)], call.arg_count(),
                    static_cast<int>(call.policy.reason.size()), call.policy.reason.data());
    }
}
