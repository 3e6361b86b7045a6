// -drive, -hda, -cdrom, -blockdev: what disks are made of.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "emulator/system/option_json.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

// A key of -drive whose value changes nothing here, and the values that it may have.
struct Accepted {
    const char* key;
    const char* values;  // with | between them; nullptr: a number or a size
};
constexpr Accepted kAccepted[] = {
    {"aio", "threads|native|io_uring"},
    {"bus", nullptr},
    {"copy-on-read", "off"},
    {"werror", "enospc|report"},
    {"rerror", "report"},
    {"file.driver", "file|host_device"},
    {"file.locking", "auto|on"},
    {"lazy-refcounts", "on|off"},  // counts are always kept
    {"overlap-check", "none|constant|cached|all"},
    {"cache-size", nullptr},
    {"l2-cache-size", nullptr},
    {"l2-cache-entry-size", nullptr},
    {"refcount-cache-size", nullptr},
    {"cache-clean-interval", nullptr},
};

// Formats of images, as -drive and -blockdev name them.
constexpr struct {
    const char* name;
    backend::ImageFormat format;
} kFormats[] = {{"raw", backend::ImageFormat::raw}, {"qcow2", backend::ImageFormat::qcow2}};

std::optional<backend::ImageFormat> format_named(const std::string& name) {
    const auto row = std::ranges::find_if(kFormats, [&](const auto& format) { return name == format.name; });
    return row == std::end(kFormats) ? std::nullopt : std::optional(row->format);
}

// Whether the host's cache may hold what was written when the guest is told that it was.
constexpr struct {
    const char* name;
    bool write_through;
} kCaches[] = {
    {"writeback", false}, {"none", false}, {"unsafe", false}, {"writethrough", true}, {"directsync", true}};

constexpr struct {
    const char* name;
    bool unmap;
} kDiscards[] = {{"ignore", false}, {"off", false}, {"unmap", true}, {"on", true}};

constexpr struct {
    const char* name;
    backend::DetectZeroes zeroes;
} kDetections[] = {{"off", backend::DetectZeroes::off},
                   {"on", backend::DetectZeroes::on},
                   {"unmap", backend::DetectZeroes::unmap}};

template <class Rows>
Result<> set_by_name(const char* key, const Rows& rows, const std::string& value, auto& to, auto member) {
    const auto row = std::ranges::find_if(rows, [&](const auto& one) { return value == one.name; });
    if (row == std::end(rows)) {
        return fail(fmt::format("{}={} is not supported (there is {})", key, value, names_of(rows)));
    }
    to = (*row).*member;
    return {};
}

Result<> set_discard(DriveChoice& drive, const std::string& value) {
    return set_by_name("discard", kDiscards, value, drive.unmap,
                       &std::remove_cvref_t<decltype(kDiscards[0])>::unmap);
}

Result<> set_detection(DriveChoice& drive, const std::string& value) {
    return set_by_name("detect-zeroes", kDetections, value, drive.detect_zeroes,
                       &std::remove_cvref_t<decltype(kDetections[0])>::zeroes);
}

Result<> check_detection(const DriveChoice& drive) {
    return drive.detect_zeroes == backend::DetectZeroes::unmap && !drive.unmap
               ? fail("detect-zeroes=unmap needs discard=unmap")
               : Result<>();
}

Result<> accept(const Accepted& accepted, const std::string& value) {
    if (accepted.values == nullptr) {
        return parse_size(value, 1)
                   ? Result<>()
                   : fail(fmt::format("{} is a number, not {}", accepted.key, in_quotes(value)));
    }
    const std::vector<std::string> values = split(accepted.values, '|');
    if (std::ranges::find(values, value) == values.end()) {
        return fail(fmt::format("{}={} is not supported (only {})", accepted.key, value, accepted.values));
    }
    return {};
}

// A block device is found under the same name as a drive.
Result<> check_name(const RawOptions& raw, const std::string& id) {
    const auto same_id = [&](const DriveChoice& other) { return !id.empty() && other.id == id; };
    if (std::ranges::any_of(raw.options.drives, same_id)) {
        return fail(fmt::format("two drives have the id {}", in_quotes(id)));
    }
    return {};
}

