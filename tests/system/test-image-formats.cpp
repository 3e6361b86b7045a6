// Images of other formats: refused unless the user says format=raw, and not made by the guest.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include "emulator/backend/block/image_format.h"
#include "emulator/backend/block/raw.h"
#include "emulator/system/option_files.h"
#include "tests/support/subprocess.h"

using namespace weft;
using namespace weft::sys;

namespace {

constexpr size_t kSize = 4096;

// Heads and footers as the programs write them that belong to each format, not taken from weft's table.
struct Sample {
    const char* file;
    const char* format;
    size_t at;  // offset in an image of kSize bytes
    std::string bytes;
};

std::vector<Sample> samples() {
    using namespace std::string_literals;
    return {
        {"qcow", "qcow2", 0, "QFI\xfb\0\0\0\1"s},
        {"qcow2", "qcow2", 0, "QFI\xfb\0\0\0\3"s},
        {"qed", "QED", 0, "QED\0\0\0\1\0"s},
        {"sparse.vmdk", "VMDK", 0, "KDMV\1\0\0\0"s},
        {"esx.vmdk", "VMDK", 0, "COWD\1\0\0\0"s},
        {"text.vmdk", "VMDK", 0, "# Disk DescriptorFile\nversion=1\n"},
        {"vdi", "VDI", 0,
         "<<< Oracle VM VirtualBox Disk Image >>>\n"s + std::string(24, '\0') + "\x7f\x10\xda\xbe"s},
        {"vhdx", "VHDX", 0, "vhdxfileQ\0E\0M\0U\0"s},
        {"dynamic.vhd", "VHD", 0, "conectix\0\0\0\2"s},
        {"fixed.vhd", "VHD", kSize - 512, "conectix\0\0\0\2"s},
        {"old.vhd", "VHD", kSize - 511, "conectix\0\0\0\2"s},
        {"parallels", "Parallels", 0, "WithoutFreeSpace\2\0\0\0"s},
        {"ext.parallels", "Parallels", 0, "WithouFreSpacExt\2\0\0\0"s},
        {"bochs", "Bochs", 0, "Bochs Virtual HD Image\0"s},
        {"dmg", "Apple disk image", kSize - 512, "koly\0\0\0\4\0\0\2\0"s},
    };
}

std::string with(const Sample& sample) {
    std::string image(kSize, '.');
    image.replace(sample.at, sample.bytes.size(), sample.bytes);
    return image;
}

std::string refusal(const std::string& path, const char* format) {
    return "disk image '" + path + "': this is a " + format +
           " image, which has to be converted to raw first (format=raw takes the file's own bytes for the "
           "disk)";
}

std::string opened(const std::string& path, backend::ImageAccess access) {
    const auto image = backend::RawImage::open(path, access);
    const auto checked = backend::RawImage::check(path, access);
    CHECK((image ? "(fine)" : image.error().message()) == (checked ? "(fine)" : checked.error().message()));
    return image ? "(fine)" : image.error().message();
}

// What is printed to standard error while it lives.
class Errors {
  public:
    explicit Errors(const test::TempDir& dir) : path_(dir.file("stderr")), saved_(dup(2)) {
        const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        REQUIRE(file >= 0);
        REQUIRE(dup2(file, 2) == 2);
        close(file);
    }
    ~Errors() {
        dup2(saved_, 2);
        close(saved_);
    }
    std::string text() const { return test::read_file(path_); }

