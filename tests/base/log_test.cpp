#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace weft;

namespace {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "weft-log-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::unique_ptr<Log> open_log(LogMask items, const std::string& file_name) {
    auto log = Log::open(items, AddressFilter(), file_name);
    REQUIRE(log);
    return std::move(*log);
}

AddressFilter filter(const std::string& text) {
    auto parsed = AddressFilter::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

std::string filter_error(const std::string& text) {
    auto parsed = AddressFilter::parse(text);
    REQUIRE_FALSE(parsed);
    return parsed.error().message();
}

}  // namespace

TEST_CASE("items by name") {
    REQUIRE(parse_log_items("in_asm,op") == (LogItem::in_asm | LogItem::op));
    REQUIRE(parse_log_items("int") == LogMask(LogItem::int_));
    REQUIRE(parse_log_items("exec,exec") == LogMask(LogItem::exec));
    const auto all = parse_log_items("all");
    REQUIRE(all);
    REQUIRE(all->bits() == 0x1ff);
    for (const char* text : {"", "in_asm,", ",op", "in_asm,,op", "IN_ASM", "in_asm op"}) {
        INFO(text);
        REQUIRE_FALSE(parse_log_items(text));
    }
    REQUIRE(parse_log_items("op,nonsense,exec").error().message() ==
            "unknown log item 'nonsense' ('help' lists them)");
}

TEST_CASE("the help lists every item, each of which parses") {
    std::istringstream lines(log_items_help());
    std::string line;
    std::getline(lines, line);
    int items = 0;
    std::uint32_t bits = 0;
    while (std::getline(lines, line)) {
        const std::string name = line.substr(0, line.find(' '));
        INFO(name);
        const auto mask = parse_log_items(name);
        REQUIRE(mask);
        REQUIRE(line.find_first_not_of(' ', name.size()) != std::string::npos);
        bits |= mask->bits();
        ++items;
    }
    REQUIRE(items == 10);
    REQUIRE(bits == 0x1ff);
}

TEST_CASE("address filters: three forms of range, any number of them") {
    const AddressFilter none;
    REQUIRE(none.contains(0));
    REQUIRE(none.contains(~std::uint64_t{0}));

    const AddressFilter several = filter("0x8000..0x8fff,0xffffffc000080000+0x200,1000-0x10,010..017");
    REQUIRE(several.contains(0x8000));
    REQUIRE(several.contains(0x8fff));
    REQUIRE_FALSE(several.contains(0x7fff));
    REQUIRE_FALSE(several.contains(0x9000));
    REQUIRE(several.contains(0xffffffc0000801ff));
    REQUIRE_FALSE(several.contains(0xffffffc000080200));
    REQUIRE(several.contains(1000));
    REQUIRE(several.contains(985));
    REQUIRE_FALSE(several.contains(984));
    REQUIRE_FALSE(several.contains(1001));
    REQUIRE(several.contains(8));
    REQUIRE(several.contains(15));
    REQUIRE_FALSE(several.contains(16));

    const AddressFilter ends = filter("0..0,0xffffffffffffffff+1");
    REQUIRE(ends.contains(0));
    REQUIRE(ends.contains(~std::uint64_t{0}));
    REQUIRE_FALSE(ends.contains(1));
    REQUIRE(filter("0..0xffffffffffffffff").contains(12345));
    REQUIRE(filter("0xf-0x10").contains(0));
}

TEST_CASE("address filters: pieces of code that a range touches") {
    REQUIRE(AddressFilter().intersects(0, 1));
    const AddressFilter one = filter("0x1000..0x1fff");
    REQUIRE(one.intersects(0x1800, 0x10));
    REQUIRE(one.intersects(0xff0, 0x11));
    REQUIRE_FALSE(one.intersects(0xff0, 0x10));
    REQUIRE(one.intersects(0x1fff, 1));
    REQUIRE_FALSE(one.intersects(0x2000, 1));
    REQUIRE(one.intersects(0, 0x10000));
    REQUIRE(one.intersects(0x1fff, 0));
    REQUIRE_FALSE(one.intersects(0xfff, 0));
    REQUIRE(filter("0xffffffffffffffff+1").intersects(~std::uint64_t{0} - 1, 100));
}

