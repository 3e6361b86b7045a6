#include "emulator/linux-user/start/guest_base.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bits.h"
#include "base/host_info.h"
#include "base/unique_fd.h"
#include "weft/abi.h"

namespace weft::user {

namespace {

constexpr uint64_t kStep = 64 * 1024;

struct SpaceRoom {
    uint64_t base;
    uint64_t limit;
};

// Sanitizers keep parts of the host's space for their shadow memory.
constexpr SpaceRoom default_room() {
    switch (sanitizer_mode()) {
        case SanitizerMode::address:
            return {uint64_t{1} << 45, uint64_t{1} << 45};
        case SanitizerMode::thread:
            return {0, uint64_t{1} << 41};
        case SanitizerMode::none:
            break;
    }
    return {0, uint64_t{1} << 46};
}

// The end of the first host mapping in [start, end), if there is one.
std::optional<uint64_t> obstacle(const HostMemory& host, uint64_t start, uint64_t end) {
    std::optional<uint64_t> found;
    host.mappings(start, end,
                  [&](uint64_t, uint64_t mapping_end) { found = std::max(found.value_or(0), mapping_end); });
    return found;
}

}  // namespace

uint64_t default_limit() { return default_room().limit; }

uint64_t host_minimum_address() {
    // Each process begins with it: a stream would make all of the C++ library's locale.
    const UniqueFd file(::open("/proc/sys/vm/mmap_min_addr", O_RDONLY | O_CLOEXEC));
    std::array<char, 32> text{};
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
    uint64_t value = 0;
    const auto end = std::from_chars(text.data(), text.data() + std::max<ssize_t>(size, 0), value);
    return end.ec == std::errc() ? value : kStep;
}

Result<MemoryConfig> choose_space(const SpaceWishes& wishes, const ImagePlan& plan, const HostMemory& host,
                                  uint64_t minimum) {
    const uint64_t page = host_page_size();
    const bool reserves = wishes.reserved.value_or(0) != 0;
    MemoryConfig config{.host_page = std::max(page, kGuestPage),
                        .base = wishes.base.value_or(default_room().base),
                        .limit = reserves ? *wishes.reserved : default_limit(),
                        .minimum = 0,
                        .reserve = reserves,
                        .stack_limit = wishes.stack_limit};
    if (plan.fixed && !wishes.base) {
        const uint64_t low = align_down(plan.low, page);
        const uint64_t high = align_up(plan.high, page);
        if (high > config.limit) {
            return fail(fmt::format("the program's addresses, {:#x} to {:#x}, lie beyond the guest's space",
                                    low, high));
        }
        if (config.base + low < minimum) {
            config.base = align_up(minimum - low, kStep);
        }
        while (const auto end = obstacle(host, config.base + low, config.base + high)) {
            config.base = align_up(*end - low, kStep);
            if (config.base > ~uint64_t{0} - config.limit) {
                return fail(
                    fmt::format("there is no room for the program's addresses, {:#x} to {:#x}", low, high));
            }
        }
    }
    config.minimum = config.base < minimum ? minimum - config.base : 0;
    return config;
}

}  // namespace weft::user
