// -drive if=pflash, -pflash, -machine pflashN=: images of flash memories; -fw_cfg.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

Result<> give_flash(Options& options, uint64_t unit, size_t drive) {
    if (unit >= options.machine->flashes) {
        return fail(fmt::format("there is no flash memory {} (0 to {})", unit, options.machine->flashes - 1));
    }
    options.flash.resize(options.machine->flashes);
    if (options.flash[unit]) {
        return fail(fmt::format("flash memory {} is given two images", unit));
    }
    options.flash[unit] = drive;
    return {};
}

}  // namespace

Result<> parse_flash(RawOptions& raw, const std::string& value) {
    if (value.empty()) {
        return fail("the value is empty");
    }
    DriveChoice drive;
    drive.file = value;
    drive.attach = false;
    drive.flash = true;
    raw.options.drives.push_back(std::move(drive));
    return {};
}

Result<> choose_flash(RawOptions& raw) {
    Options& options = raw.options;
    if (options.machine->flashes == 0 && std::ranges::none_of(options.drives, &DriveChoice::flash)) {
        return {};
    }
    uint64_t next = 0;
    for (size_t i = 0; i < options.drives.size(); ++i) {
        const DriveChoice& drive = options.drives[i];
        if (drive.flash) {
            const uint64_t unit = drive.unit.value_or(next);
            if (Result<> given = give_flash(options, unit, i); !given) {
                return std::unexpected(given.error().within("-drive"));
            }
            next = unit + 1;
        }
    }
    for (const auto& [unit, name] : raw.flash_names) {
        const auto drive = std::ranges::find(options.drives, name, &DriveChoice::id);
        if (drive == options.drives.end()) {
            return fail(
                fmt::format("-machine: pflash{}: there is no drive with the id {}", unit, in_quotes(name)));
        }
        if (drive->attach || drive->flash) {
            return fail(
                fmt::format("-machine: pflash{}: drive {} is in use already (if=none leaves it to others)",
                            unit, in_quotes(name)));
        }
        const auto index = static_cast<size_t>(drive - options.drives.begin());
        if (std::ranges::find(options.flash, index) != options.flash.end()) {
            return fail(
                fmt::format("-machine: pflash{}: drive {} is another flash memory's", unit, in_quotes(name)));
        }
        if (Result<> given = give_flash(options, unit, index); !given) {
            return std::unexpected(given.error().within("-machine"));
        }
    }
    return {};
}

Result<> parse_fw_cfg(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    FwCfgChoice choice;
    choice.name = list->head.value_or("");
    bool given = false;
    for (const KeyValue& item : list->items) {
        if (item.key == "name" && !list->head) {
            choice.name = item.value.value_or("");
        } else if (item.key == "file" && !given) {
            const Result<std::string> file = value_of(item);
            if (!file) {
                return std::unexpected(file.error());
            }
            choice.file = *file;
            given = true;
        } else if (item.key == "string" && !given) {
            choice.text = item.value.value_or("");
            given = true;
        } else if (item.key == "file" || item.key == "string") {
            return fail("file= and string= exclude each other");
        } else {
            return fail(
                fmt::format("unknown parameter {} (there are name, file and string)", in_quotes(item.key)));
        }
    }
    if (choice.name.empty() || !given) {
        return fail("needs name=NAME and file=PATH or string=TEXT");
    }
    raw.options.fw_cfg.push_back(std::move(choice));
    return {};
}

}  // namespace weft::sys
