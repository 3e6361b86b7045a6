#include "emulator/control/descriptors.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text_values.h"

namespace weft::control {

Result<std::string> path_in_sets(std::span<const DescriptorSet> sets, const std::string& path, bool reads,
                                 bool writes) {
    constexpr std::string_view kFolder = "/dev/fdset/";
    if (!path.starts_with(kFolder)) {
        return path;
    }
    const std::optional<uint64_t> id = parse_uint(std::string_view(path).substr(kFolder.size()));
    const auto set = std::ranges::find_if(sets, [&](const DescriptorSet& one) { return one.id == id; });
    if (!id || set == sets.end()) {
        return fail(fmt::format("{}: there is no such set of descriptors (-add-fd)", in_quotes(path)));
    }
    const auto fits = [&](const DescriptorSet::Member& member) {
        const int access = fcntl(member.fd, F_GETFL);
        return access >= 0 &&
               ((access & O_ACCMODE) == O_RDWR || (access & O_ACCMODE) == (!writes ? O_RDONLY
                                                                           : reads ? O_RDWR
                                                                                   : O_WRONLY));
    };
    const auto member = std::ranges::find_if(set->members, fits);
    if (member == set->members.end()) {
        return fail(fmt::format("{}: no descriptor of the set can be {}", in_quotes(path),
                                !writes ? "read"
                                : reads ? "read and written to"
                                        : "written to"));
    }
    return fmt::format("/proc/self/fd/{}", member->fd);
}

UniqueFd Descriptors::take(const std::string& name) {
    const auto found = named_.find(name);
    if (found == named_.end()) {
        return {};
    }
    UniqueFd fd = std::move(found->second);
    named_.erase(found);
    return fd;
}

uint64_t Descriptors::add(std::optional<uint64_t> set, UniqueFd fd, std::string opaque) {
    uint64_t id = 0;
    while (!set && std::ranges::count(sets_, id, &DescriptorSet::id) != 0) {
        ++id;
    }
    id = set.value_or(id);
    auto place = std::ranges::find(sets_, id, &DescriptorSet::id);
    if (place == sets_.end()) {
        place = sets_.insert(std::ranges::upper_bound(sets_, id, {}, &DescriptorSet::id), {id, {}});
    }
    const int number = fd.get();
    owned_[number] = std::move(fd);
    place->members.push_back({number, std::move(opaque)});
    return id;
}

Result<> Descriptors::remove(uint64_t set, std::optional<int> fd) {
    const auto place = std::ranges::find(sets_, set, &DescriptorSet::id);
    if (place == sets_.end()) {
        return fail(fmt::format("there is no set {} of descriptors", set));
    }
    const auto goes = [&](const DescriptorSet::Member& member) { return !fd || member.fd == *fd; };
    if (std::ranges::none_of(place->members, goes)) {
        return fail(fmt::format("set {} has no descriptor {}", set, *fd));
    }
    for (const DescriptorSet::Member& member : place->members) {
        if (goes(member)) {
            owned_.erase(member.fd);
        }
    }
    std::erase_if(place->members, goes);
    if (place->members.empty()) {
        sets_.erase(place);
    }
    return {};
}

std::string resolve_channel(Descriptors* descriptors, const std::string& uri, UniqueFd& taken) {
    constexpr std::string_view kKind = "fd:";
    if (descriptors == nullptr || !uri.starts_with(kKind)) {
        return uri;
    }
    taken = descriptors->take(uri.substr(kKind.size()));
    return taken ? fmt::format("{}{}", kKind, taken.get()) : uri;
}

}  // namespace weft::control
