#include "emulator/linux-user/start/kernel_record.h"

#include <linux/prctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "emulator/linux-user/process.h"
#include "emulator/linux-user/syscall/host_proc.h"

namespace weft::user {

void show_program(Process& process) {
    const auto own = host_stat("/proc/self");
    if (!own) {
        return;
    }
    const Program& program = process.program();
    const auto host = [&](uint64_t address) { return process.core().host_address(address); };
    prctl_mm_map map{};
    map.start_code = host(program.code.start);
    map.end_code = host(program.code.end);
    map.arg_start = host(program.arguments.start);
    map.arg_end = host(program.arguments.end);
    map.env_start = host(program.environment.start);
    map.env_end = host(program.environment.end);
    // Of weft's own as they are: brk(2) goes by them, and the kernel takes all or none.
    map.start_data = own->get(HostStat::kStartData);
    map.end_data = own->get(HostStat::kEndData);
    map.start_brk = own->get(HostStat::kStartBreak);
    map.brk = reinterpret_cast<uint64_t>(::sbrk(0));
    map.start_stack = own->get(HostStat::kStartStack);
    map.exe_fd =
        static_cast<uint32_t>(-1);  // another one takes privileges, and weft goes on by its own (execve)
    ::prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

}  // namespace weft::user
