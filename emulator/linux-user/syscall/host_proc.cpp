#include "emulator/linux-user/syscall/host_proc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace weft::user {

namespace {

constexpr size_t kFirstField = 3;  // the field behind the name

// The words up to the `count`th, and what is left behind the last one's blanks.
std::vector<std::string_view> split(std::string_view line, size_t count, std::string_view& rest) {
    std::vector<std::string_view> words;
    const auto skip = [&] { line.remove_prefix(std::min(line.find_first_not_of(' '), line.size())); };
    for (skip(); !line.empty() && words.size() < count; skip()) {
        const size_t length = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, length));
        line.remove_prefix(length);
    }
    rest = line;
    return words;
}

HostMapping parse_mapping(std::string_view line) {
    enum : size_t { range, permissions, offset, device, inode, count };
    std::string_view path;
    const std::vector<std::string_view> words = split(line, count, path);
    HostMapping mapping;
    if (words.size() < count) {
        return mapping;
    }
    const std::string_view addresses = words[range];
    const char* const last = addresses.data() + addresses.size();
    const auto dash = std::from_chars(addresses.data(), last, mapping.start, 16);
    if (dash.ptr != last) {
        std::from_chars(dash.ptr + 1, last, mapping.end, 16);
    }
    mapping.object.append(words[device]).append(" ").append(words[inode]);
    mapping.path = path;
    return mapping;
}

bool same_program(const std::string& folder) {
    struct ::stat own{};
    struct ::stat other{};
    return ::stat("/proc/self/exe", &own) == 0 && ::stat((folder + "/exe").c_str(), &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

}  // namespace

std::string file_bytes(const std::string& path) {
    std::string bytes;
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return bytes;
    }
    std::array<char, 4096> part;
    for (;;) {
        const ssize_t got = ::read(file.get(), part.data(), part.size());
        if (got > 0) {
            bytes.append(part.data(), static_cast<size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            return bytes;
        }
    }
}

std::vector<HostMapping> host_mappings(const std::string& folder) {
    std::vector<HostMapping> mappings;
    const std::string text = file_bytes(folder + "/maps");
    for (std::string_view left = text; !left.empty();) {
        const size_t length = std::min(left.find('\n'), left.size());
        mappings.push_back(parse_mapping(left.substr(0, length)));
        left.remove_prefix(std::min(length + 1, left.size()));
    }
    return mappings;
}

uint64_t HostStat::get(Field field) const {
    uint64_t value = 0;
    if (field - kFirstField < fields.size()) {
        const std::string& word = fields[field - kFirstField];
        std::from_chars(word.data(), word.data() + word.size(), value);
    }
    return value;
}

void HostStat::set(Field field, uint64_t value) {
    if (field - kFirstField < fields.size()) {
        fields[field - kFirstField] = std::to_string(value);
    }
}

std::string HostStat::text() const {
    std::string line = head;
    for (const std::string& field : fields) {
        line.append(" ").append(field);
    }
    return line + "\n";
}

std::optional<HostStat> host_stat(const std::string& folder) {
    const std::string line = file_bytes(folder + "/stat");
    const size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    HostStat stat{.head = line.substr(0, name_end + 1), .fields = {}};
    std::string_view left(line);
    left.remove_prefix(name_end + 1);
    left = left.substr(0, left.find('\n'));
    std::string_view rest;
    for (const std::string_view word : split(left, line.size(), rest)) {
        stat.fields.emplace_back(word);
    }
    return stat;
}

std::optional<std::string> program_of_process(const std::string& folder) {
    if (!same_program(folder)) {
        return std::nullopt;
    }
    const auto stat = host_stat(folder);
    const uint64_t code = stat ? stat->get(HostStat::kStartCode) : 0;
    const std::vector<HostMapping> mappings = host_mappings(folder);
    const auto found = std::ranges::upper_bound(mappings, code, {}, &HostMapping::end);
    if (found == mappings.end() || code < found->start || !found->path.starts_with('/')) {
        return std::nullopt;
    }
    return found->path;
}

}  // namespace weft::user
