#include "accel/tcg/mmu/direct_memory.h"

#include <utility>

#include "accel/tcg/mmu/access_width.h"
#include "base/assert.h"
#include "base/hash.h"

namespace weft::accel {

using faulting::AtomicOp;
using faulting::Fault;
using ir::MemOp;
using ir::Opcode;

namespace {

AtomicOp atomic_op(Opcode op) {
    switch (op) {
        case Opcode::atomic_xchg:
            return AtomicOp::exchange;
        case Opcode::atomic_add:
            return AtomicOp::add;
        case Opcode::atomic_and:
            return AtomicOp::and_;
        case Opcode::atomic_or:
            return AtomicOp::or_;
        case Opcode::atomic_xor:
            return AtomicOp::xor_;
        case Opcode::atomic_smin:
            return AtomicOp::smin;
        case Opcode::atomic_smax:
            return AtomicOp::smax;
        case Opcode::atomic_umin:
            return AtomicOp::umin;
        default:
            WEFT_DEBUG_ASSERT(op == Opcode::atomic_umax);
            return AtomicOp::umax;
    }
}

Access access_of(const Fault& fault) {
    return fault.access == HostContext::Access::load ? Access::load : Access::store;
}

}  // namespace

// ---- what may be accessed ----

// False: an exception is recorded.
bool DirectMemory::aligned(uint64_t vaddr, unsigned size, Access access) {
    if ((vaddr & (size - 1)) == 0) {
        return true;
    }
    guest_.unaligned_access(state_, vaddr, access);
    return false;
}

// Records the exception of an access of which not all bytes are the guest's. The host is not asked for the others: what lies there is
// weft's. False.
bool DirectMemory::fault_beyond_limit(uint64_t vaddr, Access access) {
    uint64_t first_wrong = vaddr;
    if (vaddr < user_.limit) {
        // The first byte that may not be accessed can still be one below the limit. An atomic operation that changes nothing
        // shows that without a store.
        uint8_t byte = 0;
        const bool there = attempt([&](Fault* fault) {
            return access == Access::store
                       ? faulting::atomic<uint8_t>(AtomicOp::or_, host(vaddr), 0, &byte, fault)
                       : faulting::load<uint8_t>(host(vaddr), &byte, fault);
        });
        if (!there) {
            return false;
        }
        first_wrong = user_.limit;
    }
    guest_.memory_fault(state_, first_wrong, access, MemoryFault::unmapped);
    return false;
}

// What to do about an access that failed. False: an exception is recorded.
bool DirectMemory::again(uint64_t vaddr, Access access, uint32_t host_code) {
    MemoryFault kind = MemoryFault::unmapped;
    if (user_.fault(user_.opaque, state_, vaddr, access, host_code, &kind)) {
        return true;
    }
    guest_.memory_fault(state_, vaddr, access, kind);
    return false;
}

bool DirectMemory::again(const Fault& fault) {
    return again(fault.address - user_.base, access_of(fault), fault.code);
}

bool DirectMemory::after_host_fault(uint64_t vaddr, Access access, uint32_t host_code) {
    if (vaddr >= user_.limit) {
        guest_.memory_fault(state_, vaddr, access, MemoryFault::unmapped);
        return false;
    }
    return again(vaddr, access, host_code);
}

// Calls access(&fault), which makes a load or a store, until it succeeds or may not be made.
template <class Attempt>
bool DirectMemory::attempt(Attempt&& access) {
    Fault fault;
    while (!access(&fault)) {
        if (!again(fault)) {
            return false;
        }
    }
    return true;
}

// ---- accesses ----

bool DirectMemory::load(uint64_t vaddr, uint32_t memop_bits, uint64_t* value) {
    const MemOp memop(memop_bits);
    if (may_try(vaddr, memop)) [[likely]] {
        Fault fault;
        const bool made = with_width(memop.size(), [&]<class T>(T loaded) {
            if (!faulting::load<T>(host(vaddr), &loaded, &fault)) {
                return false;
            }
            *value = extend(loaded, memop);
            return true;
        });
        if (made) {
            return true;
        }
        if (!again(fault)) {
            return false;
        }
    }
    return load_or_fault(vaddr, memop, value);
}

bool DirectMemory::load_or_fault(uint64_t vaddr, MemOp memop, uint64_t* value) {
    const unsigned size = memop.size();
    if ((memop.aligned() && !aligned(vaddr, size, Access::load)) || !below_limit(vaddr, size, Access::load)) {
        return false;
    }
    return with_width(size, [&]<class T>(T loaded) {
        if (!attempt([&](Fault* fault) { return faulting::load<T>(host(vaddr), &loaded, fault); })) {
            return false;
        }
        *value = extend(loaded, memop);
        return true;
    });
}

bool DirectMemory::store(uint64_t vaddr, uint32_t memop_bits, uint64_t value) {
    const MemOp memop(memop_bits);
    if (may_try(vaddr, memop)) [[likely]] {
        Fault fault;
        const bool made = with_width(memop.size(), [&]<class T>(T) {
            return faulting::store<T>(host(vaddr), static_cast<T>(value), &fault);
        });
        if (made) {
            return true;
        }
        if (!again(fault)) {
            return false;
        }
    }
    return store_or_fault(vaddr, memop, value);
}

bool DirectMemory::store_or_fault(uint64_t vaddr, MemOp memop, uint64_t value) {
    const unsigned size = memop.size();
    if ((memop.aligned() && !aligned(vaddr, size, Access::store)) ||
        !below_limit(vaddr, size, Access::store)) {
        return false;
    }
    return with_width(size, [&]<class T>(T) {
        return attempt(
            [&](Fault* fault) { return faulting::store<T>(host(vaddr), static_cast<T>(value), fault); });
    });
}

bool DirectMemory::atomic(Opcode op, uint64_t vaddr, uint32_t memop_bits, uint64_t a, uint64_t b,
                          uint64_t* old) {
    const MemOp memop(memop_bits);
    const unsigned size = memop.size();
    // Naturally aligned whatever the op says, as SoftMmu's.
    if (!aligned(vaddr, size, Access::store) || !below_limit(vaddr, size, Access::store)) {
        return false;
    }
    return with_width(size, [&]<class T>(T before) {
        const auto operand = static_cast<T>(a);
        const bool made = attempt([&](Fault* fault) {
            return op == Opcode::atomic_cmpxchg
                       ? faulting::compare_exchange<T>(host(vaddr), operand, static_cast<T>(b), &before,
                                                       fault)
                       : faulting::atomic<T>(atomic_op(op), host(vaddr), operand, &before, fault);
        });
        if (made) {
            *old = extend(before, memop);
        }
        return made;
    });
}

bool DirectMemory::compare_exchange_pair(uint64_t vaddr, unsigned, const std::array<uint64_t, 2>& expected,
                                         const std::array<uint64_t, 2>& desired,
                                         std::array<uint64_t, 2>* old) {
    constexpr unsigned kSize = 16;
    if (!aligned(vaddr, kSize, Access::store) || !below_limit(vaddr, kSize, Access::store)) {
        return false;
    }
    return attempt([&](Fault* fault) {
        return faulting::compare_exchange_pair(host(vaddr), expected, desired, old, fault);
    });
}

// ---- code ----

bool DirectMemory::fetch(uint64_t pc, uint8_t, FetchPage* page) {
    if (!below_limit(pc, guest_.min_insn_size, Access::fetch)) {
        return false;
    }
    const uint64_t start = pc & ~(kPageSize - 1);
    KnownPage& known = known_page(start);
    if (known.start != start || user_.generation == nullptr ||
        known.generation != user_.generation->load(std::memory_order_acquire)) {
        CodePageInfo info{};
        while (user_.fetch(user_.opaque, start, &info),
               info.kind == CodePageKind::unmapped || info.kind == CodePageKind::no_exec) {
            if (!again(pc, Access::fetch, 0)) {
                return false;
            }
        }
        known = {start, info.generation, info.of_file};
    }
    *page = {false, nullptr, start, pc, known.of_file};
    return true;
}

bool DirectMemory::read_code(const FetchPage&, uint64_t pc, uint8_t* bytes, uint32_t size) {
    Fault fault;
    const auto done = static_cast<uint32_t>(faulting::copy_in(bytes, host(pc), size, &fault));
    if (done == size && user_.overlay == nullptr) [[likely]] {
        return true;
    }
    return read_code_from(pc, bytes, done, size, fault);
}

// `done` bytes were read before the fault.
bool DirectMemory::read_code_from(uint64_t pc, uint8_t* bytes, uint32_t done, uint32_t size, Fault fault) {
    while (done != size) {
        if (!again(fault.address - user_.base, Access::fetch, fault.code)) {
            return false;
        }
        done += static_cast<uint32_t>(faulting::copy_in(bytes + done, host(pc + done), size - done, &fault));
    }
    if (user_.overlay != nullptr) {
        user_.overlay(user_.opaque, pc, bytes, size);
    }
    return true;
}

uint64_t DirectMemory::sample(const FetchPage& page) {
    Fault fault;
    uint64_t hash = 0;
    uint64_t word = 0;
    for (uint64_t at = 0; at < kPageSize; at += kSampleStep) {
        if (!faulting::load<uint64_t>(host(page.ram_offset + at), &word, &fault)) {
            break;  // it goes just now
        }
        hash = hash_step(hash, word);
    }
    return hash_mix(hash);
}

}  // namespace weft::accel