Result<> set_drive(DriveChoice& drive, const KeyValue& item) {
    if (item.key == "readonly" || item.key == "read-only" || item.key == "snapshot") {
        const Result<bool> on = switch_of(item);
        if (!on) {
            return std::unexpected(on.error());
        }
        (item.key == "snapshot" ? drive.snapshot : drive.read_only) = *on;
        return {};
    }
    const auto accepted = std::ranges::find(kAccepted, item.key, &Accepted::key);
    constexpr std::array<const char*, 11> kOwn = {"file",  "file.filename", "id",           "format",
                                                  "if",    "cache",         "unit",         "index",
                                                  "media", "discard",       "detect-zeroes"};
    if (accepted == std::end(kAccepted) && std::ranges::find(kOwn, item.key) == kOwn.end()) {
        return fail(
            fmt::format("unknown parameter {} (there are file, format, if, id, readonly, snapshot, "
                        "cache, discard, detect-zeroes and media; aio, index and unit are accepted)",
                        in_quotes(item.key)));
    }
    const Result<std::string> text = value_of(item);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (accepted != std::end(kAccepted)) {
        return accept(*accepted, *text);
    }
    if (item.key == "file" || item.key == "file.filename") {
        drive.file = *text;
    } else if (item.key == "id") {
        drive.id = *text;
    } else if (item.key == "unit" || item.key == "index") {
        drive.unit = parse_uint(*text);
        if (!drive.unit) {
            return fail(fmt::format("{} is a number, not {}", item.key, in_quotes(*text)));
        }
    } else if (item.key == "media") {
        if (*text != "disk" && *text != "cdrom") {
            return fail(fmt::format("media is 'disk' or 'cdrom', not {}", in_quotes(*text)));
        }
        drive.cdrom = *text == "cdrom";
    } else if (item.key == "discard") {
        return set_discard(drive, *text);
    } else if (item.key == "detect-zeroes") {
        return set_detection(drive, *text);
    } else if (item.key == "cache") {
        const auto cache = std::ranges::find_if(kCaches, [&](const auto& row) { return *text == row.name; });
        if (cache == std::end(kCaches)) {
            return fail(
                fmt::format("unknown cache mode {} (there is {})", in_quotes(*text), names_of(kCaches)));
        }
        drive.write_through = cache->write_through;
    } else if (item.key == "format") {
        const std::optional<backend::ImageFormat> format = format_named(*text);
        if (!format) {
            return fail(
                fmt::format("unknown image format {} (there are 'raw' and 'qcow2')", in_quotes(*text)));
        }
        drive.format = *format;
    } else {
        if (*text != "none" && *text != "virtio" && *text != "pflash") {
            return fail(fmt::format("if is 'none', 'virtio' or 'pflash', not {}", in_quotes(*text)));
        }
        drive.attach = *text == "virtio";
        drive.flash = *text == "pflash";
    }
    return {};
}

constexpr const char* kBacking = "backing";

// What -blockdev says of one node, nested keys ("file.filename") among it.
using Node = std::map<std::string, std::string>;

std::optional<std::string> take(Node& node, const std::string& key) {
    const auto found = node.find(key);
    if (found == node.end()) {
        return std::nullopt;
    }
    std::optional<std::string> value = std::move(found->second);
    node.erase(found);
    return value;
}

// The file below a node of a format: of keys that begin with "file.", or another node by its name.
struct Resolver {
    const std::vector<BlockNode>& nodes;
    std::vector<bool>& used_below;
    std::string& first_below;  // the node that is the resolved one's file; stays where that has no name

    // Keys that every node may have and that change nothing, and those of the node itself.
    Result<> apply_common(Node& node, DriveChoice& drive) const {
        if (const auto value = take(node, "read-only")) {
            const auto on = parse_bool(*value);
            if (!on) {
                return fail(fmt::format("read-only is 'on' or 'off', not {}", in_quotes(*value)));
            }
            drive.read_only = drive.read_only || *on;
        }
        if (const auto value = take(node, "auto-read-only"); value && !parse_bool(*value)) {
            return fail(fmt::format("auto-read-only is 'on' or 'off', not {}", in_quotes(*value)));
        }
        // The node that the device sees decides.
        Result<> set = set_discard(drive, take(node, "discard").value_or("ignore"));
        set = set ? set_detection(drive, take(node, "detect-zeroes").value_or("off")) : set;
        set = set ? check_detection(drive) : set;
        if (!set) {
            return set;
        }
        for (const char* key : {"aio", "locking", "cache.direct", "cache.no-flush"}) {
            take(node, key);
        }
        if (drive.format == backend::ImageFormat::qcow2) {
            if (const auto value = take(node, kBacking)) {
                if (!value->empty()) {
                    return fail(
                        "backing=NODE is not supported: an image is over the file that it names itself");
                }
                drive.no_backing = true;
            }
            for (const char* key : {"lazy-refcounts", "overlap-check", "cache-size", "l2-cache-size",
                                    "l2-cache-entry-size", "refcount-cache-size", "cache-clean-interval"}) {
                take(node, key);
            }
        }
        return {};
    }

