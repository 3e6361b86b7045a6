// -rtc and -icount: what the guest's clocks follow.
#include <fmt/format.h>

#include <ctime>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

// Nanoseconds since 1970 have room for years before this one, counted from 1900.
constexpr int kYears = 300;

// "2026-01-31" or "2026-01-31T12:00:00", of UTC.
std::optional<int64_t> parse_date(const std::string& text) {
    tm date{};
    const char* end = strptime(text.c_str(), "%Y-%m-%d", &date);
    if (end != nullptr && *end == 'T') {
        end = strptime(end, "T%H:%M:%S", &date);
    }
    if (end == nullptr || *end != '\0' || date.tm_year < 70 || date.tm_year >= kYears) {
        return std::nullopt;
    }
    return timegm(&date);
}

Result<> set_base(RtcChoice& rtc, const std::string& value) {
    if (value == "utc") {
        rtc.base = RtcChoice::Base::utc;
    } else if (value == "localtime") {
        rtc.base = RtcChoice::Base::local;
    } else if (const auto date = parse_date(value)) {
        rtc.base = RtcChoice::Base::date;
        rtc.date_s = *date;
    } else {
        return fail(
            fmt::format("base is utc, localtime or a date YYYY-MM-DD[THH:MM:SS], not {}", in_quotes(value)));
    }
    return {};
}

}  // namespace

Result<> parse_rtc(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, false);
    if (!list) {
        return std::unexpected(list.error());
    }
    RtcChoice rtc;
    for (const KeyValue& item : list->items) {
        const std::string text = item.value.value_or("");
        if (item.key == "base") {
            if (Result<> set = set_base(rtc, text); !set) {
                return set;
            }
        } else if (item.key == "clock") {
            if (text != "host" && text != "rt" && text != "vm") {
                return fail(fmt::format("clock is host, rt or vm, not {}", in_quotes(text)));
            }
            rtc.follows_host = text == "host";
        } else if (item.key == "driftfix") {
            if (text != "none" && text != "slew") {
                return fail(fmt::format("driftfix is none or slew, not {}", in_quotes(text)));
            }
        } else {
            return fail(fmt::format("unknown parameter {} (there are base, clock and driftfix)",
                                    in_quotes(item.key)));
        }
    }
    raw.options.rtc = rtc;
    return {};
}

namespace {

// The most that -icount shift= takes.
constexpr unsigned kMaxShift = 10;

struct Icount {
    std::string shift;
    bool sleep = true;
    bool align = false;
};

Result<> set_icount(Icount& icount, const KeyValue& item) {
    const std::string text = item.value.value_or("on");
    if (item.key == "shift") {
        const std::optional<uint64_t> shift = parse_uint(text);
        if (text != "auto" && (!shift || *shift > kMaxShift)) {
            return fail(
                fmt::format("shift is a number from 0 to {} or auto, not {}", kMaxShift, in_quotes(text)));
        }
        icount.shift = text == "auto" ? text : std::to_string(*shift);
    } else if (item.key == "align" || item.key == "sleep") {
        const std::optional<bool> on = parse_bool(text);
        if (!on) {
            return fail(fmt::format("{} is 'on' or 'off', not {}", item.key, in_quotes(text)));
        }
        (item.key == "align" ? icount.align : icount.sleep) = *on;
    } else if (item.key == "rr" || item.key == "rrfile" || item.key == "rrsnapshot") {
        return fail(
            fmt::format("{}= is not supported: there is no recording of what comes from outside", item.key));
    } else {
        return fail(
            fmt::format("unknown parameter {} (there are shift, align and sleep)", in_quotes(item.key)));
    }
    return {};
}

}  // namespace

// Time is that of executed instructions (clock=insn of the accelerator).
Result<> parse_icount(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::vector<KeyValue> items = list->items;
    if (list->head) {
        items.insert(items.begin(), {"shift", list->head});
    }
    Icount icount;
    for (const KeyValue& item : items) {
        if (Result<> set = set_icount(icount, item); !set) {
            return set;
        }
    }
    if (icount.shift.empty()) {
        return fail("needs shift=N");
    }
    if (icount.align) {
        return fail("align=on is not supported: the guest's time does not wait for the host's");
    }
    if (icount.shift == "auto" && !icount.sleep) {
        return fail("shift=auto and sleep=off exclude each other: time that jumps is not near the host's");
    }
    raw.insn_clock = {{"thread", "single"},
                      {"clock", "insn"},
                      {"insn-shift", icount.shift},
                      {"insn-sleep", icount.sleep ? "on" : "off"}};
    return {};
}

}  // namespace weft::sys
