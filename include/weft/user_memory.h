// The memory of a process: what an accelerator is given in process mode, instead of weft/memory.h.
//
// The guest's addresses are the host's, but for a constant: the byte at guest address A, below `limit`, is the host's at
// base + A. Nothing translates and nothing checks them but the host's page tables. So any access may fault, at any time: another
// thread of the guest may unmap or protect a page whenever it likes. Accesses therefore are those of generated code and of
// base/faulting_access.h alone; whoever made one that failed asks fault() what that means.
//
// A fault's code is what the host's signal handler wants fault() to know of it (which signal it was, and why): a number of the
// emulator's own, not 0, that it gave to the handlers' functions of accelerator and of base/faulting_access.h. 0 where the host
// was not asked.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/guest.h"
#include "weft/memory.h"

namespace weft {

inline constexpr uint32_t kUserMemoryAbiVersion = 4;

// What a guest page is as a place for code.
enum class CodePageKind : uint8_t {
    unmapped,  // nothing may be fetched: there is nothing
    no_exec,   // nothing may be fetched: there is something else
    private_,  // writes to it can be found out by protect(): no other mapping shows the same bytes
    shared,  // they cannot: others may write to the same bytes by another mapping, of this process or another
    hot,     // they could, but it is written to so often that it does not pay
};

struct CodePageInfo {
    CodePageKind kind;
    // Another than before if `kind`, or the memory that the page is of, may be another than before.
    uint64_t generation;
    // Its bytes are a file's, so that other processes are likely to execute the same.
    bool of_file = false;
};

// Given by the emulator's address space. Functions may be called from any thread that runs a vCPU.
struct UserMemoryOps {
    uint32_t abi_version;  // kUserMemoryAbiVersion
    void* opaque;          // the functions' first argument

    // Host address of guest address 0; a multiple of the host's page size.
    uint64_t base;
    // The first address that is not the guest's; a multiple of the host's page size, at most 2^64 - base.
    uint64_t limit;
    // Generated code compares each address with `limit` before it uses it. False: what a guest accesses beyond may be memory of
    // weft's. What the accelerator's own functions access is always compared.
    bool bounds;

    // What the page at guest address `page`, a multiple of kPageSize below `limit`, is. Takes no lock and does not wait: it may
    // be outdated when it returns, which a change of its generation shows.
    void (*fetch)(void* opaque, uint64_t page, CodePageInfo* info);

    // What CodePageInfo::generation is now. What fetch() has said of a page stands as long as it is the same: written by whoever changes the
    // map, behind the change, with release; to be loaded with acquire. Null: not told, and fetch() is to be asked each time.
    const std::atomic<uint64_t>* generation = nullptr;

    // Takes from the host's page the right to write, so that from then on a store by the guest faults, and fault() tells the
    // accelerator before it gives the right back. For private_ pages that are about to be read as code. True: stores fault, or
    // the page is not the guest's to write. False: that cannot be had (no memory for it, or the page is of another kind by
    // now), and it is to be treated as `hot`. Called without any lock of the accelerator's: it waits for a lock that others hold
    // while they call the accelerator.
    bool (*protect)(void* opaque, uint64_t page);

    // An access of the vCPU of `state` to the byte at guest address `vaddr`, below `limit`, failed. True: the access is to be
    // made again; the stack grew, or the page has the right to write again, or another thread was between two steps of a change
    // that is complete by now. False: *kind says why it may not be made, and the caller records that with
    // GuestArch::memory_fault. On the vCPU's thread, in ordinary context (no signal handler), without any lock of the
    // accelerator's: it may wait for a lock that others hold while they call the accelerator. The state's registers need not be
    // in their homes, and StateHeader::pc need not be the instruction's.
    bool (*fault)(void* opaque, void* state, uint64_t vaddr, Access access, uint32_t host_code,
                  MemoryFault* kind);

    // For debuggers' breakpoints. Null: there are none. What was read as code from guest address `start` on, `size` bytes, is made into
    // what is to be executed instead; the guest's memory stays as it is, and so its loads see nothing of it. Where the answer for an
    // address becomes another one, the emulator says so afterwards by ProcessOps::code_gone. With locks of the accelerator's held: it
    // waits for no one who calls the accelerator.
    void (*overlay)(void* opaque, uint64_t start, uint8_t* bytes, uint32_t size) = nullptr;
};

}  // namespace weft
