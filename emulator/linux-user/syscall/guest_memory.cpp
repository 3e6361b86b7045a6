#include "emulator/linux-user/syscall/guest_memory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "emulator/linux-user/memory/interval.h"

namespace weft::user {

bool GuestMemory::read(uint64_t address, void* to, size_t size) {
    return range_.holds(address, size) &&
           (size == 0 || host_.copy(reinterpret_cast<uintptr_t>(to), range_.base + address, size) ==
                             static_cast<int64_t>(size));
}

bool GuestMemory::write(uint64_t address, const void* from, size_t size) {
    return range_.holds(address, size) &&
           (size == 0 || host_.copy(range_.base + address, reinterpret_cast<uintptr_t>(from), size) ==
                             static_cast<int64_t>(size));
}

std::expected<std::string, int> GuestMemory::string(uint64_t address, size_t limit) {
    std::string text;
    std::array<char, kGuestPage> part;
    while (text.size() < limit) {
        // Page by page: the next one need not be there. Few names are longer than the first part.
        constexpr size_t kFirst = 256;
        const uint64_t at = address + text.size();
        const size_t wish = text.empty() ? kFirst : part.size();
        const size_t size = std::min({wish, limit - text.size(), part.size() - at % kGuestPage});
        if (!read(at, part.data(), size)) {
            return std::unexpected(-EFAULT);
        }
        const size_t length = strnlen(part.data(), size);
        text.append(part.data(), length);
        if (length < size) {
            return text;
        }
    }
    return std::unexpected(-ENAMETOOLONG);
}

}  // namespace weft::user
