// -fsdev and -virtfs: folders that are shared with the guest.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "emulator/hw/device_types.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

constexpr const char* kFolderDevice = "virtio-9p-pci";

using backend::FsDevices;
using backend::FsSecurity;

template <class Value>
struct Word {
    const char* name;
    Value value;
};
constexpr Word<FsSecurity> kSecurityModels[] = {
    {"none", FsSecurity::none},
    {"passthrough", FsSecurity::passthrough},
    {"mapped-xattr", FsSecurity::mapped_xattr},
    {"mapped", FsSecurity::mapped_xattr},
};
constexpr Word<FsDevices> kDeviceRules[] = {
    {"warn", FsDevices::warn},
    {"forbid", FsDevices::forbid},
    {"remap", FsDevices::remap},
};

template <class Value, size_t count>
Result<> set_word(const KeyValue& item, const Word<Value> (&words)[count], Value& to) {
    const auto* word = std::ranges::find(words, *item.value, &Word<Value>::name);
    if (word == std::end(words)) {
        return fail(
            fmt::format("{} is none of {}, but {}", item.key, names_of(words), in_quotes(*item.value)));
    }
    to = word->value;
    return {};
}

// Octal, as chmod(1) takes it.
Result<> set_mode(const KeyValue& item, uint32_t& to) {
    const std::string& text = *item.value;
    uint32_t mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (error != std::errc() || end != text.data() + text.size() || mode > 0777) {
        return fail(fmt::format("{} is an octal number up to 0777, not {}", item.key, in_quotes(text)));
    }
    to = mode;
    return {};
}

// What both options say of a folder.
struct FolderText {
    std::string id, mount_tag;
    backend::SharedFolderConfig folder;
    bool has_security = false, has_modes = false;
};

Result<> set_item(FolderText& text, const KeyValue& item, bool with_tag) {
    if (item.key == "readonly") {
        const Result<bool> on = switch_of(item);
        if (!on) {
            return std::unexpected(on.error());
        }
        text.folder.read_only = *on;
        return {};
    }
    const Result<std::string> value = value_of(item);
    if (!value) {
        return std::unexpected(value.error());
    }
    if (item.key == "id") {
        text.id = *value;
    } else if (item.key == "path") {
        text.folder.path = *value;
    } else if (item.key == "mount_tag" && with_tag) {
        text.mount_tag = *value;
    } else if (item.key == "security_model") {
        text.has_security = true;
        if (*value == "mapped-file") {
            return fail("security_model=mapped-file is not supported (mapped-xattr is)");
        }
        return set_word(item, kSecurityModels, text.folder.security);
    } else if (item.key == "multidevs") {
        return set_word(item, kDeviceRules, text.folder.other_devices);
    } else if (item.key == "writeout") {
        if (*value != "immediate") {
            return fail(fmt::format("writeout is immediate, not {}", in_quotes(*value)));
        }
        text.folder.write_through = true;
    } else if (item.key == "fmode" || item.key == "dmode") {
        text.has_modes = true;
        return set_mode(item, item.key == "fmode" ? text.folder.file_mode : text.folder.folder_mode);
    } else {
        return fail(fmt::format("a folder has no parameter {}", in_quotes(item.key)));
    }
    return {};
}

Result<FolderText> parse_folder(const std::string& value, bool with_tag) {
    Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::string driver = list->head.value_or("");
    if (!list->head && !list->items.empty() && list->items.front().key == "fsdriver") {
        driver = list->items.front().value.value_or("");
        list->items.erase(list->items.begin());
    }
    if (driver != "local") {
        return fail(driver.empty()
                        ? std::string("the kind of folder comes first: local")
                        : fmt::format("unknown kind of folder {} (there is 'local')", in_quotes(driver)));
    }
    FolderText text;
    for (const KeyValue& item : list->items) {
        if (Result<> set = set_item(text, item, with_tag); !set) {
            return std::unexpected(set.error());
        }
    }
    if (text.folder.path.empty()) {
        return fail("a folder needs path=DIR");
    }
    if (!text.has_security) {
        return fail("a folder needs security_model= (none, passthrough or mapped-xattr)");
    }
    if (text.has_modes && text.folder.security != FsSecurity::mapped_xattr) {
        return fail("fmode and dmode are for security_model=mapped-xattr");
    }
    return text;
}

Result<> add_folder(RawOptions& raw, const std::string& id, backend::SharedFolderConfig folder) {
    std::vector<FolderChoice>& folders = raw.options.folders;
    if (std::ranges::find(folders, id, &FolderChoice::id) != folders.end()) {
        return fail(fmt::format("two folders have the id {}", in_quotes(id)));
    }
    folders.push_back({id, std::move(folder)});
    return {};
}

}  // namespace

Result<> parse_fsdev(RawOptions& raw, const std::string& value) {
    Result<FolderText> text = parse_folder(value, false);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (text->id.empty()) {
        return fail("a folder needs an id");
    }
    return add_folder(raw, text->id, std::move(text->folder));
}

// A folder and its device.
Result<> parse_virtfs(RawOptions& raw, const std::string& value) {
    Result<FolderText> text = parse_folder(value, true);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (text->mount_tag.empty()) {
        return fail("a shared folder needs mount_tag=TAG");
    }
    const std::string id = text->id.empty() ? text->mount_tag : text->id;
    if (Result<> added = add_folder(raw, id, std::move(text->folder)); !added) {
        return added;
    }
    const hw::DeviceType& type = *hw::find_device_type(kFolderDevice);
    std::vector<KeyValue> items = {{"fsdev", id}, {"mount_tag", text->mount_tag}};
    if (const Result<hw::DeviceConfig> checked = hw::DeviceConfig::parse(type, items); !checked) {
        return std::unexpected(checked.error());
    }
    raw.devices.push_back({&type, std::move(items)});
    return {};
}

}  // namespace weft::sys
