// The host's arguments of a call that is passed on: pointers checked and converted by their kinds.
//
// The guest may name memory below `limit` only. A pointer to anything else becomes kBadAddress, which the kernel refuses with EFAULT
// where, and if, it uses the pointer: so errors come in the kernel's order. Pointers inside structs are treated alike. While
// guest addresses are host addresses and all of them are good, nothing is copied: the call gets the guest's own structs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "emulator/linux-user/syscall/guest_access.h"
#include "emulator/linux-user/syscall/table.h"

namespace weft::user {

// Guest addresses are [0, limit), at host address base + guest address.
struct GuestRange {
    uint64_t base = 0;
    uint64_t limit = 0;

    bool holds(uint64_t address, uint64_t size) const { return address <= limit && size <= limit - address; }
};

// No user-space address on any host: the kernel's half.
inline constexpr uint64_t kBadAddress = 0xffff'8000'0000'0000;

// What the host's kernel is given for a guest address: an address of kBadAddress's word, aligned as the guest's is, if not all of `size`
// bytes is the guest's; null stays null. Of a buffer that is longer than what the kernel transfers at once (MAX_RW_COUNT), so much has
// to be.
uint64_t host_pointer(const GuestRange& range, GuestAccess& access, uint64_t guest, uint64_t size);

class HostCall {
  public:
    // `access` reads the guest's structs that hold pointers; what it cannot read the kernel cannot either, and it gets the
    // guest's own to say so. May be used once.
    HostCall(const Syscall& call, const std::array<uint64_t, 6>& guest, const GuestRange& range,
             GuestAccess& access);
    HostCall(const HostCall&) = delete;
    HostCall& operator=(const HostCall&) = delete;

    // What to call the host with.
    const std::array<uint64_t, 6>& args() const { return args_; }

    // After the call: writes back what the kernel wrote into copies, but for the pointers in them. False: the guest's struct
    // cannot be written any more (EFAULT).
    bool finish();

  private:
    struct Copy {
        uint64_t guest;
        Struct type;
        bool write_back;
        std::vector<uint8_t> bytes;  // whose address stays when copies_ grows
    };

    uint64_t pointer(uint64_t guest, uint64_t size) const;
    uint64_t extent_bytes(const Syscall& call, const Arg& arg, const std::array<uint64_t, 6>& guest) const;
    bool convert(uint8_t* bytes, Struct type);
    uint64_t structs(uint64_t guest, Struct type, uint64_t count, Direction direction);

    GuestRange range_;
    GuestAccess& access_;
    std::array<uint64_t, 6> args_{};
    std::vector<Copy> copies_;
};

}  // namespace weft::user
