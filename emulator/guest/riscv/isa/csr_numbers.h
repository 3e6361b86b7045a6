// Numbers and names of the control and status registers: one list, for the CSR table, the translator and the disassembler.
#pragma once

#include <cstdint>

namespace weft::riscv {

// Privileged specification 2.2, "CSR Listing", and the extensions' own lists; also of registers that no CPU model has: the
// disassembler names them. In ascending order.
// clang-format off
#define WEFT_RISCV_CSRS(X) \
    X(kCsrFflags,         0x001, "fflags")                \
    X(kCsrFrm,            0x002, "frm")                   \
    X(kCsrFcsr,           0x003, "fcsr")                  \
    X(kCsrVstart,         0x008, "vstart")                \
    X(kCsrVxsat,          0x009, "vxsat")                 \
    X(kCsrVxrm,           0x00a, "vxrm")                  \
    X(kCsrVcsr,           0x00f, "vcsr")                  \
    X(kCsrSsp,            0x011, "ssp")                   \
    X(kCsrSeed,           0x015, "seed")                  \
    X(kCsrJvt,            0x017, "jvt")                   \
    X(kCsrSstatus,        0x100, "sstatus")               \
    X(kCsrSie,            0x104, "sie")                   \
    X(kCsrStvec,          0x105, "stvec")                 \
    X(kCsrScounteren,     0x106, "scounteren")            \
    X(kCsrSenvcfg,        0x10a, "senvcfg")               \
    X(kCsrSstateen0,      0x10c, "sstateen0")             \
    X(kCsrSstateen1,      0x10d, "sstateen1")             \
    X(kCsrSstateen2,      0x10e, "sstateen2")             \
    X(kCsrSstateen3,      0x10f, "sstateen3")             \
    X(kCsrScountinhibit,  0x120, "scountinhibit")         \
    X(kCsrSscratch,       0x140, "sscratch")              \
    X(kCsrSepc,           0x141, "sepc")                  \
    X(kCsrScause,         0x142, "scause")                \
    X(kCsrStval,          0x143, "stval")                 \
    X(kCsrSip,            0x144, "sip")                   \
    X(kCsrStimecmp,       0x14d, "stimecmp")              \
    X(kCsrSiselect,       0x150, "siselect")              \
    X(kCsrSireg,          0x151, "sireg")                 \
    X(kCsrSireg2,         0x152, "sireg2")                \
    X(kCsrSireg3,         0x153, "sireg3")                \
    X(kCsrSireg4,         0x155, "sireg4")                \
    X(kCsrSireg5,         0x156, "sireg5")                \
    X(kCsrSireg6,         0x157, "sireg6")                \
    X(kCsrStopei,         0x15c, "stopei")                \
    X(kCsrSatp,           0x180, "satp")                  \
    X(kCsrSrmcfg,         0x181, "srmcfg")                \
    X(kCsrVsstatus,       0x200, "vsstatus")              \
    X(kCsrVsie,           0x204, "vsie")                  \
    X(kCsrVstvec,         0x205, "vstvec")                \
    X(kCsrVsscratch,      0x240, "vsscratch")             \
    X(kCsrVsepc,          0x241, "vsepc")                 \
    X(kCsrVscause,        0x242, "vscause")               \
    X(kCsrVstval,         0x243, "vstval")                \
    X(kCsrVsip,           0x244, "vsip")                  \
    X(kCsrVstimecmp,      0x24d, "vstimecmp")             \
    X(kCsrVsiselect,      0x250, "vsiselect")             \
    X(kCsrVsireg,         0x251, "vsireg")                \
    X(kCsrVsireg2,        0x252, "vsireg2")               \
    X(kCsrVsireg3,        0x253, "vsireg3")               \
    X(kCsrVsireg4,        0x255, "vsireg4")               \
    X(kCsrVsireg5,        0x256, "vsireg5")               \
    X(kCsrVsireg6,        0x257, "vsireg6")               \
    X(kCsrVstopei,        0x25c, "vstopei")               \
    X(kCsrVsatp,          0x280, "vsatp")                 \
    X(kCsrMstatus,        0x300, "mstatus")               \
    X(kCsrMisa,           0x301, "misa")                  \
    X(kCsrMedeleg,        0x302, "medeleg")               \
    X(kCsrMideleg,        0x303, "mideleg")               \
    X(kCsrMie,            0x304, "mie")                   \
    X(kCsrMtvec,          0x305, "mtvec")                 \
    X(kCsrMcounteren,     0x306, "mcounteren")            \
    X(kCsrMvien,          0x308, "mvien")                 \
    X(kCsrMvip,           0x309, "mvip")                  \
    X(kCsrMenvcfg,        0x30a, "menvcfg")               \
    X(kCsrMstateen0,      0x30c, "mstateen0")             \
    X(kCsrMstateen1,      0x30d, "mstateen1")             \
    X(kCsrMstateen2,      0x30e, "mstateen2")             \
    X(kCsrMstateen3,      0x30f, "mstateen3")             \
    X(kCsrMcountinhibit,  0x320, "mcountinhibit")         \
    X(kCsrMcyclecfg,      0x321, "mcyclecfg")             \
    X(kCsrMinstretcfg,    0x322, "minstretcfg")           \
    X(kCsrMscratch,       0x340, "mscratch")              \
    X(kCsrMepc,           0x341, "mepc")                  \
    X(kCsrMcause,         0x342, "mcause")                \
    X(kCsrMtval,          0x343, "mtval")                 \
    X(kCsrMip,            0x344, "mip")                   \
    X(kCsrMtinst,         0x34a, "mtinst")                \
    X(kCsrMtval2,         0x34b, "mtval2")                \
    X(kCsrMiselect,       0x350, "miselect")              \
    X(kCsrMireg,          0x351, "mireg")                 \
    X(kCsrMireg2,         0x352, "mireg2")                \
    X(kCsrMireg3,         0x353, "mireg3")                \
    X(kCsrMireg4,         0x355, "mireg4")                \
    X(kCsrMireg5,         0x356, "mireg5")                \
    X(kCsrMireg6,         0x357, "mireg6")                \
    X(kCsrMtopei,         0x35c, "mtopei")                \
    X(kCsrScontext,       0x5a8, "scontext")              \
    X(kCsrHstatus,        0x600, "hstatus")               \
    X(kCsrHedeleg,        0x602, "hedeleg")               \
    X(kCsrHideleg,        0x603, "hideleg")               \
    X(kCsrHie,            0x604, "hie")                   \
    X(kCsrHtimedelta,     0x605, "htimedelta")            \
    X(kCsrHcounteren,     0x606, "hcounteren")            \
    X(kCsrHgeie,          0x607, "hgeie")                 \
    X(kCsrHvien,          0x608, "hvien")                 \
    X(kCsrHvictl,         0x609, "hvictl")                \
    X(kCsrHenvcfg,        0x60a, "henvcfg")               \
    X(kCsrHstateen0,      0x60c, "hstateen0")             \
    X(kCsrHstateen1,      0x60d, "hstateen1")             \
    X(kCsrHstateen2,      0x60e, "hstateen2")             \
    X(kCsrHstateen3,      0x60f, "hstateen3")             \
    X(kCsrHtval,          0x643, "htval")                 \
    X(kCsrHip,            0x644, "hip")                   \
    X(kCsrHvip,           0x645, "hvip")                  \
    X(kCsrHviprio1,       0x646, "hviprio1")              \
    X(kCsrHviprio2,       0x647, "hviprio2")              \
    X(kCsrHtinst,         0x64a, "htinst")                \
    X(kCsrHgatp,          0x680, "hgatp")                 \
    X(kCsrHcontext,       0x6a8, "hcontext")              \
    X(kCsrMnscratch,      0x740, "mnscratch")             \
    X(kCsrMnepc,          0x741, "mnepc")                 \
    X(kCsrMncause,        0x742, "mncause")               \
    X(kCsrMnstatus,       0x744, "mnstatus")              \
    X(kCsrMseccfg,        0x747, "mseccfg")               \
    X(kCsrTselect,        0x7a0, "tselect")               \
    X(kCsrTdata1,         0x7a1, "tdata1")                \
    X(kCsrTdata2,         0x7a2, "tdata2")                \
    X(kCsrTdata3,         0x7a3, "tdata3")                \
    X(kCsrMcontext,       0x7a8, "mcontext")              \
    X(kCsrDcsr,           0x7b0, "dcsr")                  \
    X(kCsrDpc,            0x7b1, "dpc")                   \
    X(kCsrDscratch0,      0x7b2, "dscratch0")             \
    X(kCsrDscratch1,      0x7b3, "dscratch1")             \
    X(kCsrMcycle,         0xb00, "mcycle")                \
    X(kCsrMinstret,       0xb02, "minstret")              \
    X(kCsrCycle,          0xc00, "cycle")                 \
    X(kCsrTime,           0xc01, "time")                  \
    X(kCsrInstret,        0xc02, "instret")               \
    X(kCsrVl,             0xc20, "vl")                    \
    X(kCsrVtype,          0xc21, "vtype")                 \
    X(kCsrVlenb,          0xc22, "vlenb")                 \
    X(kCsrScountovf,      0xda0, "scountovf")             \
    X(kCsrStopi,          0xdb0, "stopi")                 \
    X(kCsrHgeip,          0xe12, "hgeip")                 \
    X(kCsrVstopi,         0xeb0, "vstopi")                \
    X(kCsrMvendorid,      0xf11, "mvendorid")             \
    X(kCsrMarchid,        0xf12, "marchid")               \
    X(kCsrMimpid,         0xf13, "mimpid")                \
    X(kCsrMhartid,        0xf14, "mhartid")               \
    X(kCsrMconfigptr,     0xf15, "mconfigptr")            \
    X(kCsrMtopi,          0xfb0, "mtopi")
// clang-format on

enum CsrNumber : unsigned {
#define WEFT_RISCV_CSR(constant, number, name) constant = number,
    WEFT_RISCV_CSRS(WEFT_RISCV_CSR)
#undef WEFT_RISCV_CSR
    // Of registers that are numbered in a row, first and last.
    kCsrMhpmevent3 = 0x323,
    kCsrMhpmevent31 = 0x33f,
    kCsrPmpcfg0 = 0x3a0,
    kCsrPmpcfg2 = 0x3a2,
    kCsrPmpcfg14 = 0x3ae,
    kCsrPmpaddr0 = 0x3b0,
    kCsrPmpaddr15 = 0x3bf,
    kCsrPmpaddr63 = 0x3ef,
    kCsrMhpmcounter3 = 0xb03,
    kCsrMhpmcounter31 = 0xb1f,
    kCsrHpmcounter3 = 0xc03,
    kCsrHpmcounter31 = 0xc1f,
};

// Registers that are numbered in a row. RV64 has no odd pmpcfg.
struct CsrRange {
    const char* prefix;
    unsigned first;  // CSRs
    unsigned last;
    unsigned suffix;  // the first one's
    unsigned step;
};

inline constexpr CsrRange kCsrRanges[] = {
    {"hpmcounter", kCsrHpmcounter3, kCsrHpmcounter31, 3, 1},
    {"mhpmcounter", kCsrMhpmcounter3, kCsrMhpmcounter31, 3, 1},
    {"mhpmevent", kCsrMhpmevent3, kCsrMhpmevent31, 3, 1},
    {"pmpaddr", kCsrPmpaddr0, kCsrPmpaddr63, 0, 1},
    {"pmpcfg", kCsrPmpcfg0, kCsrPmpcfg14 + 1, 0, 2},
};

}  // namespace weft::riscv
