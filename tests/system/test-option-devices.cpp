// The command line as far as it is about drives and devices: what is accepted, and the message for each thing that is not.
#include <catch2/catch.hpp>

#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::good;

TEST_CASE("drives and devices", "[options]") {
    const Options options = good({"-drive", "file=a,,b.img,format=raw,if=none,id=hd0,readonly=on", "-drive",
                                  "file=c", "-device", "virtio-blk-device,drive=hd0"});
    REQUIRE(options.drives.size() == 2);
    CHECK(options.drives[0].file == "a,b.img");
    CHECK(options.drives[0].read_only);
    CHECK_FALSE(options.drives[0].attach);
    CHECK(options.drives[1].attach);
    REQUIRE(options.devices.size() == 2);
    CHECK(options.devices[0].drive == 1);
    CHECK(options.devices[1].drive == 0);
    CHECK(options.devices[1].config.text("serial").empty());
    CHECK(good({"-drive", "file=a,if=none,id=d", "-device", "virtio-blk-device,drive=d,serial=S1"})
              .devices[0]
              .config.text("serial") == "S1");

    CHECK(bad({"-drive", "format=raw"}) == "-drive: a file must be named: file=PATH");
    CHECK(bad({"-drive", "file="}) == "-drive: 'file' needs a value");
    using backend::ImageFormat;
    CHECK(good({"-drive", "file=a"}).drives[0].format == ImageFormat::probe);
    CHECK(good({"-drive", "file=a,format=raw"}).drives[0].format == ImageFormat::raw);
    CHECK(good({"-drive", "file=a,format=qcow2,lazy-refcounts=on,l2-cache-size=1M"}).drives[0].format ==
          ImageFormat::qcow2);
    CHECK(good({"-hda", "a.qcow2"}).drives[0].format == ImageFormat::probe);
    for (const std::string format : {"vmdk", "vdi", "vhdx", "vpc", "qed", "qcow"}) {
        CHECK(bad({"-drive", ("file=a,format=" + format).c_str()}) ==
              "-drive: unknown image format '" + format + "' (there are 'raw' and 'qcow2')");
    }
    CHECK(bad({"-drive", "file=a,if=ide"}) == "-drive: if is 'none', 'virtio' or 'pflash', not 'ide'");
    CHECK(bad({"-drive", "file=a,readonly=maybe"}) == "-drive: readonly is 'on' or 'off', not 'maybe'");
    CHECK(bad({"-drive", "file=a,colour=none"}) ==
          "-drive: unknown parameter 'colour' (there are file, format, if, id, readonly, snapshot, cache, "
          "discard, detect-zeroes and media; aio, index and unit are accepted)");
    CHECK(bad({"-drive", "file=a,id=x", "-drive", "file=b,id=x"}) == "-drive: two drives have the id 'x'");
    CHECK(bad({"-device", "e1000"}) == "-device: unknown device 'e1000' (-device help lists them)");
    CHECK(bad({"-device", "virtio-blk-device"}) == "-device: device 'virtio-blk-device' needs drive=ID");
    CHECK(bad({"-device", "virtio-blk-device,drive=x"}) == "-device: there is no drive with the id 'x'");
    CHECK(bad({"-device", "virtio-blk-device,colour=x"}) ==
          "-device: device 'virtio-blk-device' has no property 'colour'");
    CHECK(bad({"-drive", "file=a,id=x", "-device", "virtio-blk-device,drive=x"}) ==
          "-device: drive 'x' is in use already (if=none leaves it to -device)");
}

