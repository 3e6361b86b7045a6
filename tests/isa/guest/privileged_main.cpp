// Runs the operations of a PrivilegedProgram, and prints for each a line with a hash of what it left behind: the trap that ended it,
// registers, CSRs, page tables and memory; or all of that by name, where the program asks for it.
#include "privileged_format.h"
#include "runtime.h"

namespace {

// privileged_switch.S knows the offsets.
struct Frame {
    uint64_t a[isa::kOpArguments];
    uint64_t slot;
    uint64_t cause;
    uint64_t epc;
    uint64_t tval;
    uint64_t status;
    uint64_t sp;
    uint64_t t5;
};
static_assert(__builtin_offsetof(Frame, slot) == 48);
static_assert(__builtin_offsetof(Frame, t5) == 96);

extern "C" {
void run_operation(Frame* frame, uint64_t status, uint64_t pc, uint64_t mode);
uint64_t load_if_allowed(uint64_t address);
extern const char trap_table[];
extern const char text_end[];
}

constexpr uint64_t kStatusMppShift = 11;
constexpr uint64_t kMachine = 3;
constexpr uint64_t kUser = 0;
constexpr uint64_t kSatpRoot = (uint64_t{1} << 44) - 1;
constexpr uint64_t kSatpModeShift = 60;
constexpr uint64_t kTimerInterrupt = 0x80;
// The peer can make U and S mode 32 bits wide; weft's are 64.
constexpr uint64_t kStatusXlen = uint64_t{15} << 32;

volatile uint64_t& word(uint64_t address) { return *reinterpret_cast<volatile uint64_t*>(address); }
volatile uint64_t& machine_timer() { return word(0x02004000); }

// Printed or hashed.
class Record {
  public:
    Record(bool shown, uint64_t op) : shown_(shown) {
        if (shown_) {
            guest::put_text("op ");
            guest::put_word(op);
        }
    }
    void add(const char* name, uint64_t value) {
        hash_ = guest::hash(hash_, value);
        if (shown_) {
            guest::put_text(name);
            guest::put_char(' ');
            guest::put_word(value);
        }
    }
    void end() const {
        if (!shown_) {
            guest::put_word(hash_);
        }
    }

