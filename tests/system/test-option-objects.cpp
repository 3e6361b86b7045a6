// -object and what refers to it: what is accepted, and the message for each thing that is not.
#include <catch2/catch.hpp>

#include "emulator/system/device_backends.h"
#include "tests/support/subprocess.h"
#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::good;
using weft::test::parse;

TEST_CASE("objects and the devices that refer to them, in any order", "[options]") {
    const auto options =
        parse({"-device", "virtio-rng-device,rng=r0", "-object", "rng-random,filename=/a,id=r0", "-object",
               "rng-builtin,id=r1", "-object", "rng-random,id=r2", "-device", "virtio-rng-device"});
    REQUIRE(options);
    REQUIRE(options->objects.size() == 3);
    CHECK(options->objects[0].filename == "/a");
    CHECK(options->objects[1].kind == ObjectChoice::Kind::rng_builtin);
    CHECK(options->objects[2].filename == "/dev/urandom");
    REQUIRE(options->devices.size() == 2);
    CHECK(options->devices[0].config.reference(hw::PropertyKind::rng) == "r0");

    CHECK(bad({"-object", "id=x"}) == "-object: the type comes first: TYPE,id=ID[,property=value...]");
    CHECK(bad({"-object", "rng-egd,id=x"}) ==
          "-object: unknown object type 'rng-egd' (there are 'rng-builtin', 'rng-random', 'secret', "
          "'memory-backend-ram', 'memory-backend-memfd', 'memory-backend-file', 'iothread')");
    CHECK(bad({"-object", "rng-builtin"}) == "-object: rng-builtin needs an id");
    CHECK(bad({"-object", "rng-builtin,id="}) == "-object: 'id' needs a value");
    CHECK(bad({"-object", "rng-builtin,id=x,filename=/a"}) ==
          "-object: rng-builtin has no property 'filename'");
    CHECK(bad({"-object", "rng-builtin,id=x", "-object", "rng-random,id=x"}) ==
          "-object: two objects have the id 'x'");
    CHECK(bad({"-device", "virtio-rng-device,rng=x"}) == "-device: there is no object with the id 'x'");
}

TEST_CASE("the board's RAM as an object, secrets, and JSON", "[options]") {
    const Options options =
        good({"-machine", "virt,memory-backend=m", "-object",
              R"({"qom-type":"memory-backend-ram","id":"m","size":67108864,"share":false})", "-object",
              "secret,id=s,format=raw,file=/does/not/exist"});
    CHECK(options.memory_bytes == 64 << 20);
    CHECK(
        good({"-m", "64", "-numa", "node,memdev=m", "-object", "memory-backend-memfd,id=m,size=64M,share=on"})
            .memory_bytes == 64 << 20);
    CHECK(bad({"-m", "65", "-machine", "virt,memory-backend=m", "-object",
               "memory-backend-ram,id=m,size=64M"}) ==
          "-machine: memory-backend: 'm' has 64M, and -m asks for 65M");
    CHECK(bad({"-machine", "virt,memory-backend=s", "-object", "secret,id=s,data=x"}) ==
          "-machine: memory-backend: there is no memory object with the id 's'");
    CHECK(bad({"-object", "memory-backend-ram,id=m"}) == "-object: memory-backend-ram needs size=SIZE");
    CHECK(bad({"-object", "memory-backend-ram,id=m,size=1"}) ==
          "-object: memory-backend-ram: the size must be from 1M to 16T, not '1'");
    CHECK(bad({"-object", "memory-backend-ram,id=m,size=x"}) ==
          "-object: memory-backend-ram: invalid size 'x'");
    CHECK(bad({"-object", "secret,id=s,password=x"}) == "-object: secret has no property 'password'");
    CHECK(bad({"-object", "secret,id=s", "-device", "virtio-rng-device,rng=s"}) ==
          "-device: object 's' gives no random bytes");
    // What is no object of JSON, or too deep.
    CHECK(bad({"-object", "{"}) == "-object: '{' is no JSON object");
    CHECK(bad({"-object", "{} {}"}) == "-object: '{} {}' is no JSON object");
    CHECK(bad({"-object", R"({"qom-type":"secret","":1})"}) == "-object: a member without a name");
    CHECK(bad({"-object", R"({"qom-type":"secret"})"}) == "-object: secret needs an id");
    std::string deep = "1";
    for (int i = 0; i < 20; ++i) {
        deep = R"({"a":)" + deep + "}";
    }
    CHECK(bad({"-object", deep.c_str()}) == "-object: more than 16 objects within each other");
    CHECK(bad({"-device", R"({"driver":"virtio-rng-pci","addr":{"a":[true,null,-1.5]}})"}) ==
          "-device: device 'virtio-rng-pci' has no property 'addr.a.0'");
}

TEST_CASE("only what devices use is opened", "[options]") {
    const test::TempDir dir;
    const std::string file = dir.write("bytes", "0123456789");
    const std::string object = "rng-random,id=r,filename=" + file;
    const auto options =
        parse({"-object", object.c_str(), "-object", "rng-random,id=none,filename=/does/not/exist", "-device",
               "virtio-rng-device,rng=r", "-device", "virtio-rng-device"});
    REQUIRE(options);
    const auto backends = DeviceBackends::open(*options);
    REQUIRE(backends);
    hw::DeviceConfig device = options->devices[0].config;
    backends->connect(device);
    REQUIRE(device.rng() != nullptr);
    std::array<uint8_t, 10> bytes{};
    CHECK(device.rng()->fill(bytes).value() == 10);
    CHECK(std::string(bytes.begin(), bytes.end()) == "0123456789");
    device = options->devices[1].config;
    backends->connect(device);
    CHECK(device.rng() == nullptr);

    const auto wrong =
        parse({"-object", "rng-random,id=r,filename=/does/not/exist", "-device", "virtio-rng-device,rng=r"});
    REQUIRE(wrong);
    CHECK(DeviceBackends::open(*wrong).error().message() ==
          "-object: cannot open '/does/not/exist': No such file or directory");
}
