// What the board's RAM lies in: objects, -mem-path, -mem-prealloc, -numa. What is accepted, the message for each thing that is not, and the
// files that are made.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "emulator/system/memory_files.h"
#include "tests/support/subprocess.h"
#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::good;

namespace {

constexpr uint64_t kMiB = 1 << 20;

uint64_t size_of(const std::string& path) {
    struct stat info{};
    return stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : UINT64_MAX;
}

bool there(const std::string& path) { return std::filesystem::exists(path); }

std::string refusal(const Options& options) {
    const Result<MemoryFiles> files = MemoryFiles::open(options);
    return files ? "(opened)" : files.error().message();
}

}  // namespace

TEST_CASE("the board's RAM in one object", "[options]") {
    const Options file = good(
        {"-m", "64", "-machine", "virt,memory-backend=m", "-object",
         "memory-backend-file,id=m,size=64M,mem-path=/f,share=on,prealloc=on,offset=1M,align=2M,dump=on"});
    REQUIRE(file.memory.size() == 1);
    CHECK(file.memory[0].id == "m");
    CHECK(file.memory[0].path == "/f");
    CHECK(file.memory[0].size == 64 * kMiB);
    CHECK(file.memory[0].offset == kMiB);
    CHECK(file.memory[0].share);
    CHECK(file.memory[0].populate);
    CHECK(file.nodes.empty());

    const auto object = [](const char* text) {
        return good({"-machine", "virt,memory-backend=m", "-object", text}).memory[0];
    };
    CHECK(object("memory-backend-memfd,id=m,size=1G").share);
    CHECK_FALSE(object("memory-backend-memfd,id=m,size=1G,share=off").share);
    CHECK_FALSE(object("memory-backend-ram,id=m,size=1G").share);
    CHECK_FALSE(object("memory-backend-file,id=m,size=1G,mem-path=/f").share);
    // One that nothing names.
    CHECK(good({"-object", "memory-backend-file,id=m,size=1G,mem-path=/f"}).memory.empty());

    CHECK(bad({"-object", "memory-backend-file,id=m,size=1M"}) ==
          "-object: memory-backend-file needs mem-path=PATH");
    CHECK(bad({"-object", "memory-backend-file,id=m,mem-path=/f"}) ==
          "-object: memory-backend-file needs size=SIZE");
    CHECK(bad({"-object", "memory-backend-file,id=m,size=1M,mem-path=/f,offset=100"}) ==
          "-object: memory-backend-file: the offset is a multiple of 4K, not '100'");
    CHECK(bad({"-object", "memory-backend-file,id=m,size=1M,mem-path=/f,readonly=on"}) ==
          "-object: memory-backend-file: readonly=on is not supported");
    CHECK(bad({"-object", "memory-backend-memfd,id=m,size=1M,hugetlb=on"}) ==
          "-object: memory-backend-memfd: hugetlb=on is not supported");
    CHECK(bad({"-object", "memory-backend-ram,id=m,size=1M,mem-path=/f"}) ==
          "-object: memory-backend-ram has no property 'mem-path'");
}

TEST_CASE("-mem-path and -mem-prealloc", "[options]") {
    const Options path = good({"-m", "32", "-mem-path", "/dev/shm"});
    REQUIRE(path.memory.size() == 1);
    CHECK(path.memory[0].path == "/dev/shm");
    CHECK(path.memory[0].size == 32 * kMiB);
    CHECK_FALSE(path.memory[0].share);
    CHECK_FALSE(path.memory[0].populate);
    const Options both = good({"-mem-prealloc", "-mem-path", "/f"});
    CHECK(both.memory[0].populate);
    const Options there_at_once = good({"-mem-prealloc", "-m", "16"});
    REQUIRE(there_at_once.memory.size() == 1);
    CHECK(there_at_once.memory[0].populate);
    CHECK(there_at_once.memory[0].size == 16 * kMiB);
    CHECK(good({"-mem-prealloc", "-machine", "virt,memory-backend=m", "-object",
                "memory-backend-ram,id=m,size=64M"})
              .memory[0]
              .populate);
    CHECK(bad({"-mem-path", "/f", "-machine", "virt,memory-backend=m", "-object",
               "memory-backend-ram,id=m,size=64M"}) == "-mem-path: excludes the memory that 'm' names");
}

