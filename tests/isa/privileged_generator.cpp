#include "tests/isa/privileged_generator.h"

#include <fmt/format.h>

#include <initializer_list>
#include <iterator>

#include "tests/isa/encode.h"
#include "tests/isa/privileged_csrs.h"
#include "tests/isa/privileged_exclusions.h"
#include "tests/isa/privileged_tables.h"
#include "tests/support/random.h"

namespace weft::isa_test {
namespace {

using isa::PrivilegedOp;
using test::Random;

constexpr uint32_t kA0 = 10, kA1 = 11, kA2 = 12, kA3 = 13, kA4 = 14, kA5 = 15;
constexpr uint64_t kUser = 0, kSupervisor = 1, kMachine = 3;
constexpr uint64_t kModes[] = {kUser, kSupervisor, kMachine};

constexpr uint64_t kStatusSie = 1 << 1, kStatusMie = 1 << 3, kStatusSpie = 1 << 5, kStatusMpie = 1 << 7,
                   kStatusSpp = 1 << 8;
constexpr uint64_t kStatusMprv = 1 << 17, kStatusSum = 1 << 18, kStatusMxr = 1 << 19, kStatusTvm = 1 << 20,
                   kStatusTw = 1 << 21, kStatusTsr = 1 << 22;
constexpr unsigned kStatusMppShift = 11, kStatusFsShift = 13;

constexpr uint32_t kSfenceVma = 0x12000073;
constexpr uint32_t kSinvalVma = 0x16000073, kSfenceWInval = 0x18000073, kSfenceInvalIr = 0x18100073;
constexpr uint32_t kMret = 0x30200073, kSret = 0x10200073, kWfi = 0x10500073, kFenceI = 0x0000100f;

constexpr uint32_t csrrw(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrs(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrc(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 3 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrw(uint32_t csr, uint32_t rs1) { return csrrw(0, csr, rs1); }
constexpr uint32_t and_(uint32_t rd, uint32_t rs1, uint32_t rs2) {
    return rs2 << 20 | rs1 << 15 | 7 << 12 | rd << 7 | 0x33;
}
constexpr uint32_t or_(uint32_t rd, uint32_t rs1, uint32_t rs2) {
    return rs2 << 20 | rs1 << 15 | 6 << 12 | rd << 7 | 0x33;
}

// With a1 as address, a2 as operand (a3 too, of pairs) and a0 as result. Operations on memory that leave halfwords as kReservedInsns asks.
struct AccessKind {
    const char* name;
    uint32_t insn;
    uint32_t second = 0;  // one that follows
};
constexpr uint32_t load(uint32_t width) { return 0x00058503 | width << 12; }
constexpr uint32_t store(uint32_t width) { return 0x00c58023 | width << 12; }
constexpr uint32_t amo(uint32_t function, uint32_t width) {
    return function << 27 | kA2 << 20 | kA1 << 15 | width << 12 | kA0 << 7 | 0x2f;
}
constexpr uint32_t lr(uint32_t width) { return amo(2, width) & ~(31u << 20); }
constexpr uint32_t sc(uint32_t width) { return (amo(3, width) & ~(31u << 7)) | kA4 << 7; }
constexpr bool is_amo(uint32_t insn) {
    return (insn & 0x7f) == 0x2f && insn >> 28 != 1;
}  // neither LR nor SC
constexpr bool is_block_operation(uint32_t insn) { return (insn & 0x707f) == 0x200f; }
constexpr uint32_t cbo(uint32_t function) { return function << 20 | kA1 << 15 | 2 << 12 | 0x0f; }
constexpr AccessKind kAccesses[] = {
    {"lb", load(0)},
    {"lh", load(1)},
    {"lw", load(2)},
    {"ld", load(3)},
    {"ld", load(3)},
    {"lbu", load(4)},
    {"lhu", load(5)},
    {"lwu", load(6)},
    {"sb", store(0)},
    {"sh", store(1)},
    {"sw", store(2)},
    {"sd", store(3)},
    {"sd", store(3)},
    {"flw", 0x0005a507},
    {"fld", 0x0005b507},
    {"fsd", 0x00a5b027},
    {"fsw", 0x00a5a027},
    {"amoswap.w", amo(1, 2)},
    {"amoswap.d", amo(1, 3)},
    {"amoswap.b", amo(1, 0)},
    {"amoswap.h", amo(1, 1)},
    {"amomaxu.d", amo(0x1c, 3)},
    {"amomin.w", amo(0x10, 2)},
    {"amocas.w", amo(5, 2)},
    {"amocas.d", amo(5, 3)},
    {"amocas.q", amo(5, 4)},
    {"lr.w", lr(2)},
    {"lr.d", lr(3)},
    {"lr.w sc.w", lr(2), sc(2)},
    {"lr.d sc.d", lr(3), sc(3)},
    {"sc.w", sc(2)},
    {"sc.d", sc(3)},
    {"cbo.inval", cbo(0)},
    {"cbo.clean", cbo(1)},
    {"cbo.flush", cbo(2)},
    {"cbo.zero", cbo(4)},
    {"prefetch.w", 0x0035e013},
    {"fetch", kFenceI, 0x00058067},
    {"fetch", kFenceI, 0x00058067},
    {"fetch", kFenceI, 0x00058067},
};

// By themselves, with a1 and a2 as what they may be given.
constexpr uint32_t kInsns[] = {
    kSfenceVma,
    kSfenceVma | kA1 << 15,
    kSfenceVma | kA2 << 20,
    kSfenceVma | kA1 << 15 | kA2 << 20,
    kSinvalVma,
    kSinvalVma | kA1 << 15 | kA2 << 20,
    kSfenceWInval,
    kSfenceInvalIr,
    0x22000073 /* hfence.vvma */,
    0x62000073 /* hfence.gvma */,
    0x00200073 /* uret */,
    0x70200073 /* mnret */,
    0x7b200073 /* dret */,
    0x00000073 /* ecall */,
    0x00100073 /* ebreak */,
    0x90029002 /* c.ebreak */,
    0x00000000,
    0xffffffff,
    0x0000000b,
    0x0000002b,
    0x0000005b,
    0x0000007b,
    0x0000001f /* 48 bits long */,
    0x0000003f /* 64 */,
    0x0000007f,
    0x00010000 /* c.unimp, c.nop */,
    0x00d00073 /* wrs.nto */,
    0x01d00073 /* wrs.sto */,
    0x0100000f /* pause */,
    0x8330000f /* fence.tso */,
    0xfff0000f /* fence with reserved bits */,
    0x0000200f & ~0x1fu << 20 /* cbo.inval of x0 */,
    0x0000300f,
    0x0000700f,
    kWfi | kA1 << 15 /* not legal */,
    kMret | kA0 << 7,
    kSret | kA1 << 15,
    0x10600073,
    0x60000073,
    0xc0001073 /* unimp */,
    0x81c04073 /* mop.r.0 */,
    0x30200173,
    0x12000173,
    0x0000100f | kA1 << 15 | 5 << 20 | kA0 << 7 /* fence.i with operands */,
};

class Generator {
  public:
    Generator(uint64_t seed, GuestKind kind) : random_(seed), kind_(kind) {}

    std::vector<PrivilegedCase> make(unsigned count) {
        for (const TableEntry& entry : ordinary_entries(random_, kind_)) {
            set_entry(entry);
        }
        while (cases_.size() < count) {
            one();
        }
        cases_.resize(count);
        for (PrivilegedCase& each : cases_) {
            apply_exclusions(&each);
        }
        return std::move(cases_);
    }

  private:
    bool one_in(uint64_t n) { return random_.below(n) == 0; }
    template <class T, size_t kSize>
    T pick(const T (&values)[kSize]) {
        return values[random_.below(kSize)];
    }

    void one() {
        const uint64_t kind = random_.below(100);
        if (kind < 14) {
            set_entry(random_entry(random_, kind_));
        } else if (kind < 18) {
            if (!kind_.crossing) {
                set_protection();
            }
        } else if (kind < 27) {
            keep_csr();
        } else if (kind < 45) {
            try_csr();
        } else if (kind < 82) {
            access();
        } else if (kind < 86) {
            change_page();
        } else if (kind < 92) {
            insn();
        } else if (kind < 95) {
            return_from_trap();
        } else if (kind < 96) {
            wait();
        } else {
            interrupt();
        }
    }

    uint64_t random_status(uint64_t mode) {
        uint64_t status = random_.next() & (kStatusSpp | kStatusSpie | kStatusSum | kStatusMxr);
        status |= random_.below(4) << kStatusFsShift;
        for (const uint64_t bit : {kStatusTvm, kStatusTw, kStatusTsr, kStatusSie, kStatusMpie}) {
            status |= one_in(4) ? bit : 0;
        }
        if (mode == kMachine) {
            status |= pick(kModes) << kStatusMppShift;
            status |= one_in(4) ? kStatusMie : 0;
        }
        return status;
    }

    uint64_t random_satp() {
        constexpr struct {
            uint64_t mode;
            uint64_t table;
        } kSpaces[] = {{0, 0},           {8, isa::root39}, {8, isa::root39},
                       {8, isa::root39}, {9, isa::root48}, {10, isa::root57}};
        const auto& space = kSpaces[random_.below(std::size(kSpaces))];
        return space.mode == 0
                   ? 0
                   : space.mode << 60 | random_.below(3) << 44 | isa::table_address(space.table) >> 12;
    }

    PrivilegedCase& add(uint64_t mode, std::string text, std::vector<uint32_t> code) {
        PrivilegedCase& added = cases_.emplace_back();
        added.op.mode = mode;
        added.op.status = random_status(mode);
        added.op.satp = random_satp();
        added.op.flags = one_in(2) ? uint64_t{isa::op_vectored} : 0;
        added.op.logged = 0x3f;
        added.op.compared = ~uint64_t{0};
        const uint64_t place = isa::kCodeStart + (cases_.size() - 1) * isa::kCodeStep;
        added.op.code = (mode == kMachine ? isa::kMachineCode : isa::kLowerCode) + place;
        added.text = std::move(text);
        added.code = std::move(code);
        return added;
    }

    // In M mode, where loads and stores are its own and nothing interrupts.
    PrivilegedCase& add_setting(std::string text, std::vector<uint32_t> code) {
        PrivilegedCase& added = add(kMachine, std::move(text), std::move(code));
        added.op.status &= ~(kStatusMie | kStatusMprv);
        return added;
    }

    void append_fence(std::vector<uint32_t>* code) {
        if (one_in(3)) {
            code->insert(code->end(), {kSfenceWInval, kSinvalVma, kSfenceInvalIr});
        } else {
            code->push_back(kSfenceVma);
        }
    }

    void set_entry(const TableEntry& entry) {
        std::vector<uint32_t> code = {sd(kA2, kA1, 0)};
        append_fence(&code);
        PrivilegedCase& added = add_setting(
            fmt::format("table {} entry {} = {:#x}", entry.table, entry.index, entry.value), code);
        added.op.a[1] = isa::table_address(entry.table) + 8 * entry.index;
        added.op.a[2] = entry.value;
    }

    void set_protection() {
        const uint64_t entry = 6 + random_.below(9);
        const uint32_t configuration = entry < 8 ? 0x3a0 : 0x3a2;
        const unsigned shift = 8 * (entry % 8);
        uint64_t cfg = random_.below(32);
        if (!kind_.lockdown && (cfg & 3) == 2) {
            cfg |= 1;  // W without R: reserved
        }
        cfg |= one_in(kind_.lockdown ? 3 : 24) ? 0x80 : 0;
        cfg |= kind_.atomics ? 1 : 0;
        cfg &= kind_.blocks ? ~uint64_t{0x10} : ~uint64_t{0};  // off and TOR
        const uint64_t addr = random_protected_address(random_, kind_);
        const bool with_address = !one_in(4);
        std::vector<uint32_t> code;
        if (with_address) {
            code.push_back(csrw(0x3b0 + static_cast<uint32_t>(entry), kA4));
        }
        code.insert(code.end(), {csrrs(kA1, configuration, 0), and_(kA1, kA1, kA3), or_(kA1, kA1, kA2),
                                 csrw(configuration, kA1), csrrs(kA0, configuration, 0)});
        append_fence(&code);
        PrivilegedCase& added = add_setting(
            fmt::format("pmp {}: cfg {:#x}, addr {:#x}{}", entry, cfg, addr, with_address ? "" : " left"),
            code);
        added.op.a[2] = cfg << shift;
        added.op.a[3] = ~(uint64_t{0xff} << shift);
        added.op.a[4] = addr;
    }

    void keep_csr() {
        const KeptCsr& csr = kKeptCsrs[random_.below(std::size(kKeptCsrs))];
        const uint64_t value =
            csr.number == kSeccfg && kind_.lockdown ? random_.next() & 0x304 : kept_value(random_, csr);
        constexpr const char* kNames[] = {"csrrw", "csrrs", "csrrc"};
        const uint64_t how = csr.number == kStvec || one_in(2) ? 0 : random_.below(3);
        const uint32_t change = how == 0   ? csrrw(kA0, csr.number, kA1)
                                : how == 1 ? csrrs(kA0, csr.number, kA1)
                                           : csrrc(kA0, csr.number, kA1);
        std::vector<uint32_t> code = {change, csrrs(kA2, csr.number, 0)};
        append_fence(&code);
        PrivilegedCase& added =
            add_setting(fmt::format("{} {:#x}, {:#x}", kNames[how], csr.number, value), code);
        added.op.a[1] = value;
        added.op.compared = compared_bits(csr.number);
    }

    // Writes, sets, clears and restores.
    void try_csr() {
        const uint32_t number = random_csr(random_);
        const uint64_t mode = pick(kModes);
        const bool reads = number >> 10 == 3 && !one_in(8);
        std::vector<uint32_t> code;
        if (reads || (mode != kMachine && one_in(3))) {
            code = {csrrs(kA0, number, 0)};
        } else if (number == kSatp && mode == kSupervisor) {
            code = {csrrs(kA0, number, 0), csrrs(kA2, number, kA3), csrrc(kA4, number, kA3)};
        } else {
            code = {csrrw(kA0, number, kA1), csrrs(kA2, number, kA3), csrrc(kA4, number, kA5),
                    csrrw(kA5, number, kA0)};
        }
        PrivilegedCase& added = add(mode, fmt::format("CSR {:#x}", number), code);
        added.op.status &= ~kStatusMie;
        for (uint64_t& value : added.op.a) {
            value = random_value(random_);
        }
        limit_values(number, kind_.lockdown, &added.op.a);
        if (number == kSatp && mode == kSupervisor) {
            added.op.a[3] = 0;
        }
        added.op.compared = compared_bits(number);
    }

    const AccessKind& random_access() {
        for (;;) {
            const AccessKind& kind = kAccesses[random_.below(std::size(kAccesses))];
            if ((kind_.atomics || !is_amo(kind.insn)) && (kind_.blocks || !is_block_operation(kind.insn))) {
                return kind;
            }
        }
    }

    void access() {
        const AccessKind& kind = random_access();
        uint64_t mode = pick(kModes);
        std::vector<uint32_t> code = {kind.insn};
        if (kind.second != 0) {
            code.push_back(kind.second);
        }
        PrivilegedCase& added = add(mode, kind.name, code);
        PrivilegedOp& op = added.op;
        const bool as_others = mode == kMachine && !one_in(3);
        op.status |= as_others ? kStatusMprv : 0;
        op.status |= uint64_t{1} << kStatusFsShift;
        const uint64_t as = as_others ? op.status >> kStatusMppShift & 3 : mode;
        const bool fetches = kind.insn == kFenceI;
        const bool translated = op.satp != 0 && (fetches ? mode : as) != kMachine;
        op.a[1] = translated ? random_virtual_address(random_, op.satp >> 60, kind_)
                             : random_physical_address(random_);
        constexpr uint64_t kInPage = 4095, kLargest = 16;
        const bool crosses = (op.a[1] & kInPage) > kInPage + 1 - kLargest;
        if (crosses && !kind_.crossing) {
            op.a[1] &= ~(kLargest - 1);
        } else if (crosses) {
            op.a[1] = translated ? within_ram_pages(op.a[1]) : within_data(op.a[1]);
        }
        // Of doublewords the peer compares the ends alone with entries of the PMP: one of four bytes in between makes the access fail (the
        // same section), unless it is made by parts.
        constexpr uint32_t kDoubleword = 3 << 12;
        op.a[1] &= !kind_.blocks && (kind.insn & 0x7000) == kDoubleword ? ~uint64_t{3} : ~uint64_t{0};
        op.a[0] = random_data(random_);
        op.a[2] = random_data(random_);
        op.a[3] = random_data(random_);
        added.text += fmt::format(" of {:#x} with {:#x}", op.a[1], op.a[2]);
        if (fetches) {
            op.a[1] &= ~uint64_t{1};
        } else if (as_others && one_in(16)) {
            op.satp = (op.satp & ~((uint64_t{1} << 44) - 1)) | random_frame(random_);
        }
    }

    // An address that pointer masking of at most 16 bits leaves as it is: accesses are masked, fences are not (Ssnpm).
    static uint64_t unmasked(uint64_t address) {
        return static_cast<uint64_t>(static_cast<int64_t>(address << 16) >> 16);
    }

    // Of a page that was accessed, followed by a fence for it alone, and accessed again.
    void change_page() {
        constexpr uint32_t kMstatus = 0x300;
        const uint32_t again = one_in(2) ? ld(kA0, kA4, 0) : sd(kA0, kA4, 0);
        std::vector<uint32_t> code = {csrrs(0, kMstatus, kA5), ld(kA3, kA4, 0), csrrc(0, kMstatus, kA5),
                                      sd(kA2, kA1, 0)};
        if (one_in(2)) {
            code.push_back(kSfenceVma | kA4 << 15);
        } else {
            code.insert(code.end(), {kSfenceWInval, kSinvalVma | kA4 << 15, kSfenceInvalIr});
        }
        code.insert(code.end(), {csrrs(0, kMstatus, kA5), again});
        PrivilegedCase& added = add_setting("", code);
        PrivilegedOp& op = added.op;
        op.flags |= isa::op_fence_behind;
        op.status = (op.status & ~(uint64_t{3} << kStatusMppShift)) | random_.below(2) << kStatusMppShift;
        while (op.satp == 0) {
            op.satp = random_satp();
        }
        constexpr uint64_t kLargest = 16;
        op.a[4] = unmasked(random_virtual_address(random_, op.satp >> 60, kind_)) & ~(kLargest - 1);
        op.a[0] = random_data(random_);
        op.a[5] = kStatusMprv;
        const TableEntry entry = random_page_entry(random_, kind_, op.a[4] >> 12 & 511);
        op.a[1] = isa::table_address(entry.table) + 8 * entry.index;
        op.a[2] = entry.value;
        added.text =
            fmt::format("{:#x} loaded from, table {} entry {} = {:#x}, {}", op.a[4], entry.table, entry.index,
                        entry.value, again == sd(kA0, kA4, 0) ? "stored to" : "loaded from");
    }

    void insn() {
        uint32_t word = pick(kInsns);
        if (one_in(4)) {
            word = (static_cast<uint32_t>(random_.next()) & 0xfff00000) | 0x73;  // a SYSTEM encoding
            if (word == kMret || word == kSret || word == kWfi) {
                word = kSfenceVma;
            }
        }
        PrivilegedCase& added = add(pick(kModes), fmt::format("insn {:#010x}", word), {word});
        for (uint64_t& value : added.op.a) {
            value = random_value(random_);
        }
    }

    void return_from_trap() {
        const uint64_t mode = pick(kModes);
        const bool machine = one_in(2);
        const uint64_t to = machine ? pick(kModes) : random_.below(2);
        PrivilegedCase& added = add(mode, machine ? "mret" : "sret",
                                    {csrw(machine ? 0x341 : 0x141, kA1), machine ? kMret : kSret});
        PrivilegedOp& op = added.op;
        const uint64_t field = machine ? uint64_t{3} << kStatusMppShift : kStatusSpp;
        op.status = (op.status & ~field) | (machine ? to << kStatusMppShift : to != 0 ? kStatusSpp : 0);
        const uint64_t slot = 4 * random_.below(isa::kTrapSlots);
        op.a[1] = to == kMachine
                      ? isa::kMachineCode + slot
                      : isa::kLowerCode + slot + (to == kUser && op.satp != 0 ? isa::kUserAlias : 0);
        op.a[1] |= one_in(4) ? 1 : 0;
        if (mode == kMachine) {
            op.status |= one_in(4) ? kStatusMprv : 0;
        }
        added.text += fmt::format(" to mode {}", to);
    }

    void wait() {
        PrivilegedCase& added = add(pick(kModes), "wfi", {kWfi});
        added.op.flags |= isa::op_timer_pending;
    }

    void interrupt() {
        constexpr uint32_t kMideleg = 0x303, kMie = 0x304, kMepc = 0x341, kMip = 0x344, kMstatus = 0x300,
                           kStimecmp = 0x14d;
        PrivilegedCase& added =
            add_setting("interrupts", {csrw(kMideleg, kA1), csrw(kMie, kA2), csrw(kMip, kA3),
                                       csrw(kStimecmp, kA0), csrw(kMepc, kA4), csrw(kMstatus, kA5), kMret});
        PrivilegedOp& op = added.op;
        op.a[0] = one_in(2) ? random_.below(2)
                            : ~uint64_t{0};  // the timer's is pending, with menvcfg.STCE; or not for ever
        const uint64_t to = pick(kModes);
        op.a[1] = random_.next();
        op.a[2] = random_.next();
        op.a[3] = random_.next() & random_.next();
        op.a[4] = to == kMachine ? isa::kMachineCode
                                 : isa::kLowerCode + (to == kUser && op.satp != 0 ? isa::kUserAlias : 0);
        op.a[5] = (random_status(kMachine) & ~(uint64_t{3} << kStatusMppShift)) | to << kStatusMppShift |
                  (one_in(2) ? kStatusMpie : 0) | (one_in(2) ? kStatusSpie : 0);
        op.flags &= ~uint64_t{isa::op_timer_pending};
        added.text += fmt::format(" mideleg {:#x} mie {:#x} mip {:#x} stimecmp {:#x} to mode {}",
                                  op.a[1] & 0xaaa, op.a[2] & 0xaaa, op.a[3] & 0xaaa, op.a[0], to);
        PrivilegedCase& none =
            add_setting("no interrupts", {csrw(kMie, 0), csrw(kMip, 0), csrw(kStimecmp, kA1)});
        none.op.a[1] = ~uint64_t{0};
        none.op.logged = 0;
    }

    Random random_;
    GuestKind kind_;
    std::vector<PrivilegedCase> cases_;
};

}  // namespace

std::vector<PrivilegedCase> make_privileged_cases(uint64_t seed, unsigned count, GuestKind kind) {
    return Generator(seed, kind).make(count);
}

}  // namespace weft::isa_test