TEST_CASE("address filters: errors name the range and the reason") {
    REQUIRE(filter_error("1..2,0x1000") == "bad address range '0x1000': expected a..b, a+len or a-len");
    REQUIRE(filter_error("") == "bad address range '': expected a..b, a+len or a-len");
    REQUIRE(filter_error("1..2,") == "bad address range '': expected a..b, a+len or a-len");
    REQUIRE(filter_error("2..1") == "bad address range '2..1': its end lies before its start");
    REQUIRE(filter_error("2+0") == "bad address range '2+0': it is empty");
    REQUIRE(filter_error("2-0") == "bad address range '2-0': it is empty");
    REQUIRE(filter_error("2-4") == "bad address range '2-4': it reaches below address 0");
    REQUIRE(filter_error("0xffffffffffffffff+2") ==
            "bad address range '0xffffffffffffffff+2': it reaches past the end of the address space");
    REQUIRE(filter_error("main+4") == "bad address range 'main+4': 'main' is not a 64-bit number");
    REQUIRE(filter_error("1..") == "bad address range '1..': '' is not a 64-bit number");
    REQUIRE(filter_error("0x..5") == "bad address range '0x..5': '0x' is not a 64-bit number");
    REQUIRE(filter_error("08+1") == "bad address range '08+1': '08' is not a 64-bit number");
    REQUIRE(filter_error("0x10000000000000000+1") ==
            "bad address range '0x10000000000000000+1': '0x10000000000000000' is not a 64-bit number");
    REQUIRE(filter_error("1+2+3") == "bad address range '1+2+3': '2+3' is not a 64-bit number");
    REQUIRE(filter_error("1+-3") == "bad address range '1+-3': '-3' is not a 64-bit number");
}

TEST_CASE("what is enabled follows the mask and the filter") {
    Log quiet;
    REQUIRE_FALSE(quiet.enabled(LogItem::exec));
    quiet.set_items(LogItem::exec);
    REQUIRE(quiet.enabled(LogItem::exec));
    REQUIRE_FALSE(quiet.enabled(LogItem::op));

    auto log = Log::open(LogItem::in_asm, filter("16..31"), "");
    REQUIRE(log);
    REQUIRE((*log)->enabled(LogItem::in_asm, 16));
    REQUIRE_FALSE((*log)->enabled(LogItem::in_asm, 32));
    REQUIRE_FALSE((*log)->enabled(LogItem::op, 16));
    REQUIRE((*log)->items() == LogMask(LogItem::in_asm));
}

TEST_CASE("records reach the file whole, with the process id in its name") {
    TemporaryDirectory directory;
    const std::string path = directory / ("log." + std::to_string(::getpid()) + ".txt");
    std::ofstream(path) << "old\n";
    auto log = open_log(LogItem::exec, directory / "log.%d.txt");
    log->write("one\n");
    {
        LogRecord record(*log);
        record.append("two ").print("%d %s\n", 3, std::string(3000, 'x').c_str());
        LogRecord::append_to(&record, "four\nrest", 5);
        record.print("%s", "");
        REQUIRE(contents(path) == "one\n");
    }
    REQUIRE(contents(path) == "one\ntwo 3 " + std::string(3000, 'x') + "\nfour\n");
    REQUIRE(log->status());
}

TEST_CASE("log files that cannot be") {
    const auto message = [](const std::string& name) {
        auto log = Log::open(LogItem::exec, AddressFilter(), name);
        REQUIRE_FALSE(log);
        return log.error().message();
    };
    REQUIRE(message("/nonexistent/weft.log") ==
            "cannot open the log file '/nonexistent/weft.log': No such file or directory");
    for (const char* name : {"%", "a%", "a%s", "%d%d", "%d-%"}) {
        REQUIRE(message(name) == "bad log file name '" + std::string(name) +
                                     "': only one '%d', for the process id, may be in it");
    }
}

TEST_CASE("a full disk is remembered") {
    if (::access("/dev/full", W_OK) != 0) {
        WARN("no /dev/full here");
        return;
    }
    auto log = open_log(LogItem::exec, "/dev/full");
    log->write("lost\n");
    REQUIRE_FALSE(log->status());
    REQUIRE(log->status().error().message() == "cannot write to the log: No space left on device");
}

TEST_CASE("records of many threads stay together") {
    constexpr int kThreads = 8;
    constexpr int kRecords = 200;
    TemporaryDirectory directory;
    auto log = open_log(LogItem::op, directory / "log");
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kRecords; ++i) {
                if (log->enabled(LogItem::op)) {
                    LogRecord record(*log);
                    record.print("begin %d %d\n", t, i);
                    record.print("middle %d %d\n", t, i);
                    record.print("end %d %d\n", t, i);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    std::ifstream file(directory / "log");
    std::map<int, int> next;
    int records = 0;
    for (std::string word; file >> word; ++records) {
        int t = 0;
        int i = 0;
        REQUIRE(word == "begin");
        file >> t >> i;
        REQUIRE(next[t]++ == i);
        for (const char* expected : {"middle", "end"}) {
            int same_t = -1;
            int same_i = -1;
            file >> word >> same_t >> same_i;
            REQUIRE(word == expected);
            REQUIRE(same_t == t);
            REQUIRE(same_i == i);
        }
    }
    REQUIRE(records == kThreads * kRecords);
}