TEST_CASE("nodes of RAM", "[options]") {
    const Options two = good({"-m", "96", "-smp", "4", "-object", "memory-backend-ram,id=a,size=64M",
                              "-object", "memory-backend-memfd,id=b,size=32M", "-numa",
                              "node,nodeid=1,cpus=0,cpus=2-3,memdev=b", "-numa", "node,nodeid=0,memdev=a"});
    REQUIRE(two.nodes.size() == 2);
    CHECK(two.nodes[0].size == 64 * kMiB);
    CHECK(two.nodes[1].size == 32 * kMiB);
    CHECK(two.nodes[1].cpus == std::vector<unsigned>{0, 2, 3});
    CHECK(two.nodes[0].cpus == std::vector<unsigned>{1});
    REQUIRE(two.memory.size() == 2);
    CHECK(two.memory[0].id == "a");
    CHECK(two.memory[1].id == "b");
    // One node is all of the RAM, in an object or not.
    const Options one = good({"-m", "48", "-smp", "2", "-numa", "node"});
    REQUIRE(one.nodes.size() == 1);
    CHECK(one.nodes[0].size == 48 * kMiB);
    CHECK(one.nodes[0].cpus == std::vector<unsigned>{0, 1});
    CHECK(one.memory.empty());

    const char* const kA = "memory-backend-ram,id=a,size=64M";
    const char* const kB = "memory-backend-ram,id=b,size=64M";
    CHECK(bad({"-object", kA, "-object", kB, "-m", "96", "-numa", "node,memdev=a", "-numa",
               "node,memdev=b"}) == "-numa: the nodes have 128M, and -m asks for 96M");
    CHECK(bad({"-object", kA, "-numa", "node,memdev=a", "-numa", "node"}) ==
          "-numa: each of several nodes needs memdev=ID");
    CHECK(bad({"-object", kA, "-numa", "node,memdev=a", "-numa", "node,memdev=a"}) ==
          "-numa: 'a' is the memory of two nodes");
    CHECK(bad({"-numa", "node,memdev=x"}) == "-numa: there is no memory object with the id 'x'");
    CHECK(bad({"-object", kA, "-object", kB, "-numa", "node,memdev=a", "-numa", "node,nodeid=2,memdev=b"}) ==
          "-numa: the nodes are numbered from 0 to 1, each once");
    CHECK(bad({"-object", kA, "-object", kB, "-numa", "node,nodeid=0,memdev=a", "-numa",
               "node,nodeid=0,memdev=b"}) == "-numa: the nodes are numbered from 0 to 1, each once");
    CHECK(bad({"-smp", "2", "-object", kA, "-object", kB, "-numa", "node,memdev=a,cpus=0-1", "-numa",
               "node,memdev=b,cpus=1"}) == "-numa: CPU 1 is in two nodes");
    CHECK(bad({"-smp", "2", "-numa", "node,cpus=0-2"}) == "-numa: there is no CPU 2 (-smp)");
    CHECK(bad({"-numa", "node,cpus=1-0"}) == "-numa: cpus is a number or FIRST-LAST below 512, not '1-0'");
    CHECK(bad({"-numa", "node,cpus=512"}) == "-numa: cpus is a number or FIRST-LAST below 512, not '512'");
    CHECK(bad({"-numa", "node,mem=1G"}) ==
          "-numa: unknown parameter 'mem' (there are nodeid, cpus and memdev)");
    CHECK(
        bad({"-numa", "dist,src=0,dst=1,val=20"}) ==
        "-numa: 'dist' is not supported: nodes are given whole, as node,nodeid=N,cpus=FIRST-LAST,memdev=ID");
    CHECK(
        bad({"-machine", "virt,memory-backend=b", "-object", kA, "-object", kB, "-numa", "node,memdev=a"}) ==
        "-numa: memdev= and the machine property memory-backend exclude each other");
    CHECK(bad({"-numa", "node", "-numa", "node", "-numa", "node", "-numa", "node", "-numa", "node"}) ==
          "-numa: there are 4 nodes at most");
}

