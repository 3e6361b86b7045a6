#include "emulator/guest/riscv/isa/register_names.h"

#include <algorithm>
#include <functional>

#include "emulator/guest/riscv/isa/csr_numbers.h"

namespace weft::riscv {

namespace {

struct CsrName {
    unsigned number;
    const char* name;
};

constexpr CsrName kCsrNames[] = {
#define WEFT_RISCV_CSR(constant, number, name) {number, name},
    WEFT_RISCV_CSRS(WEFT_RISCV_CSR)
#undef WEFT_RISCV_CSR
};
static_assert(std::ranges::is_sorted(kCsrNames, std::less_equal<>(), &CsrName::number));

}  // namespace

std::string csr_name(unsigned number) {
    for (const CsrRange& range : kCsrRanges) {
        if (number >= range.first && number <= range.last && (number - range.first) % range.step == 0) {
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
