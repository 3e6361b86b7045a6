// The object that Linux maps into each process (vDSO): an ELF shared object whose functions programs look up by name.
//
// It is made when weft is built, by vdso/make_vdso.cpp. Its functions do the system call of their name: the same results as a
// kernel's vDSO, which exists for speed. Names and version are those of Linux' arch/riscv/kernel/vdso.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::user {

struct VdsoImage {
    std::span<const std::byte> bytes;  // to be mapped readable and executable, at any page; at most one page
    uint64_t rt_sigreturn;             // offset of __vdso_rt_sigreturn: where signal handlers return to
};

extern const VdsoImage kVdsoImage;

}  // namespace weft::user
