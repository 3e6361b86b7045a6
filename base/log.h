// The log of `-d`: what the guest runs and what becomes of it, for people.
#pragma once

#include <atomic>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "base/unique_fd.h"

namespace weft {

// What can be logged; each is a bit of a LogMask and has a name in `-d`.
enum class LogItem : std::uint32_t {
    in_asm = 1u << 0,
    op = 1u << 1,
    op_opt = 1u << 2,
    out_asm = 1u << 3,
    int_ = 1u << 4,
    exec = 1u << 5,
    mmu = 1u << 6,
    guest_errors = 1u << 7,
    unimp = 1u << 8,
};

class LogMask {
  public:
    constexpr LogMask() = default;
    constexpr LogMask(LogItem item) : bits_(static_cast<std::uint32_t>(item)) {}  // NOLINT: an item is a mask
    static constexpr LogMask from_bits(std::uint32_t bits) {
        LogMask mask;
        mask.bits_ = bits;
        return mask;
    }

    constexpr std::uint32_t bits() const { return bits_; }
    constexpr bool contains(LogItem item) const { return (bits_ & static_cast<std::uint32_t>(item)) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    friend constexpr LogMask operator|(LogMask a, LogMask b) { return from_bits(a.bits_ | b.bits_); }
    friend constexpr bool operator==(LogMask, LogMask) = default;

  private:
    std::uint32_t bits_ = 0;
};
constexpr LogMask operator|(LogItem a, LogItem b) { return LogMask(a) | LogMask(b); }

// A comma-separated list of items, or `all`. "" is an error, like an unknown item, which the message names.
Result<LogMask> parse_log_items(std::string_view text);

// The items with what they mean, one a line, for `-d help`.
std::string log_items_help();

// The guest addresses of `-dfilter`. Immutable after parsing, so readable by any thread.
class AddressFilter {
  public:
    AddressFilter() = default;

    // A comma-separated list of ranges: `a..b` (both included), `a+len` (len bytes from a) and `a-len` (len
    // bytes up to and including a). Numbers as in C: decimal, 0x..., 0.... An error names the range and what
    // is wrong with it: not a number, empty, end before start, past either end of the address space.
    static Result<AddressFilter> parse(std::string_view text);

    // A filter without ranges lets everything through.
    bool contains(std::uint64_t address) const;
    // The same for `size` bytes from `address`, of which any may lie in a range; 0 counts as 1.
    bool intersects(std::uint64_t address, std::uint64_t size) const;
    bool empty() const { return ranges_.empty(); }

  private:
    struct Range {
        std::uint64_t first;
        std::uint64_t last;
    };
    static Result<Range> parse_range(std::string_view text);

    std::vector<Range> ranges_;
};

// Where log records go. An object that a machine owns and hands down; all functions may be called by any
// thread.
class Log {
  public:
    // Logs nothing until set_items(); then to stderr.
    Log() = default;

    // `file_name` of `-D`: "" is stderr; one `%d` in it becomes the process id; any other `%` is an error, as
    // is a file that cannot be created. A file that exists is emptied.
    static Result<std::unique_ptr<Log>> open(LogMask items, AddressFilter filter,
                                             const std::string& file_name);

    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // Around fork(2): no other thread is in the middle of a line. The forking thread's, in both processes.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void fork_done() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

    // Cheap enough for hot paths: one relaxed load. A change by another thread is seen soon, without order.
    bool enabled(LogItem item) const {
        return LogMask::from_bits(items_.load(std::memory_order_relaxed)).contains(item);
    }
    // For items about guest code: also inside the filter.
    bool enabled(LogItem item, std::uint64_t address) const {
        return enabled(item) && filter_.contains(address);
    }

    LogMask items() const { return LogMask::from_bits(items_.load(std::memory_order_relaxed)); }
    void set_items(LogMask items) { items_.store(items.bits(), std::memory_order_relaxed); }
    const AddressFilter& filter() const { return filter_; }

    // Writes `record` whole: records of different threads do not mix. Does not ask enabled().
    void write(std::string_view record);

    // The first failure to write (a full disk, say) since the log was opened; later records are still tried.
    Result<> status();

  private:
    static constexpr int kStderr = 2;

    std::atomic<std::uint32_t> items_{0};  // set_items() writes, enabled() reads; relaxed, it orders nothing
    AddressFilter filter_;                 // immutable once the log is shared
    UniqueFd file_;                        // the same; none: stderr
    Mutex mutex_;                          // a leaf, but for fork(2)
    int first_error_ WEFT_GUARDED_BY(mutex_) = 0;
};

// Composes one record, of any number of lines, in memory and writes it when it goes out of scope. For one
// thread.
class LogRecord {
  public:
    explicit LogRecord(Log& log) : log_(log) {}
    ~LogRecord() { log_.write(text_); }
    LogRecord(const LogRecord&) = delete;
    LogRecord& operator=(const LogRecord&) = delete;

    LogRecord& append(std::string_view text);
    LogRecord& print(const char* format, ...) __attribute__((format(printf, 2, 3)));

    // The same for callers beyond a C boundary: `record` is a LogRecord.
    static void append_to(void* record, const char* text, std::size_t length);

  private:
    Log& log_;
    std::string text_;
};

}  // namespace weft