  private:
    bool shown_;
    uint64_t hash_ = guest::kHashStart;
};

void fill_memory() {
    for (uint64_t at = isa::kTables; at < isa::kDataBegin; at += 8) {
        word(at) = 0;
    }
    for (uint64_t at = 0; at < 4096 * isa::kDataPages; at += 8) {
        word(isa::kDataBegin + at) = isa::kReservedInsns;
    }
    constexpr uint64_t kPointer = 1;
    constexpr uint64_t kCode = 0xcb;      // A, D, X, R, V: 2 MiB that have the code
    constexpr uint64_t kUserPage = 0x10;  // U
    const auto pte = [](uint64_t address, uint64_t bits) { return address >> 12 << 10 | bits; };
    word(isa::table_address(isa::root57)) = pte(isa::table_address(isa::root48), kPointer);
    word(isa::table_address(isa::root48)) = pte(isa::table_address(isa::root39), kPointer);
    word(isa::table_address(isa::root39) + 16) = pte(isa::table_address(isa::supervisor_code), kPointer);
    word(isa::table_address(isa::root39) + 24) = pte(isa::table_address(isa::user_code), kPointer);
    word(isa::table_address(isa::supervisor_code)) = pte(isa::kRamBase, kCode);
    word(isa::table_address(isa::user_code)) = pte(isa::kRamBase, kCode | kUserPage);
}

// Entries 0 to 5: devices, the text, its data and the program, M mode's operations, S and U mode's, the tables that lead to these; M mode
// alone has the first four. The last one gives the rest to all.
void protect(const isa::PrivilegedProgram& program) {
    constexpr uint64_t kTor = 0x08;
    constexpr uint64_t kRead = 1, kWrite = 2, kExec = 4, kLock = 0x80;
    GUEST_CSR_WRITE(pmpaddr15, -1);
    GUEST_CSR_WRITE(pmpcfg2, uint64_t{0x1f} << 56);
    GUEST_CSR_WRITE(pmpaddr0, isa::kRamBase >> 2);
    GUEST_CSR_WRITE(pmpaddr1, reinterpret_cast<uint64_t>(text_end) >> 2);
    GUEST_CSR_WRITE(pmpaddr2, isa::kMachineCode >> 2);
    GUEST_CSR_WRITE(pmpaddr3, isa::kLowerCode >> 2);
    GUEST_CSR_WRITE(pmpaddr4, isa::kTables >> 2);
    GUEST_CSR_WRITE(pmpaddr5, isa::kCodeTablesEnd >> 2);
    // Before entries with a lock bit, and with MML off, for its rules would not let them come.
    GUEST_CSR_WRITE(0x747, program.mseccfg & 4);
    const uint64_t data = program.lockdown != 0 ? kTor | kLock | kRead | kWrite : kTor;
    const uint64_t code = program.lockdown != 0 ? kTor | kLock | kRead | kExec : kTor;
    const uint64_t first = data | code << 8 | data << 16 | code << 24 | (kTor | kRead | kExec) << 32;
    GUEST_CSR_WRITE(pmpcfg0, first | (kTor | kRead | kWrite) << 40);
    GUEST_CSR_WRITE(0x747, program.mseccfg);
    if (program.lockdown != 0) {  // what lets all modes load and store: reserved until now
        GUEST_CSR_WRITE(pmpcfg2, uint64_t{0x1e} << 56);
        GUEST_CSR_WRITE(pmpcfg0, first | (kTor | kWrite | kExec) << 40);
    }
    asm volatile("sfence.vma" ::: "memory");
}

void add_csrs(Record& record) {
#define ADD(number, mask) record.add(#number, GUEST_CSR_READ(number) & (mask))
    constexpr uint64_t kAll = ~uint64_t{0};
    constexpr uint64_t kEnvironment = uint64_t{7} << 61 | 0xf1;
    ADD(mie, 0xaaa);
    ADD(mip, 0xaaa);
    ADD(mideleg, 0xaaa);
    ADD(medeleg, 0xb3fe);
    ADD(0x30a, kEnvironment);  // menvcfg
    ADD(0x10a, kEnvironment);  // senvcfg
    ADD(mcounteren, 7);
    ADD(scounteren, 7);
    ADD(stvec, kAll);
    ADD(sscratch, kAll);
    ADD(sepc, kAll);
    ADD(scause, kAll);
    ADD(stval, kAll);
    ADD(0x320, 5);                  // mcountinhibit
    ADD(0x14d, kAll);               // stimecmp
    ADD(0x747, 0x307);              // mseccfg
    ADD(0x30c, uint64_t{3} << 62);  // mstateen0
    ADD(pmpcfg0, kAll);
    ADD(pmpcfg2, kAll);
    ADD(pmpaddr4, kAll);
    ADD(pmpaddr5, kAll);
    ADD(pmpaddr6, kAll);
    ADD(pmpaddr7, kAll);
    ADD(pmpaddr8, kAll);
    ADD(pmpaddr9, kAll);
    ADD(pmpaddr10, kAll);
    ADD(pmpaddr11, kAll);
    ADD(pmpaddr12, kAll);
    ADD(pmpaddr13, kAll);
    ADD(pmpaddr14, kAll);
    ADD(pmpaddr15, kAll);
#undef ADD
}

uint64_t tables_digest() {
    uint64_t h = guest::kHashStart;
    for (uint64_t table = 0; table < isa::kTablePages; ++table) {
        for (const uint64_t index : isa::kIndices) {
            h = guest::hash(h, load_if_allowed(isa::table_address(table) + 8 * index));
        }
    }
    return h;
}

uint64_t data_digest() {
    uint64_t h = guest::kHashStart;
    for (uint64_t page = 0; page < isa::kDataPages; ++page) {
        for (const uint64_t offset : isa::kWatchedOffsets) {
            h = guest::hash(h, load_if_allowed(isa::kDataBegin + 4096 * page + offset));
        }
    }
    return h;
}

void set_satp(uint64_t satp) {
    const uint64_t old = GUEST_CSR_READ(satp);
    GUEST_CSR_WRITE(satp, satp);
    if (((old ^ GUEST_CSR_READ(satp)) & kSatpRoot) != 0 || old >> kSatpModeShift != satp >> kSatpModeShift) {
        asm volatile("sfence.vma" ::: "memory");
    }
}

uint64_t start_of(const isa::PrivilegedOp& op) {
    const bool translated = op.mode == kUser && op.satp >> kSatpModeShift != 0;
    return op.code + (translated ? isa::kUserAlias : 0);
}

void run(const isa::PrivilegedOp& op, Frame& frame) {
    for (uint64_t i = 0; i < isa::kOpArguments; ++i) {
        frame.a[i] = op.a[i];
    }
    set_satp(op.satp);
    const uint64_t enabled = GUEST_CSR_READ(mie);
    const uint64_t compare = machine_timer();
    if ((op.flags & isa::op_timer_pending) != 0) {
        machine_timer() = 0;
        GUEST_CSR_SET(mie, kTimerInterrupt);
    }
    GUEST_CSR_WRITE(mtvec, reinterpret_cast<uint64_t>(trap_table) | (op.flags & isa::op_vectored));
    const uint64_t status = op.mode == kMachine
                                ? op.status
                                : (op.status & ~(kMachine << kStatusMppShift)) | op.mode << kStatusMppShift;
    run_operation(&frame, status, start_of(op), op.mode);
    if ((op.flags & isa::op_fence_behind) != 0) {
        asm volatile("sfence.vma" ::: "memory");
    }
    if ((op.flags & isa::op_timer_pending) != 0) {
        machine_timer() = compare;
        GUEST_CSR_WRITE(mie, enabled);
    }
}

}  // namespace

void guest_main() {
    const isa::PrivilegedProgram& program =
        *reinterpret_cast<const isa::PrivilegedProgram*>(isa::kProgramBase);
    const isa::PrivilegedOp* const ops = reinterpret_cast<const isa::PrivilegedOp*>(&program + 1);
    static Frame frame;
    machine_timer() = ~uint64_t{0};
    GUEST_CSR_WRITE(0x14d, -1);
    fill_memory();
    protect(program);
    GUEST_CSR_WRITE(stvec, isa::kLowerCode);
    for (uint64_t i = 0; i < program.op_count; ++i) {
        const isa::PrivilegedOp& op = ops[i];
        run(op, frame);
        Record record(i >= program.first_shown && i < program.end_shown, i);
        record.add("cause", frame.cause);
        record.add("epc", frame.epc);
        record.add("tval", (op.flags & isa::op_hides_tval) != 0 ? 0 : frame.tval);
        record.add("slot", frame.slot);
        record.add("mstatus", (op.flags & isa::op_hides_status) != 0 ? 0 : frame.status & ~kStatusXlen);
        for (uint64_t a = 0; a < isa::kOpArguments; ++a) {
            record.add("a", (op.logged >> a & 1) != 0 ? frame.a[a] & op.compared : 0);
        }
        record.add("satp", GUEST_CSR_READ(satp));
        add_csrs(record);
        record.add("tables", tables_digest());
        record.add("data", data_digest());
        record.end();
    }
    guest::put_text(isa::kPrivilegedEnd);
    guest::put_char('\n');
}
