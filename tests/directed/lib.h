// Helpers for the reproducers. Own work.
#pragma once
typedef unsigned long u64;
typedef long i64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

#define STR_(x) #x
#define STR(x) STR_(x)
#define csrr(name)                                                \
    ({                                                            \
        u64 v_;                                                   \
        asm volatile("csrr %0, " STR(name) : "=r"(v_)::"memory"); \
        v_;                                                       \
    })
#define csrw(name, v) asm volatile("csrw " STR(name) ", %0" ::"r"((u64)(v)) : "memory")
#define csrs(name, v) asm volatile("csrs " STR(name) ", %0" ::"r"((u64)(v)) : "memory")
#define csrc(name, v) asm volatile("csrc " STR(name) ", %0" ::"r"((u64)(v)) : "memory")
#define csrrs(name, v)                                                                     \
    ({                                                                                     \
        u64 v_;                                                                            \
        asm volatile("csrrs %0, " STR(name) ", %1" : "=r"(v_) : "r"((u64)(v)) : "memory"); \
        v_;                                                                                \
    })
#define csrrc(name, v)                                                                     \
    ({                                                                                     \
        u64 v_;                                                                            \
        asm volatile("csrrc %0, " STR(name) ", %1" : "=r"(v_) : "r"((u64)(v)) : "memory"); \
        v_;                                                                                \
    })
#define csrrw(name, v)                                                                     \
    ({                                                                                     \
        u64 v_;                                                                            \
        asm volatile("csrrw %0, " STR(name) ", %1" : "=r"(v_) : "r"((u64)(v)) : "memory"); \
        v_;                                                                                \
    })
#define fence_i() asm volatile("fence.i" ::: "memory")
#define sfence_all() asm volatile("sfence.vma x0, x0" ::: "memory")
#define sfence_va(va) asm volatile("sfence.vma %0, x0" ::"r"(va) : "memory")
#define sfence_asid(asid) asm volatile("sfence.vma x0, %0" ::"r"(asid) : "memory")
#define sfence_va_asid(va, asid) asm volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory")
#define fence() asm volatile("fence rw, rw" ::: "memory")

#define R8(a) (*(volatile u8*)(u64)(a))
#define R16(a) (*(volatile u16*)(u64)(a))
#define R32(a) (*(volatile u32*)(u64)(a))
#define R64(a) (*(volatile u64*)(u64)(a))

#define UART 0x10000000ul
#define CLINT 0x2000000ul
#define PLIC 0xc000000ul
#define RTC 0x101000ul
#define FINISHER 0x100000ul
#define MTIME (CLINT + 0xbff8)
#define MTIMECMP (CLINT + 0x4000)

enum { U = 0, S = 1, M = 3 };
enum {
    C_IACCESS = 1,
    C_ILLEGAL = 2,
    C_BREAK = 3,
    C_LMISALIGN = 4,
    C_LACCESS = 5,
    C_SMISALIGN = 6,
    C_SACCESS = 7,
    C_ECALL_U = 8,
    C_ECALL_S = 9,
    C_ECALL_M = 11,
    C_IPAGE = 12,
    C_LPAGE = 13,
    C_SPAGE = 15
};
#define INTR (1ul << 63)
#define NO_TRAP (~0ul)

struct ctx {
    u64 regs[32], cause, epc, tval, status, count, ret, jb[16], pad[10];
};
extern volatile struct ctx ctx[8];
#define T (ctx[0])
extern u64 boot_a0, boot_a1;
extern volatile u64 secondary_fn;
extern char ecall_stub[], m_trap[];

int try_m(const volatile void* pc, ...);
int run_priv(u64 mode, u64 pc, u64 a0, u64 a1, u64 offset);

void putch(char c);
void puts_(const char* s);
void puthex(u64 v);
void ck(const char* what, u64 got, u64 want);
void ck2(const char* what, u64 got, u64 want, u64 or_else);  // either is allowed
void ckt(const char* what, int ok);
void note(const char* what, u64 v);
void begin(const char* name);
void finish(void) __attribute__((noreturn));
extern u64 failures, checks;

static inline u64 now(void) { return R64(MTIME); }
// 10 MHz.
static inline void delay_us(u64 us) {
    u64 end = now() + 10 * us;
    while (now() < end) {
    }
}

// Paging. VA 0..1G: devices, identity, S. 2G: RAM, identity, S. 3G: RAM at 2G once more, U. 4G: test pages, by map().
#define PTE_V 1ul
#define PTE_R 2ul
#define PTE_W 4ul
#define PTE_X 8ul
#define PTE_U 16ul
#define PTE_G 32ul
#define PTE_A 64ul
#define PTE_D 128ul
#define RWXAD (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)
#define RWAD (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)
#define TVA 0x100000000ul
#define UOFF 0x40000000ul
#define PA2PTE(pa) ((u64)(pa) >> 12 << 10)
#define SV39 (8ul << 60)
extern u64 pt_root[512], pt_l1[512], pt_l0[512];
void paging_init(void);  // builds the tables, does not turn them on
void map(unsigned page, u64 pa, u64 flags);
static inline u64 satp_of(const void* root, u64 asid) { return SV39 | asid << 44 | (u64)root >> 12; }
extern u8 page_a[4096], page_b[4096], page_c[4096], page_d[4096];

// Loads and stores as if in mode `mpp` (mstatus.MPRV), from M-mode. To be run by try_m.
u64 mprv_ld(u64 va, u64 mpp);
u64 mprv_sd(u64 va, u64 mpp, u64 value);
u64 mprv_lw(u64 va, u64 mpp);
u64 mprv_lb(u64 va, u64 mpp);
u64 mprv_sb(u64 va, u64 mpp, u64 value);
// Plain ones.
u64 m_ld(u64 a);
u64 m_lw(u64 a);
u64 m_lb(u64 a);
u64 m_sd(u64 a, u64 v);
u64 m_sw(u64 a, u64 v);
u64 m_sb(u64 a, u64 v);
u64 m_sh(u64 a, u64 v);
u64 m_lh(u64 a);
