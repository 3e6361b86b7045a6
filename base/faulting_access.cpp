#include "base/faulting_access.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/assert.h"

namespace weft {

namespace faulting {

// An instruction that may fault, and where to go on then. Each is the distance from the word itself to what it names, so that
// nothing has to be relocated when the program or module is loaded.
struct Row {
    int32_t pc;
    int32_t next;
};

}  // namespace faulting

// The linker's names for the ends of the section. Hidden: each program and module has its own.
extern "C" {
[[gnu::visibility("hidden")]] extern const faulting::Row __start_weft_faulting_accesses[];
[[gnu::visibility("hidden")]] extern const faulting::Row __stop_weft_faulting_accesses[];
}

namespace {

// Registers by their numbers in HostContext. At each instruction of the table rdi holds the address, and edx is zero, but for
// compare_exchange_pair(). One that fails leaves the address of the fault and its code in them. All else around the instructions is the compiler's, unwinding tables
// included: they touch no stack.
constexpr unsigned kRdx = 2;
constexpr unsigned kRdi = 7;

uint64_t named_by(const int32_t& distance) {
    return reinterpret_cast<uint64_t>(&distance) + static_cast<uint64_t>(int64_t{distance});
}

}  // namespace

bool redirect_faulting_access(HostContext& host, uint64_t fault_address, uint32_t code) {
    WEFT_DEBUG_ASSERT(code != 0);
    const uint64_t pc = host.pc();
    // A few dozen rows, in the linker's order.
    for (const faulting::Row* row = __start_weft_faulting_accesses; row != __stop_weft_faulting_accesses;
         ++row) {
        if (named_by(row->pc) == pc) {
            if (host.page_fault()) {
                host.set_reg(kRdi, fault_address);
            }
            host.set_reg(kRdx, code);
            host.set_pc(named_by(row->next));
            return true;
        }
    }
    return false;
}

namespace faulting {

namespace {

using Access = HostContext::Access;

#define WEFT_MAY_FAULT(instruction)                           \
    "1: " instruction                                         \
    "\n2:\n\t"                                                \
    ".pushsection weft_faulting_accesses, \"a\", @progbits\n" \
    ".balign 4\n\t"                                           \
    ".long 1b - .\n\t"                                        \
    ".long 2b - .\n\t"                                        \
    ".popsection"

// The names of registers, and by them the widths of the instructions, follow from the types of the operands.

template <class T>
bool load_for(Access access, uint64_t address, T* value, Fault* fault) {
    uint32_t failed = 0;
    T loaded;
    asm volatile(WEFT_MAY_FAULT("mov (%%rdi), %[loaded]")
                 : [loaded] "=r"(loaded), "+D"(address), "+d"(failed)
                 :
                 : "memory");
    if (failed != 0) [[unlikely]] {
        *fault = {address, access, failed};
        return false;
    }
    *value = loaded;
    return true;
}

template <class T>
bool exchange(uint64_t address, T operand, T* before, Fault* fault) {
    uint32_t failed = 0;
    asm volatile(WEFT_MAY_FAULT("xchg %[operand], (%%rdi)")
                 : [operand] "+r"(operand), "+D"(address), "+d"(failed)
                 :
                 : "memory");
    if (failed != 0) [[unlikely]] {
        *fault = {address, Access::store, failed};
        return false;
    }
    *before = operand;
    return true;
}

template <class T>
bool add(uint64_t address, T operand, T* before, Fault* fault) {
    uint32_t failed = 0;
    asm volatile(WEFT_MAY_FAULT("lock xadd %[operand], (%%rdi)")
                 : [operand] "+r"(operand), "+D"(address), "+d"(failed)
                 :
                 : "memory", "cc");
    if (failed != 0) [[unlikely]] {
        *fault = {address, Access::store, failed};
        return false;
    }
    *before = operand;
    return true;
}

template <class T>
T next_value(AtomicOp op, T old, T operand) {
    using Signed = std::make_signed_t<T>;
    switch (op) {
        case AtomicOp::exchange:
            return operand;
        case AtomicOp::add:
            return static_cast<T>(old + operand);
        case AtomicOp::and_:
            return old & operand;
        case AtomicOp::or_:
            return old | operand;
        case AtomicOp::xor_:
            return old ^ operand;
        case AtomicOp::smin:
            return static_cast<Signed>(old) < static_cast<Signed>(operand) ? old : operand;
        case AtomicOp::smax:
            return static_cast<Signed>(old) > static_cast<Signed>(operand) ? old : operand;
        case AtomicOp::umin:
            return std::min(old, operand);
        case AtomicOp::umax:
            return std::max(old, operand);
    }
    return old;
}

// Calls step(value of the width, bytes done) for accesses that cover [address, address + size) in ascending order, each aligned and
// as wide as it can be, until it returns false. Returns the bytes covered.
template <class Step>
size_t in_steps(uint64_t address, size_t size, Step step) {
    size_t done = 0;
    const auto left = [&] { return size - done; };
    const auto one = [&](auto width) {
        const bool made = step(width, done);
        done += made ? sizeof(width) : 0;
        return made;
    };
    // Up to a multiple of eight, as far as it goes.
    const auto odd = [&](auto width) {
        return ((address + done) & sizeof(width)) != 0 && left() >= sizeof(width);
    };
    if ((odd(uint8_t{}) && !one(uint8_t{})) || (odd(uint16_t{}) && !one(uint16_t{})) ||
        (odd(uint32_t{}) && !one(uint32_t{}))) {
        return done;
    }
    while (left() >= 8) {
        if (!one(uint64_t{})) {
            return done;
        }
    }
    const auto fits = [&](auto width) { return left() >= sizeof(width); };
    if ((fits(uint32_t{}) && !one(uint32_t{})) || (fits(uint16_t{}) && !one(uint16_t{}))) {
        return done;
    }
    if (fits(uint8_t{})) {
        one(uint8_t{});
    }
    return done;
}

bool has_zero_byte(uint64_t word) {
    return ((word - 0x0101'0101'0101'0101) & ~word & 0x8080'8080'8080'8080) != 0;
}

}  // namespace

template <Width T>
bool load(uint64_t address, T* value, Fault* fault) {
    return load_for(Access::load, address, value, fault);
}

template <Width T>
bool store(uint64_t address, T value, Fault* fault) {
    uint32_t failed = 0;
    asm volatile(WEFT_MAY_FAULT("mov %[value], (%%rdi)")
                 : "+D"(address), "+d"(failed)
                 : [value] "r"(value)
                 : "memory");
    if (failed != 0) [[unlikely]] {
        *fault = {address, Access::store, failed};
        return false;
    }
    return true;
}

template <Width T>
bool compare_exchange(uint64_t address, T expected, T desired, T* before, Fault* fault) {
    WEFT_DEBUG_ASSERT(address % sizeof(T) == 0);
    uint32_t failed = 0;
    asm volatile(WEFT_MAY_FAULT("lock cmpxchg %[desired], (%%rdi)")
                 : "+a"(expected), "+D"(address), "+d"(failed)
                 : [desired] "r"(desired)
                 : "memory", "cc");
    if (failed != 0) [[unlikely]] {
        *fault = {address, Access::store, failed};
        return false;
    }
    *before = expected;
    return true;
}

template <Width T>
bool atomic(AtomicOp op, uint64_t address, T operand, T* before, Fault* fault) {
    WEFT_DEBUG_ASSERT(address % sizeof(T) == 0);
    if (op == AtomicOp::exchange) {
        return exchange(address, operand, before, fault);
    }
    if (op == AtomicOp::add) {
        return add(address, operand, before, fault);
    }
    T old;
    if (!load_for(Access::store, address, &old, fault)) {
        return false;
    }
    for (;;) {
        T seen;
        if (!compare_exchange(address, old, next_value(op, old, operand), &seen, fault)) {
            return false;
        }
        if (seen == old) {
            *before = old;
            return true;
        }
        old = seen;
    }
}

// The instruction needs rdx. It fails by page faults alone, since the address is canonical and aligned; those leave the address of
// a byte of the operand in rdi, which pointed behind it.
bool compare_exchange_pair(uint64_t address, const std::array<uint64_t, 2>& expected,
                           const std::array<uint64_t, 2>& desired, std::array<uint64_t, 2>* before,
                           Fault* fault) {
    WEFT_DEBUG_ASSERT(address % 16 == 0);
    uint64_t low = expected[0];
    uint64_t high = expected[1];
    const uint64_t end = address + 16;
    uint64_t at = end;
    asm volatile(WEFT_MAY_FAULT("lock cmpxchg16b -16(%%rdi)")
                 : "+a"(low), "+d"(high), "+D"(at)
                 : "b"(desired[0]), "c"(desired[1])
                 : "memory", "cc");
    if (at != end) [[unlikely]] {
        *fault = {at, Access::store, static_cast<uint32_t>(high)};
        return false;
    }
    *before = {low, high};
    return true;
}

#define WEFT_FOR_WIDTH(T)                                          \
    template bool load<T>(uint64_t, T*, Fault*);                   \
    template bool store<T>(uint64_t, T, Fault*);                   \
    template bool compare_exchange<T>(uint64_t, T, T, T*, Fault*); \
    template bool atomic<T>(AtomicOp, uint64_t, T, T*, Fault*);
WEFT_FOR_WIDTH(uint8_t)
WEFT_FOR_WIDTH(uint16_t)
WEFT_FOR_WIDTH(uint32_t)
WEFT_FOR_WIDTH(uint64_t)
#undef WEFT_FOR_WIDTH

namespace {

// Aligned: to whoever writes words meanwhile two of them.
constexpr size_t kBlock = 16;
using Block = long long __attribute__((vector_size(kBlock)));

bool load_block(uint64_t address, uint8_t* out, Fault* fault) {
    uint32_t failed = 0;
    Block loaded;
    asm volatile(WEFT_MAY_FAULT("movaps (%%rdi), %[loaded]")
                 : [loaded] "=x"(loaded), "+D"(address), "+d"(failed)
                 :
                 : "memory");
    if (failed != 0) [[unlikely]] {
        *fault = {address, Access::load, failed};
        return false;
    }
    std::memcpy(out, &loaded, sizeof(loaded));
    return true;
}

size_t copy_in_words(uint8_t* to, uint64_t from, size_t size, Fault* fault) {
    return in_steps(from, size, [=]<class T>(T, size_t done) {
        T value;
        if (!load_for(Access::load, from + done, &value, fault)) {
            return false;
        }
        std::memcpy(to + done, &value, sizeof(T));
        return true;
    });
}

}  // namespace

size_t copy_in(void* to, uint64_t from, size_t size, Fault* fault) {
    auto* const out = static_cast<uint8_t*>(to);
    const size_t head = std::min<size_t>(size, -from % kBlock);
    size_t done = head != 0 ? copy_in_words(out, from, head, fault) : 0;
    if (done != head) {
        return done;
    }
    while (size - done >= kBlock) {
        if (!load_block(from + done, out + done, fault)) {
            return done;  // a page is more than a block
        }
        done += kBlock;
    }
    return done != size ? done + copy_in_words(out + done, from + done, size - done, fault) : done;
}

size_t copy_out(uint64_t to, const void* from, size_t size, Fault* fault) {
    const auto* const in = static_cast<const uint8_t*>(from);
    return in_steps(to, size, [=]<class T>(T, size_t done) {
        T value;
        std::memcpy(&value, in + done, sizeof(T));
        return store(to + done, value, fault);
    });
}

StringLength string_length(uint64_t address, size_t limit, Fault* fault) {
    for (size_t length = 0; length < limit;) {
        const uint64_t at = address + length;
        // Eight aligned bytes are in one page: if the first of them is there, all are.
        if (at % 8 == 0) {
            uint64_t word;
            if (!load(at, &word, fault)) {
                return {length, StringEnd::fault};
            }
            if (!has_zero_byte(word)) {
                length += 8;
                continue;
            }
        }
        uint8_t byte;
        if (!load(at, &byte, fault)) {
            return {length, StringEnd::fault};
        }
        if (byte == 0) {
            return {length, StringEnd::zero};
        }
        ++length;
    }
    return {limit, StringEnd::limit};
}

}  // namespace faulting
}  // namespace weft
