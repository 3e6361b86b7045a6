#include "emulator/linux-user/syscall/strace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>

#include "emulator/linux-user/syscall/flag_names.h"

namespace weft::user {

namespace {

constexpr uint64_t kPage = 4096;

std::string address_text(uint64_t address) {
    return address == 0 ? "NULL" : fmt::format("{:#018x}", address);
}

// The bytes before a NUL, at most kStraceText of them; dots say that there is more, which may be out of reach. Reads page by page,
// as the next one need not be there.
std::string string_text(uint64_t address, GuestAccess& access) {
    std::array<char, kStraceText + 1> text;
    size_t length = 0;
    bool cut = address != 0;
    while (cut && length < text.size()) {
        const uint64_t at = address + length;
        const size_t size = std::min<uint64_t>(text.size() - length, kPage - at % kPage);
        if (!access.read(at, &text[length], size)) {
            break;
        }
        const size_t before = strnlen(&text[length], size);
        length += before;
        cut = before == size;
    }
    if (address == 0 || (length == 0 && cut)) {
        return address_text(address);
    }
    return quoted({text.data(), std::min(length, kStraceText)}) + (cut ? "..." : "");
}

std::string strings_text(uint64_t address, GuestAccess& access) {
    uint64_t pointer;
    if (address == 0 || !access.read(address, &pointer, sizeof(pointer))) {
        return address_text(address);
    }
    std::string text = "{";
    for (size_t i = 0;; ++i) {
        if (i == kStraceStrings || !access.read(address + i * sizeof(pointer), &pointer, sizeof(pointer))) {
            return text + "...}";
        }
        if (pointer == 0) {
            return text + "NULL}";
        }
        text += string_text(pointer, access) + ",";
    }
}

std::string buffer_text(uint64_t address, uint64_t size, GuestAccess& access) {
    char bytes[kStraceBuffer];
    const size_t shown = std::min<uint64_t>(size, sizeof(bytes));
    if (address == 0 || !access.read(address, bytes, shown)) {
        return address_text(address);
    }
    return quoted({bytes, shown}) + (shown < size ? "..." : "");
}

std::string sockaddr_text(uint64_t address, uint64_t size, GuestAccess& access) {
    sockaddr_storage storage{};
    size = std::min<uint64_t>(size, sizeof(storage));
    if (address == 0 || size < sizeof(sa_family_t) || !access.read(address, &storage, size)) {
        return address_text(address);
    }
    if (storage.ss_family == AF_INET && size >= sizeof(sockaddr_in)) {
        sockaddr_in in;
        std::memcpy(&in, &storage, sizeof(in));
        char text[INET_ADDRSTRLEN];
        return fmt::format("{{sa_family=AF_INET,sin_port=htons({}),sin_addr=inet_addr(\"{}\")}}",
                           ntohs(in.sin_port), inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)));
    }
    if (storage.ss_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in;
        std::memcpy(&in, &storage, sizeof(in));
        char text[INET6_ADDRSTRLEN];
        return fmt::format("{{sa_family=AF_INET6,sin6_port=htons({}),sin6_addr=\"{}\"}}", ntohs(in.sin6_port),
                           inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof(text)));
    }
    if (storage.ss_family == AF_UNIX) {
        const char* path = reinterpret_cast<const char*>(&storage) + offsetof(sockaddr_un, sun_path);
        size_t length = std::min<size_t>(size, sizeof(sockaddr_un)) - offsetof(sockaddr_un, sun_path);
        // An abstract name begins with a NUL, which is part of it; a path ends at the first one.
        if (length != 0 && path[0] != '\0') {
            length = strnlen(path, length);
        }
        return fmt::format("{{sa_family=AF_UNIX,sun_path={}}}", quoted({path, length}));
    }
    return fmt::format("{{sa_family={}}}", flag_text(FlagSet::socket_domain, storage.ss_family));
}

std::string sigset_text(uint64_t set) {
    std::string text = "[";
    for (uint32_t signal = 1; signal <= 64; ++signal) {
        if ((set >> (signal - 1) & 1) != 0) {
            text += text.size() > 1 ? "," : "";
            text += signal_text(signal);
        }
    }
    return text + "]";
}

template <class T>
std::optional<T> read_value(uint64_t address, GuestAccess& access) {
    T value;
    return address != 0 && access.read(address, &value, sizeof(value)) ? std::optional(value) : std::nullopt;
}

std::string time_text(std::string_view fraction, const int64_t* time) {
    return fmt::format("{{tv_sec = {},{} = {}}}", time[0], fraction, time[1]);
}

// The text of a struct that the kernel reads, if it is one that says something.
std::optional<std::string> struct_text(Struct type, uint64_t address, GuestAccess& access) {
    switch (type) {
        case Struct::timespec:
        case Struct::timeval:
            if (const auto time = read_value<std::array<int64_t, 2>>(address, access)) {
                return time_text(type == Struct::timespec ? "tv_nsec" : "tv_usec", time->data());
            }
            break;
        case Struct::itimerspec:
        case Struct::itimerval:
            if (const auto times = read_value<std::array<int64_t, 4>>(address, access)) {
                const std::string_view fraction = type == Struct::itimerspec ? "tv_nsec" : "tv_usec";
                return fmt::format("{{it_interval = {},it_value = {}}}", time_text(fraction, times->data()),
                                   time_text(fraction, times->data() + 2));
            }
            break;
        case Struct::sigset:
            if (const auto set = read_value<uint64_t>(address, access)) {
                return sigset_text(*set);
            }
            break;
        case Struct::rlimit:
            if (const auto limit = read_value<std::array<uint64_t, 2>>(address, access)) {
                const auto text = [](uint64_t value) {
                    return value == ~uint64_t{0} ? "RLIM_INFINITY" : fmt::format("{}", value);
                };
                return fmt::format("{{rlim_cur = {},rlim_max = {}}}", text((*limit)[0]), text((*limit)[1]));
            }
            break;
        default:
            break;
    }
    return std::nullopt;
}

