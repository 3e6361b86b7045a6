// TCG's intermediate representation: plain data, shared by the guest's translator and the accelerator.
//
// A unit is what is translated at once: a flat array of ops, the temps they name, labels. Ops hold indices, never
// pointers, so a unit can be copied, stored, compared and fuzzed. Nothing here owns memory: storage belongs to the
// accelerator and grows through Unit::storage. A unit is used by one thread at a time.
//
// Semantics shared by all ops:
//  - Integers wrap. Shift and rotate counts must be below the width (else the result is unspecified; front ends mask).
//  - divs, divu, rems, remu: a zero divisor, or the minimum divided by -1, must not reach them.
//  - clz and ctz of zero give the width. extract/sextract/deposit need length >= 1 and position + length <= width.
//  - setcond gives 0 or 1, negsetcond 0 or -1; movcond d, a, b, x, y is (a cond b) ? x : y.
//  - mulsuh takes its first operand as signed, its second as unsigned.
//  - An i32 temp has 32 bits; nothing is said of what a host register holds above them.
//  - Floating point follows IEEE 754 with tininess after rounding; every NaN result is the canonical quiet NaN (sign 0);
//    fmin/fmax are minimumNumber/maximumNumber of IEEE 754-2019; feq is quiet, flt and fle signal. fcvt_to_int
//    saturates, NaN as positive overflow, and an out-of-range operand raises invalid alone; 32-bit results are
//    sign-extended to i64, unsigned ones too. fcvt_from_int reads the low 32 bits where aux says so. fnmadd is
//    -(a * b) - c, fnmsub is -(a * b) + c. fclass gives the mask of RISC-V's fclass. fbox sets the upper half to ones;
//    funbox gives the canonical f32 NaN unless the upper half is all ones.
//  - fpflags_get/set read and replace the accumulated exceptions (FpFlag bits).
//  - pc_add gives page_pc + offset, where page_pc is the guest virtual address of the page the unit begins in.
//  - goto_tb goes to page_pc + offset, within the page the unit begins in (elsewhere too with Unit::fixed_pages), and may
//    be linked; each slot occurs once.
//  - return_point says that the transfer behind the next exit_check is a call: its argument is where the callee will return
//    to, page_pc + the slot's offset, under the same rules as for a goto_tb, and the slot is for that way. It changes
//    nothing that a guest can see; nor does lookup_and_goto_ptr's bit that says that its pc is likely to be that of the
//    last return_point which nothing has returned to. A call has no such bit.
//  - exit_check stands directly before a transfer and says how many of the unit's instructions are complete there: before
//    every goto_tb and lookup_and_goto_ptr, and before each exit_tb that is reached (else it counts as none). Front
//    ends make no loops in a unit: its n-th insn_start begins the n-th instruction of every path that gets there. With
//    TranslateRequest::inner_branches it is so for the path alone that has all of them; others have fewer.
#pragma once

#include <cstdint>

#include "weft/ir_ops.h"

namespace weft::ir {

// Raised when the meaning or layout of anything in this header or in ir_ops.h changes.
inline constexpr uint32_t kIrVersion = 8;

enum class Type : uint8_t { none, i32, i64, f32, f64 };

enum class Opcode : uint8_t {
#define WEFT_IR_ENUM(name, outputs, inputs, aux, types, flags) name,
    WEFT_IR_OPS(WEFT_IR_ENUM)
#undef WEFT_IR_ENUM
};

#define WEFT_IR_COUNT(name, outputs, inputs, aux, types, flags) +1
inline constexpr unsigned kOpcodeCount = 0 WEFT_IR_OPS(WEFT_IR_COUNT);
#undef WEFT_IR_COUNT

// Comparison of two integers of the op's type.
enum class Cond : uint8_t { eq, ne, lt, ge, le, gt, ltu, geu, leu, gtu, tsteq, tstne };

// The condition that holds exactly when `cond` does not.
constexpr Cond invert(Cond cond) {
    constexpr Cond kInverse[] = {Cond::ne,  Cond::eq,  Cond::ge,  Cond::lt,  Cond::gt,    Cond::le,
                                 Cond::geu, Cond::ltu, Cond::gtu, Cond::leu, Cond::tstne, Cond::tsteq};
    return kInverse[static_cast<unsigned>(cond)];
}

// The condition that holds for (b, a) exactly when `cond` holds for (a, b).
constexpr Cond swap_operands(Cond cond) {
    constexpr Cond kSwapped[] = {Cond::eq,  Cond::ne,  Cond::gt,  Cond::le,  Cond::ge,    Cond::lt,
                                 Cond::gtu, Cond::leu, Cond::geu, Cond::ltu, Cond::tsteq, Cond::tstne};
    return kSwapped[static_cast<unsigned>(cond)];
}

// Rounding directions, numbered as RISC-V's frm.
enum class Rounding : uint8_t { nearest_even, toward_zero, down, up, nearest_away };

// Accumulated floating-point exceptions, in the bit order of RISC-V's fflags.
enum FpFlag : uint32_t {
    kFpInexact = 1,
    kFpUnderflow = 2,
    kFpOverflow = 4,
    kFpDivByZero = 8,
    kFpInvalid = 16
};

// Which earlier accesses (before "_") are ordered before which later ones. A mask.
enum BarrierKind : uint32_t {
    kBarrierLoadLoad = 1,
    kBarrierLoadStore = 2,
    kBarrierStoreLoad = 4,
    kBarrierStoreStore = 8,
    kBarrierAll = 15,
};

// Why generated code returns to the execution loop by exit_tb.
enum class ExitReason : uint8_t {
    lookup,  // carry on at the given pc; TB flags, address space or interrupts may have changed
    halt,    // sleep until an interrupt is pending (WFI), then carry on at the given pc
    yield,   // let other vCPUs run first where one thread takes them in turn, then carry on
};

// How a guest memory op accesses: Op::aux of guest_ld, guest_st and the atomics.
class MemOp {
  public:
    static constexpr uint32_t kSign = 1u << 3;  // sign-extend a load narrower than the op's type
    static constexpr uint32_t kAligned = 1u
                                         << 4;  // a misaligned address faults (GuestArch::unaligned_access)
    static constexpr uint32_t kAcquire = 1u << 5;  // later accesses stay after this one
    static constexpr uint32_t kRelease = 1u << 6;  // earlier accesses stay before this one
    // Of a guest_ld with kAligned and without kSign: an atomic op on the same place is to follow. Where memory has no
    // atomics it faults as they do (GuestArch::bus_error), without an effect there.
    static constexpr uint32_t kReserve = 1u << 7;

