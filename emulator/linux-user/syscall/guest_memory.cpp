#include "emulator/linux-user/syscall/guest_memory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/faulting_access.h"
#include "emulator/linux-user/memory/checked_code.h"
#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

GuestMemory::GuestMemory(MemoryCore& core) : core_(core), range_{core.config().base, core.config().limit} {}

// copy(host address, bytes done, bytes left, &fault) copies as many as it can, and returns how many.
template <class Copy>
bool GuestMemory::copy(uint64_t address, size_t size, Copy copy) {
    if (!range_.holds(address, size)) {
        return false;
    }
    faulting::Fault fault;
    size_t done = 0;
    while (done += copy(range_.base + address + done, done, size - done, &fault), done != size) {
        const Access access = fault.access == HostContext::Access::load ? Access::load : Access::store;
        if (faults_ == nullptr || !faults_->access_again(fault.address - range_.base, access, fault.code)) {
            return false;
        }
    }
    return true;
}

bool GuestMemory::read(uint64_t address, void* to, size_t size) {
    return copy(address, size, [to](uint64_t from, size_t done, size_t left, faulting::Fault* fault) {
        return faulting::copy_in(static_cast<std::byte*>(to) + done, from, left, fault);
    });
}

template <class Word>
bool GuestMemory::write_word(uint64_t address, const void* from) {
    Word word;
    std::memcpy(&word, from, sizeof(word));
    return copy(address, sizeof(word), [word](uint64_t to, size_t, size_t, faulting::Fault* fault) {
        return faulting::store(to, word, fault) ? sizeof(word) : 0;
    });
}

bool GuestMemory::write(uint64_t address, const void* from, size_t size) {
    switch (size) {
        case sizeof(uint16_t):
            return write_word<uint16_t>(address, from);
        case sizeof(uint32_t):
            return write_word<uint32_t>(address, from);
        case sizeof(uint64_t):
            return write_word<uint64_t>(address, from);
        default:
            break;
    }
    return copy(address, size, [from](uint64_t to, size_t done, size_t left, faulting::Fault* fault) {
        return faulting::copy_out(to, static_cast<const std::byte*>(from) + done, left, fault);
    });
}

void GuestMemory::kernel_writes(uint64_t address, uint64_t size) { make_checked(core_, address, size); }

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
