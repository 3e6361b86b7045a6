// Random operations of privileged behaviour (privileged_format.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/isa/privileged_format.h"

namespace weft::isa_test {

// One operation. Each is complete in itself: any of them may be left out of a program.
struct PrivilegedCase {
    isa::PrivilegedOp op{};
    std::vector<uint32_t> code;  // instructions of 32 bits before the ECALL at the end
    std::string text;            // what it is, for messages
};

// Guests differ in what their operations may be: what the peer does otherwise, or may, comes of two of these together.
struct GuestKind {
    // With Smepmp's mseccfg.MML.
    bool lockdown;
    // With AMOs. Pages that may be read and not written have been accessed and lead to memory that may be read: there the peer looks at
    // the memory first, and sets A.
    bool atomics;
    // With accesses that go over the end of a page. Without entries of the PMP, which the peer compares with such an access as a whole and
    // weft with each page's part (privileged specification 3.7.1, "Priority and Matching Logic"), and without pages that lead nowhere.
    bool crossing;
    // With CBOs. Entries of the PMP end where blocks do; what happens else is left open (unprivileged specification, CMO, "Traps").
    bool blocks;
};

// The operations of one guest.
std::vector<PrivilegedCase> make_privileged_cases(uint64_t seed, unsigned count, GuestKind kind);

}  // namespace weft::isa_test
