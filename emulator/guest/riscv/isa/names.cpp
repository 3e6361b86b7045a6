#include "emulator/guest/riscv/isa/names.h"

#include <algorithm>
#include <cstdint>

namespace weft::riscv {

namespace {

struct CsrName {
    uint16_t number;
    const char* name;
};

// In ascending order.
// clang-format off
constexpr CsrName kCsrNames[] = {
    {0x001, "fflags"}, {0x002, "frm"}, {0x003, "fcsr"}, {0x008, "vstart"}, {0x009, "vxsat"},
    {0x00a, "vxrm"}, {0x00f, "vcsr"}, {0x011, "ssp"}, {0x015, "seed"}, {0x017, "jvt"}, {0x100, "sstatus"},
    {0x104, "sie"}, {0x105, "stvec"}, {0x106, "scounteren"}, {0x10a, "senvcfg"}, {0x10c, "sstateen0"},
    {0x10d, "sstateen1"}, {0x10e, "sstateen2"}, {0x10f, "sstateen3"}, {0x120, "scountinhibit"},
    {0x140, "sscratch"}, {0x141, "sepc"}, {0x142, "scause"}, {0x143, "stval"}, {0x144, "sip"},
    {0x14d, "stimecmp"}, {0x150, "siselect"}, {0x151, "sireg"}, {0x152, "sireg2"}, {0x153, "sireg3"},
    {0x155, "sireg4"}, {0x156, "sireg5"}, {0x157, "sireg6"}, {0x15c, "stopei"}, {0x180, "satp"},
    {0x181, "srmcfg"}, {0x200, "vsstatus"}, {0x204, "vsie"}, {0x205, "vstvec"}, {0x240, "vsscratch"},
    {0x241, "vsepc"}, {0x242, "vscause"}, {0x243, "vstval"}, {0x244, "vsip"}, {0x24d, "vstimecmp"},
    {0x250, "vsiselect"}, {0x251, "vsireg"}, {0x252, "vsireg2"}, {0x253, "vsireg3"}, {0x255, "vsireg4"},
    {0x256, "vsireg5"}, {0x257, "vsireg6"}, {0x25c, "vstopei"}, {0x280, "vsatp"}, {0x300, "mstatus"},
    {0x301, "misa"}, {0x302, "medeleg"}, {0x303, "mideleg"}, {0x304, "mie"}, {0x305, "mtvec"},
    {0x306, "mcounteren"}, {0x308, "mvien"}, {0x309, "mvip"}, {0x30a, "menvcfg"}, {0x30c, "mstateen0"},
    {0x30d, "mstateen1"}, {0x30e, "mstateen2"}, {0x30f, "mstateen3"}, {0x320, "mcountinhibit"},
    {0x340, "mscratch"}, {0x341, "mepc"}, {0x342, "mcause"}, {0x343, "mtval"}, {0x344, "mip"},
    {0x34a, "mtinst"}, {0x34b, "mtval2"}, {0x350, "miselect"}, {0x351, "mireg"}, {0x352, "mireg2"},
    {0x353, "mireg3"}, {0x355, "mireg4"}, {0x356, "mireg5"}, {0x357, "mireg6"}, {0x35c, "mtopei"},
    {0x5a8, "scontext"}, {0x600, "hstatus"}, {0x602, "hedeleg"}, {0x603, "hideleg"}, {0x604, "hie"},
    {0x605, "htimedelta"}, {0x606, "hcounteren"}, {0x607, "hgeie"}, {0x608, "hvien"}, {0x609, "hvictl"},
    {0x60a, "henvcfg"}, {0x60c, "hstateen0"}, {0x60d, "hstateen1"}, {0x60e, "hstateen2"},
    {0x60f, "hstateen3"}, {0x643, "htval"}, {0x644, "hip"}, {0x645, "hvip"}, {0x646, "hviprio1"},
    {0x647, "hviprio2"}, {0x64a, "htinst"}, {0x680, "hgatp"}, {0x6a8, "hcontext"}, {0x740, "mnscratch"},
    {0x741, "mnepc"}, {0x742, "mncause"}, {0x744, "mnstatus"}, {0x747, "mseccfg"}, {0x7a0, "tselect"},
    {0x7a1, "tdata1"}, {0x7a2, "tdata2"}, {0x7a3, "tdata3"}, {0x7a8, "mcontext"}, {0x7b0, "dcsr"},
    {0x7b1, "dpc"}, {0x7b2, "dscratch0"}, {0x7b3, "dscratch1"}, {0xb00, "mcycle"}, {0xb02, "minstret"},
    {0xc00, "cycle"}, {0xc01, "time"}, {0xc02, "instret"}, {0xc20, "vl"}, {0xc21, "vtype"},
    {0xc22, "vlenb"}, {0xda0, "scountovf"}, {0xdb0, "stopi"}, {0xe12, "hgeip"}, {0xeb0, "vstopi"},
    {0xf11, "mvendorid"}, {0xf12, "marchid"}, {0xf13, "mimpid"}, {0xf14, "mhartid"}, {0xf15, "mconfigptr"},
    {0xfb0, "mtopi"},
};
// clang-format on

// Registers that are numbered in a row: prefix, first CSR, first suffix, number of CSRs, distance. RV64 has
// no odd pmpcfg.
struct CsrRange {
    const char* prefix;
    uint16_t first;
    uint16_t suffix;
    uint16_t count;
    uint16_t step;
};

constexpr CsrRange kCsrRanges[] = {
    {"hpmcounter", 0xc03, 3, 29, 1}, {"mhpmcounter", 0xb03, 3, 29, 1}, {"mhpmevent", 0x323, 3, 29, 1},
    {"pmpaddr", 0x3b0, 0, 64, 1},    {"pmpcfg", 0x3a0, 0, 16, 2},
};

}  // namespace

std::string csr_name(unsigned number) {
    for (const CsrRange& range : kCsrRanges) {
        if (number >= range.first && number < range.first + range.count &&
            (number - range.first) % range.step == 0) {
            return range.prefix + std::to_string(number - range.first + range.suffix);
        }
    }
    const CsrName* found =
        std::lower_bound(std::begin(kCsrNames), std::end(kCsrNames), number,
                         [](const CsrName& entry, unsigned wanted) { return entry.number < wanted; });
    if (found != std::end(kCsrNames) && found->number == number) {
        return found->name;
    }
    return std::to_string(number);
}

}  // namespace weft::riscv