    Result<DriveChoice> resolve(Node node, unsigned depth) const {
        DriveChoice drive;
        drive.attach = false;
        drive.format = backend::ImageFormat::raw;
        const std::string driver = take(node, "driver").value_or("");
        take(node, "node-name");
        if (const std::optional<backend::ImageFormat> format = format_named(driver)) {
            Result<DriveChoice> lower = below(node, driver, depth);
            if (!lower) {
                return lower;
            }
            drive = std::move(*lower);
            if (*format == backend::ImageFormat::qcow2 && drive.format == *format) {
                return fail("a qcow2 image within another one is not supported");
            }
            // The raw view of an image is its disk.
            drive.format = *format == backend::ImageFormat::raw ? drive.format : *format;
        } else if (driver == "file" || driver == "host_device") {
            drive.file = take(node, "filename").value_or("");
            if (drive.file.empty()) {
                return fail(fmt::format("a node of driver {} needs filename=PATH", driver));
            }
        } else {
            return fail(fmt::format("unknown driver {} (there are 'raw', 'qcow2', 'file' and 'host_device')",
                                    in_quotes(driver)));
        }
        if (Result<> common = apply_common(node, drive); !common) {
            return std::unexpected(common.error());
        }
        if (!node.empty()) {
            return fail(fmt::format("driver {} has no parameter {}", driver, in_quotes(node.begin()->first)));
        }
        return drive;
    }

    Result<DriveChoice> below(Node& node, const std::string& driver, unsigned depth) const {
        Node inner;
        for (auto item = node.begin(); item != node.end();) {
            if (item->first.starts_with("file.")) {
                inner[item->first.substr(5)] = item->second;
                item = node.erase(item);
            } else {
                ++item;
            }
        }
        if (!inner.empty()) {
            return resolve(std::move(inner), depth + 1);
        }
        const std::optional<std::string> name = take(node, "file");
        if (!name) {
            return fail(
                fmt::format("a {} node needs file=NODE, or file.driver=file and file.filename=PATH", driver));
        }
        if (depth == 0) {
            first_below = *name;
        }
        const auto lower = std::ranges::find(nodes, *name, &BlockNode::name);
        if (lower == nodes.end()) {
            return fail(fmt::format("there is no node {}", in_quotes(*name)));
        }
        used_below[static_cast<size_t>(lower - nodes.begin())] = true;
        // Each level is another node, unless they go round in a circle.
        if (depth > nodes.size()) {
            return fail(fmt::format("node {} is its own file", in_quotes(*name)));
        }
        return resolve(lower->items, depth + 1);
    }
};

}  // namespace

Result<> parse_drive(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, false);
    if (!list) {
        return std::unexpected(list.error());
    }
    DriveChoice drive;
    for (const KeyValue& item : list->items) {
        if (Result<> set = set_drive(drive, item); !set) {
            return set;
        }
    }
    if (drive.file.empty()) {
        return fail("a file must be named: file=PATH");
    }
    if (Result<> possible = check_detection(drive); !possible) {
        return possible;
    }
    drive.read_only = drive.read_only || drive.cdrom;
    if (Result<> free = check_name(raw, drive.id); !free) {
        return free;
    }
    raw.options.drives.push_back(std::move(drive));
    return {};
}

namespace {

Result<> add_drive(RawOptions& raw, const std::string& file, bool cdrom) {
    if (file.empty()) {
        return fail("the value is empty");
    }
    DriveChoice drive;
    drive.file = file;
    drive.cdrom = cdrom;
    drive.read_only = cdrom;
    raw.options.drives.push_back(std::move(drive));
    return {};
}

}  // namespace

Result<> parse_hard_disk(RawOptions& raw, const std::string& value) { return add_drive(raw, value, false); }
Result<> parse_cdrom(RawOptions& raw, const std::string& value) { return add_drive(raw, value, true); }