TEST_CASE("images of flash memories", "[options]") {
    using Flash = std::vector<std::optional<size_t>>;
    CHECK(good({}).flash.empty());
    // In order, by number, by the short option; a disk among them.
    CHECK(good({"-drive", "if=pflash,file=a,format=raw", "-drive", "file=disk", "-drive",
                "if=pflash,file=b,readonly=on"})
              .flash == Flash{0, 2});
    CHECK(good({"-drive", "if=pflash,file=a,unit=1"}).flash == Flash{std::nullopt, 0});
    CHECK(good({"-drive", "if=pflash,file=a,index=1", "-drive", "if=pflash,file=b,unit=0"}).flash ==
          Flash{1, 0});
    CHECK(good({"-pflash", "a", "-pflash", "b"}).flash == Flash{0, 1});
    CHECK(good({"-pflash", "a"}).devices.empty());
    // By name, of drives and block nodes, in any order.
    const Options named = good({"-M", "virt,pflash0=code,pflash1=vars", "-drive", "if=none,id=vars,file=v",
                                "-blockdev", "driver=file,filename=c,node-name=code,read-only=on"});
    CHECK(named.flash == Flash{1, 0});
    CHECK(named.drives[1].read_only);
    CHECK(bad({"-drive", "if=pflash,file=a,unit=2"}) == "-drive: there is no flash memory 2 (0 to 1)");
    CHECK(bad({"-pflash", "a", "-pflash", "b", "-pflash", "c"}) ==
          "-drive: there is no flash memory 2 (0 to 1)");
    CHECK(bad({"-drive", "if=pflash,file=a,unit=0", "-drive", "if=pflash,file=b,unit=0"}) ==
          "-drive: flash memory 0 is given two images");
    CHECK(bad({"-pflash", ""}) == "-pflash: the value is empty");
    CHECK(bad({"-M", "virt,pflash0=p"}) == "-machine: pflash0: there is no drive with the id 'p'");
    CHECK(bad({"-M", "virt,pflash0="}) == "-M: 'pflash0' needs a value");
    CHECK(bad({"-M", "virt,pflash0=p", "-drive", "file=a,id=p"}) ==
          "-machine: pflash0: drive 'p' is in use already (if=none leaves it to others)");
    CHECK(bad({"-M", "virt,pflash0=p,pflash1=p", "-drive", "file=a,id=p,if=none"}) ==
          "-machine: pflash1: drive 'p' is another flash memory's");
    CHECK(bad({"-M", "virt,pflash0=p", "-drive", "file=a,id=p,if=none", "-pflash", "b"}) ==
          "-machine: flash memory 0 is given two images");
    CHECK(bad({"-M", "virt,pflash0=p", "-drive", "file=a,id=p,if=none", "-device",
               "virtio-blk-device,drive=p"}) == "-device: drive 'p' is in use already");
}

TEST_CASE("devices on PCI and their places", "[options]") {
    const Options options = good({"-device", "virtio-rng-pci,bus=pcie.0,addr=0x1f.7", "-device",
                                  "virtio-net-pci,multifunction=on,addr=1f,romfile=,rombar=0,vectors=4",
                                  "-device", "virtio-rng-pci,disable-legacy=on,disable-modern=off"});
    CHECK(options.devices[0].config.pci().address == "0x1f.7");
    CHECK(options.devices[0].config.pci().legacy);
    CHECK(options.devices[1].config.pci().multifunction);
    CHECK(options.devices[1].config.mac() == hw::kFirstMac);
    CHECK_FALSE(options.devices[2].config.pci().legacy);
    CHECK(good({"-device", "virtio-rng-pci,disable-legacy=auto"}).devices[0].config.pci().legacy);
    CHECK_FALSE(good({"-global", "virtio-rng-pci.disable-legacy=on", "-device", "virtio-rng-pci"})
                    .devices[0]
                    .config.pci()
                    .legacy);
    // By names that say the same.
    CHECK_FALSE(good({"-device", "virtio-rng-pci-non-transitional"}).devices[0].config.pci().legacy);
    CHECK(good({"-device", "virtio-rng-pci-transitional"}).devices[0].config.pci().legacy_said);
    CHECK(bad({"-device", "pcie-root-port-transitional"}).starts_with("-device: unknown device "));
    // Thirty-one slots beside the host bridge's, and virtio-mmio's own.
    std::vector<const char*> arguments = {"-device", "virtio-rng-device"};
    for (int i = 0; i < 31; ++i) {
        arguments.insert(arguments.end(), {"-device", "virtio-rng-pci"});
    }
    CHECK(parse_options(arguments));
    arguments.insert(arguments.end(), {"-device", "virtio-rng-pci"});
    CHECK(parse_options(arguments).error().message() == "-device: more than 31 devices on PCI");

    const auto rng = [&](const char* rest) { return bad({"-device", rest}); };
    CHECK(rng("virtio-rng-pci,addr=0") == "-device: PCI function 00.0 is the host bridge's");
    CHECK(rng("virtio-rng-pci,addr=20") ==
          "-device: device 'virtio-rng-pci': addr is SLOT[.FN], 00 to 1f and 0 to 7, not '20'");
    CHECK(rng("virtio-rng-pci,addr=2.1") == "-device: PCI slot 02 has function 1, but no function 0");
    CHECK(rng("virtio-rng-pci,addr=") == "-device: device 'virtio-rng-pci': 'addr' needs a value");
    CHECK(rng("virtio-rng-pci,bus=pci.0") ==
          "-device: device 'virtio-rng-pci': the board has no bus 'pci.0' (there is pcie.0)");
    CHECK(rng("virtio-rng-device,addr=1") == "-device: device 'virtio-rng-device' has no property 'addr'");
    CHECK(rng("virtio-rng-pci,disable-modern=on") ==
          "-device: device 'virtio-rng-pci': disable-modern=on is not supported");
    CHECK(rng("virtio-rng-pci,disable-legacy=no-idea") ==
          "-device: device 'virtio-rng-pci': disable-legacy is on, off or auto, not 'no-idea'");
    CHECK(rng("virtio-rng-pci,vectors=many") ==
          "-device: device 'virtio-rng-pci': vectors is a number, not 'many'");
    CHECK(bad({"-device", "virtio-rng-pci,addr=3", "-device", "virtio-rng-pci,addr=3.0"}) ==
          "-device: PCI function 03.0 is given to two devices");
    CHECK(bad({"-global", "virtio-rng-pci.addr=3"}) ==
          "-global: device 'virtio-rng-pci' has no property 'addr'");
}

