#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>

namespace weft {

namespace {

struct ItemInfo {
    LogItem item;
    std::string_view name;
    std::string_view help;
};

constexpr std::array kItems = {
    ItemInfo{LogItem::in_asm, "in_asm", "guest instructions of each translation block"},
    ItemInfo{LogItem::op, "op", "intermediate code of each translation block"},
    ItemInfo{LogItem::op_opt, "op_opt", "intermediate code after optimization"},
    ItemInfo{LogItem::out_asm, "out_asm", "host instructions of each translation block"},
    ItemInfo{LogItem::int_, "int", "interrupts and exceptions"},
    ItemInfo{LogItem::exec, "exec", "each translation block before it runs"},
    ItemInfo{LogItem::mmu, "mmu", "address translation"},
    ItemInfo{LogItem::guest_errors, "guest_errors", "what the guest does that makes no sense"},
    ItemInfo{LogItem::unimp, "unimp", "what the guest asks for and weft does not have"},
};

constexpr LogMask all_items() {
    LogMask mask;
    for (const ItemInfo& info : kItems) {
        mask = mask | info.item;
    }
    return mask;
}

// Calls use(part) for each part between commas while it returns true.
template <class Use>
bool for_each_part(std::string_view text, Use&& use) {
    while (true) {
        const std::size_t comma = text.find(',');
        if (!use(text.substr(0, comma))) {
            return false;
        }
        if (comma == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(comma + 1);
    }
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text.front() == '0') {
        base = 8;
    }
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

Result<std::string> expand_pid(const std::string& file_name) {
    const std::size_t at = file_name.find('%');
    if (at == std::string::npos) {
        return file_name;
    }
    if (file_name.compare(at, 2, "%d") != 0 || file_name.find('%', at + 1) != std::string::npos) {
        return fail(fmt::format("bad log file name '{}': only one '%d', for the process id, may be in it",
                                file_name));
    }
    return file_name.substr(0, at) + std::to_string(::getpid()) + file_name.substr(at + 2);
}

}  // namespace

Result<LogMask> parse_log_items(std::string_view text) {
    LogMask mask;
    std::string_view unknown;
    const bool known = for_each_part(text, [&](std::string_view name) {
        if (name == "all") {
            mask = mask | all_items();
            return true;
        }
        const auto info =
            std::find_if(kItems.begin(), kItems.end(), [&](const ItemInfo& i) { return i.name == name; });
        if (info == kItems.end()) {
            unknown = name;
            return false;
        }
        mask = mask | info->item;
        return true;
    });
    if (!known) {
        return fail(fmt::format("unknown log item '{}' ('help' lists them)", unknown));
    }
    return mask;
}

std::string log_items_help() {
    std::string text = "Log items (comma-separated):\n";
    for (const ItemInfo& info : kItems) {
        text += fmt::format("{:<14}{}\n", info.name, info.help);
    }
    text += fmt::format("{:<14}{}\n", "all", "all of them");
    return text;
}

Result<AddressFilter::Range> AddressFilter::parse_range(std::string_view text) {
    const auto bad = [text](std::string_view reason) {
        return fail(fmt::format("bad address range '{}': {}", text, reason));
    };
    std::size_t at = text.find("..");
    std::size_t operator_size = 2;
    if (at == std::string_view::npos) {
        at = text.find_first_of("+-");
        operator_size = 1;
    }
    if (at == std::string_view::npos) {
        return bad("expected a..b, a+len or a-len");
    }
    const std::string_view left = text.substr(0, at);
    const std::string_view right = text.substr(at + operator_size);
    const std::optional<std::uint64_t> a = parse_number(left);
    const std::optional<std::uint64_t> b = parse_number(right);
    if (!a || !b) {
        return bad(fmt::format("'{}' is not a 64-bit number", a ? right : left));
    }
    if (text[at] == '.') {
        return *b < *a ? Result<Range>(bad("its end lies before its start")) : Range{*a, *b};
    }
    if (*b == 0) {
        return bad("it is empty");
    }
    const std::uint64_t reach = *b - 1;
    if (text[at] == '+') {
        if (reach > std::numeric_limits<std::uint64_t>::max() - *a) {
            return bad("it reaches past the end of the address space");
        }
        return Range{*a, *a + reach};
    }
    if (reach > *a) {
        return bad("it reaches below address 0");
    }
    return Range{*a - reach, *a};
}

Result<AddressFilter> AddressFilter::parse(std::string_view text) {
    AddressFilter filter;
    std::optional<Error> error;
    for_each_part(text, [&](std::string_view part) {
        Result<Range> range = parse_range(part);
        if (!range) {
            error = std::move(range.error());
            return false;
        }
        filter.ranges_.push_back(*range);
        return true;
    });
    if (error) {
        return std::unexpected(std::move(*error));
    }
    return filter;
}

bool AddressFilter::contains(std::uint64_t address) const {
    return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [address](const Range& range) {
               return address >= range.first && address <= range.last;
           });
}

bool AddressFilter::intersects(std::uint64_t address, std::uint64_t size) const {
    const std::uint64_t reach = size == 0 ? 0 : size - 1;
    const std::uint64_t last = address > std::numeric_limits<std::uint64_t>::max() - reach
                                   ? std::numeric_limits<std::uint64_t>::max()
                                   : address + reach;
    return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [=](const Range& range) {
               return address <= range.last && last >= range.first;
           });
}

Result<std::unique_ptr<Log>> Log::open(LogMask items, AddressFilter filter, const std::string& file_name) {
    auto log = std::make_unique<Log>();
    if (!file_name.empty()) {
        const Result<std::string> name = expand_pid(file_name);
        if (!name) {
            return std::unexpected(name.error());
        }
        // Appending: a guest's user may empty or rotate the file while we write.
        log->file_.reset(::open(name->c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
        if (!log->file_) {
            return fail_errno(fmt::format("cannot open the log file '{}'", *name));
        }
    }
    log->filter_ = std::move(filter);
    log->set_items(items);
    return log;
}

void Log::write(std::string_view record) {
    MutexLock lock(mutex_);
    const int fd = file_ ? file_.get() : kStderr;
    while (!record.empty()) {
        const ssize_t written = ::write(fd, record.data(), record.size());
        if (written >= 0) {
            record.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            first_error_ = first_error_ == 0 ? errno : first_error_;
            return;
        }
    }
}

Result<> Log::status() {
    MutexLock lock(mutex_);
    if (first_error_ != 0) {
        return fail_errno("cannot write to the log", first_error_);
    }
    return {};
}

LogRecord& LogRecord::append(std::string_view text) {
    text_ += text;
    return *this;
}

LogRecord& LogRecord::print(const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    std::va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    if (length > 0) {
        const std::size_t at = text_.size();
        const auto added = static_cast<std::size_t>(length);
        // One more for vsnprintf's terminating null, dropped again.
        text_.resize(at + added + 1);
        std::vsnprintf(text_.data() + at, added + 1, format, again);
        text_.resize(at + added);
    }
    va_end(again);
    return *this;
}

void LogRecord::append_to(void* record, const char* text, std::size_t length) {
    static_cast<LogRecord*>(record)->append({text, length});
}

}  // namespace weft
