// Accesses to memory that may not be there: they come back with a failure where others would raise SIGSEGV or SIGBUS.
//
// For an emulator whose guest's memory is its own address space: another thread of the guest may unmap a page at any time, and
// what a guest names may never have been mapped. Each access is one host instruction, listed in a table in the program or module
// it is linked into. The program's handler of SIGSEGV and SIGBUS asks redirect_faulting_access(); if the interrupted pc is in
// the table, the thread goes on behind that instruction, and the access reports what happened. No lock, no state, no long jump,
// no memory is allocated: all of this may be used within signal handlers. In a handler of SIGSEGV or SIGBUS itself that needs
// SA_NODEFER: the kernel ends a process that faults while the signal is blocked. (ThreadSanitizer's sigaction() blocks all
// signals in handlers; there they have to be unblocked, or the handler installed by the system call itself.)
//
// Memory order and atomicity are those of weft/guest_ram.h, by the same host instructions: a naturally aligned access is one
// single-copy atomic access, relaxed; read-modify-writes are sequentially consistent. Stronger than there: a misaligned load or
// store is one instruction too, so that of a store across pages nothing is made where one of them is missing. The compiler moves no access to memory
// across any of these.
//
// ThreadSanitizer and AddressSanitizer do not see these accesses: assembly is not instrumented. That is right: races on guest
// memory are the guest's own, and its addresses are not objects of this program. It also means that they order nothing of
// weft's own data in ThreadSanitizer's eyes: weft may not rely on guest memory to order its own. Buffers of the program's that
// are copied to or from are instrumented.
//
// For x86-64 hosts. Values have the host's byte order, which is little-endian, as the guest's. Addresses are the host's and may
// have any value.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "base/host_context.h"

namespace weft {

// For handlers of SIGSEGV and SIGBUS, and for signals that the kernel raised for an instruction only (si_code > 0): one that
// was sent with kill() says nothing of what it interrupted. `fault_address` is si_addr. True: the interrupted instruction is an
// access of this file, linked into the same program or module as the caller, and `host` was changed so that it fails; the
// handler returns. False: nothing was changed. A program and a module it loads have a table each, and each asks its own.
// `code`, not 0, becomes Fault::code: what the handler knows of the signal, in the caller's own terms.
bool redirect_faulting_access(HostContext& host, uint64_t fault_address, uint32_t code = 1);

namespace faulting {

// Why an access failed.
struct Fault {
    // Of the first byte that could not be accessed: where the second page of an access across pages is missing, that page's first.
    // Where nothing can be there because the address is not canonical, for which the host names none: the address the access was
    // given; of a copy or a string, that of the first byte not done.
    uint64_t address = 0;
    HostContext::Access access = HostContext::Access::load;  // never fetch
    uint32_t code = 1;                                       // the handler's, see above

    bool operator==(const Fault&) const = default;
};

// What a read-modify-write makes of the value before and its operand.
enum class AtomicOp : uint8_t { exchange, add, and_, or_, xor_, smin, smax, umin, umax };

template <class T>
concept Width = std::same_as<T, uint8_t> || std::same_as<T, uint16_t> || std::same_as<T, uint32_t> ||
                std::same_as<T, uint64_t>;

// These return whether the access was made; if it was not, memory is as
// it was, `*fault` is set and the other results are left alone; if it was, `*fault` is left alone.

template <Width T>
[[nodiscard]] bool load(uint64_t address, T* value, Fault* fault);

template <Width T>
[[nodiscard]] bool store(uint64_t address, T value, Fault* fault);

// Read-modify-writes at a naturally aligned address; what a guest's misaligned ones are is the caller's to decide, before. They
// fail with Access::store always, as RISC-V's AMOs do (privileged specification, "Supervisor Cause Register").

// *before is `expected` exactly when `desired` was stored.
template <Width T>
[[nodiscard]] bool compare_exchange(uint64_t address, T expected, T desired, T* before, Fault* fault);

// The same of two words, the one at the lower address first, at an address that is a multiple of 16 and canonical, as one access. The
// host has to have cmpxchg16b.
[[nodiscard]] bool compare_exchange_pair(uint64_t address, const std::array<uint64_t, 2>& expected,
                                         const std::array<uint64_t, 2>& desired,
                                         std::array<uint64_t, 2>* before, Fault* fault);

// `smin` and `smax` compare as signed numbers.
template <Width T>
[[nodiscard]] bool atomic(AtomicOp op, uint64_t address, T operand, T* before, Fault* fault);

// Copies in ascending order, with the widest accesses that are aligned in the memory that may not be there, as
// guest_ram::read() and write(). Return how many bytes were copied: where less than `size`, `*fault` says why there was no
// more, and each byte before the missing page was copied. The program's own buffer must be there.
[[nodiscard]] size_t copy_in(void* to, uint64_t from, size_t size, Fault* fault);
[[nodiscard]] size_t copy_out(uint64_t to, const void* from, size_t size, Fault* fault);

enum class StringEnd : uint8_t {
    zero,   // found a zero byte
    limit,  // none among the first `limit` bytes
    fault,  // none before a byte that is not there
};

struct StringLength {
    size_t length;  // bytes before the end
    StringEnd end;
};

// The length of the string at `address`. Looks at no byte of a page that holds none of the string's first `limit` bytes, or
// comes after its zero byte. Sets `*fault` if the end is StringEnd::fault.
[[nodiscard]] StringLength string_length(uint64_t address, size_t limit, Fault* fault);

}  // namespace faulting
}  // namespace weft