TEST_CASE("disks name I/O threads, which have to be there", "[options]") {
    const char* const kDrive = "if=none,id=d,file=/f,format=raw";
    CHECK(good({"-object", "iothread,id=t,poll-max-ns=0", "-drive", kDrive, "-device",
                "virtio-blk-pci,drive=d,iothread=t"})
              .objects[0]
              .kind == ObjectChoice::Kind::iothread);
    CHECK(bad({"-drive", kDrive, "-device", "virtio-blk-pci,drive=d,iothread=t"}) ==
          "-device: there is no iothread with the id 't'");
    CHECK(bad({"-object", "rng-builtin,id=t", "-drive", kDrive, "-device",
               "virtio-blk-device,drive=d,iothread=t"}) == "-device: there is no iothread with the id 't'");
    CHECK(bad({"-object", "iothread,id=t,name=x"}) == "-object: iothread has no property 'name'");
}

TEST_CASE("files for RAM are made, used, or left as they are", "[options]") {
    const test::TempDir dir;
    const auto options = [](const std::string& path, const char* more = "") {
        const std::string object = "memory-backend-file,id=m,size=2M,mem-path=" + path + more;
        return good({"-machine", "virt,memory-backend=m", "-object", object.c_str()});
    };
    // Not there: made, with its size; gone if there is no machine in the end.
    const std::string made = dir.file("made");
    {
        const Result<MemoryFiles> files = MemoryFiles::open(options(made, ",offset=1M,share=on"));
        REQUIRE(files);
        CHECK(size_of(made) == 3 * kMiB);
        REQUIRE(files->backings().size() == 1);
        CHECK(files->backings()[0].fd >= 0);
        CHECK(files->backings()[0].offset == kMiB);
        CHECK(files->backings()[0].shared);
    }
    CHECK_FALSE(there(made));
    {
        Result<MemoryFiles> files = MemoryFiles::open(options(made));
        REQUIRE(files);
        files->keep();
    }
    CHECK(size_of(made) == 2 * kMiB);
    // There, and large enough.
    CHECK(refusal(options(made)) == "(opened)");
    CHECK(size_of(made) == 2 * kMiB);
    // Too small: it stays as it is.
    const std::string small = dir.write("small", "0123456789");
    CHECK(refusal(options(small)) == "-object: 'm': '" + small + "' has 10 bytes, and 2097152 are asked for");
    CHECK(size_of(small) == 10);
    CHECK(refusal(options(made, ",offset=1M")) ==
          "-object: 'm': '" + made + "' has 2097152 bytes, and 3145728 are asked for");
    // Empty: it gets the size, and stays.
    const std::string empty = dir.write("empty", "");
    CHECK(refusal(options(empty)) == "(opened)");
    CHECK(size_of(empty) == 2 * kMiB);
    // In a folder: nobody sees it.
    const test::TempDir folder;
    {
        const Result<MemoryFiles> files = MemoryFiles::open(options(folder.path()));
        REQUIRE(files);
        CHECK(files->backings()[0].fd >= 0);
        CHECK(std::filesystem::is_empty(folder.path()));
    }
    CHECK(refusal(options(dir.file("no/such"))) ==
          "-object: 'm': cannot open '" + dir.file("no/such") + "': No such file or directory");
    const std::string nowhere = dir.file("no/such");
    CHECK(refusal(good({"-mem-path", nowhere.c_str()})) ==
          "-mem-path: cannot open '" + nowhere + "': No such file or directory");
    // The second one fails: what was made for the first one goes.
    const std::string first = "memory-backend-file,id=a,size=1M,mem-path=" + dir.file("first");
    const std::string second = "memory-backend-file,id=b,size=1M,mem-path=" + small;
    CHECK(refusal(good({"-object", first.c_str(), "-object", second.c_str(), "-numa", "node,memdev=a",
                        "-numa", "node,memdev=b", "-m", "2"})) ==
          "-object: 'b': '" + small + "' has 10 bytes, and 1048576 are asked for");
    CHECK_FALSE(there(dir.file("first")));
    // No file: shared memory has a descriptor, other memory none.
    const auto ram = [](const char* text) {
        return good({"-machine", "virt,memory-backend=m", "-object", text});
    };
    const Result<MemoryFiles> shared = MemoryFiles::open(ram("memory-backend-ram,id=m,size=1M,share=on"));
    REQUIRE(shared);
    CHECK(shared->backings()[0].fd >= 0);
    const Result<MemoryFiles> own = MemoryFiles::open(ram("memory-backend-ram,id=m,size=1M,prealloc=on"));
    REQUIRE(own);
    CHECK(own->backings()[0].fd == -1);
    CHECK(own->backings()[0].populate);
}
