// A folder of the host's, shared by the device that a test drives.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "emulator/backend/fs/local_folder.h"
#include "emulator/hw/virtio/9p.h"
#include "tests/hw/p9_client.h"

namespace weft::hw {

namespace stdfs = std::filesystem;

struct TemporaryFolder {
    stdfs::path path;
    TemporaryFolder() {
        std::string name = (stdfs::temp_directory_path() / "weft-9p-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~TemporaryFolder() { stdfs::remove_all(path); }
};

inline void write_file(const stdfs::path& path, const std::string& text) { std::ofstream(path) << text; }

inline std::string read_file(const stdfs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The tree is in "root"; what lies beside it is not the guest's.
struct Folder : test::P9Client {
    TemporaryFolder outside;
    stdfs::path root = outside.path / "root";
    std::unique_ptr<backend::LocalFolder> files;

    void share(backend::SharedFolderConfig config = {}) {
        stdfs::create_directory(root);
        config.path = root;
        auto opened = backend::LocalFolder::open(config);
        REQUIRE(opened);
        files = std::move(*opened);
        install(std::make_unique<Virtio9p>(*files, control, "share"));
    }
    std::string read_all(uint32_t fid, uint64_t offset = 0, uint32_t count = 65536) {
        const auto data = ask<p9::Rread>(p9::Tread{fid, offset, count}).data;
        return {data.begin(), data.end()};
    }
    uint32_t write(uint32_t fid, uint64_t offset, const std::string& text) {
        const p9::Data data(reinterpret_cast<const uint8_t*>(text.data()), text.size());
        return ask<p9::Rwrite>(p9::Twrite{fid, offset, data}).count;
    }
    using VirtioBench::write;
    void create(uint32_t fid, const std::string& name, uint32_t flags = O_RDWR, uint32_t mode = 0644) {
        REQUIRE(walk(0, fid, {}) == 0);
        ask<p9::Rlcreate>(p9::Tlcreate{fid, name, flags, mode, 1000});
    }
    void open(uint32_t fid, const std::vector<std::string>& names, uint32_t flags = O_RDONLY) {
        REQUIRE(walk(0, fid, names) == 0);
        ask<p9::Rlopen>(p9::Tlopen{fid, flags});
    }
    void clunk(uint32_t fid) { ask<p9::Rclunk>(p9::Tclunk{fid}); }
};

}  // namespace weft::hw