std::string pointer_text(const Syscall& call, const Arg& arg, const std::array<uint64_t, 6>& args,
                         uint64_t value, GuestAccess& access) {
    if (arg.direction != Direction::in) {
        return address_text(value);
    }
    const uint64_t count =
        arg.extent.kind == Extent::Kind::argument ? args[arg.extent.value] : arg.extent.value;
    const uint64_t size = call.args[arg.extent.value % args.size()].kind == ArgKind::number
                              ? static_cast<uint32_t>(count)
                              : count;
    if (arg.type == Struct::sockaddr) {
        return sockaddr_text(value, size, access);
    }
    if (arg.type == Struct::bytes && arg.extent.kind == Extent::Kind::argument) {
        return buffer_text(value, size, access);
    }
    if (arg.extent.kind != Extent::Kind::fixed) {
        return address_text(value);
    }
    std::string text;
    for (uint64_t i = 0; i < arg.extent.value; ++i) {
        const auto one = struct_text(arg.type, value + i * struct_size(arg.type), access);
        if (!one) {
            return address_text(value);
        }
        text += (i != 0 ? "," : "") + *one;
    }
    return arg.extent.value > 1 ? "[" + text + "]" : text;
}

std::string arg_text(const Syscall& call, unsigned index, const std::array<uint64_t, 6>& args,
                     GuestAccess& access) {
    const Arg& arg = call.args[index];
    const uint64_t value = args[index];
    switch (arg.kind) {
        case ArgKind::none:
            return {};
        case ArgKind::number:
        case ArgKind::fd:
            return fmt::format("{}", static_cast<int32_t>(value));
        case ArgKind::number64:
            return fmt::format("{}", static_cast<int64_t>(value));
        case ArgKind::size:
            return fmt::format("{}", value);
        case ArgKind::hex:
            return fmt::format("{:#x}", value);
        case ArgKind::flags:
            return flag_text(arg.flags, static_cast<uint32_t>(value));
        case ArgKind::mode:
            return fmt::format("0{:o}", static_cast<uint32_t>(value));
        case ArgKind::dirfd:
            return static_cast<int32_t>(value) == AT_FDCWD ? "AT_FDCWD"
                                                           : fmt::format("{}", static_cast<int32_t>(value));
        case ArgKind::signal:
            return signal_text(static_cast<uint32_t>(value));
        case ArgKind::address:
        case ArgKind::unchecked:
            return address_text(value);
        case ArgKind::path:
        case ArgKind::lookup:
        case ArgKind::string:
            return string_text(value, access);
        case ArgKind::strings:
            return strings_text(value, access);
        case ArgKind::pointer:
            return pointer_text(call, arg, args, value, access);
    }
    return {};
}

// Calls whose result is an address.
bool returns_address(std::string_view name) {
    constexpr std::string_view kNames[] = {"brk", "mmap", "mremap", "shmat"};
    return std::ranges::find(kNames, name) != std::end(kNames);
}

}  // namespace

std::string quoted(std::string_view bytes) {
    std::string text = "\"";
    for (const char byte : bytes) {
        switch (byte) {
            case '\n':
                text += "\\n";
                break;
            case '\r':
                text += "\\r";
                break;
            case '\t':
                text += "\\t";
                break;
            case '"':
            case '\\':
                text += '\\';
                text += byte;
                break;
            default:
                if (byte >= ' ' && byte <= '~') {
                    text += byte;
                } else {
                    // Three digits always: a digit of the text may follow.
                    text += fmt::format("\\{:03o}", static_cast<uint8_t>(byte));
                }
        }
    }
    return text + "\"";
}

std::string strace_call(int32_t pid, uint64_t number, const std::array<uint64_t, 6>& args,
                        GuestAccess& access) {
    const Syscall* call = find_syscall(number);
    std::string text =
        call != nullptr ? fmt::format("{} {}(", pid, call->name) : fmt::format("{} syscall_{}(", pid, number);
    const unsigned count = call != nullptr ? call->arg_count() : static_cast<unsigned>(args.size());
    for (unsigned i = 0; i < count; ++i) {
        text += i != 0 ? "," : "";
        text += call != nullptr ? arg_text(*call, i, args, access) : fmt::format("{:#x}", args[i]);
    }
    return text + ")";
}

std::string strace_result(uint64_t number, int64_t result) {
    constexpr int64_t kMaxErrno = 4095;
    if (result < 0 && result >= -kMaxErrno) {
        const int error = static_cast<int>(-result);
        const char* name = strerrorname_np(error);
        const char* description = strerrordesc_np(error);
        return name != nullptr && description != nullptr
                   ? fmt::format(" = -1 errno={} ({}: {})\n", error, name, description)
                   : fmt::format(" = -1 errno={}\n", error);
    }
    const Syscall* call = find_syscall(number);
    return call != nullptr && returns_address(call->name)
               ? fmt::format(" = {:#018x}\n", static_cast<uint64_t>(result))
               : fmt::format(" = {}\n", result);
}

}  // namespace weft::user
