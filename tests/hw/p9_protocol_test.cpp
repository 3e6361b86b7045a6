// 9P by itself: how messages lie in bytes, and what fids and qids keep.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <set>

#include "emulator/hw/virtio/9p/fids.h"
#include "emulator/hw/virtio/9p/messages.h"
#include "emulator/hw/virtio/9p/qids.h"

namespace weft::hw {
namespace {

// The formats are those of Linux' net/9p/client.c and protocol.c: b, w, d, q of 1, 2, 4 and 8 bytes, strings, Qids, walks' names (T) and
// qids (R), data (V).
struct Format {
    const char* name;
    int number;
    const char* fields;
};
constexpr Format kFormats[] = {
    {"Tstatfs", 8, "d"},
    {"Rstatfs", 9, "ddqqqqqqd"},
    {"Tlopen", 12, "dd"},
    {"Rlopen", 13, "Qd"},
    {"Tlcreate", 14, "dsddd"},
    {"Rlcreate", 15, "Qd"},
    {"Tsymlink", 16, "dssd"},
    {"Rsymlink", 17, "Q"},
    {"Tmknod", 18, "dsdddd"},
    {"Rmknod", 19, "Q"},
    {"Trename", 20, "dds"},
    {"Rrename", 21, ""},
    {"Treadlink", 22, "d"},
    {"Rreadlink", 23, "s"},
    {"Tgetattr", 24, "dq"},
    {"Rgetattr", 25, "qQdddqqqqqqqqqqqqqqq"},
    {"Tsetattr", 26, "dddddqqqqq"},
    {"Rsetattr", 27, ""},
    {"Txattrwalk", 30, "dds"},
    {"Rxattrwalk", 31, "q"},
    {"Txattrcreate", 32, "dsqd"},
    {"Rxattrcreate", 33, ""},
    {"Treaddir", 40, "dqd"},
    {"Rreaddir", 41, "V"},
    {"Tfsync", 50, "dd"},
    {"Rfsync", 51, ""},
    {"Tlock", 52, "dbdqqds"},
    {"Rlock", 53, "b"},
    {"Tgetlock", 54, "dbqqds"},
    {"Rgetlock", 55, "bqqds"},
    {"Tlink", 70, "dds"},
    {"Rlink", 71, ""},
    {"Tmkdir", 72, "dsdd"},
    {"Rmkdir", 73, "Q"},
    {"Trenameat", 74, "dsds"},
    {"Rrenameat", 75, ""},
    {"Tunlinkat", 76, "dsd"},
    {"Runlinkat", 77, ""},
    {"Tversion", 100, "ds"},
    {"Rversion", 101, "ds"},
    {"Tauth", 102, "dssd"},
    {"Tattach", 104, "ddssd"},
    {"Rattach", 105, "Q"},
    {"Tflush", 108, "w"},
    {"Rflush", 109, ""},
    {"Twalk", 110, "ddT"},
    {"Rwalk", 111, "R"},
    {"Tread", 116, "dqd"},
    {"Rread", 117, "V"},
    {"Twrite", 118, "dqV"},
    {"Rwrite", 119, "d"},
    {"Tclunk", 120, "d"},
    {"Rclunk", 121, ""},
    {"Tremove", 122, "d"},
    {"Rremove", 123, ""},
    {"Rlerror", 7, "d"},
};

char letter(uint8_t) { return 'b'; }
char letter(uint16_t) { return 'w'; }
char letter(uint32_t) { return 'd'; }
char letter(uint64_t) { return 'q'; }
char letter(const p9::Text&) { return 's'; }
char letter(const p9::Qid&) { return 'Q'; }
char letter(const p9::Names&) { return 'T'; }
char letter(const p9::Qids&) { return 'R'; }
char letter(const p9::Data&) { return 'V'; }

template <class Message>
void check_format(std::set<std::string>& seen) {
    const auto* const format = std::ranges::find(kFormats, std::string_view(Message::kName), &Format::name);
    INFO(Message::kName);
    REQUIRE(format != std::end(kFormats));
    CHECK(Message::kNumber == format->number);
    std::string fields;
    const Message message{};
    std::apply([&](const auto&... field) { (fields.push_back(letter(message.*field.member)), ...); },
               Message::kFields);
    CHECK(fields == format->fields);
    seen.insert(Message::kName);
}

template <class... Messages>
void check_formats(p9::MessageList<Messages...>, std::set<std::string>& seen) {
    (check_format<Messages>(seen), ...);
}

TEST_CASE("messages have the numbers and fields of Linux") {
    std::set<std::string> seen;
    check_formats(p9::Requests{}, seen);
    using namespace p9;
    check_formats(
        MessageList<Rlerror, Rstatfs, Rlopen, Rlcreate, Rsymlink, Rmknod, Rrename, Rreadlink, Rgetattr,
                    Rsetattr, Rxattrwalk, Rxattrcreate, Rreaddir, Rfsync, Rlock, Rgetlock, Rlink, Rmkdir,
                    Rrenameat, Runlinkat, Rversion, Rattach, Rflush, Rwalk, Rread, Rwrite, Rclunk, Rremove>{},
        seen);
    CHECK(seen.size() == std::size(kFormats));
}

TEST_CASE("a message in bytes") {
    std::array<uint8_t, 64> room{};
    const size_t size = p9::write_message(room, 0x1234, p9::Twalk{1, 2, {"ab", "c"}});
    const std::vector<uint8_t> expected = {24, 0, 0, 0, 110, 0x34, 0x12, 1,   0,   0, 0, 2,
                                           0,  0, 0, 2, 0,   2,    0,    'a', 'b', 1, 0, 'c'};
    CHECK(std::vector(room.begin(), room.begin() + static_cast<ptrdiff_t>(size)) == expected);
    // Cut anywhere it is not whole, and room that is too small takes nothing.
    for (size_t cut = 7; cut < size; ++cut) {
        const auto body = std::span(room).first(cut).subspan(7);
        p9::FieldReader reader(body);
        p9::read_fields<p9::Twalk>(reader);
        CHECK_FALSE(reader.good());
        CHECK(p9::write_message(std::span(room).first(cut), 1, p9::Twalk{1, 2, {"ab", "c"}}) == 0);
    }
}

TEST_CASE("fids: what they hold is bounded, and counted") {
    p9::FidTable fids(2);
    const auto path = [](size_t size) {
        backend::FsPath made;
        while (made.text().size() < size) {
            made = made.child(*backend::FsName::make(std::string(200, 'a')));
        }
        return made;
    };
    const backend::FsPath longest = path(4000);
    uint32_t count = 0;
    while (fids.add(count, longest, 0)) {
        ++count;
    }
    CHECK(count == p9::FidTable::kMaxBytes / (p9::FidTable::kBytesEach + longest.text().size()));
    CHECK(fids.add(count, longest, 0).error() == ENOMEM);
    fids.remove(0);
    CHECK(fids.add(count, longest, 0));
    CHECK(fids.set_xattr(*fids.find(1), {.name = "a", .flags = 0, .size = 65536, .bytes = {}}).error() ==
          ENOMEM);
    // All of it comes back.
    for (uint32_t i = 1; i <= count; ++i) {
        fids.remove(i);
    }
    CHECK(fids.size() == 0);
    for (uint32_t i = 0; i < count; ++i) {
        REQUIRE(fids.add(i, longest, 0));
    }
    fids.clear();
    REQUIRE(fids.add(1, {}, 0));
    CHECK(fids.add(1, {}, 0).error() == EEXIST);
}

TEST_CASE("qids: files of other file systems") {
    int told = 0;
    const auto tell = [&told] { ++told; };
    const auto file = [](dev_t device, ino_t inode) {
        struct stat facts{};
        facts.st_dev = device;
        facts.st_ino = inode;
        facts.st_mode = S_IFREG;
        return facts;
    };
    p9::QidMap warn(backend::FsDevices::warn, tell);
    warn.set_root(1);
    CHECK(warn.qid(file(1, 5))->path == 5);
    CHECK(told == 0);
    CHECK(warn.qid(file(2, 5))->path == 5);
    CHECK(warn.qid(file(3, 5))->path == 5);
    CHECK(told == 1);
    p9::QidMap forbid(backend::FsDevices::forbid, tell);
    forbid.set_root(1);
    CHECK(forbid.qid(file(1, 5))->path == 5);
    CHECK(forbid.qid(file(2, 5)).error() == ENODEV);
    p9::QidMap remap(backend::FsDevices::remap, tell);
    remap.set_root(1);
    std::map<uint64_t, std::pair<dev_t, ino_t>> seen;
    for (int round = 0; round < 2; ++round) {
        for (const dev_t device : {1, 2, 3}) {
            for (const ino_t inode :
                 {ino_t{5}, ino_t{6}, (ino_t{1} << 48) - 1, ino_t{1} << 48, ino_t{UINT64_MAX}}) {
                const uint64_t path = remap.qid(file(device, inode))->path;
                CHECK(seen.try_emplace(path, device, inode).first->second == std::pair(device, inode));
            }
        }
    }
    CHECK(seen.size() == 15);
    CHECK(remap.qid(file(1, 5))->path == 5);
    CHECK(told == 1);
}

}  // namespace
}  // namespace weft::hw