    constexpr MemOp() = default;
    constexpr explicit MemOp(uint32_t bits) : bits_(bits) {}
    // size_log2: 0..3 for 1 to 8 bytes. mmu_mode: below GuestArch::mmu_mode_count.
    constexpr MemOp(unsigned size_log2, unsigned mmu_mode, uint32_t flags = 0)
        : bits_(size_log2 | flags | mmu_mode << 8) {}

    constexpr uint32_t bits() const { return bits_; }
    constexpr unsigned size_log2() const { return bits_ & 7; }
    constexpr unsigned size() const { return 1u << size_log2(); }
    constexpr bool sign() const { return (bits_ & kSign) != 0; }
    constexpr bool aligned() const { return (bits_ & kAligned) != 0; }
    constexpr bool acquire() const { return (bits_ & kAcquire) != 0; }
    constexpr bool release() const { return (bits_ & kRelease) != 0; }
    constexpr bool reserve() const { return (bits_ & kReserve) != 0; }
    constexpr unsigned mmu_mode() const { return bits_ >> 8 & 15; }
    // Bytes that are added to the op's address: -32768..32767, and 0 for all but guest_ld and guest_st.
    constexpr int32_t displacement() const { return static_cast<int32_t>(bits_) >> 16; }
    constexpr MemOp at(int32_t displacement) const {
        return MemOp((bits_ & 0xffff) | static_cast<uint32_t>(displacement) << 16);
    }

  private:
    uint32_t bits_ = 0;
};

// A temp's index in Unit::temps.
using TempIndex = uint16_t;
inline constexpr unsigned kMaxTemps = 4096;
inline constexpr unsigned kMaxArgs = 7;
// Most goto_tb slots a unit may have.
inline constexpr unsigned kMaxGotoTb = 8;
enum class TempKind : uint8_t {
    global,    // lives in the guest state between units; always the first Unit::global_count temps
    constant,  // never written; value below
    ebb,   // lives to the end of an extended basic block: across brcond's fall-through, not across set_label
    unit,  // lives through the whole unit
};

struct Temp {
    Type type;
    TempKind kind;
    uint16_t global;  // for a global its number in the guest's table
    int32_t offset;   // for a global its home, from the state pointer
    uint64_t value;   // for a constant its value: an i32 or f32 in the low half with the upper half zero
};
static_assert(sizeof(Temp) == 16);

struct Op {
    Opcode code;
    Type type;          // what T stands for in the op's signature
    uint8_t cond;       // Cond, Rounding, slot or flags, as the op table says
    uint8_t arg_count;  // outputs and inputs
    uint32_t aux;       // as the op table says
    uint16_t args[8];   // temps: outputs first, then inputs; labels are in aux (brcond: args[7])
};
static_assert(sizeof(Op) == 24);

// From a goto_tb or return_point.
constexpr int32_t goto_tb_offset(const Op& op) { return static_cast<int32_t>(op.aux); }
constexpr unsigned goto_tb_slot(const Op& op) { return op.cond; }

// Where brcond's and br's label is found.
inline constexpr unsigned kBrcondLabelArg = 7;

enum class UnitError : uint8_t {
    none,
    too_big,        // more temps, ops or labels than fit: translate again with fewer instructions
    out_of_memory,  // storage could not grow
};

struct Unit;

// Growth of a unit's arrays. Each call makes room for at least one more element (it may move the array) or returns
// false, having set Unit::error.
struct UnitStorage {
    bool (*grow_ops)(Unit* unit);
    bool (*grow_temps)(Unit* unit);
};

// The bit of Unit::uncarried for an instruction at this offset in its page.
constexpr unsigned uncarried_bit(uint32_t page_offset) { return page_offset / 8 % 64; }

struct Unit {
    uint32_t version;  // kIrVersion
    uint32_t global_count;

    Op* ops;
    uint32_t op_count;
    uint32_t op_capacity;

    Temp* temps;
    uint32_t temp_count;
    uint32_t temp_capacity;

    uint32_t label_count;
    UnitError error;
    bool uses_fp;           // has an op with flag_fp or an fpflags op
    Rounding fp_rounding;   // the host's rounding direction while the unit runs: what the guest's flags say
    uint8_t goto_tb_count;  // slots used, 0..kMaxGotoTb
    bool fixed_pages;       // TranslateRequest::fixed_pages; set by the front end that makes use of it
    // Set by the accelerator: accesses at displacements from one base often lie in two pages, so that one look at the
    // TLB for all of them does not pay.
    bool ungrouped;
    // Set by the accelerator: where accesses seldom find the page that they found last, so that comparing with it does not
    // pay. By places in the page, see uncarried_bit().
    uint64_t uncarried;

    // What was translated; set by the front end.
    uint32_t insn_count;
    uint32_t guest_size;  // bytes, from the unit's first instruction

    const UnitStorage* storage;
    void* storage_owner;
};

}  // namespace weft::ir