  private:
    const std::string path_;
    const int saved_;
};

std::vector<uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("an image with another format's signature is refused", "[image-formats]") {
    const test::TempDir dir;
    for (const Sample& sample : samples()) {
        INFO(sample.file);
        const std::string image = with(sample);
        const std::string path = dir.write(sample.file, image);
        for (const bool read_only : {false, true}) {
            CHECK(opened(path, {.read_only = read_only}) == refusal(path, sample.format));
            CHECK(opened(path, {.read_only = read_only, .probe = false}) == "(fine)");
        }
        CHECK(test::read_file(path) == image);
        // A byte aside it is data.
        std::string other = image;
        other[sample.at + sample.bytes.find_first_not_of("<# ") +
              (sample.format == std::string("VDI") ? 61 : 0)] ^= 1;
        CHECK(opened(dir.write(std::string("almost-") + sample.file, other), {}) == "(fine)");
        const std::string moved = "x" + image.substr(0, kSize - 1);
        CHECK(opened(dir.write(std::string("moved-") + sample.file, moved), {}) ==
              // The old place of a VHD's footer is a byte after the usual one.
              (sample.file == std::string("fixed.vhd") ? refusal(dir.file("moved-fixed.vhd"), "VHD")
                                                       : "(fine)"));
    }
}

TEST_CASE("the format is told before the size, and small files have one too", "[image-formats]") {
    const test::TempDir dir;
    const std::string text = dir.write("text", "# Disk DescriptorFile\n");
    CHECK(opened(text, {}) == refusal(text, "VMDK"));
    CHECK(opened(text, {.probe = false}) ==
          "disk image '" + text + "': its size, 22 bytes, is not a multiple of 512 above 0");
    const std::string sector = dir.write("sector", "conectix" + std::string(504, '\0'));
    CHECK(opened(sector, {}) == refusal(sector, "VHD"));
    for (size_t size = 0; size < 80; ++size) {
        const std::string part =
            std::string("QFI\xfb").substr(0, size) + std::string(size < 4 ? 0 : size - 4, '.');
        CHECK((backend::signed_format(bytes(part), bytes(part)) != nullptr) == (size >= 4));
    }
}

TEST_CASE("format=raw is how the user says so", "[image-formats]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", "QFI\xfb" + std::string(508, '.'));
    const auto check = [](const std::string& drive) {
        const char* arguments[] = {"-drive", drive.c_str()};
        const auto options = parse_options(arguments);
        REQUIRE(options);
        const auto checked = check_output_files(*options);
        return checked ? std::string("(fine)") : checked.error().message();
    };
    // The signature alone is no image.
    CHECK(check("file=" + path) ==
          "-drive: disk image '" + path + "': version 774778414 of qcow2 is not supported");
    CHECK(check("file=" + path + ",readonly=on") == check("file=" + path));
    CHECK(check("file=" + path + ",format=qcow2") == check("file=" + path));
    const std::string other = dir.write("other", "KDMV" + std::string(508, '.'));
    CHECK(check("file=" + other) == "-drive: " + refusal(other, "VMDK"));
    CHECK(check("file=" + other + ",format=qcow2") ==
          "-drive: disk image '" + other + "': this is no qcow2 image");
    CHECK(check("file=" + path + ",format=raw") == "(fine)");
    CHECK(check("format=raw,readonly=on,file=" + path) == "(fine)");
    // Names of files keep messages to one line.
    const std::string two_lines = dir.write("two\nlines", "KDMV" + std::string(508, '.'));
    CHECK(check("file=" + two_lines) == "-drive: " + refusal(dir.file("two\\x0alines"), "VMDK"));
}

TEST_CASE("a guest cannot give its disk a signature", "[image-formats]") {
    const test::TempDir dir;
    for (const Sample& sample : samples()) {
        INFO(sample.file);
        const std::string plain(kSize, '.');
        const std::string path = dir.write(sample.file, plain);
        const std::string message = "disk image '" + path + "': the guest may not make a " + sample.format +
                                    " image of it by writing that format's signature to its " +
                                    (sample.at < 512 ? "first" : "last") + " sector (format=raw allows it)";
        const std::string wanted = with(sample);
        {
            const auto image = backend::RawImage::open(path, {});
            REQUIRE(image);
            const Errors errors(dir);
            std::vector<std::string> said;
            // The whole disk; the sector alone; and the signature in two writes, of which the second one completes it.
            const size_t sector = sample.at / 512 * 512;
            const size_t cut = sample.at + sample.bytes.find_last_not_of(".\0");
            const std::pair<size_t, size_t> ranges[] = {
                {0, kSize}, {sector, sector + 512}, {sector, cut}, {cut, cut + 1}};
            for (const auto& [from, to] : ranges) {
                // In between the other end, so that what the sector holds has to be read from the disk.
                CHECK((*image)->write(sample.at < 512 ? kSize - 512 : 0, bytes(std::string(512, '-'))));
                const auto written = (*image)->write(from, bytes(wanted.substr(from, to - from)));
                said.push_back(written ? "" : written.error().message());
            }
            CHECK(said[0] == message);
            CHECK(said[1] == message);
            if (said[2].empty()) {
                CHECK(said[3] == message);
            } else {
                CHECK(said[2] == message);
            }
            // What does not touch the signature is written.
            CHECK((*image)->write(1024, bytes("data")));
            CHECK(errors.text().find("warning: " + message + "\n") != std::string::npos);
            CHECK(errors.text().find('\n') == errors.text().size() - 1);
        }
        CHECK(opened(path, {}) == "(fine)");
        CHECK(test::read_file(path).substr(1024, 4) == "data");
        const auto image = backend::RawImage::open(path, {.probe = false});
        REQUIRE(image);
        CHECK((*image)->write(0, bytes(wanted)));
        CHECK(test::read_file(path) == wanted);
    }
}

TEST_CASE("ordinary first and last sectors are written", "[image-formats]") {
    const test::TempDir dir;
    const std::string path = dir.write("disk", std::string(kSize, '.'));
    const auto image = backend::RawImage::open(path, {});
    REQUIRE(image);
    std::string wanted(kSize, '\0');
    wanted.replace(510, 2, "\x55\xaa");
    wanted.replace(512, 8, "EFI PART");
    wanted.replace(kSize - 512, 8, "EFI PART");
    const Errors errors(dir);
    CHECK((*image)->write(0, bytes(wanted)));
    CHECK((*image)->write(kSize - 512, bytes(wanted.substr(kSize - 512))));
    CHECK(test::read_file(path) == wanted);
    CHECK(errors.text().empty());
}
