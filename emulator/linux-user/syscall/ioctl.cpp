// ioctl(2): what the argument of a request is.
//
// Requests and their structs are the same on both architectures. Of a request in the table the size of what its argument points to is
// known. One that is not there passes if it cannot reach beyond the guest: with a size encoded in it (asm-generic/ioctl.h), the argument
// is a pointer to so many bytes; with none, it is a number, or a pointer of unknown kind, and passes where it is an address of the
// guest's or none that a program can have. With a guest base, where pointers inside have to be known, it is ENOTTY.
#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

constexpr uint8_t kNumber = 0;  // the argument is a number, or not used
constexpr uint8_t kInt = 4, kLong = 8, kTermios = 36, kTermio = 18, kWinsize = 8, kIfreq = 40, kTime = 16;

struct IoctlRow {
    uint32_t request;
    uint8_t pointed;  // bytes
};

// Requests without an encoded size.
constexpr IoctlRow kRequests[] = {
    {TCGETS, kTermios},
    {TCSETS, kTermios},
    {TCSETSW, kTermios},
    {TCSETSF, kTermios},
    {TCGETA, kTermio},
    {TCSETA, kTermio},
    {TCSETAW, kTermio},
    {TCSETAF, kTermio},
    {TIOCGLCKTRMIOS, kTermios},
    {TIOCSLCKTRMIOS, kTermios},
    {TCSBRK, kNumber},
    {TCXONC, kNumber},
    {TCFLSH, kNumber},
    {TCSBRKP, kNumber},
    {TIOCEXCL, kNumber},
    {TIOCNXCL, kNumber},
    {TIOCSCTTY, kNumber},
    {TIOCNOTTY, kNumber},
    {TIOCCONS, kNumber},
    {TIOCSBRK, kNumber},
    {TIOCCBRK, kNumber},
    {TIOCVHANGUP, kNumber},
    {TIOCGPGRP, kInt},
    {TIOCSPGRP, kInt},
    {TIOCGSID, kInt},
    {TIOCOUTQ, kInt},
    {TIOCSTI, 1},
    {TIOCGWINSZ, kWinsize},
    {TIOCSWINSZ, kWinsize},
    {TIOCMGET, kInt},
    {TIOCMBIS, kInt},
    {TIOCMBIC, kInt},
    {TIOCMSET, kInt},
    {TIOCMIWAIT, kNumber},
    {TIOCGSOFTCAR, kInt},
    {TIOCSSOFTCAR, kInt},
    {FIONREAD, kInt},
    {TIOCPKT, kInt},
    {FIONBIO, kInt},
    {TIOCSETD, kInt},
    {TIOCGETD, kInt},
    {FIOASYNC, kInt},
    {FIONCLEX, kNumber},
    {FIOCLEX, kNumber},
    {FIOQSIZE, kLong},
    {BLKROSET, kInt},
    {BLKROGET, kInt},
    {BLKRRPART, kNumber},
    {BLKGETSIZE, kLong},
    {BLKFLSBUF, kNumber},
    {BLKRASET, kNumber},
    {BLKRAGET, kLong},
    {BLKFRASET, kNumber},
    {BLKFRAGET, kLong},
    {BLKSECTGET, 2},
    {BLKSSZGET, kInt},
    {BLKDISCARD, 16},
    {BLKIOMIN, kInt},
    {BLKIOOPT, kInt},
    {BLKALIGNOFF, kInt},
    {BLKPBSZGET, kInt},
    {BLKDISCARDZEROES, kInt},
    {BLKSECDISCARD, 16},
    {BLKROTATIONAL, 2},
    {BLKZEROOUT, 16},
    {FIBMAP, kInt},
    {FIGETBSZ, kInt},
    {SIOCGIFNAME, kIfreq},
    {SIOCGIFFLAGS, kIfreq},
    {SIOCSIFFLAGS, kIfreq},
    {SIOCGIFADDR, kIfreq},
    {SIOCSIFADDR, kIfreq},
    {SIOCGIFDSTADDR, kIfreq},
    {SIOCGIFBRDADDR, kIfreq},
    {SIOCGIFNETMASK, kIfreq},
    {SIOCSIFNETMASK, kIfreq},
    {SIOCGIFMETRIC, kIfreq},
    {SIOCGIFMTU, kIfreq},
    {SIOCSIFMTU, kIfreq},
    {SIOCGIFHWADDR, kIfreq},
    {SIOCSIFHWADDR, kIfreq},
    {SIOCGIFINDEX, kIfreq},
    {SIOCGIFTXQLEN, kIfreq},
    {SIOCSIFTXQLEN, kIfreq},
    {SIOCATMARK, kInt},
    {FIOSETOWN, kInt},
    {SIOCSPGRP, kInt},
    {FIOGETOWN, kInt},
    {SIOCGPGRP, kInt},
    {0x8906 /* SIOCGSTAMP */, kTime},
    {0x8907 /* SIOCGSTAMPNS */, kTime},
    {0xb701 /* NS_GET_USERNS */, kNumber},
    {0xb702 /* NS_GET_PARENT */, kNumber},
    {0xb703 /* NS_GET_NSTYPE */, kNumber},
    {0xb704 /* NS_GET_OWNER_UID */, kInt},
};

