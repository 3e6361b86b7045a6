#include "tests/isa/privileged_exclusions.h"

#include "tests/isa/privileged_tables.h"

namespace weft::isa_test {
namespace {

constexpr uint64_t kMachine = 3;
constexpr uint64_t kFarTime = uint64_t{1} << 62;
constexpr uint32_t kWriteMideleg = 0x30359073;  // csrw mideleg, a1

uint32_t first_insn(const PrivilegedCase& operation) {
    return operation.code.empty() ? 0 : operation.code.front();
}

bool is_block_operation(const PrivilegedCase& operation) {
    return (first_insn(operation) & 0x707f) == 0x200f;
}

bool is_management(const PrivilegedCase& operation) {
    return is_block_operation(operation) && first_insn(operation) >> 20 != 4;  // not CBO.ZERO
}

bool is_sc(const PrivilegedCase& operation) { return (first_insn(operation) & 0xf800007f) == 0x1800002f; }

void align(PrivilegedCase* operation) { operation->op.a[1] &= ~uint64_t{7}; }

// privileged_tables.cpp has pages that lead nowhere at index 510 of lower levels and at 1 of the higher ones.
void move_to_ram(PrivilegedCase* operation) {
    uint64_t& address = operation->op.a[1];
    if (operation->op.satp == 0 || operation->op.mode == kMachine) {
        address = within_data(address);
    }
    address = within_ram_pages(address);
    for (const unsigned shift : {12, 30}) {
        address |= (address >> shift & 511) == 510 ? uint64_t{1} << shift : 0;
    }
    for (const unsigned shift : {39, 48}) {
        address &= (address >> shift & 511) == 1 ? ~(uint64_t{1} << shift) : ~uint64_t{0};
    }
}

void align_to_block(PrivilegedCase* operation) { operation->op.a[1] &= ~uint64_t{63}; }

bool has_interrupts(const PrivilegedCase& operation) { return first_insn(operation) == kWriteMideleg; }

bool is_wrs_nto(const PrivilegedCase& operation) { return first_insn(operation) == 0x00d00073; }

void clear_tw(PrivilegedCase* operation) { operation->op.status &= ~(uint64_t{1} << 21); }

// a0: stimecmp, a1: mideleg, a2: mie, a3: mip.
void keep_order(PrivilegedCase* operation) {
    constexpr uint64_t kExternal = 1 << 9, kTimer = 1 << 5, kOthers = 1 << 1 | kTimer;
    isa::PrivilegedOp& op = operation->op;
    const uint64_t pending = op.a[2] & (op.a[3] | (op.a[0] < kFarTime ? kTimer : 0));
    const uint64_t as_external = (op.a[1] & kExternal) != 0 ? op.a[1] : ~op.a[1];
    if ((pending & kExternal) != 0 && (pending & kOthers & as_external) != 0) {
        op.a[2] &= ~kExternal;
    }
}

struct Exclusion {
    const char* reason;
    bool (*concerns)(const PrivilegedCase& operation);
    void (*apply)(PrivilegedCase* operation);
};
constexpr Exclusion kExclusions[] = {
    {"the address of a CBO's fault is that in rs1 (unprivileged specification, CMO, \"Traps\"); the peer's "
     "is its block's",
     is_block_operation, align_to_block},
    {"CBO.INVAL, CBO.CLEAN and CBO.FLUSH of what can neither be loaded from nor stored to are access faults "
     "(the same section); the peer does not look at where an address leads",
     is_management, move_to_ram},
    {"an SC that fails is a fault where it may not store (unprivileged specification, Zalrsc), where nothing "
     "is as well; the peer looks at page tables and the PMP alone",
     is_sc, move_to_ram},
    {"a misaligned SC is a store's exception (unprivileged specification, Zalrsc); the peer raises a load's "
     "where it fails",
     is_sc, align},
    {"WRS.NTO with mstatus.TW leaves the instruction in xtval; the peer leaves 0, as it may", is_wrs_nto,
     clear_tw},
    {"of several interrupts the external one comes first (privileged specification 3.1.9, \"Machine "
     "Interrupt Registers\"); the peer takes that with the lowest number",
     has_interrupts, keep_order},
};

}  // namespace

void apply_exclusions(PrivilegedCase* operation) {
    for (const Exclusion& exclusion : kExclusions) {
        if (exclusion.concerns(*operation)) {
            exclusion.apply(operation);
        }
    }
}

}  // namespace weft::isa_test
