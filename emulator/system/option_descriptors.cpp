// -add-fd, and the names /dev/fdset/N.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "emulator/system/option_values.h"

namespace weft::sys {

Result<> parse_add_fd(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, false);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::optional<uint64_t> fd;
    std::optional<uint64_t> set;
    std::string opaque;
    for (const KeyValue& item : list->items) {
        const std::string text = item.value.value_or("");
        if (item.key == "opaque") {
            opaque = text;
            continue;
        }
        if (item.key != "fd" && item.key != "set") {
            return fail(
                fmt::format("unknown parameter {} (there are fd, set and opaque)", in_quotes(item.key)));
        }
        const std::optional<uint64_t> number = parse_uint(text);
        if (!number || *number > INT_MAX) {
            return fail(fmt::format("{}: {} is no number of one", item.key, in_quotes(text)));
        }
        (item.key == "fd" ? fd : set) = number;
    }
    if (!fd || !set) {
        return fail("needs fd=N,set=N");
    }
    if (*fd <= 2) {
        return fail("descriptors 0 to 2 are the terminal's");
    }
    if (fcntl(static_cast<int>(*fd), F_GETFD) < 0) {
        return fail(fmt::format("{} is no descriptor that is open", *fd));
    }
    auto& sets = raw.options.descriptor_sets;
    auto place = std::ranges::lower_bound(sets, *set, {}, &control::DescriptorSet::id);
    if (place == sets.end() || place->id != *set) {
        place = sets.insert(place, {*set, {}});
    }
    place->members.push_back({static_cast<int>(*fd), std::move(opaque)});
    return {};
}

Result<> choose_descriptors(RawOptions& raw) {
    Options& options = raw.options;
    const auto resolve = [&](const char* option, std::string& path, bool reads, bool writes) -> Result<> {
        Result<std::string> resolved = control::path_in_sets(options.descriptor_sets, path, reads, writes);
        if (!resolved) {
            return std::unexpected(resolved.error().within(option));
        }
        path = std::move(*resolved);
        return {};
    };
    for (DriveChoice& drive : options.drives) {
        if (Result<> done = resolve("-drive", drive.file, true, !drive.read_only && !drive.snapshot); !done) {
            return done;
        }
    }
    std::vector<SerialChoice*> lines = {&options.serial};
    for (SerialChoice& line : options.device_lines) {
        lines.push_back(&line);
    }
    if (options.monitor) {
        lines.push_back(&*options.monitor);
    }
    for (SerialChoice* line : lines) {
        if (line->kind == SerialChoice::Kind::file) {
            if (Result<> done = resolve("-chardev", line->path, false, true); !done) {
                return done;
            }
        }
    }
    return {};
}

}  // namespace weft::sys