TEST_CASE("-drive as scripts write it", "[options]") {
    const DriveChoice drive =
        good({"-drive",
              "file=a,if=virtio,format=raw,cache=none,aio=native,discard=on,media=disk,index=0,"
              "unit=1,detect-zeroes=unmap,werror=report"})
            .drives[0];
    CHECK_FALSE(drive.write_through);
    CHECK(drive.unmap);
    CHECK(drive.detect_zeroes == backend::DetectZeroes::unmap);
    CHECK_FALSE(drive.snapshot);
    CHECK_FALSE(good({"-drive", "file=a"}).drives[0].unmap);
    CHECK_FALSE(good({"-drive", "file=a,discard=ignore"}).drives[0].unmap);
    CHECK(good({"-drive", "file=a,detect-zeroes=on"}).drives[0].detect_zeroes == backend::DetectZeroes::on);
    CHECK(bad({"-drive", "file=a,discard=maybe"}) ==
          "-drive: discard=maybe is not supported (there is 'ignore', 'off', 'unmap', 'on')");
    CHECK(bad({"-drive", "file=a,detect-zeroes=unmap"}) == "-drive: detect-zeroes=unmap needs discard=unmap");
    CHECK(good({"-drive", "file=a,cache=writethrough"}).drives[0].write_through);
    CHECK(good({"-drive", "file=a,cache=directsync"}).drives[0].write_through);
    CHECK(good({"-drive", "file=a,snapshot=on"}).drives[0].snapshot);
    CHECK(good({"-snapshot", "-drive", "file=a"}).drives[0].snapshot);
    CHECK(good({"-drive", "file.filename=a,file.driver=file"}).drives[0].file == "a");
    const Options hda = good({"-hda", "a,b"});
    CHECK(hda.drives[0].file == "a,b");
    CHECK(hda.devices.size() == 1);
    CHECK(bad({"-drive", "file=a,cache=fast"}) ==
          "-drive: unknown cache mode 'fast' (there is 'writeback', 'none', 'unsafe', 'writethrough', "
          "'directsync')");
    CHECK_FALSE(hda.drives[0].read_only);
    const Options cdrom = good({"-cdrom", "a,b"});
    CHECK(cdrom.drives[0].file == "a,b");
    CHECK(cdrom.drives[0].read_only);
    CHECK(cdrom.devices.size() == 1);
    CHECK(good({"-drive", "file=a,media=cdrom"}).drives[0].read_only);
    CHECK(good({"-drive", "media=cdrom,file=a,readonly=off"}).drives[0].read_only);
    CHECK(bad({"-drive", "file=a,media=tape"}) == "-drive: media is 'disk' or 'cdrom', not 'tape'");
    CHECK(bad({"-cdrom", ""}) == "-cdrom: the value is empty");
    CHECK(bad({"-drive", "file=a,index=x"}) == "-drive: index is a number, not 'x'");
    CHECK(bad({"-drive", "file=a,werror=stop"}) ==
          "-drive: werror=stop is not supported (only enospc|report)");
    CHECK(bad({"-drive", "file=a,aio"}) == "-drive: 'aio' needs a value");
}

