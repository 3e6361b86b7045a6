// What the host's kernel says in /proc of a process: of weft's own, or of another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::user {

// The bytes of a file; what could be read of it if the host fails, and none if it cannot be opened. Any thread.
std::string file_bytes(const std::string& path);

// What follows the offset in a line of a process's maps.
struct HostMapping {
    uint64_t start = 0;
    uint64_t end = 0;
    std::string object;  // "fd:01 1234", device and inode
    std::string path;    // as the kernel has it, " (deleted)" included
};

// The mappings of the process whose folder in /proc is `folder`, in the order of their addresses; none if they may not be read. Any
// thread.
std::vector<HostMapping> host_mappings(const std::string& folder);

// A line of "/proc/PID/stat", proc_pid_stat(5).
struct HostStat {
    std::string head;                 // number and name: the first two fields
    std::vector<std::string> fields;  // from the third on

    // The fields of the kernel's `struct mm_struct`, by their numbers in the line.
    enum Field : size_t {
        kVirtualSize = 23,
        kStartCode = 26,
        kEndCode = 27,
        kStartStack = 28,
        kStartData = 45,
        kEndData = 46,
        kStartBreak = 47,
        kArgumentsStart = 48,
        kArgumentsEnd = 49,
        kEnvironmentStart = 50,
        kEnvironmentEnd = 51,
    };
    // 0 where the kernel has no such field, or this process may not know it.
    uint64_t get(Field field) const;
    void set(Field field, uint64_t value);
    std::string text() const;  // with the end of the line
};

// Nothing if there is no such process, or no /proc. Any thread.
std::optional<HostStat> host_stat(const std::string& folder);

// The path of the program that the guest runs in another process, whose folder in /proc is `folder` ("/proc/PID", or that of a
// thread), as /proc/PID/exe would name it. Nothing if that is no process of this very weft, does not run the guest's program yet, or is
// not to be looked at by this process (ptrace(2), "Ptrace access mode checking"). Any thread.
std::optional<std::string> program_of_process(const std::string& folder);

}  // namespace weft::user
