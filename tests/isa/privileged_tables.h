// Random page-table entries, addresses and contents of memory for operations of privileged behaviour.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/isa/privileged_generator.h"
#include "tests/support/random.h"

namespace weft::isa_test {

struct TableEntry {
    uint64_t table;  // isa::Table
    uint64_t index;
    uint64_t value;
};

// What maps something in most places.
std::vector<TableEntry> ordinary_entries(test::Random& random, GuestKind kind);
// Any bits, at a place that the code of S and U mode does not need.
TableEntry random_entry(test::Random& random, GuestKind kind);
// The same for a page of 4 KiB, with the index given.
TableEntry random_page_entry(test::Random& random, GuestKind kind, uint64_t index);

// In an address space of satp.MODE `mode`; seldom one that is not canonical.
uint64_t random_virtual_address(test::Random& random, uint64_t mode, GuestKind kind);
uint64_t random_physical_address(test::Random& random);
// The same in data pages; the same within the first part of a page of 1 GiB, where RAM is.
uint64_t within_data(uint64_t address);
uint64_t within_ram_pages(uint64_t address);
// A root of page tables, as satp.PPN has it, mostly of none.
uint64_t random_frame(test::Random& random);
// What pmpaddr is given.
uint64_t random_protected_address(test::Random& random, GuestKind kind);
// A value whose halfwords end a fetch (isa::kReservedInsns).
uint64_t random_data(test::Random& random);

}  // namespace weft::isa_test
