// What names of files mean: -L's prefix, and the names in /proc that show the guest and not weft.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <optional>
#include <string>

namespace weft::user {

class CallContext;
class Process;

inline constexpr int kWorkingFolder = AT_FDCWD;

// Files in /proc whose contents weft makes. `exe` is a link to the program.
enum class ProcView : uint8_t { auxv, cmdline, cpuinfo, exe, maps, stat };

// The view that a name leads to, from a folder's descriptor or kWorkingFolder. Names are recognised by their last part and by the
// folder that it is in, whatever way leads there; a symbolic link of another name that points to a view is not. Any thread.
std::optional<ProcView> find_view(int folder, const std::string& name);

// The path of the guest's program where a name leads to the link /proc/PID/exe of `process` itself or of another one of weft's, as
// find_view() recognises it. Any thread.
std::optional<std::string> find_program(const Process& process, int folder, const std::string& name);

// `name` below the prefix of -L if it begins with a slash and something is there; else the same.
std::string under_prefix(const std::string& prefix, const std::string& name);

// A name that a call got, looked up.
class Name {
  public:
    Name(CallContext& call, int folder, uint64_t address);
    Name(const Name&) = delete;
    Name& operator=(const Name&) = delete;

    // What the host is given: the text, or an address at which the host fails as it should for the guest's. /proc/PID/exe has
    // become the path of the guest's program. Valid as long as this.
    uint64_t host() const { return text_ ? reinterpret_cast<uint64_t>(text_->c_str()) : address_; }
    // As host(), for calls that do not follow a link in the last place.
    uint64_t host_link() const { return link_ ? reinterpret_cast<uint64_t>(link_->c_str()) : host(); }
    std::optional<ProcView> view() const { return view_; }
    // What the link /proc/PID/exe of this process or another one of weft's leads to; nothing if the name is no such link.
    std::optional<std::string> program() const { return link_ ? text_ : std::nullopt; }

  private:
    uint64_t address_;
    std::optional<std::string> text_;
    std::optional<std::string> link_;  // where it differs from text_
    std::optional<ProcView> view_;
};

}  // namespace weft::user
