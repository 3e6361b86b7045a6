// -fsdev, -virtfs and the devices that refer to them: what is accepted, and the message for each thing that is not.
#include <catch2/catch.hpp>

#include "emulator/system/device_backends.h"
#include "tests/support/subprocess.h"
#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::parse;

TEST_CASE("folders and their devices, in any order", "[options]") {
    const auto options =
        parse({"-device", "virtio-9p-device,fsdev=f,mount_tag=tag", "-fsdev",
               "local,id=f,path=/a,,b,security_model=passthrough,readonly=on,multidevs=remap", "-fsdev",
               "local,id=g,path=/c,security_model=mapped,fmode=0644,dmode=755,writeout=immediate"});
    REQUIRE(options);
    REQUIRE(options->folders.size() == 2);
    const backend::SharedFolderConfig& first = options->folders[0].folder;
    CHECK(first.path == "/a,b");
    CHECK(first.security == backend::FsSecurity::passthrough);
    CHECK(first.read_only);
    CHECK(first.other_devices == backend::FsDevices::remap);
    CHECK_FALSE(first.write_through);
    const backend::SharedFolderConfig& second = options->folders[1].folder;
    CHECK(second.security == backend::FsSecurity::mapped_xattr);
    CHECK(second.file_mode == 0644);
    CHECK(second.folder_mode == 0755);
    CHECK(second.write_through);
    CHECK(second.other_devices == backend::FsDevices::warn);
    REQUIRE(options->devices.size() == 1);
    CHECK(options->devices[0].config.reference(hw::PropertyKind::fsdev) == "f");
    CHECK(options->devices[0].config.text("mount_tag") == "tag");
}

TEST_CASE("a folder and its device at once", "[options]") {
    const auto options = parse({"-virtfs", "local,path=/a,mount_tag=t,security_model=none", "-virtfs",
                                "local,path=/b,mount_tag=u,security_model=mapped-xattr,id=v,readonly"});
    REQUIRE(options);
    REQUIRE(options->folders.size() == 2);
    CHECK(options->folders[0].id == "t");
    CHECK(options->folders[1].id == "v");
    CHECK(options->folders[1].folder.read_only);
    REQUIRE(options->devices.size() == 2);
    CHECK(std::string(options->devices[0].config.type().name) == "virtio-9p-pci");
    CHECK(options->devices[1].config.text("mount_tag") == "u");
    CHECK(options->devices[1].config.reference(hw::PropertyKind::fsdev) == "v");
}

TEST_CASE("folders that cannot be", "[options]") {
    const auto fsdev = [](const std::string& text) { return bad({"-fsdev", text.c_str()}); };
    CHECK(fsdev("id=f,path=/a") == "-fsdev: the kind of folder comes first: local");
    CHECK(fsdev("proxy,id=f,socket=/a") == "-fsdev: unknown kind of folder 'proxy' (there is 'local')");
    CHECK(fsdev("synth,id=f") == "-fsdev: unknown kind of folder 'synth' (there is 'local')");
    CHECK(fsdev("local,id=f,security_model=none") == "-fsdev: a folder needs path=DIR");
    CHECK(fsdev("local,path=/a,security_model=none") == "-fsdev: a folder needs an id");
    CHECK(fsdev("local,id=f,path=/a") ==
          "-fsdev: a folder needs security_model= (none, passthrough or mapped-xattr)");
    CHECK(fsdev("local,id=f,path=/a,security_model=safe") ==
          "-fsdev: security_model is none of 'none', 'passthrough', 'mapped-xattr', 'mapped', but 'safe'");
    CHECK(fsdev("local,id=f,path=/a,security_model=mapped-file") ==
          "-fsdev: security_model=mapped-file is not supported (mapped-xattr is)");
    CHECK(fsdev("local,id=f,path=/a,security_model=none,multidevs=all") ==
          "-fsdev: multidevs is none of 'warn', 'forbid', 'remap', but 'all'");
    CHECK(fsdev("local,id=f,path=/a,security_model=none,writeout=late") ==
          "-fsdev: writeout is immediate, not 'late'");
    CHECK(fsdev("local,id=f,path=/a,security_model=none,fmode=0644") ==
          "-fsdev: fmode and dmode are for security_model=mapped-xattr");
    CHECK(fsdev("local,id=f,path=/a,security_model=mapped,dmode=0888") ==
          "-fsdev: dmode is an octal number up to 0777, not '0888'");
    CHECK(fsdev("local,id=f,path=/a,security_model=mapped,fmode=1000") ==
          "-fsdev: fmode is an octal number up to 0777, not '1000'");
    CHECK(fsdev("local,id=f,path=/a,security_model=none,mount_tag=t") ==
          "-fsdev: a folder has no parameter 'mount_tag'");
    CHECK(fsdev("local,id=f,path=,security_model=none") == "-fsdev: 'path' needs a value");
    CHECK(fsdev("local,id=f,path=/a,security_model=none,readonly=maybe") ==
          bad({"-drive", "file=/a,readonly=maybe"}).replace(0, 6, "-fsdev"));
    CHECK(bad({"-fsdev", "local,id=f,path=/a,security_model=none", "-fsdev",
               "local,id=f,path=/b,security_model=none"}) == "-fsdev: two folders have the id 'f'");
    CHECK(bad({"-virtfs", "local,path=/a,security_model=none"}) ==
          "-virtfs: a shared folder needs mount_tag=TAG");
    CHECK(bad({"-virtfs", "local,path=/a,security_model=none,mount_tag=123456789012345678901234567890123"}) ==
          "-virtfs: device 'virtio-9p-pci': mount_tag is up to 32 bytes, not "
          "'123456789012345678901234567890123'");
    CHECK(bad({"-device", "virtio-9p-pci,mount_tag=t"}) == "-device: device 'virtio-9p-pci' needs fsdev=ID");
    CHECK(bad({"-device", "virtio-9p-pci,fsdev=f,mount_tag=t"}) ==
          "-device: there is no fsdev with the id 'f'");
}

TEST_CASE("a folder is opened for the device that uses it", "[options]") {
    const test::TempDir dir;
    const std::string file = dir.write("file", "text");
    const std::string folder =
        "local,id=f,security_model=none,path=" + file.substr(0, file.size() - std::string("/file").size());
    const auto options =
        parse({"-fsdev", folder.c_str(), "-fsdev", "local,id=g,path=/does/not/exist,security_model=none",
               "-device", "virtio-9p-pci,fsdev=f,mount_tag=t"});
    REQUIRE(options);
    const auto backends = DeviceBackends::open(*options);
    REQUIRE(backends);
    hw::DeviceConfig device = options->devices[0].config;
    backends->connect(device);
    CHECK(device.fsdev().attributes(backend::FsPath().child(*backend::FsName::make("file")))->st_size == 4);

    const auto wrong = parse({"-virtfs", "local,path=/does/not/exist,security_model=none,mount_tag=t"});
    REQUIRE(wrong);
    CHECK(DeviceBackends::open(*wrong).error().message() ==
          "-fsdev: folder '/does/not/exist': No such file or directory");
}
