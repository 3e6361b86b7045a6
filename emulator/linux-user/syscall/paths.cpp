#include "emulator/linux-user/syscall/paths.h"

#include <fmt/format.h>
#include <linux/limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "emulator/linux-user/syscall/call_context.h"
#include "emulator/linux-user/syscall/host_proc.h"

namespace weft::user {

namespace {

struct ViewRow {
    std::string_view name;
    ProcView view;
    bool of_process;  // in /proc/PID; else in /proc
};

constexpr ViewRow kViews[] = {
    {"auxv", ProcView::auxv, true}, {"cmdline", ProcView::cmdline, true},
    {"exe", ProcView::exe, true},   {"maps", ProcView::maps, true},
    {"stat", ProcView::stat, true}, {"cpuinfo", ProcView::cpuinfo, false},
};

// The canonical path of an open file or folder; "" where /proc cannot say.
std::string path_of(int fd) {
    std::array<char, PATH_MAX> path;
    const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : std::string();
}

// The folder of a name's last part.
std::string folder_path(int folder, std::string_view name) {
    const size_t slash = name.rfind('/');
    if (slash == std::string_view::npos && folder != kWorkingFolder) {
        return path_of(folder);
    }
    const std::string parent(slash == std::string_view::npos ? "." : name.substr(0, slash + 1));
    const UniqueFd opened(::openat(folder, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return opened ? path_of(opened.get()) : std::string();
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

constexpr std::string_view kProc = "/proc/";

// Whether a folder is that of a process or of a thread, of this process or another: "/proc/ID", "/proc/PID/task/TID".
bool is_process_folder(std::string_view path) {
    constexpr std::string_view kTask = "/task/";
    if (!path.starts_with(kProc)) {
        return false;
    }
    path.remove_prefix(kProc.size());
    if (const size_t task = path.find(kTask); task != std::string_view::npos) {
        return is_number(path.substr(0, task)) && is_number(path.substr(task + kTask.size()));
    }
    return is_number(path);
}

// Whether "/proc/..." is the folder of this process or of one of its threads: "/proc/PID", "/proc/TID", "/proc/PID/task/TID".
bool is_own_folder(std::string_view path) {
    if (!path.starts_with(kProc)) {
        return false;
    }
    path.remove_prefix(kProc.size());
    const std::string own = std::to_string(::getpid());
    const std::string tasks = own + "/task/";
    if (path.starts_with(tasks)) {
        return path.find('/', tasks.size()) == std::string_view::npos;
    }
    return is_number(path) && ::access(fmt::format("/proc/self/task/{}", path).c_str(), F_OK) == 0;
}

// The row of a name's last part, and the folder that it is in; no row if there is none, or if the folder is not that of its row.
struct Found {
    const ViewRow* row = nullptr;
    std::string folder;
    bool own = true;  // this process's, or the machine's
};

Found find(int folder, const std::string& name) {
    const size_t slash = name.rfind('/');
    const std::string_view last = std::string_view(name).substr(slash == std::string::npos ? 0 : slash + 1);
    const ViewRow* row = std::ranges::find(kViews, last, &ViewRow::name);
    if (row == std::end(kViews)) {
        return {};
    }
    std::string path = folder_path(folder, name);
    // /proc/stat is the machine's.
    const bool own = row->of_process ? is_own_folder(path) : path == "/proc";
    if (!own && !(row->of_process && is_process_folder(path))) {
        return {};
    }
    if (!row->of_process && ::faccessat(folder, name.c_str(), F_OK, 0) != 0) {
        return {};  // a /proc of processes alone ("subset=pid")
    }
    return {row, std::move(path), own};
}

std::optional<std::string> program_found(const Process& process, const Found& found) {
    if (found.row == nullptr || found.row->view != ProcView::exe) {
        return std::nullopt;
    }
    if (!found.own) {
        return program_of_process(found.folder);
    }
    const std::string& path = process.program().path;
    return path.empty() ? std::nullopt : std::optional(path);
}

}  // namespace

std::optional<ProcView> find_view(int folder, const std::string& name) {
    const Found found = find(folder, name);
    return found.row != nullptr && found.own ? std::optional(found.row->view) : std::nullopt;
}

std::optional<std::string> find_program(const Process& process, int folder, const std::string& name) {
    return program_found(process, find(folder, name));
}

std::string under_prefix(const std::string& prefix, const std::string& name) {
    if (prefix.empty() || !name.starts_with('/')) {
        return name;
    }
    std::string found = prefix + name;
    return ::access(found.c_str(), F_OK) == 0 ? found : name;
}

Name::Name(CallContext& call, int folder, uint64_t address) : address_(call.pointer(address, 1)) {
    if (address == 0) {
        return;
    }
    auto read = call.process.memory().string(address, PATH_MAX);
    if (!read) {
        return;  // the host finds the same, in its own order of checks
    }
    text_ = under_prefix(call.process.options().prefix, *read);
    const Found found = find(folder, *text_);
    if (found.row != nullptr && found.own) {
        view_ = found.row->view;
    }
    if (auto program = program_found(call.process, found)) {
        link_ = std::exchange(text_, std::move(program));
    }
}

}  // namespace weft::user
