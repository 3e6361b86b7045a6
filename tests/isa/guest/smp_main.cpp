// Two harts in turns: what one does to the other, with one outcome each. Hart 1 does what hart 0 asks for and says when it
// is done, so that nothing depends on timing.
#include "probe.h"
#include "smp.h"

namespace {

using namespace guest;

constexpr uint64_t kVariable = 0x80300000;
constexpr uint64_t kOther = kVariable + 4096;
constexpr uint64_t kPlic = 0x0c000000;

enum class Ask : uint64_t { nothing, store, load, add, lr, sc, csr_read, run, handle_ipi };

struct Mailbox {
    Word asked;
    Word done;
    Ask what = Ask::nothing;
    uint64_t address = 0;
    uint64_t value = 0;
    uint64_t result = 0;
    uint64_t more = 0;
};
Mailbox mailbox;

extern "C" {
uint64_t smp_seen_cause = 0;
uint64_t smp_seen_epc = 0;
void smp_handler();
}
// Notes what it was called for, and forgets hart 1's software interrupt.
asm(R"(
    .text
    .balign 4
    .globl  smp_handler
smp_handler:
    csrw    mscratch, t0
    addi    sp, sp, -16
    sd      t1, 0(sp)
    la      t1, smp_seen_cause
    csrr    t0, mcause
    sd      t0, 0(t1)
    li      t1, 0x02000004
    sw      zero, 0(t1)
    ld      t1, 0(sp)
    addi    sp, sp, 16
    csrr    t0, mscratch
    mret
)");

uint64_t read_csr(uint64_t which) {
    switch (which) {
        case 0:
            return GUEST_CSR_READ(mhartid);
        case 1:
            return GUEST_CSR_READ(mip) & 0xaaa;
        case 2:
            return GUEST_CSR_READ(mscratch);
        case 3:
            return GUEST_CSR_READ(mie) & 0xaaa;
        case 4:
            return GUEST_CSR_READ(mideleg) & 0x222;
        case 5:
            return GUEST_CSR_READ(satp);
        case 6:
            return GUEST_CSR_READ(mtvec) == reinterpret_cast<uint64_t>(smp_handler);
        case 7:
            return GUEST_CSR_READ(misa) >> 62;
        case 8:
            return GUEST_CSR_READ(stvec) & 3;
        default:
            return GUEST_CSR_READ(sscratch);
    }
}
constexpr uint64_t kCsrs = 10;

uint64_t load_reserved(uint64_t address) {
    uint64_t value = 0;
    asm volatile("lr.d %0, (%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}
uint64_t store_conditional(uint64_t address, uint64_t value) {
    uint64_t failed = 0;
    asm volatile("sc.d %0, %2, (%1)" : "=&r"(failed) : "r"(address), "r"(value) : "memory");
    return failed;
}

void serve(Mailbox& m) {
    switch (m.what) {
        case Ask::store:
            device(m.address) = m.value;
            break;
        case Ask::load:
            m.result = device(m.address);
            break;
        case Ask::add:
            m.result = __atomic_fetch_add(reinterpret_cast<uint64_t*>(m.address), m.value, __ATOMIC_SEQ_CST);
            break;
        case Ask::lr:
            m.result = load_reserved(m.address);
            break;
        case Ask::sc:
            m.result = store_conditional(m.address, m.value);
            break;
        case Ask::csr_read:
            m.result = read_csr(m.value);
            break;
        case Ask::run:
            m.result = reinterpret_cast<uint64_t (*)()>(m.address)();
            break;
        case Ask::handle_ipi:
            smp_seen_cause = 0;
            *const_cast<volatile uint64_t*>(&m.more) = 1;  // hart 0 may send it
            GUEST_CSR_SET(mie, kMsi);
            if (m.value != 0) {
                // With interrupts off: it ends as soon as one is pending, also if that was before.
                asm volatile("wfi");
            }
            GUEST_CSR_SET(mstatus, kStatusMie);
            while (*const_cast<volatile uint64_t*>(&smp_seen_cause) == 0) {
            }
            GUEST_CSR_CLEAR(mstatus, kStatusMie);
            GUEST_CSR_CLEAR(mie, kMsi);
            m.result = smp_seen_cause;
            break;
        case Ask::nothing:
            break;
    }
}

void begin(Ask what, uint64_t address = 0, uint64_t value = 0) {
    mailbox.what = what;
    mailbox.address = address;
    mailbox.value = value;
    *const_cast<volatile uint64_t*>(&mailbox.more) = 0;
    mailbox.asked.add(1);
}
uint64_t finish() {
    mailbox.done.wait_for(mailbox.asked.get());
    return mailbox.result;
}
uint64_t ask(Ask what, uint64_t address = 0, uint64_t value = 0) {
    begin(what, address, value);
    return finish();
}

void csrs() {
    // What compares have after a reset is up to the machine.
    mtimecmp(0) = ~uint64_t{0};
    mtimecmp(1) = ~uint64_t{0};
    GUEST_CSR_WRITE(mscratch, 0x1111);
    GUEST_CSR_WRITE(sscratch, 0x2222);
    GUEST_CSR_WRITE(mie, 0x222);
    GUEST_CSR_WRITE(mideleg, 0x222);
    GUEST_CSR_WRITE(stvec, 0x80000001);
    for (uint64_t which = 0; which < kCsrs; ++which) {
        out_line("hart 0", read_csr(which));
        out_line("hart 1", ask(Ask::csr_read, 0, which));
    }
    GUEST_CSR_WRITE(mie, 0);
    GUEST_CSR_WRITE(mideleg, 0);
}

// Software and timer interrupts reach the hart that they name.
void lines() {
    for (uint64_t set = 0; set < 16; ++set) {
        msip(0) = set & 1;
        msip(1) = set >> 1 & 1;
        mtimecmp(0) = (set & 4) != 0 ? 0 : ~uint64_t{0};
        mtimecmp(1) = (set & 8) != 0 ? 0 : ~uint64_t{0};
        // The peer shows a timer when its own timer has run.
        const uint64_t own = ((set & 1) != 0 ? kMsi : 0) | ((set & 4) != 0 ? kMti : 0);
        const uint64_t others = ((set & 2) != 0 ? kMsi : 0) | ((set & 8) != 0 ? kMti : 0);
        while (read_csr(1) != own || ask(Ask::csr_read, 0, 1) != others) {
        }
        out_line("hart 0", read_csr(1));
        out_line("hart 1", ask(Ask::csr_read, 0, 1));
        out_line("msip", msip(0) | msip(1) << 1);
        out_line("mtimecmp", (mtimecmp(0) == 0 ? 1 : 0) | (mtimecmp(1) == 0 ? 2 : 0));
    }
    for (uint64_t hart = 0; hart < 2; ++hart) {
        msip(hart) = 0;
        mtimecmp(hart) = ~uint64_t{0};
    }
}

// External ones by the PLIC: contexts 0 and 1 are hart 0's, 2 and 3 hart 1's. The serial port's source is 10.
void external() {
    constexpr uint64_t kSource = 10;
    device32(kPlic + 4 * kSource) = 1;
    *reinterpret_cast<volatile uint8_t*>(0x10000001) = 2;
    uint64_t seen[4][2];
    for (uint64_t context = 0; context < 4; ++context) {
        for (uint64_t other = 0; other < 4; ++other) {
            device32(kPlic + 0x2000 + 0x80 * other) = other == context ? 1 << kSource : 0;
        }
        // The peer looks at what it enables no sooner than at the next change of something else.
        device32(kPlic + 0x200000) = 0;
        seen[context][0] = read_csr(1);
        seen[context][1] = ask(Ask::csr_read, 0, 1);
    }
    for (uint64_t context = 0; context < 4; ++context) {
        device32(kPlic + 0x2000 + 0x80 * context) = 0;
    }
    *reinterpret_cast<volatile uint8_t*>(0x10000001) = 0;
    device32(kPlic + 4 * kSource) = 0;
    // Not before: printing uses the serial port.
    for (const auto& harts : seen) {
        out_line("hart 0", harts[0]);
        out_line("hart 1", harts[1]);
    }
}

// Hart 1 is interrupted in a loop, and in WFI.
void ipis() {
    for (uint64_t i = 0; i < 8; ++i) {
        begin(Ask::handle_ipi, 0, i & 1);
        while (*const_cast<volatile uint64_t*>(&mailbox.more) == 0) {
        }
        msip(1) = 1;
        out_line("cause", finish());
        out_line("msip", msip(1));
    }
}

// A reservation is lost by another hart's store to what was reserved, and not by what it does elsewhere.
void reservations() {
    struct Case {
        const char* name;
        Ask what;
        uint64_t address;
        uint64_t value;
    };
    constexpr Case kCases[] = {
        {"nothing", Ask::nothing, 0, 0},
        {"another value stored", Ask::store, kVariable, 77},
        {"stored elsewhere", Ask::store, kOther, 77},
        {"loaded", Ask::load, kVariable, 0},
        {"added", Ask::add, kVariable, 5},
        {"added elsewhere", Ask::add, kOther, 5},
    };
    for (uint64_t round = 0; round < 2; ++round) {
        for (const Case& one : kCases) {
            device(kVariable) = round;
            out_line("reserved", load_reserved(kVariable));
            // Asking is stores and loads of one's own in between: an SC may succeed after those, and does on both.
            const uint64_t result = ask(one.what, one.address, one.value);
            out_text(one.name);
            out_line(" result", one.what == Ask::store || one.what == Ask::nothing ? 0 : result);
            out_line("failed", store_conditional(kVariable, 1000 + round));
            out_line("value", device(kVariable));
            out_line("seen", ask(Ask::load, kVariable));
        }
        // Both reserve; who is first wins.
        device(kVariable) = round;
        out_line("reserved", load_reserved(kVariable));
        out_line("by hart 1", ask(Ask::lr, kVariable));
        out_line("failed", ask(Ask::sc, kVariable, 500));
        out_line("failed", store_conditional(kVariable, 600));
        out_line("value", device(kVariable));
        device(kVariable) = round;
        out_line("by hart 1", ask(Ask::lr, kVariable));
        out_line("reserved", load_reserved(kVariable));
        out_line("failed", store_conditional(kVariable, 600));
        out_line("failed", ask(Ask::sc, kVariable, 500));
        out_line("value", device(kVariable));
        // An SC of a hart that reserved nothing.
        out_line("failed", ask(Ask::sc, kVariable, 700));
        // An SC uses up its hart's reservation, also where it changes nothing and the value would still be right.
        device(kVariable) = round;
        out_line("reserved", load_reserved(kVariable));
        out_line("failed", store_conditional(kVariable, round));
        out_line("failed", store_conditional(kVariable, 800));
        out_line("by hart 1", ask(Ask::lr, kVariable));
        out_line("failed", ask(Ask::sc, kVariable, round));
        out_line("failed", ask(Ask::sc, kVariable, 900));
        out_line("value", device(kVariable));
    }
}

// Both add at once: the sums are certain.
void atomics() {
    for (uint64_t round = 0; round < 4; ++round) {
        device(kVariable) = 0;
        for (uint64_t i = 0; i < 20; ++i) {
            begin(Ask::add, kVariable, 3);
            __atomic_fetch_add(reinterpret_cast<uint64_t*>(kVariable), 4, __ATOMIC_SEQ_CST);
            finish();
        }
        out_line("sum", device(kVariable));
    }
}

// Code that hart 0 changes and hart 1 runs after its FENCE.I, which `run` is preceded by.
void code() {
    volatile uint32_t* const words = reinterpret_cast<volatile uint32_t*>(kOther);
    words[0] = 0x0000100f;  // fence.i
    words[2] = 0x00008067;  // ret
    for (uint32_t i = 0; i < 32; ++i) {
        words[1] = i << 20 | 10 << 7 | 0x13;  // li a0, i
        asm volatile("fence rw, rw" ::: "memory");
        // The words behind the FENCE.I may be in the translation that it is in.
        out_line("run", ask(Ask::run, kOther));
    }
}

}  // namespace

void guest_secondary(uint64_t) {
    GUEST_CSR_WRITE(mtvec, reinterpret_cast<uint64_t>(smp_handler));
    GUEST_CSR_WRITE(mscratch, 0);
    for (uint64_t number = 1;; ++number) {
        mailbox.asked.wait_for(number);
        serve(mailbox);
        mailbox.done.set(number);
    }
}

void system_main() {
    csrs();
    lines();
    external();
    ipis();
    reservations();
    atomics();
    code();
}
