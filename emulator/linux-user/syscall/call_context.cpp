#include "emulator/linux-user/syscall/call_context.h"

#include <fcntl.h>

#include <cerrno>

#include "emulator/linux-user/syscall/paths.h"

namespace weft::user {

int64_t CallContext::write(uint64_t address, const void* from, size_t size) {
    return process.memory().write(address, from, size) ? 0 : -EFAULT;
}

uint64_t CallContext::pointer(uint64_t address, uint64_t size) const {
    return host_pointer(process.memory().range(), process.memory(), address, size);
}

uint64_t CallContext::place(uint64_t address, uint64_t size) const {
    const GuestRange& range = process.memory().range();
    if (range.holds(address, size)) {
        return range.base + address;
    }
    // What wraps, in whole pages, is to wrap.
    constexpr uint64_t kLastPage = ~(kGuestPage - 1);
    const bool wraps = address >= kLastPage || address + size < address;
    return (wraps ? kLastPage : kBadAddress) | address % kGuestPage;
}

namespace {

// Of a name's last part. AT_SYMLINK_NOFOLLOW is among the flags of calls that ask.
bool follows_links(const Syscall& row, const std::array<uint64_t, 6>& args) {
    for (unsigned i = 0; i < args.size(); ++i) {
        if (row.args[i].kind == ArgKind::flags && row.args[i].flags == FlagSet::at &&
            (args[i] & AT_SYMLINK_NOFOLLOW) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

int64_t CallContext::pass() { return pass(args_); }

int64_t CallContext::pass(const std::array<uint64_t, 6>& guest_args) { return pass_row(row_, guest_args); }

int64_t CallContext::pass_as(const std::array<Arg, 6>& kinds, const std::array<uint64_t, 6>& guest_args) {
    Syscall row = row_;
    row.args = kinds;
    row.facts = ArgsFacts::of(kinds);
    return pass_row(row, guest_args);
}

int64_t CallContext::pass_row(const Syscall& row, const std::array<uint64_t, 6>& guest_args) {
    if (!row.facts.memory) {
        return safe_call(thread.asked, row.host_number, guest_args);
    }
    HostCall call(row, guest_args, process.memory().range(), process.memory());
    const int64_t result = row.facts.lookup ? look_up_and_call(row, guest_args, call.args())
                                            : safe_call(thread.asked, row.host_number, call.args());
    if (result != kRestart && !call.finish() && result >= 0) {
        return -EFAULT;
    }
    return result;
}

int64_t CallContext::look_up_and_call(const Syscall& row, const std::array<uint64_t, 6>& guest_args,
                                      std::array<uint64_t, 6> host_args) {
    std::optional<Name> name;
    for (unsigned i = 0; i < host_args.size(); ++i) {
        if (row.args[i].kind == ArgKind::lookup) {
            // The folder that a name is relative to is always the argument before it.
            const bool has_folder = i > 0 && row.args[i - 1].kind == ArgKind::dirfd;
            name.emplace(*this, has_folder ? static_cast<int32_t>(guest_args[i - 1]) : kWorkingFolder,
                         guest_args[i]);
            host_args[i] = follows_links(row, guest_args) ? name->host() : name->host_link();
        }
    }
    return safe_call(thread.asked, row.host_number, host_args);
}

}  // namespace weft::user
