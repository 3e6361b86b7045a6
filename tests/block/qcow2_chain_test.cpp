// Images over backing files: what is read through them, which formats they may have, and who has them locked.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

#include "tests/block/qcow2_support.h"

using namespace weft;
using namespace weft::test;

namespace {

void overlay(const std::string& path, const std::string& backing, const std::string& format,
             const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"create", "-q", "-f", "qcow2", "-b", backing, "-F", format, path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    qemu_img(arguments);
}

// The header of an image whose backing file has no format: qemu-img writes none any more.
void forget_backing_format(const std::string& path) {
    Bytes bytes = file_bytes(path);
    const Bytes type = {0xe2, 0x79, 0x2a, 0xca};
    const auto found = std::ranges::search(bytes, type);
    REQUIRE(!found.empty());
    std::ranges::copy(Bytes{0x12, 0x34, 0x56, 0x78}, found.begin());  // an extension that nobody knows
    write_bytes(path, bytes);
}

}  // namespace

TEST_CASE("what an image does not have is its backing file's", "[qcow2]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    struct Case {
        const char* format;
        size_t base;  // its size
        size_t size;  // of the disk
        const char* options;
    };
    // Longer, shorter, shorter within a cluster, not whole sectors, empty.
    for (const Case& c :
         {Case{"raw", 2 << 20, 2 << 20, "cluster_size=64k"},
          Case{"raw", 1 << 20, 3 << 20, "cluster_size=64k"}, Case{"raw", 1234567, 3 << 20, "cluster_size=4k"},
          Case{"raw", 4 << 20, (1 << 20) + 512, "cluster_size=2M"},
          Case{"raw", 0, 1 << 20, "cluster_size=64k"}, Case{"qcow2", 1 << 20, 2 << 20, "cluster_size=512"},
          Case{"qcow2", (1 << 20) + 512, 2 << 20, "cluster_size=64k,extended_l2=on"},
          Case{"qcow2", 2 << 20, 2 << 20, "cluster_size=64k,compat=0.10"}}) {
        INFO(c.format << ' ' << c.base << ' ' << c.size << ' ' << c.options);
        const TempDir dir;
        write_bytes(dir.file("base.raw"), pattern(9, c.base));
        const std::string base = c.format == std::string("raw") ? "base.raw" : "base.qcow2";
        if (base == "base.qcow2") {
            qemu_img({"convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4k",
                      dir.file("base.raw"), dir.file(base)});
        }
        const std::string base_bytes = read_file(dir.file(base));
        const std::string path = dir.file("disk.qcow2");
        overlay(path, base, c.format, {"-o", c.options, std::to_string(c.size)});
        Model model{contents(dir, path)};
        for (unsigned session = 0; session < 2; ++session) {
            const auto disk = opened(path);
            Bytes all(c.size);
            REQUIRE(disk->read(0, all));
            CHECK((all == model.bytes));
            model.work(*disk, random, 60, 48 << 10);
        }
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == model.bytes));
        CHECK(read_file(dir.file(base)) == base_bytes);
    }
}

TEST_CASE("chains are as long as they are, and names are relative to the image", "[qcow2]") {
    const TempDir dir;
    std::filesystem::create_directories(dir.file("a/b"));
    write_bytes(dir.file("a/b/00"), pattern(1, 1 << 20));
    overlay(dir.file("a/01"), "b/00", "raw");
    overlay(dir.file("a/02"), "01", "qcow2");
    // The others are alike but for the name that they lie on.
    const std::string second = read_file(dir.file("a/02"));
    const size_t name = second.find("01", 512 - 200);
    REQUIRE(name != std::string::npos);
    const auto number = [](unsigned i) { return (i < 10 ? "0" : "") + std::to_string(i); };
    for (unsigned i = 3; i <= 64; ++i) {
        std::string next = second;
        dir.write("a/" + number(i), next.replace(name, 2, number(i - 1)));
    }
    for (const unsigned i : {2u, 3u, 30u, 63u}) {
        const Bytes data = pattern(i, 512);
        REQUIRE(opened(dir.file("a/" + number(i)))->write(i * 1024, data));
    }
    const Bytes expected = contents(dir, dir.file("a/63"));
    Bytes all(expected.size());
    REQUIRE(opened(dir.file("a/63"))->read(0, all));
    CHECK((all == expected));
    // With the raw file that is one more than there may be.
    CHECK(refusal(dir.file("a/64"), {.read_only = true}) ==
          "disk image '" + dir.file("a/01") + "': more than 64 images lie on each other");
    // By absolute names, and as a file that QEMU would name with its protocol.
    overlay(dir.file("absolute"), dir.file("a/b/00"), "raw");
    overlay(dir.file("protocol"), "file:" + dir.file("a/b/00"), "raw");
    CHECK(refusal(dir.file("absolute")) == "(opened)");
    CHECK(refusal(dir.file("protocol")) == "(opened)");
}

