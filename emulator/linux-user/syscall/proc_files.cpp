#include "emulator/linux-user/syscall/proc_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/linux-user/syscall/host_proc.h"

namespace weft::user {

namespace {

std::string bytes_of(Process& process, const AddressRange& range) {
    std::string bytes(range.end - range.start, '\0');
    return process.memory().read(range.start, bytes.data(), bytes.size()) ? bytes : std::string();
}

std::string special_name(Process& process, const Interval& interval) {
    const auto overlaps = [&](uint64_t start, uint64_t end) {
        return interval.start < end && start < interval.end;
    };
    const Program& program = process.program();
    if (interval.attributes.growing && process.stack().top() != 0 && interval.end == process.stack().top()) {
        return "[stack]";
    }
    if (overlaps(program.vdso.start, program.vdso.end)) {
        return "[vdso]";
    }
    if (Heap* heap = process.heap(); heap != nullptr && interval.attributes.is_private_anonymous() &&
                                     interval.start >= heap->start() &&
                                     interval.start == program.break_start) {
        return "[heap]";
    }
    return {};
}

// One hold of the map's lock: no call of another thread falls between two lines.
std::string maps_text(Process& process) {
    MemoryCore& core = process.core();
    std::string text;
    MutexLock lock(core.space().mutex());
    const std::vector<HostMapping> host = host_mappings("/proc/self");
    core.space().tree().visit(0, core.layout().limit(), [&](const Interval& interval) {
        const Attributes& attributes = interval.attributes;
        if (attributes.kind == Kind::foreign) {
            return true;
        }
        std::string object = "00:00 0", path = special_name(process, interval);
        if (attributes.kind != Kind::anonymous || attributes.shared) {
            const uint64_t at = core.host_address(interval.start);
            const auto found = std::ranges::upper_bound(host, at, {}, &HostMapping::end);
            if (found != host.end() && found->start <= at) {
                object = found->object;
                path = found->path;
            }
        }
        std::string line =
            fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} {} ", interval.start, interval.end,
                        (attributes.protection & kRead) != 0 ? 'r' : '-',
                        (attributes.protection & kWrite) != 0 ? 'w' : '-',
                        (attributes.protection & kExecute) != 0 ? 'x' : '-', attributes.shared ? 's' : 'p',
                        attributes.is_private_anonymous() ? 0 : attributes.offset, object);
        if (!path.empty()) {
            constexpr size_t kPathColumn = 73;  // fs/proc/task_mmu.c, 25 + 8 * 6 with words of 8 bytes
            line.resize(std::max(line.size(), kPathColumn), ' ');
            line += path;
        }
        text += line + "\n";
        return true;
    });
    return text;
}

// The least mode whose user half holds all of the guest's space (privileged architecture, "Sv39", "Sv48", "Sv57"), as riscv_hwprobe's
// highest address tells it. What the CPU model has beyond says nothing of a process: OpenJDK 21 refuses to start with sv57.
const char* address_mode(uint64_t limit) {
    constexpr uint64_t kSv39Half = uint64_t{1} << 38;
    constexpr uint64_t kSv48Half = uint64_t{1} << 47;
    return limit <= kSv39Half ? "sv39" : limit <= kSv48Half ? "sv48" : "sv57";
}

// arch/riscv/kernel/cpu.c
std::string cpuinfo_text(Process& process) {
    const std::string isa = riscv::isa_string(*process.options().cpu);
    const char* const mode = address_mode(process.memory().range().limit);
    std::string text;
    for (long i = 0; i < ::sysconf(_SC_NPROCESSORS_ONLN); ++i) {
        text += fmt::format("processor\t: {}\nhart\t\t: {}\nisa\t\t: {}\nmmu\t\t: {}\nuarch\t\t: weft\n\n", i,
                            i, isa, mode);
    }
    return text;
}

// The host's line with the fields that are the guest's.
std::string stat_text(Process& process) {
    auto stat = host_stat("/proc/self");
    if (!stat) {
        return {};
    }
    const Program& program = process.program();
    {
        MutexLock lock(process.core().space().mutex());
        stat->set(HostStat::kVirtualSize, process.core().space().tree().mapped_bytes());
    }
    stat->set(HostStat::kStartCode, program.code.start);
    stat->set(HostStat::kEndCode, program.code.end);
    stat->set(HostStat::kStartStack, program.stack_start);
    stat->set(HostStat::kStartData, program.data.start);
    stat->set(HostStat::kEndData, program.data.end);
    stat->set(HostStat::kStartBreak, program.break_start);
    stat->set(HostStat::kArgumentsStart, program.arguments.start);
    stat->set(HostStat::kArgumentsEnd, program.arguments.end);
    stat->set(HostStat::kEnvironmentStart, program.environment.start);
    stat->set(HostStat::kEnvironmentEnd, program.environment.end);
    return stat->text();
}

}  // namespace

std::string view_text(Process& process, ProcView view) {
    switch (view) {
        case ProcView::auxv:
            return bytes_of(process, process.program().auxv);
        case ProcView::cmdline:
            return bytes_of(process, process.program().arguments);
        case ProcView::cpuinfo:
            return cpuinfo_text(process);
        case ProcView::maps:
            return maps_text(process);
        case ProcView::stat:
            return stat_text(process);
        case ProcView::exe:
            break;
    }
    return {};
}

int64_t open_view(Process& process, ProcView view, uint32_t flags) {
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return -EEXIST;
    }
    if ((flags & O_DIRECTORY) != 0) {
        return -ENOTDIR;
    }
    if ((flags & O_ACCMODE) != O_RDONLY) {
        return -EACCES;
    }
    const std::string text = view_text(process, view);
    UniqueFd file(::memfd_create("proc", MFD_CLOEXEC));
    if (!file) {
        return -errno;
    }
    for (size_t done = 0; done < text.size();) {
        const ssize_t written = ::write(file.get(), text.data() + done, text.size() - done);
        if (written < 0) {
            return -errno;
        }
        done += static_cast<size_t>(written);
    }
    // Again, for reading alone, and at the same number: it was the lowest.
    const UniqueFd reading(::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_RDONLY | O_CLOEXEC));
    if (!reading || ::dup3(reading.get(), file.get(), static_cast<int>(flags & O_CLOEXEC)) < 0) {
        return -errno;
    }
    return file.release();
}

}  // namespace weft::user