TEST_CASE("-blockdev: nodes with nested keys, and nodes that refer to each other", "[options]") {
    const auto drive = [](std::initializer_list<const char*> arguments) {
        const Options options = good(arguments);
        REQUIRE(options.drives.size() == 1);
        CHECK(options.devices.size() == 1);
        CHECK_FALSE(options.drives[0].attach);
        CHECK(options.drives[0].format == backend::ImageFormat::raw);
        return options.drives[0];
    };
    CHECK(drive({"-blockdev", "driver=raw,file.driver=file,file.filename=a,,b.img,node-name=hd0", "-device",
                 "virtio-blk-device,drive=hd0"})
              .file == "a,b.img");
    CHECK(
        drive({"-device", "virtio-blk-device,drive=hd0", "-blockdev", "raw,node-name=hd0,file=f,read-only=on",
               "-blockdev", "driver=file,node-name=f,filename=a,aio=native,cache.direct=on"})
            .read_only);
    CHECK(drive({"-blockdev", "file,node-name=f,filename=a,read-only=on", "-device",
                 "virtio-blk-device,drive=f"})
              .read_only);
    CHECK_FALSE(drive({"-blockdev", "file,node-name=f,filename=a", "-device", "virtio-blk-device,drive=f"})
                    .read_only);
    CHECK(bad({"-blockdev", "{\"driver\":\"raw\"}"}) == "-blockdev: a node must be named: node-name=NAME");
    CHECK(bad({"-blockdev", "driver=raw"}) == "-blockdev: a node must be named: node-name=NAME");
    CHECK(bad({"-blockdev", "driver=vmdk,node-name=a"}) ==
          "-blockdev: unknown driver 'vmdk' (there are 'raw', 'qcow2', 'file' and 'host_device')");
    CHECK(bad({"-blockdev", "driver=qcow2,node-name=a"}) ==
          "-blockdev: a qcow2 node needs file=NODE, or file.driver=file and file.filename=PATH");
    CHECK(bad({"-blockdev", "driver=raw,node-name=a"}) ==
          "-blockdev: a raw node needs file=NODE, or file.driver=file and file.filename=PATH");
    CHECK(bad({"-blockdev", "driver=raw,node-name=a,file=b"}) == "-blockdev: there is no node 'b'");
    CHECK(bad({"-blockdev", "driver=raw,node-name=a,file=b", "-blockdev", "driver=raw,node-name=b,file=a"})
              .find("is its own file") != std::string::npos);
    CHECK(bad({"-blockdev", "driver=file,node-name=a"}) ==
          "-blockdev: a node of driver file needs filename=PATH");
    CHECK(bad({"-blockdev", "driver=file,node-name=a,filename=x,colour=red"}) ==
          "-blockdev: driver file has no parameter 'colour'");
    CHECK(bad({"-blockdev", "file,node-name=a,filename=x", "-blockdev", "file,node-name=a,filename=x"}) ==
          "-blockdev: two nodes have the name 'a'");
    CHECK(bad({"-blockdev", "file,node-name=a,filename=x", "-drive", "file=x,id=a"}) ==
          "-blockdev: two drives have the id 'a'");
    CHECK(bad({"-blockdev", "file,node-name=a,filename=x,read-only=2"}) ==
          "-blockdev: read-only is 'on' or 'off', not '2'");
}

TEST_CASE("-blockdev: qcow2 over a file or a raw node, and a raw view of it", "[options]") {
    const auto drive = [](std::initializer_list<const char*> arguments) {
        const Options options = good(arguments);
        REQUIRE(options.drives.size() == 1);
        CHECK(options.drives[0].format == backend::ImageFormat::qcow2);
        return options.drives[0];
    };
    CHECK(drive({"-blockdev", "driver=qcow2,node-name=x,file.driver=file,file.filename=F"}).file == "F");
    CHECK(drive({"-blockdev", "driver=file,node-name=f,filename=F", "-blockdev",
                 "driver=qcow2,node-name=x,file=f"})
              .id == "x");
    CHECK(drive({"-blockdev", "qcow2,node-name=x,file=r,read-only=on", "-blockdev", "raw,node-name=r,file=f",
                 "-blockdev", "file,node-name=f,filename=F"})
              .read_only);
    CHECK(drive({"-blockdev", "raw,node-name=r,file=x", "-blockdev",
                 "qcow2,node-name=x,file.driver=file,file.filename=F,lazy-refcounts=on,l2-cache-size=1M"})
              .id == "r");
    CHECK(bad({"-blockdev", "qcow2,node-name=y,file=x", "-blockdev",
               "qcow2,node-name=x,file.driver=file,file.filename=F"}) ==
          "-blockdev: a qcow2 image within another one is not supported");
    CHECK(bad({"-blockdev", "raw,node-name=x,file.driver=file,file.filename=F,lazy-refcounts=on"}) ==
          "-blockdev: driver raw has no parameter 'lazy-refcounts'");
    CHECK(bad({"-blockdev", "qcow2,node-name=x,file.driver=file,file.filename=F,backing=y"}) ==
          "-blockdev: backing=NODE is not supported: an image is over the file that it names itself");
}

