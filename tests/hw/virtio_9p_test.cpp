// The shared folder's device, driven as a guest does it, over a folder of the host's that is looked at from outside.
#include <dirent.h>
#include <sys/xattr.h>

#include <set>

#include "tests/hw/p9_folder.h"

namespace weft::hw {
namespace {

TEST_CASE_METHOD(Folder, "the device: one queue, a tag in its configuration") {
    share();
    CHECK(read(8) == 9);
    CHECK(read(0x34) == 128);
    CHECK((features() & 1) == 1);
    CHECK(read(0x100, 2) == 5);
    CHECK(read(0x102, 1) == 's');
    CHECK(read(0x106, 1) == 'e');
    CHECK(read(0x107, 1) == 0);
}

TEST_CASE_METHOD(Folder, "a session begins with a version") {
    share();
    start();
    CHECK(ask<p9::Rversion>(p9::Tversion{8192, "9P2000.u"}).version == "unknown");
    auto answer = ask<p9::Rversion>(p9::Tversion{1 << 30, "9P2000.L"});
    CHECK(answer.version == "9P2000.L");
    CHECK(answer.size == 1 << 20);
    CHECK(ask<p9::Rversion>(p9::Tversion{4096, "9P2000.L"}).size == 4096);
    CHECK(error(p9::Tversion{4095, "9P2000.L"}) == EMSGSIZE);
    CHECK(error(p9::Tauth{1, "root", "", 0}) == EOPNOTSUPP);
    CHECK(error(p9::Tattach{0, 5, "root", "", 0}) == EBADF);
    CHECK(error(p9::Tattach{0, p9::kNoFid, "root", "", 0}) == 0);
    CHECK(error(p9::Tattach{0, p9::kNoFid, "root", "", 0}) == EEXIST);
    // Another one begins: the fids are gone.
    ask<p9::Rversion>(p9::Tversion{8192, "9P2000.L"});
    CHECK(error(p9::Tclunk{0}) == EBADF);
}

TEST_CASE_METHOD(Folder, "a folder that the guest has mounted is not saved") {
    share();
    CHECK(slot->why_not_saved() == nullptr);
    mount();
    REQUIRE(slot->why_not_saved() != nullptr);
    CHECK(std::string(slot->why_not_saved()) == "the guest has mounted its folder");
    clunk(0);
    CHECK(slot->why_not_saved() == nullptr);
    // A driver that goes lets go of it as well.
    mount();
    CHECK(slot->why_not_saved() != nullptr);
    slot->reset();
    control.work();
    CHECK(slot->why_not_saved() == nullptr);
}

TEST_CASE_METHOD(Folder, "walking, reading and what files are told to be") {
    share();
    stdfs::create_directories(root / "a/b");
    write_file(root / "a/b/c", "hello, guest");
    chmod((root / "a/b/c").c_str(), 0640);
    mount();
    p9::Twalk message{0, 1, {"a", "b", "c"}};
    const auto qids = ask<p9::Rwalk>(message).qids;
    REQUIRE(qids.size() == 3);
    CHECK(qids[0].type == p9::Qid::kFolder);
    CHECK(qids[2].type == p9::Qid::kFile);
    struct stat facts{};
    REQUIRE(stat((root / "a/b/c").c_str(), &facts) == 0);
    CHECK(qids[2].path == facts.st_ino);

    const auto got = ask<p9::Rgetattr>(p9::Tgetattr{1, UINT64_MAX});
    CHECK(got.qid == qids[2]);
    CHECK(got.mode == (S_IFREG | 0640));
    CHECK(got.size == 12);
    CHECK(got.links == 1);
    CHECK(got.uid == getuid());
    CHECK(got.modified == static_cast<uint64_t>(facts.st_mtim.tv_sec));
    CHECK(got.modified_ns == static_cast<uint64_t>(facts.st_mtim.tv_nsec));

    CHECK(error(p9::Tread{1, 0, 10}) == EBADF);
    ask<p9::Rlopen>(p9::Tlopen{1, O_RDONLY});
    CHECK(read_all(1) == "hello, guest");
    CHECK(read_all(1, 7, 2) == "gu");
    CHECK(read_all(1, 12).empty());
    CHECK(read_all(1, 1000).empty());
    CHECK(error(p9::Tread{1, UINT64_MAX, 10}) == EINVAL);
    clunk(1);
    CHECK(error(p9::Tread{1, 0, 10}) == EBADF);

    // Part of the way; nothing at all; a copy; where the new fid is there.
    message.names = {"a", "no", "c"};
    CHECK(ask<p9::Rwalk>(message).qids.size() == 1);
    CHECK(error(p9::Tclunk{1}) == EBADF);
    message.names = {"no", "c"};
    CHECK(error(message) == ENOENT);
    CHECK(walk(0, 1, {}) == 0);
    CHECK(walk(0, 1, {"a"}) == EEXIST);
    CHECK(walk(1, 1, {"a"}) == 0);
    CHECK(walk(1, 2, {"b"}) == 0);
    // A version of a file is another one when it changed.
    write_file(root / "a/b/c", "more");
    message = {2, 3, {"c"}};
    CHECK(ask<p9::Rwalk>(message).qids[0].version != qids[2].version);
}

TEST_CASE_METHOD(Folder, "making, writing, renaming and removing are seen on the host") {
    share();
    mount();
    create(1, "file", O_RDWR, 0600);
    CHECK(write(1, 0, "0123456789") == 10);
    CHECK(write(1, 5, "ab") == 2);
    CHECK(write(1, 20, "z") == 1);
    CHECK(read_file(root / "file") == std::string("01234ab789") + std::string(10, '\0') + "z");
    ask<p9::Rfsync>(p9::Tfsync{1, 0});
    ask<p9::Rfsync>(p9::Tfsync{1, 1});
    p9::Tsetattr change{.fid = 1, .valid = 8 | 1, .mode = 0444};
    change.size = 3;
    ask<p9::Rsetattr>(change);
    CHECK(read_file(root / "file") == "012");
    struct stat facts{};
    REQUIRE(stat((root / "file").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0444);
    // Times: one given, the other now.
    change = {.fid = 1, .valid = 0x10 | 0x80 | 0x20};
    change.accessed = 1'000'000;
    change.accessed_ns = 5;
    ask<p9::Rsetattr>(change);
    REQUIRE(stat((root / "file").c_str(), &facts) == 0);
    CHECK(facts.st_atim.tv_sec == 1'000'000);
    CHECK(facts.st_atim.tv_nsec == 5);
    CHECK(facts.st_mtim.tv_sec > 1'000'000);

    ask<p9::Rmkdir>(p9::Tmkdir{0, "dir", 0751, 1000});
    REQUIRE(stat((root / "dir").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0751);
    CHECK(error(p9::Tmkdir{0, "dir", 0700, 0}) == EEXIST);
    ask<p9::Rsymlink>(p9::Tsymlink{0, "link", "/etc/passwd", 1000});
    CHECK(stdfs::read_symlink(root / "link") == "/etc/passwd");
    REQUIRE(walk(0, 2, {"link"}) == 0);
    CHECK(ask<p9::Rreadlink>(p9::Treadlink{2}).target == "/etc/passwd");
    ask<p9::Rmknod>(p9::Tmknod{0, "pipe", S_IFIFO | 0600, 0, 0, 1000});
    CHECK(stdfs::is_fifo(root / "pipe"));
    REQUIRE(walk(0, 3, {"dir"}) == 0);
    ask<p9::Rlink>(p9::Tlink{3, 1, "again"});
    CHECK(stdfs::hard_link_count(root / "file") == 2);

    // A fid follows its file when that, or a folder above it, is renamed.
    REQUIRE(walk(3, 4, {"again"}) == 0);
    ask<p9::Rrenameat>(p9::Trenameat{0, "dir", 0, "folder"});
    CHECK(ask<p9::Rgetattr>(p9::Tgetattr{4, 0}).links == 2);
    ask<p9::Rrename>(p9::Trename{4, 0, "up"});
    CHECK(stdfs::exists(root / "up"));
    CHECK(ask<p9::Rgetattr>(p9::Tgetattr{4, 0}).links == 2);

    CHECK(error(p9::Tunlinkat{0, "folder", 0}) == EISDIR);
    ask<p9::Runlinkat>(p9::Tunlinkat{0, "folder", 0x200});
    CHECK(error(p9::Tunlinkat{0, "up", 0x200}) == ENOTDIR);
    CHECK(error(p9::Tunlinkat{0, "up", 0x400}) == EINVAL);
    ask<p9::Runlinkat>(p9::Tunlinkat{0, "up", 0});
    // What is open lives on without a name.
    ask<p9::Runlinkat>(p9::Tunlinkat{0, "file", 0});
    CHECK(ask<p9::Rgetattr>(p9::Tgetattr{1, 0}).links == 0);
    CHECK(read_all(1) == "012");
    change = {.fid = 1, .valid = 8};
    change.size = 1;
    ask<p9::Rsetattr>(change);
    CHECK(read_all(1) == "0");
    // A removed fid is gone, whether the removal worked or not.
    ask<p9::Rremove>(p9::Tremove{2});
    CHECK_FALSE(stdfs::exists(stdfs::symlink_status(root / "link")));
    CHECK(error(p9::Tclunk{2}) == EBADF);
    CHECK(error(p9::Tremove{3}) == ENOENT);
    CHECK(error(p9::Tclunk{3}) == EBADF);
    // The root stays.
    REQUIRE(walk(0, 5, {}) == 0);
    CHECK(error(p9::Tremove{5}) == EBUSY);
}

TEST_CASE_METHOD(Folder, "creating what is there") {
    share();
    write_file(root / "file", "old");
    mount();
    REQUIRE(walk(0, 1, {}) == 0);
    CHECK(error(p9::Tlcreate{1, "file", O_RDWR | O_EXCL, 0600, 0}) == EEXIST);
    ask<p9::Rlcreate>(p9::Tlcreate{1, "file", O_RDWR, 0600, 0});
    CHECK(read_all(1) == "old");
    CHECK(error(p9::Tlcreate{1, "other", O_RDWR, 0600, 0}) == EBUSY);
    CHECK(error(p9::Tlopen{1, O_RDWR}) == EBUSY);
    open(2, {"file"}, O_WRONLY | O_TRUNC);
    CHECK(read_all(1).empty());
}

struct Entry {
    p9::Qid qid;
    uint64_t next;
    uint8_t type;
};

TEST_CASE_METHOD(Folder, "a long folder is read in pieces, each name once") {
    share();
    std::set<std::string> expected = {".", ".."};
    for (int i = 0; i < 1000; ++i) {
        const std::string name = "name-" + std::to_string(i) + std::string(static_cast<size_t>(i % 200), 'x');
        write_file(root / name, "");
        expected.insert(name);
    }
    mount();
    open(1, {});
    std::set<std::string> seen;
    uint64_t offset = 0;
    unsigned pieces = 0, count = 0;
    while (true) {
        const auto data = ask<p9::Rreaddir>(p9::Treaddir{1, offset, 5000}).entries;
        if (data.empty()) {
            break;
        }
        CHECK(data.size() <= 5000);
        ++pieces;
        p9::FieldReader reader(data);
        while (!reader.rest().empty()) {
            Entry entry{};
            p9::Text name;
            reader.take(entry.qid);
            reader.take(entry.next);
            reader.take(entry.type);
            reader.take(name);
            REQUIRE(reader.good());
            offset = entry.next;
            seen.insert(std::string(name));
            ++count;
            if (name == "name-0") {
                struct stat facts{};
                REQUIRE(stat((root / "name-0").c_str(), &facts) == 0);
                CHECK(entry.qid.path == facts.st_ino);
                CHECK(entry.type == DT_REG);
            }
        }
    }
    CHECK(seen == expected);
    CHECK(count == expected.size());
    CHECK(pieces > 10);
    CHECK(error(p9::Treaddir{1, 0, 20}) == EINVAL);
    CHECK(error(p9::Treaddir{1, UINT64_MAX, 5000}) == EINVAL);
    CHECK(ask<p9::Rstatfs>(p9::Tstatfs{1}).name_size == 255);
    open(2, {"name-0"});
    CHECK(error(p9::Treaddir{2, 0, 5000}) == ENOTDIR);
}

TEST_CASE_METHOD(Folder, "no guest leaves the folder") {
    share();
    write_file(outside.path / "secret", "outside");
    stdfs::create_directory(outside.path / "other");
    stdfs::create_directory(root / "in");
    stdfs::create_symlink("..", root / "up");
    stdfs::create_symlink(outside.path, root / "away");
    stdfs::create_symlink("/proc/self/cwd", root / "magic");
    mount();
    // ".." stays at the root, and is a parent below it.
    const auto at_root = ask<p9::Rgetattr>(p9::Tgetattr{0, 0}).qid;
    p9::Twalk message{0, 1, {"..", "..", "in", ".."}};
    const auto qids = ask<p9::Rwalk>(message).qids;
    REQUIRE(qids.size() == 4);
    CHECK(qids[0] == at_root);
    CHECK(qids[3] == at_root);
    for (const char* name : {"../secret", "in/../../secret", "/etc", "a/b", ".", "", "/"}) {
        INFO(name);
        CHECK(walk(0, 2, {name}) == ENOENT);
        CHECK(error(p9::Tlcreate{1, name, O_RDWR | O_CREAT, 0600, 0}) == EINVAL);
        CHECK(error(p9::Tmkdir{0, name, 0700, 0}) == EINVAL);
        CHECK(error(p9::Tsymlink{0, name, "x", 0}) == EINVAL);
        CHECK(error(p9::Tmknod{0, name, S_IFREG | 0600, 0, 0, 0}) == EINVAL);
        CHECK(error(p9::Tunlinkat{0, name, 0}) == EINVAL);
        CHECK(error(p9::Trenameat{0, "in", 0, name}) == EINVAL);
        CHECK(error(p9::Trenameat{0, name, 0, "x"}) == EINVAL);
        CHECK(error(p9::Tlink{0, 0, name}) == EINVAL);
    }
    CHECK(error(p9::Tmkdir{0, "..", 0700, 0}) == EINVAL);
    CHECK(error(p9::Tunlinkat{0, "..", 0x200}) == EINVAL);
    CHECK(error(p9::Tmkdir{0, std::string("a\0b", 3), 0700, 0}) == EINVAL);
    CHECK(error(p9::Tmkdir{0, std::string(256, 'n'), 0700, 0}) == ENAMETOOLONG);
    // Links are files of their own: none is followed, by no message.
    for (const char* link : {"up", "away", "magic"}) {
        INFO(link);
        p9::Twalk through{0, 2, {link, "secret"}};
        CHECK(ask<p9::Rwalk>(through).qids.size() == 1);
        CHECK(error(p9::Tclunk{2}) == EBADF);
        REQUIRE(walk(0, 2, {link}) == 0);
        CHECK(error(p9::Tlopen{2, O_RDONLY}) == ELOOP);
        CHECK(error(p9::Tmkdir{2, "made", 0700, 0}) != 0);
        CHECK(error(p9::Tlcreate{2, "made", O_RDWR, 0600, 0}) != 0);
        CHECK(error(p9::Tunlinkat{2, "secret", 0}) != 0);
        p9::Tsetattr change{.fid = 2, .valid = 8};
        CHECK(error(change) != 0);
        change = {.fid = 2, .valid = 1, .mode = 0777};
        CHECK(error(change) != 0);
        ask<p9::Rxattrcreate>(p9::Txattrcreate{2, "user.weft", 0, 0});
        CHECK(error(p9::Tclunk{2}) != 0);
        CHECK(getxattr(outside.path.c_str(), "user.weft", nullptr, 0) == -1);
        CHECK(stdfs::status(outside.path).permissions() == stdfs::perms::owner_all);
        REQUIRE(walk(0, 2, {}) == 0);
        CHECK(error(p9::Tlcreate{2, link, O_RDWR | O_TRUNC, 0600, 0}) == ELOOP);
        clunk(2);
    }
    CHECK(read_file(outside.path / "secret") == "outside");

    // A folder becomes a link to outside after the guest has walked there.
    REQUIRE(walk(0, 3, {"in"}) == 0);
    write_file(root / "in/secret", "inside");
    REQUIRE(walk(3, 4, {"secret"}) == 0);
    stdfs::rename(root / "in", root / "moved");
    stdfs::create_symlink(outside.path, root / "in");
    CHECK(error(p9::Tlopen{4, O_RDWR}) == ELOOP);
    CHECK(error(p9::Tgetattr{4, 0}) == ELOOP);
    CHECK(error(p9::Tunlinkat{3, "secret", 0}) != 0);
    CHECK(error(p9::Tmkdir{3, "made", 0700, 0}) != 0);
    CHECK(error(p9::Trenameat{3, "secret", 0, "mine"}) != 0);
    CHECK(error(p9::Tlink{0, 4, "mine"}) != 0);
    CHECK(error(p9::Txattrwalk{4, 5, ""}) == ELOOP);
    // A file does.
    write_file(root / "plain", "inside");
    REQUIRE(walk(0, 6, {"plain"}) == 0);
    stdfs::remove(root / "plain");
    stdfs::create_symlink(outside.path / "secret", root / "plain");
    CHECK(error(p9::Tlopen{6, O_WRONLY | O_TRUNC}) == ELOOP);
    p9::Tsetattr change{.fid = 6, .valid = 8};
    CHECK(error(change) == EINVAL);
    CHECK(read_file(outside.path / "secret") == "outside");
    CHECK(stdfs::is_empty(outside.path / "other"));
    CHECK_FALSE(stdfs::exists(outside.path / "made"));
}

TEST_CASE_METHOD(Folder, "what is neither file nor folder is not opened") {
    share();
    REQUIRE(mkfifo((root / "pipe").c_str(), 0600) == 0);
    mount();
    REQUIRE(walk(0, 1, {"pipe"}) == 0);
    CHECK(error(p9::Tlopen{1, O_RDWR}) == ENXIO);
    REQUIRE(walk(0, 2, {}) == 0);
    CHECK(error(p9::Tlcreate{2, "pipe", O_WRONLY, 0600, 0}) == ENXIO);
}

TEST_CASE_METHOD(Folder, "a folder that is only read") {
    backend::SharedFolderConfig config;
    config.read_only = true;
    stdfs::create_directory(root);
    write_file(root / "file", "text");
    share(config);
    mount();
    open(1, {"file"});
    CHECK(read_all(1) == "text");
    REQUIRE(walk(0, 2, {"file"}) == 0);
    CHECK(error(p9::Tlopen{2, O_WRONLY}) == EROFS);
    CHECK(error(p9::Tlopen{2, O_RDONLY | O_TRUNC}) == EROFS);
    CHECK(error(p9::Tmkdir{0, "d", 0700, 0}) == EROFS);
    CHECK(error(p9::Tsymlink{0, "d", "x", 0}) == EROFS);
    CHECK(error(p9::Tmknod{0, "d", S_IFREG | 0600, 0, 0, 0}) == EROFS);
    CHECK(error(p9::Tlink{0, 2, "d"}) == EROFS);
    CHECK(error(p9::Trename{2, 0, "d"}) == EROFS);
    CHECK(error(p9::Trenameat{0, "file", 0, "d"}) == EROFS);
    CHECK(error(p9::Tunlinkat{0, "file", 0}) == EROFS);
    CHECK(error(p9::Tsetattr{.fid = 2, .valid = 1, .mode = 0777}) == EROFS);
    CHECK(error(p9::Tsetattr{.fid = 1, .valid = 1, .mode = 0777}) == EROFS);
    REQUIRE(walk(0, 3, {}) == 0);
    CHECK(error(p9::Tlcreate{3, "d", O_RDWR, 0600, 0}) == EROFS);
    ask<p9::Rxattrcreate>(p9::Txattrcreate{3, "user.x", 0, 0});
    CHECK(error(p9::Tclunk{3}) == EROFS);
    CHECK(error(p9::Tremove{2}) == EROFS);
    CHECK(read_file(root / "file") == "text");
}

TEST_CASE_METHOD(Folder, "extended attributes") {
    share();
    write_file(root / "file", "");
    if (setxattr((root / "file").c_str(), "user.probe", "", 0, 0) != 0) {
        WARN("the temporary folder takes no extended attributes");
        return;
    }
    REQUIRE(removexattr((root / "file").c_str(), "user.probe") == 0);
    mount();
    const auto set = [&](const std::string& name, const std::string& value, uint32_t flags) {
        REQUIRE(walk(0, 9, {"file"}) == 0);
        ask<p9::Rxattrcreate>(p9::Txattrcreate{9, name, value.size(), flags});
        if (!value.empty()) {
            write(9, 0, value);
        }
        return error(p9::Tclunk{9});
    };
    CHECK(set("user.a", "value", 0) == 0);
    char bytes[16];
    REQUIRE(getxattr((root / "file").c_str(), "user.a", bytes, sizeof(bytes)) == 5);
    CHECK(std::string(bytes, 5) == "value");
    CHECK(set("user.a", "other", XATTR_CREATE) == EEXIST);
    CHECK(set("user.b", "other", XATTR_REPLACE) == ENODATA);
    CHECK(set("user.empty", "", 0) == 0);
    REQUIRE(walk(0, 1, {"file"}) == 0);
    CHECK(ask<p9::Rxattrwalk>(p9::Txattrwalk{1, 2, "user.a"}).size == 5);
    CHECK(read_all(2) == "value");
    CHECK(read_all(2, 3) == "ue");
    CHECK(read_all(2, 100).empty());
    // It is no file.
    CHECK(error(p9::Tgetattr{2, 0}) == EBADF);
    CHECK(error(p9::Tlopen{2, O_RDONLY}) == EBADF);
    CHECK(walk(2, 4, {}) == EBADF);
    clunk(2);
    const uint64_t list_size = ask<p9::Rxattrwalk>(p9::Txattrwalk{1, 2, ""}).size;
    const std::string list = read_all(2);
    CHECK(list.size() == list_size);
    CHECK(list.find(std::string("user.a\0", 7)) != std::string::npos);
    CHECK(list.find(std::string("user.empty\0", 11)) != std::string::npos);
    clunk(2);
    CHECK(set("user.a", "", XATTR_REPLACE) == 0);
    CHECK(getxattr((root / "file").c_str(), "user.a", bytes, sizeof(bytes)) == -1);
    CHECK(error(p9::Txattrwalk{1, 2, "user.a"}) == ENODATA);
    CHECK(error(p9::Txattrwalk{1, 1, ""}) == EEXIST);
    // Less than was announced is not set; more is not taken.
    REQUIRE(walk(0, 9, {"file"}) == 0);
    ask<p9::Rxattrcreate>(p9::Txattrcreate{9, "user.c", 4, 0});
    write(9, 0, "abc");
    const uint8_t more[] = {1, 2};
    CHECK(error(p9::Twrite{9, 3, more}) == EINVAL);
    CHECK(error(p9::Twrite{9, 0, more}) == EINVAL);
    CHECK(error(p9::Tclunk{9}) == EINVAL);
    CHECK(error(p9::Txattrcreate{1, "user.c", 65537, 0}) == E2BIG);
    CHECK(error(p9::Txattrcreate{1, "user.c", 1, 4}) == EINVAL);
    CHECK(error(p9::Txattrcreate{1, "", 1, 0}) == EINVAL);
}

TEST_CASE_METHOD(Folder, "mapped attributes: the guest's owners and kinds are not the host's") {
    backend::SharedFolderConfig config;
    config.security = backend::FsSecurity::mapped_xattr;
    share(config);
    write_file(root / "probe", "");
    if (setxattr((root / "probe").c_str(), "user.probe", "", 0, 0) != 0) {
        WARN("the temporary folder takes no extended attributes");
        return;
    }
    mount();
    create(1, "file", O_RDWR, 04755);
    auto facts = ask<p9::Rgetattr>(p9::Tgetattr{1, 0});
    CHECK(facts.mode == (S_IFREG | 04755));
    CHECK(facts.uid == 1000);
    CHECK(facts.gid == 1000);
    struct stat host{};
    REQUIRE(stat((root / "file").c_str(), &host) == 0);
    CHECK(host.st_mode == (S_IFREG | 0600));
    CHECK(host.st_uid == getuid());
    // As QEMU lays it out.
    uint8_t bytes[8];
    REQUIRE(getxattr((root / "file").c_str(), "user.virtfs.uid", bytes, sizeof(bytes)) == 4);
    CHECK(std::vector(bytes, bytes + 4) == std::vector<uint8_t>{0xe8, 3, 0, 0});
    REQUIRE(getxattr((root / "file").c_str(), "user.virtfs.mode", bytes, sizeof(bytes)) == 4);
    CHECK(std::vector(bytes, bytes + 4) == std::vector<uint8_t>{0xed, 0x89, 0, 0});
    // Hidden from the guest.
    CHECK(ask<p9::Rxattrwalk>(p9::Txattrwalk{1, 2, ""}).size == 0);
    CHECK(error(p9::Txattrwalk{1, 3, "user.virtfs.uid"}) == ENODATA);
    REQUIRE(walk(0, 4, {"file"}) == 0);
    ask<p9::Rxattrcreate>(p9::Txattrcreate{4, "user.virtfs.uid", 0, 0});
    CHECK(error(p9::Tclunk{4}) == EPERM);

    ask<p9::Rsetattr>(p9::Tsetattr{.fid = 1, .valid = 7, .mode = 0600, .uid = 0, .gid = 5});
    facts = ask<p9::Rgetattr>(p9::Tgetattr{1, 0});
    CHECK(facts.mode == (S_IFREG | 0600));
    CHECK(facts.uid == 0);
    CHECK(facts.gid == 5);

    ask<p9::Rsymlink>(p9::Tsymlink{0, "link", "/etc/passwd", 7});
    CHECK(stdfs::is_regular_file(stdfs::symlink_status(root / "link")));
    REQUIRE(walk(0, 5, {"link"}) == 0);
    CHECK(ask<p9::Rgetattr>(p9::Tgetattr{5, 0}).mode == (S_IFLNK | 0777));
    CHECK(ask<p9::Rreadlink>(p9::Treadlink{5}).target == "/etc/passwd");
    CHECK(error(p9::Tlopen{5, O_RDONLY}) == ELOOP);
    ask<p9::Rmknod>(p9::Tmknod{0, "disk", S_IFBLK | 0660, 8, 1, 6});
    CHECK(stdfs::is_regular_file(root / "disk"));
    REQUIRE(walk(0, 6, {"disk"}) == 0);
    facts = ask<p9::Rgetattr>(p9::Tgetattr{6, 0});
    CHECK(facts.mode == (S_IFBLK | 0660));
    CHECK(facts.device == 0x801);
    CHECK(error(p9::Tlopen{6, O_RDONLY}) == ENXIO);
    ask<p9::Rmkdir>(p9::Tmkdir{0, "dir", 01777, 0});
    REQUIRE(stat((root / "dir").c_str(), &host) == 0);
    CHECK((host.st_mode & 07777) == 0700);
    REQUIRE(walk(0, 7, {"dir"}) == 0);
    CHECK(ask<p9::Rgetattr>(p9::Tgetattr{7, 0}).mode == (S_IFDIR | 01777));
}

TEST_CASE_METHOD(Folder, "locks are the guest's own") {
    share();
    mount();
    create(1, "file");
    CHECK(ask<p9::Rlock>(p9::Tlock{1, F_WRLCK, 1, 0, 10, 77, "guest"}).status == 0);
    CHECK(error(p9::Tlock{1, F_WRLCK, 2, 0, 10, 77, "guest"}) == EINVAL);
    const auto lock = ask<p9::Rgetlock>(p9::Tgetlock{1, F_WRLCK, 5, 10, 77, "guest"});
    CHECK(lock.type == F_UNLCK);
    CHECK(lock.start == 5);
    CHECK(lock.client == "guest");
    CHECK(error(p9::Tlock{0, F_WRLCK, 0, 0, 10, 77, "guest"}) == EBADF);
}

TEST_CASE("a folder that cannot be shared") {
    const TemporaryFolder folder;
    write_file(folder.path / "file", "");
    CHECK(backend::LocalFolder::open({.path = folder.path / "none"}).error().message() ==
          "folder '" + (folder.path / "none").string() + "': No such file or directory");
    CHECK_FALSE(backend::LocalFolder::open({.path = folder.path / "file"}));
}

}  // namespace
}  // namespace weft::hw
