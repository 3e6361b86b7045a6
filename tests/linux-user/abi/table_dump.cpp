// Prints the table of system calls, a call a line: number, host's number or "-", name, policy, number of arguments, reason. Policy
// "pending": own, and not there yet.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/table.h"

int main() {
    constexpr std::string_view kPending[] = {
#define WEFT_USER_NAME(name) #name,
        WEFT_USER_PENDING_CALLS(WEFT_USER_NAME)
#undef WEFT_USER_NAME
    };
    for (const weft::user::Syscall& call : weft::user::syscalls()) {
        constexpr const char* kPolicies[] = {"own", "pass", "enosys"};
        std::printf("%u\t%d\t%.*s\t%s\t%u\t%.*s\n", call.number, call.host_number,
                    static_cast<int>(call.name.size()), call.name.data(),
                    std::ranges::count(kPending, call.name) != 0
                        ? "pending"
                        : kPolicies[static_cast<unsigned>(call.policy.kind)],
                    call.arg_count(), static_cast<int>(call.policy.reason.size()), call.policy.reason.data());
    }
}
