// The shared folder's device under drivers that do not behave: messages that are none, resets and flushes in the middle of a call, and more
// open files than there may be.
#include <sys/resource.h>

#include <functional>

#include "tests/hw/p9_folder.h"

namespace weft::hw {
namespace {

TEST_CASE_METHOD(Folder, "messages that are no messages are refused, one after the other") {
    share();
    mount();
    // An unknown one, an answer, a walk whose names are cut, a read with too little room.
    send({7, 0, 0, 0, 99, 1, 0});
    REQUIRE(receive());
    CHECK(fields<p9::Rlerror>().error == EOPNOTSUPP);
    send({7, 0, 0, 0, 101, 1, 0});
    REQUIRE(receive());
    CHECK(fields<p9::Rlerror>().error == EOPNOTSUPP);
    for (const std::vector<uint8_t>& bytes :
         {std::vector<uint8_t>{17, 0, 0, 0, 110, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0},
          {200, 0, 0, 0, 120, 1, 0, 0, 0, 0, 0},
          {1, 0, 0, 0, 120, 1, 0, 0, 0, 0, 0},
          {255, 255, 255, 255, 120, 1, 0}}) {
        send(bytes);
        REQUIRE(receive());
        REQUIRE(number == p9::Rlerror::kNumber);
        CHECK(fields<p9::Rlerror>().error == EINVAL);
    }
    send(bytes_of(p9::Tgetattr{0, 0}), 100);
    REQUIRE(receive());
    CHECK(fields<p9::Rlerror>().error == EMSGSIZE);
    create(1, "file");
    write(1, 0, std::string(1000, 'x'));
    send(bytes_of(p9::Tread{1, 0, 4096}), 111);
    REQUIRE(receive());
    CHECK(fields<p9::Rread>().data.size() == 100);
    CHECK_FALSE(needs_reset());
    // Without a header, or with no room for an error, there is no answer.
    send({7, 0, 0, 0, 120, 1});
    CHECK_FALSE(receive());
    CHECK(needs_reset());
    mount();
    send(bytes_of(p9::Tclunk{0}), 10);
    CHECK_FALSE(receive());
    CHECK(needs_reset());
}

// A folder that does something in the middle of a call.
struct Interrupted : Folder {
    struct Spy final : backend::FsBackend {
        backend::FsBackend* files = nullptr;
        std::function<void()> during;
        backend::FsDevices other_devices() const override { return backend::FsDevices::warn; }
        backend::FsResult<struct stat> attributes(const backend::FsPath& path) override {
            if (during) {
                during();
            }
            return files->attributes(path);
        }
        using Path = backend::FsPath;
        template <class T = void>
        using R = backend::FsResult<T>;
        R<> change(const Path& p, const backend::FsChanges& c) override { return files->change(p, c); }
        R<struct statfs> file_system(const Path& p) override { return files->file_system(p); }
        R<std::unique_ptr<backend::FsFile>> open(const Path& p, int f) override { return files->open(p, f); }
        R<std::unique_ptr<backend::FsFile>> create(const Path& p, int f, uint32_t m,
                                                   backend::FsOwner o) override {
            return files->create(p, f, m, o);
        }
        R<> make_folder(const Path& p, uint32_t m, backend::FsOwner o) override {
            return files->make_folder(p, m, o);
        }
        R<> make_node(const Path& p, uint32_t m, dev_t d, backend::FsOwner o) override {
            return files->make_node(p, m, d, o);
        }
        R<> make_symlink(const Path& p, const std::string& t, backend::FsOwner o) override {
            return files->make_symlink(p, t, o);
        }
        R<> link(const Path& a, const Path& b) override { return files->link(a, b); }
        R<> rename(const Path& a, const Path& b) override { return files->rename(a, b); }
        R<> remove_file(const Path& p) override { return files->remove_file(p); }
        R<> remove_folder(const Path& p) override { return files->remove_folder(p); }
        R<std::string> read_symlink(const Path& p) override { return files->read_symlink(p); }
        R<std::vector<uint8_t>> xattr(const Path& p, const std::string& n) override {
            return files->xattr(p, n);
        }
        R<std::vector<uint8_t>> xattr_list(const Path& p) override { return files->xattr_list(p); }
        R<> set_xattr(const Path& p, const std::string& n, std::span<const uint8_t> v, int f) override {
            return files->set_xattr(p, n, v, f);
        }
        R<> remove_xattr(const Path& p, const std::string& n) override { return files->remove_xattr(p, n); }
    } spy;

    Interrupted() {
        stdfs::create_directory(root);
        auto opened = backend::LocalFolder::open({.path = root});
        REQUIRE(opened);
        files = std::move(*opened);
        spy.files = files.get();
        install(std::make_unique<Virtio9p>(spy, control, "share"));
    }
};

TEST_CASE_METHOD(Interrupted,
                 "a driver that resets the device in the middle of a call gets no answer, and finds no fid") {
    mount();
    create(1, "file");
    bool once = false;
    spy.during = [&] {
        if (!once) {
            once = true;
            write(0x70, 0);
        }
    };
    send(bytes_of(p9::Tgetattr{0, 0}));
    CHECK_FALSE(receive());
    CHECK_FALSE(needs_reset());
    start();
    CHECK(error(p9::Tclunk{0}) == EBADF);
    CHECK(error(p9::Tclunk{1}) == EBADF);
    spy.during = {};
    mount();
    CHECK(error(p9::Tgetattr{0, 0}) == 0);
}

TEST_CASE_METHOD(
    Interrupted,
    "a new driver that starts while the old one's message is answered gets none of its answers") {
    mount();
    bool once = false;
    spy.during = [&] {
        if (!once) {
            once = true;
            start();
            send(bytes_of(p9::Tversion{8192, "9P2000.L"}));
        }
    };
    send(bytes_of(p9::Tgetattr{0, 0}));
    REQUIRE(receive());
    CHECK(number == p9::Rversion::kNumber);
}

TEST_CASE_METHOD(Folder, "a flush finds that its message was answered") {
    share();
    mount();
    ask<p9::Rflush>(p9::Tflush{1});
    // Two messages at once: the answers come in order.
    const auto first = bytes_of(p9::Tgetattr{0, 0});
    const auto second = bytes_of(p9::Tflush{3});
    store_bytes(kData, first);
    store_bytes(kData + 0x1000, second);
    descriptor(kDescriptors, 0, kData, static_cast<uint32_t>(first.size()), kNext, 1);
    descriptor(kDescriptors, 1, kAnswer, 1000, kWrite);
    descriptor(kDescriptors, 2, kData + 0x1000, static_cast<uint32_t>(second.size()), kNext, 3);
    descriptor(kDescriptors, 3, kAnswer + 1000, 1000, kWrite);
    offer(0);
    offer(2);
    notify();
    control.work();
    CHECK(used() == std::vector<Used>{{0, 160}, {2, 7}});
}

TEST_CASE_METHOD(Folder, "files that are open are bounded by what the host allows") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit small{64, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &small) == 0);
    share();
    mount();
    write_file(root / "file", "x");
    uint32_t count = 0;
    while (walk(0, 100 + count, {"file"}) == 0 && error(p9::Tlopen{100 + count, O_RDONLY}) == 0) {
        ++count;
    }
    CHECK(error(p9::Tlopen{100 + count, O_RDONLY}) == ENFILE);
    CHECK(count == 48);
    clunk(100);
    CHECK(error(p9::Tlopen{100 + count, O_RDONLY}) == 0);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

}  // namespace
}  // namespace weft::hw
