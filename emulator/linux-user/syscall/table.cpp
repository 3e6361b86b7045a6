#include "emulator/linux-user/syscall/table.h"

#include <sys/syscall.h>

#include <algorithm>

namespace weft::user {

namespace {

using namespace arg;
using F = FlagSet;
using S = Struct;

constexpr Policy own{Policy::Kind::own};
constexpr Policy pass{Policy::Kind::pass};
constexpr Policy enosys(std::string_view reason) { return {Policy::Kind::enosys, reason}; }

constexpr auto kSyscalls = std::to_array<Syscall>({
#define WEFT_ROW(number, name, policy, ...) {number, SYS_##name, #name, policy, {__VA_ARGS__}},
    WEFT_USER_SYSCALLS_GENERIC(WEFT_ROW)
#undef WEFT_ROW
#define WEFT_ROW(number, name, policy, ...) {number, -1, #name, policy, {__VA_ARGS__}},
        WEFT_USER_SYSCALLS_RISCV(WEFT_ROW)
#undef WEFT_ROW
#define WEFT_ROW(number, name, policy, ...) {number, number, #name, policy, {__VA_ARGS__}},
            WEFT_USER_SYSCALLS_COMMON(WEFT_ROW)
#undef WEFT_ROW
});

constexpr auto kByNumber = [] {
    auto rows = kSyscalls;
    std::ranges::sort(rows, {}, &Syscall::number);
    return rows;
}();

// An extent names an argument that is there and is a number; only what the host has is passed to it.
constexpr bool is_sound(const Syscall& call) {
    if (call.policy.kind == Policy::Kind::pass && call.host_number < 0) {
        return false;
    }
    const unsigned count = call.arg_count();
    for (unsigned i = 0; i < call.args.size(); ++i) {
        const Arg& argument = call.args[i];
        if (i >= count && argument.kind != ArgKind::none) {
            return false;
        }
        if (argument.kind != ArgKind::pointer) {
            continue;
        }
        const Extent extent = argument.extent;
        if (argument.type == Struct::none || (extent.kind != Extent::Kind::fixed && extent.value >= count)) {
            return false;
        }
        const Arg& length = call.args[extent.value < count ? extent.value : 0];
        if (extent.kind == Extent::Kind::length_at
                ? length.type != Struct::i32
                : extent.kind != Extent::Kind::fixed && length.is_memory()) {
            return false;
        }
    }
    return true;
}
static_assert(std::ranges::all_of(kByNumber, is_sound));
static_assert(std::ranges::adjacent_find(kByNumber, {}, &Syscall::number) == kByNumber.end());

// The place of a number's row in kByNumber, behind that of none.
constexpr auto kPlaces = [] {
    std::array<uint16_t, kByNumber.back().number + 1> places{};
    for (size_t i = 0; i < kByNumber.size(); ++i) {
        places[kByNumber[i].number] = static_cast<uint16_t>(i + 1);
    }
    return places;
}();

}  // namespace

std::span<const Syscall> syscalls() { return kByNumber; }

const Syscall* find_syscall(uint64_t number) {
    const size_t place = number < kPlaces.size() ? kPlaces[number] : 0;
    return place != 0 ? &kByNumber[place - 1] : nullptr;
}

}  // namespace weft::user