TEST_CASE("-device loader", "[options]") {
    const Options options =
        good({"-device", "loader,file=os.bin,addr=0x80200000", "-device",
              "loader,addr=0x80000000,data=0x12345678,data-len=4,cpu-num=0", "-device",
              "loader,addr=0x80000000,data=0x1234,data-len=2,data-be=on", "-device",
              "loader,file=a.elf,force-raw=on,addr=16", "-device", "loader,addr=0x80001000,cpu-num=1"});
    REQUIRE(options.loads.size() == 5);
    CHECK(options.devices.empty());
    CHECK(options.loads[0].file == "os.bin");
    CHECK(options.loads[0].address == 0x80200000);
    CHECK_FALSE(options.loads[0].cpu);
    CHECK(options.loads[1].bytes == std::vector<uint8_t>{0x78, 0x56, 0x34, 0x12});
    CHECK(options.loads[1].cpu == 0);
    CHECK(options.loads[2].bytes == std::vector<uint8_t>{0x12, 0x34});
    CHECK(options.loads[3].force_raw);
    CHECK(options.loads[4].cpu == 1);
    const std::string data =
        "-device: device 'loader': data= needs addr= and data-len= from 1 to 8, and no file=";
    CHECK(bad({"-device", "loader,data=1,data-len=4"}) == data);
    CHECK(bad({"-device", "loader,data=1,addr=0"}) == data);
    CHECK(bad({"-device", "loader,data=1,addr=0,data-len=9"}) == data);
    CHECK(bad({"-device", "loader,data=1,addr=0,data-len=1,file=x"}) == data);
    CHECK(bad({"-device", "loader"}) ==
          "-device: device 'loader' needs file=, or addr= and data=, or addr= and cpu-num=");
    CHECK(bad({"-device", "loader,file=a,addr=x"}) == "-device: device 'loader': addr is a number, not 'x'");
    CHECK(bad({"-device", "loader,file=a,colour=x"}) == "-device: device 'loader' has no property 'colour'");
    CHECK(device_text("loader")->find("cpu-num=") != std::string::npos);
}

TEST_CASE("-global changes parts of the board and all devices of a kind", "[options]") {
    const auto legacy = [](const Options& options) {
        return options.parts.empty() ? "default" : options.parts[0].on("force-legacy") ? "on" : "off";
    };
    CHECK(legacy(good({})) == std::string("default"));
    CHECK(legacy(good({"-global", "virtio-mmio.force-legacy=false"})) == std::string("off"));
    CHECK(legacy(good({"-global", "virtio-mmio.force-legacy=off", "-global",
                       "virtio-mmio.force-legacy=on"})) == std::string("on"));
    CHECK(legacy(good({"-global", "driver=virtio-mmio,property=force-legacy,value=false"})) ==
          std::string("off"));
    // Wherever it stands; the device's own word holds.
    const Options options =
        good({"-drive", "file=a,if=none,id=a", "-drive", "file=b,if=none,id=b", "-drive", "file=c", "-device",
              "virtio-blk-device,drive=a", "-device", "virtio-blk-device,drive=b,serial=own", "-global",
              "virtio-blk-device.serial=all"});
    REQUIRE(options.devices.size() == 3);
    CHECK(options.devices[0].config.text("serial") == "all");
    CHECK(options.devices[1].config.text("serial") == "all");
    CHECK(options.devices[2].config.text("serial") == "own");

    CHECK(bad({"-global", "foo.bar=1"}) == "-global: there is no device 'foo'");
    CHECK(bad({"-global", "virtio-mmio.bar=1"}) == "-global: device 'virtio-mmio' has no property 'bar'");
    CHECK(bad({"-global", "virtio-blk-device.bus=x"}) ==
          "-global: device 'virtio-blk-device' has no property 'bus'");
    CHECK(bad({"-global", "virtio-mmio.force-legacy=2"}) ==
          "-global: device 'virtio-mmio': force-legacy is on or off, not '2'");
    CHECK(bad({"-global", "virtio-mmio.force-legacy"}) ==
          "-global: 'virtio-mmio.force-legacy' is not DRIVER.PROPERTY=VALUE");
    CHECK(bad({"-global", "driver=virtio-mmio,value=1"}) ==
          "-global: needs DRIVER.PROPERTY=VALUE, or driver=, property= and value=");
    CHECK(bad({"-global", "driver=virtio-mmio,colour=1"}) ==
          "-global: unknown parameter 'colour' (there are driver, property and value)");
    CHECK(bad({"-device", "virtio-mmio"}) ==
          "-device: unknown device 'virtio-mmio' (-device help lists them)");
}

