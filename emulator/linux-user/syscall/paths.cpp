#include "emulator/linux-user/syscall/paths.h"

#include <fmt/format.h>
#include <linux/limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string_view>

#include "base/unique_fd.h"
#include "emulator/linux-user/syscall/call_context.h"

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

// Whether "/proc/..." is the folder of this process or of one of its threads: "/proc/PID", "/proc/TID", "/proc/PID/task/TID".
bool is_own_folder(std::string_view path) {
    constexpr std::string_view kProc = "/proc/";
    if (!path.starts_with(kProc)) {
        return false;
    }
    path.remove_prefix(kProc.size());
    const std::string own = std::to_string(::getpid());
    const std::string tasks = own + "/task/";
    if (path.starts_with(tasks)) {
        return path.find('/', tasks.size()) == std::string_view::npos;
    }
    return !path.empty() && std::ranges::all_of(path, [](char c) { return c >= '0' && c <= '9'; }) &&
           ::access(fmt::format("/proc/self/task/{}", path).c_str(), F_OK) == 0;
}

}  // namespace

std::optional<ProcView> find_view(int folder, const std::string& name) {
    const size_t slash = name.rfind('/');
    const std::string_view last = std::string_view(name).substr(slash == std::string::npos ? 0 : slash + 1);
    const ViewRow* row = std::ranges::find(kViews, last, &ViewRow::name);
    // /proc/stat is the machine's.
    if (row == std::end(kViews)) {
        return std::nullopt;
    }
    const std::string path = folder_path(folder, name);
    if (row->of_process ? is_own_folder(path) : path == "/proc") {
        return row->view;
    }
    return std::nullopt;
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
    view_ = find_view(folder, *text_);
    if (view_ == ProcView::exe && !call.process.program().path.empty()) {
        link_ = std::move(text_);
        text_ = call.process.program().path;
    }
}

}  // namespace weft::user