// Encoded sizes whose structs hold no pointer, so that they pass with every guest base.
constexpr uint32_t kPlainEncoded[] = {
    0x802c542a /* TCGETS2 */,
    0x402c542b /* TCSETS2 */,
    0x402c542c /* TCSETSW2 */,
    0x402c542d /* TCSETSF2 */,
    TIOCGPTN,
    TIOCSPTLCK,
    TIOCGDEV,
    TIOCGPKT,
    TIOCGPTLCK,
    TIOCGEXCL,
    BLKGETSIZE64,
    BLKBSZGET,
    BLKBSZSET,
    FS_IOC_GETFLAGS,
    FS_IOC_SETFLAGS,
    FS_IOC_FSGETXATTR,
    FS_IOC_FSSETXATTR,
    FICLONERANGE,
    FIDEDUPERANGE,
    0xc020660b /* FS_IOC_FIEMAP */,
    0x40085400 /* TFD_IOC_SET_TICKS */,
    0x40088a01 /* EPIOCSPARAMS */,
    0x80088a02 /* EPIOCGPARAMS */,
    0xc048ff0b /* PIDFD_GET_INFO */,
    FIFREEZE,
    FITHAW,
    FITRIM,
};

// The encoded size of FICLONE, TIOCGPTPEER and relatives says nothing: their argument is a number.
constexpr uint32_t kNumberEncoded[] = {FICLONE, TIOCGPTPEER};

// linux/loop.h, which cannot be included beside the C library's in every version: those whose struct differs.
constexpr uint32_t kLoopSetStatus = 0x4C02, kLoopGetStatus = 0x4C03;

// Below the lowest address of any program, or in the kernel's half.
constexpr bool is_no_address(uint64_t value) { return value < 65536 || value >= uint64_t{1} << 47; }

template <class List>
bool contains(const List& list, uint32_t request) {
    return std::ranges::find(list, request) != std::end(list);
}

// A list of interfaces (netdevice(7)): a length, and a pointer to so many bytes; null: how many they would be.
int64_t get_interfaces(CallContext& call) {
    const uint64_t address = call.arg(2);
    auto list = call.read<::ifconf>(address);
    if (!list) {
        return call.host(SYS_ioctl, call.number(0), SIOCGIFCONF, kBadAddress);
    }
    const uint64_t bytes = reinterpret_cast<uint64_t>(list->ifc_buf);
    list->ifc_buf =
        reinterpret_cast<char*>(call.pointer(bytes, static_cast<uint64_t>(std::max(list->ifc_len, 0))));
    const int64_t result = call.host(SYS_ioctl, call.number(0), SIOCGIFCONF, &*list);
    return result < 0 ? result : call.write(address, list->ifc_len);
}

}  // namespace

SyscallOutcome ioctl(CallContext& call) {
    const uint32_t request = call.bits(1);
    const uint64_t argument = call.arg(2);
    const auto with = [&](uint64_t value) { return call.host(SYS_ioctl, call.number(0), request, value); };
    if (request == kLoopSetStatus) {
        const auto guest = call.read<abi::LoopInfo>(argument);
        const abi::HostLoopInfo host = abi::to_host(guest.value_or(abi::LoopInfo{}));
        return with(guest ? reinterpret_cast<uint64_t>(&host) : kBadAddress);
    }
    if (request == kLoopGetStatus) {
        abi::HostLoopInfo host{};
        const int64_t result = with(reinterpret_cast<uint64_t>(&host));
        return result < 0 ? result : call.write(argument, abi::to_guest(host));
    }
    if (request == SIOCGIFCONF) {
        return get_interfaces(call);
    }
    const IoctlRow* row = std::ranges::find(kRequests, request, &IoctlRow::request);
    if (row != std::end(kRequests)) {
        return with(row->pointed == kNumber ? argument : call.pointer(argument, row->pointed));
    }
    if (contains(kNumberEncoded, request)) {
        return with(argument);
    }
    const bool based = call.process.memory().range().base != 0;
    if (contains(kPlainEncoded, request) || (_IOC_SIZE(request) != 0 && !based)) {
        return with(call.pointer(argument, _IOC_SIZE(request)));
    }
    const bool harmless =
        _IOC_SIZE(request) == 0 &&
        (is_no_address(argument) || (!based && argument < call.process.memory().range().limit));
    return harmless ? with(argument) : -ENOTTY;
}

}  // namespace weft::user::calls