TEST_CASE("a device may come before its drive, and choose its place", "[options]") {
    const Options options = good({"-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0", "-drive",
                                  "file=fs.img,if=none,format=raw,id=x0"});
    REQUIRE(options.devices.size() == 1);
    CHECK(options.devices[0].drive == 0);
    CHECK(options.devices[0].config.bus() == "virtio-mmio-bus.0");
    CHECK(good({"-drive", "file=a,if=none,id=x", "-device", "driver=virtio-blk-device,drive=x"})
              .devices.size() == 1);
    const auto on = [](const char* bus) {
        const std::string device = std::string("virtio-blk-device,drive=x,bus=") + bus;
        return bad({"-device", device.c_str(), "-drive", "file=a,if=none,id=x", "-device",
                    "virtio-blk-device,drive=y,bus=virtio-mmio-bus.3", "-drive", "file=b,if=none,id=y"});
    };
    CHECK(on("virtio-mmio-bus.7") == "(accepted)");
    CHECK(on("virtio-mmio-bus.8") ==
          "-device: device 'virtio-blk-device': the board has no bus 'virtio-mmio-bus.8' (there are "
          "virtio-mmio-bus.0 to virtio-mmio-bus.7)");
    CHECK(on("pcie.0").find("the board has no bus 'pcie.0'") != std::string::npos);
    CHECK(on("virtio-mmio-bus.").find("the board has no bus") != std::string::npos);
    CHECK(on("virtio-mmio-bus.3") == "-device: virtio slot 3 is given to two devices");
}

TEST_CASE("the board's slots are counted", "[options]") {
    std::vector<const char*> arguments;
    for (int i = 0; i < 8; ++i) {
        arguments.insert(arguments.end(), {"-drive", "file=x"});
    }
    CHECK(parse_options(arguments));
    arguments.insert(arguments.end(), {"-drive", "file=x"});
    const auto options = parse_options(arguments);
    REQUIRE_FALSE(options);
    CHECK(options.error().message() == "-device: more than 8 virtio devices");
}

TEST_CASE("what a disk's device is told", "[options]") {
    const auto disk = [](const std::string& properties) {
        const std::string value = "virtio-blk-device,drive=d," + properties;
        return good({"-drive", "file=a,if=none,id=d", "-device", value.c_str()}).devices[0].config;
    };
    const hw::DeviceConfig config = disk(
        "num-queues=4,queue-size=512,logical_block_size=4096,physical_block_size=4096,write-cache=off,"
        "discard=off,ioeventfd=off,request-merging=off,werror=report,event_idx=on");
    CHECK(config.optional_number("num-queues") == 4);
    CHECK(config.number("queue-size") == 512);
    CHECK(config.number("logical_block_size") == 4096);
    CHECK(config.on_off_auto("write-cache") == false);
    CHECK_FALSE(config.on("discard"));
    CHECK(config.on("write-zeroes"));
    CHECK_FALSE(disk("serial=x").optional_number("num-queues"));
    CHECK_FALSE(disk("write-cache=auto").on_off_auto("write-cache"));
    const auto wrong = [](const std::string& properties) {
        const std::string value = "virtio-blk-device,drive=d," + properties;
        const std::string message = bad({"-drive", "file=a,if=none,id=d", "-device", value.c_str()});
        const std::string prefix = "-device: device 'virtio-blk-device': ";
        return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    };
    CHECK(wrong("num-queues=0") == "num-queues is a number from 1 to 1024, not '0'");
    CHECK(wrong("queue-size=300") == "queue-size is a power of two from 2 to 1024, not '300'");
    CHECK(wrong("logical_block_size=256") ==
          "logical_block_size is a power of two from 512 to 2097152, not '256'");
    CHECK(wrong("write-cache=maybe") == "write-cache is on, off or auto, not 'maybe'");
    CHECK(wrong("scsi=on") == "scsi is off, not 'on'");
    CHECK(wrong("iommu_platform=on") == "iommu_platform=on is not supported (only off)");
}