namespace {

Result<BlockNode> parse_block_node(const Options& options, const std::string& value) {
    const Result<KeyValueList> list = parse_option(value, "driver");
    if (!list) {
        return std::unexpected(list.error());
    }
    BlockNode node;
    if (list->head) {
        node.items["driver"] = *list->head;
    }
    for (const KeyValue& item : list->items) {
        // A chain of images ends here, in JSON by null.
        const bool ends = item.key == kBacking && item.value == "";
        const Result<std::string> text = ends ? Result<std::string>("") : value_of(item);
        if (!text) {
            return std::unexpected(text.error());
        }
        node.items[item.key] = *text;
    }
    const auto name = node.items.find("node-name");
    if (name == node.items.end()) {
        return fail("a node must be named: node-name=NAME");
    }
    node.name = name->second;
    if (std::ranges::find(options.block_nodes, node.name, &BlockNode::name) != options.block_nodes.end()) {
        return fail(fmt::format("two nodes have the name {}", in_quotes(node.name)));
    }
    return node;
}

// The drive that a node is; notes the node below it.
Result<DriveChoice> resolve_node(const Options& options, BlockNode& node, std::vector<bool>& used_below) {
    Result<DriveChoice> drive = Resolver{options.block_nodes, used_below, node.below}.resolve(node.items, 0);
    if (!drive) {
        return drive;
    }
    drive->id = node.name;
    drive->node = true;
    const auto same_id = [&](const DriveChoice& other) { return other.id == drive->id; };
    return std::ranges::none_of(options.drives, same_id)
               ? drive
               : fail(fmt::format("two drives have the id {}", in_quotes(drive->id)));
}

}  // namespace

Result<> parse_blockdev(RawOptions& raw, const std::string& value) {
    Result<BlockNode> node = parse_block_node(raw.options, value);
    if (!node) {
        return std::unexpected(node.error());
    }
    raw.options.block_nodes.push_back(std::move(*node));
    return {};
}

Result<> add_block_node(Options& options, const std::string& value) {
    Result<BlockNode> node = parse_block_node(options, value);
    if (!node) {
        return std::unexpected(node.error());
    }
    std::vector<bool> used_below(options.block_nodes.size());
    Result<DriveChoice> drive = resolve_node(options, *node, used_below);
    if (!drive) {
        return std::unexpected(drive.error());
    }
    for (size_t i = 0; i < used_below.size(); ++i) {
        const auto lower = std::ranges::find(options.drives, options.block_nodes[i].name, &DriveChoice::id);
        const auto index = static_cast<size_t>(lower - options.drives.begin());
        if (!used_below[i] || lower == options.drives.end()) {
            continue;
        }
        if (std::ranges::count(options.devices, index, &DeviceChoice::drive) != 0 ||
            std::ranges::count(options.flash, index) != 0) {
            return fail(fmt::format("node {} is a device's", in_quotes(lower->id)));
        }
        // A file that belongs to another node is opened once, for that one.
        *lower = DriveChoice();
        lower->attach = false;
    }
    options.block_nodes.push_back(std::move(*node));
    options.drives.push_back(std::move(*drive));
    return {};
}

Result<> remove_block_node(Options& options, const std::string& name) {
    const auto above = std::ranges::find(options.block_nodes, name, &BlockNode::below);
    if (above != options.block_nodes.end()) {
        return fail(fmt::format("node {} is below {}", in_quotes(name), in_quotes(above->name)));
    }
    const auto node = std::ranges::find(options.block_nodes, name, &BlockNode::name);
    const std::string below = node->below;
    options.block_nodes.erase(node);
    for (DriveChoice& drive : options.drives) {
        if (drive.node && drive.id == name) {
            drive = DriveChoice();  // others keep their places in the list
            drive.attach = false;
        }
    }
    const auto lower = std::ranges::find(options.block_nodes, below, &BlockNode::name);
    if (below.empty() || lower == options.block_nodes.end()) {
        return {};
    }
    std::vector<bool> used_below(options.block_nodes.size());
    Result<DriveChoice> drive = resolve_node(options, *lower, used_below);
    if (!drive) {
        return std::unexpected(drive.error());
    }
    options.drives.push_back(std::move(*drive));
    return {};
}

Result<> choose_blocks(RawOptions& raw) {
    Options& options = raw.options;
    std::vector<bool> used_below(options.block_nodes.size());
    std::vector<DriveChoice> drives;
    for (BlockNode& node : options.block_nodes) {
        Result<DriveChoice> drive = resolve_node(options, node, used_below);
        if (!drive) {
            return std::unexpected(drive.error().within("-blockdev"));
        }
        drives.push_back(std::move(*drive));
    }
    for (size_t i = 0; i < drives.size(); ++i) {
        // A file that belongs to another node is opened once, for that one.
        if (!used_below[i]) {
            options.drives.push_back(std::move(drives[i]));
        }
    }
    if (raw.snapshot) {
        for (DriveChoice& drive : raw.options.drives) {
            drive.snapshot = true;
        }
    }
    return {};
}

}  // namespace weft::sys