TEST_CASE("images that lie on each other in a circle are refused", "[qcow2]") {
    const TempDir dir;
    for (const char* name : {"a", "b"}) {
        qemu_img({"create", "-q", "-f", "qcow2", dir.file(name), "1M"});
    }
    qemu_img({"rebase", "-u", "-b", "b", "-F", "qcow2", dir.file("a")});
    qemu_img({"rebase", "-u", "-b", "./a", "-F", "qcow2", dir.file("b")});
    for (const bool read_only : {false, true}) {
        CHECK(refusal(dir.file("a"), {.read_only = read_only})
                  .find("its backing file './a' lies on it, in a circle") != std::string::npos);
    }
    qemu_img({"rebase", "-u", "-b", "a", "-F", "qcow2", dir.file("a")});
    CHECK(refusal(dir.file("a")) == "its backing file 'a' lies on it, in a circle");
}

TEST_CASE("a backing file's format is told, or plain", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk");
    write_bytes(dir.file("raw"), pattern(1, 65536));
    qemu_img({"create", "-q", "-f", "qcow2", dir.file("plain"), "64k"});
    overlay(dir.file("over"), "raw", "raw");
    write_bytes(dir.file("vmdk"), Bytes{'K', 'D', 'M', 'V', 0, 0, 0, 0});
    const auto without_format = [&](const std::string& backing) {
        overlay(path, "raw", "raw");
        qemu_img({"rebase", "-u", "-b", backing, "-F", "raw", path});
        forget_backing_format(path);
        return refusal(path);
    };
    CHECK(without_format("raw") == "(opened)");
    CHECK(without_format("plain") == "(opened)");
    {
        // As a qcow2 image, not as its bytes.
        const auto disk = opened(path);
        Bytes sector(512, 1);
        REQUIRE(disk->read(0, sector));
        CHECK(sector == Bytes(512));
    }
    // A guest that had it as a raw disk could have written that header, and with it the name of any file.
    CHECK(without_format("over") == "it does not say which format its backing file '" + dir.file("over") +
                                        "' has, which looks like qcow2 (qemu-img rebase -u -F tells it)");
    CHECK(without_format("vmdk").find("which looks like VMDK") != std::string::npos);
    overlay(path, "over", "qcow2");
    CHECK(refusal(path) == "(opened)");
    // What is said to be raw is raw.
    qemu_img({"rebase", "-u", "-b", "over", "-F", "raw", path});
    const auto disk = opened(path);
    Bytes sector(512);
    REQUIRE(disk->read(0, sector));
    CHECK(std::string(sector.begin(), sector.begin() + 3) == "QFI");
}

TEST_CASE("backing files that are not there or of no use are refused in one line", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk");
    write_bytes(dir.file("raw"), pattern(1, 65536));
    const auto with = [&](const std::string& backing, const std::string& format) {
        overlay(path, "raw", "raw");
        qemu_img({"rebase", "-u", "-b", backing, "-F", format, path});
        return refusal(path);
    };
    CHECK(with("gone", "raw") ==
          "its backing file: disk image '" + dir.file("gone") + "': No such file or directory");
    CHECK(with("raw", "qcow2") == "disk image '" + dir.file("raw") + "': this is no qcow2 image");
    CHECK(with("raw", "vmdk") == "its backing file 'raw' is a 'vmdk' image, which is not supported");
    CHECK(with("nbd:localhost:1", "raw") ==
          "the backing file 'nbd:localhost:1' is not a path, which is not supported");
    CHECK(with("json:{\"driver\":\"file\",\"filename\":\"raw\"}", "raw").find("is not a path") !=
          std::string::npos);
    CHECK(with("/dev/null", "raw").find("neither a file nor a block device") != std::string::npos);
}

TEST_CASE("an image is one writer's, and backing files are for readers", "[qcow2]") {
    const TempDir dir;
    qemu_img({"create", "-q", "-f", "qcow2", dir.file("base"), "1M"});
    overlay(dir.file("one"), "base", "qcow2");
    overlay(dir.file("two"), "base", "qcow2");
    const auto message = [&](const char* name, bool read_only) {
        const auto disk = backend::open_disk(dir.file(name), {.read_only = read_only});
        return disk ? std::string("(opened)") : disk.error().message();
    };
    const auto locked = [&](const char* name) {
        return "disk image '" + dir.file(name) + "': locked by another instance";
    };
    {
        const auto one = opened(dir.file("one"));
        CHECK(message("one", false) == locked("one"));
        CHECK(message("one", true) == locked("one") + " that writes to it");
        CHECK(message("base", false) == locked("base"));
        CHECK(message("base", true) == "(opened)");
        CHECK(message("two", false) == "(opened)");
    }
    const auto base = opened(dir.file("base"));
    // QEMU's programs see it as well.
    CHECK(checked(dir.file("base")).find("lock") != std::string::npos);
    CHECK(message("two", true) == locked("base") + " that writes to it");
}
