// The fids of a 9P session: numbers by which the client names files, and what stands behind each.
//
// Used by one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emulator/backend/fs/fs_backend.h"

namespace weft::hw::p9 {

// A value of an extended attribute, of a fid that reads or writes it.
struct XattrValue {
    std::string name;            // to be set when the fid is clunked; empty: it is only read
    int flags = 0;               // setxattr(2)
    uint64_t size = 0;           // that was announced
    std::vector<uint8_t> bytes;  // that there are yet
};

struct Fid {
    backend::FsPath path;
    uint32_t uid = 0;                       // of the user who attached
    std::unique_ptr<backend::FsFile> file;  // open
    std::optional<XattrValue> xattr;        // it is an attribute of the file, no file

    bool is_file() const { return !xattr; }
};

class FidTable {
  public:
    // All that fids hold: paths, values of attributes and what each takes anyway. A guest that wants more is refused.
    static constexpr size_t kMaxBytes = 256 << 20;
    static constexpr size_t kBytesEach = 256;

    // `max_open`: how many may be open files.
    explicit FidTable(size_t max_open) : max_open_(max_open) {}

    // Null: there is none of that number.
    Fid* find(uint32_t number);
    // EEXIST where the number means something already, ENOMEM.
    backend::FsResult<Fid*> add(uint32_t number, backend::FsPath path, uint32_t uid);
    void remove(uint32_t number);
    void clear();
    size_t size() const { return fids_.size(); }

    // The fid means another file from here on. ENOMEM: it stays.
    backend::FsResult<> set_path(Fid& fid, backend::FsPath path);
    // ENFILE before too many are open: asked before a file is opened.
    backend::FsResult<> room_for_file() const;
    void set_file(Fid& fid, std::unique_ptr<backend::FsFile> file);
    // ENOMEM where the value is too large: the fid stays what it was.
    backend::FsResult<> set_xattr(Fid& fid, XattrValue value);

    // A file was renamed: all fids follow, those of what is below it too.
    void renamed(const backend::FsPath& from, const backend::FsPath& to);

  private:
    // The fid may take `now` bytes instead of `before`.
    backend::FsResult<> charge(size_t before, size_t now);

    const size_t max_open_;
    std::map<uint32_t, Fid> fids_;  // ordered: the client chooses the numbers, and may choose them badly
    size_t bytes_ = 0;
    size_t open_ = 0;
};

}  // namespace weft::hw::p9
