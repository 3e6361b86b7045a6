#include "emulator/backend/fs/mapped_identity.h"

#include <sys/xattr.h>

#include <array>

#include "emulator/backend/fs/handles.h"

namespace weft::backend {

namespace {

constexpr std::string_view kPrefix = "user.virtfs.";
constexpr const char* kUid = "user.virtfs.uid";
constexpr const char* kGid = "user.virtfs.gid";
constexpr const char* kMode = "user.virtfs.mode";
constexpr const char* kDevice = "user.virtfs.rdev";

template <class T>
std::optional<T> read_number(int handle, const char* name) {
    std::array<uint8_t, sizeof(T)> bytes;
    if (getxattr(handle_path(handle).c_str(), name, bytes.data(), bytes.size()) != sizeof(T)) {
        return std::nullopt;
    }
    T value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        value |= static_cast<T>(bytes[i]) << 8 * i;
    }
    return value;
}

template <class T>
FsResult<> write_number(int handle, const char* name, const std::optional<T>& value) {
    if (!value) {
        return {};
    }
    std::array<uint8_t, sizeof(T)> bytes;
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<uint8_t>(*value >> 8 * i);
    }
    return done(setxattr(handle_path(handle).c_str(), name, bytes.data(), bytes.size(), 0));
}

}  // namespace

bool is_identity_attribute(std::string_view name) { return name.starts_with(kPrefix); }

void read_identity(int handle, struct stat& attributes) {
    // A symbolic link of the host's has no such attributes.
    if (S_ISLNK(attributes.st_mode)) {
        return;
    }
    attributes.st_uid = read_number<uint32_t>(handle, kUid).value_or(attributes.st_uid);
    attributes.st_gid = read_number<uint32_t>(handle, kGid).value_or(attributes.st_gid);
    attributes.st_mode = read_number<uint32_t>(handle, kMode).value_or(attributes.st_mode);
    attributes.st_rdev = read_number<uint64_t>(handle, kDevice).value_or(attributes.st_rdev);
}

FsResult<> write_identity(int handle, const Identity& identity) {
    FsResult<> result = write_number(handle, kUid, identity.uid);
    result = result ? write_number(handle, kGid, identity.gid) : result;
    result = result ? write_number(handle, kMode, identity.mode) : result;
    return result ? write_number(handle, kDevice, identity.device) : result;
}

}  // namespace weft::backend
