#include "base/host_info.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

namespace weft {

namespace {

// Version 1 says "no limit" with the largest multiple of the page size below 2^63. Nothing real comes near
// 2^62.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return value;
}

// proc(5): space, tab, newline and backslash appear as a backslash and three octal digits in mountinfo.
std::string unescape_mount_path(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
            octal(text[i + 3])) {
            out +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

struct CgroupMount {
    std::string root;   // the group that the mount shows at its top
    std::string point;  // where it is mounted
};

// proc(5), /proc/PID/mountinfo: "id parent major:minor root point options [tags...] - type source
// super-options".
std::optional<CgroupMount> find_cgroup_mount(const std::string& root, bool version_2) {
    std::ifstream file(root + "/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        const std::vector<std::string> fields = split(line, ' ');
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() < 6 || fields.end() - dash < 4) {
            continue;
        }
        const std::string& type = dash[1];
        bool wanted = version_2 && type == "cgroup2";
        if (!version_2 && type == "cgroup") {
            const std::vector<std::string> options = split(dash[3], ',');
            wanted = std::find(options.begin(), options.end(), "memory") != options.end();
        }
        if (wanted) {
            return CgroupMount{unescape_mount_path(fields[3]), unescape_mount_path(fields[4])};
        }
    }
    return std::nullopt;
}

// cgroups(7), /proc/PID/cgroup: "id:controllers:path", where version 2 has id 0 and no controllers.
std::optional<std::string> find_cgroup_path(const std::string& root, bool version_2) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const std::string controllers = line.substr(first + 1, second - first - 1);
        bool wanted = version_2 && controllers.empty() && line.substr(0, first) == "0";
        if (!version_2) {
            const std::vector<std::string> names = split(controllers, ',');
            wanted = std::find(names.begin(), names.end(), "memory") != names.end();
        }
        if (wanted) {
            return line.substr(second + 1);
        }
    }
    return std::nullopt;
}

// The group's path below the mount point: "" or "/a/b". Where the mount does not show the group (a container
// that mounts only its own subtree, a path outside the cgroup namespace), the mount's top is the nearest
// there is.
std::string path_below_mount(const std::string& group, const std::string& mount_root) {
    const std::vector<std::string> parts = split(group, '/');
    if (std::find(parts.begin(), parts.end(), "..") != parts.end()) {
        return "";
    }
    std::string below = group;
    if (mount_root != "/") {
        below = group.starts_with(mount_root) ? group.substr(mount_root.size()) : "";
    }
    while (below.ends_with('/')) {
        below.pop_back();
    }
    // No slash: a name that only begins like the mount's, or no path at all.
    return below.starts_with('/') ? below : "";
}

std::optional<std::uint64_t> read_limit(const std::string& path) {
    std::ifstream file(path);
    std::string word;
    if (!(file >> word)) {
        return std::nullopt;
    }
    // "max" of version 2 is no number, and so no limit.
    const std::optional<std::uint64_t> limit = parse_number(word);
    return limit && *limit < kNoLimit ? limit : std::nullopt;
}

std::optional<std::uint64_t> smaller(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
    return a && b ? std::min(*a, *b) : (a ? a : b);
}

std::optional<std::uint64_t> limit_in_hierarchy(const std::string& root, bool version_2) {
    const auto mount = find_cgroup_mount(root, version_2);
    const auto group = find_cgroup_path(root, version_2);
    if (!mount || !group) {
        return std::nullopt;
    }
    const char* name = version_2 ? "/memory.max" : "/memory.limit_in_bytes";
    std::optional<std::uint64_t> limit;
    // A limit binds all groups below it.
    for (std::string below = path_below_mount(*group, mount->root);; below.resize(below.rfind('/'))) {
        limit = smaller(limit, read_limit(root + mount->point + below + name));
        if (below.empty()) {
            return limit;
        }
    }
}

}  // namespace

std::size_t host_page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

unsigned host_online_cpus() {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : static_cast<unsigned>(count);
}

unsigned host_usable_cpus() {
    cpu_set_t usable;
    CPU_ZERO(&usable);
    if (::sched_getaffinity(0, sizeof usable, &usable) != 0) {
        return host_online_cpus();  // more than the set has room for (EINVAL)
    }
    return static_cast<unsigned>(CPU_COUNT(&usable));
}

std::optional<std::uint64_t> host_memory(const std::string& root) {
    std::ifstream file(root + "/proc/meminfo");
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string name;
        std::string value;
        std::string unit;
        if (fields >> name >> value >> unit && name == "MemTotal:" && unit == "kB") {
            const std::optional<std::uint64_t> kib = parse_number(value);
            return kib && *kib < kNoLimit / 1024 ? std::optional(*kib * 1024) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> cgroup_memory_limit(const std::string& root) {
    // A host may mount both versions; the memory controller is in one of them, and the other has no such
    // file.
    return smaller(limit_in_hierarchy(root, true), limit_in_hierarchy(root, false));
}

std::optional<std::uint64_t> available_memory(const std::string& root) {
    return smaller(host_memory(root), cgroup_memory_limit(root));
}

}  // namespace weft
