// ELF64 files for RISC-V as Linux' execve reads them: what of a program or an interpreter goes where.
//
// linux-user/loader makes a process's first memory out of files: image reads an ELF file's headers, place maps what they say
// through an interface of the address space's, script reads `#!` lines, auxv writes the first stack, vdso is the object that
// Linux maps into each process. It opens no file, maps nothing by itself and knows no process: all but place is a function of
// bytes. exec and the program's start use it; it uses guest/riscv/isa.
//
// Rules are those of the System V ABI ("Object Files", "Program Loading and Dynamic Linking") and of Linux' fs/binfmt_elf.c; where
// they differ, Linux'. What neither looks at (e_version, e_flags, section headers ...) is not looked at.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emulator/linux-user/loader/exec_error.h"

namespace weft::user {

inline constexpr uint64_t kGuestPageSize = 4096;

// A file's bytes, wherever they are.
class FileBytes {
  public:
    virtual ~FileBytes() = default;
    // Reads at `offset` until `out` is full or the file ends; the number of bytes read, or an error number. `offset` may be
    // anything.
    virtual std::expected<size_t, int> read_at(uint64_t offset, std::span<std::byte> out) const = 0;
};

// Bits of protections: the same as PROT_READ, PROT_WRITE and PROT_EXEC.
enum Protection : unsigned { kMayRead = 1, kMayWrite = 2, kMayExec = 4 };

// A PT_LOAD header. Addresses are relative to the load bias, offsets need not have to do with them but modulo a page.
// memory_size >= file_size; no end, in memory or in the file, wraps.
struct Segment {
    uint64_t vaddr;
    uint64_t offset;  // in the file
    uint64_t file_size;
    uint64_t memory_size;
    unsigned prot;  // Protection

    bool operator==(const Segment&) const = default;
};

// A range of memory.
struct Range {
    uint64_t start = 0;
    uint64_t size = 0;  // 0: none

    uint64_t end() const { return start + size; }
    bool operator==(const Range&) const = default;
};

// A segment as pages. What is not there has size 0.
struct SegmentPages {
    Range file;            // whole pages, mapped from file_offset on with the segment's protection
    uint64_t file_offset;  // a multiple of the page
    Range tail;  // bytes of the last of them that are not the file's: to be zero whatever the protection is
    Range anonymous;          // whole pages behind them
    unsigned anonymous_prot;  // Linux lets bss be written whatever the segment says
};
SegmentPages segment_pages(const Segment& segment);

enum class ImageRole { program, interpreter };

// Headers whose sizes and kind are in order.
struct ImageHeaders {
    ImageRole role;
    Elf64_Ehdr file;
    std::vector<Elf64_Phdr> program;         // at least one, at most 64 KiB of them
    std::optional<std::string> interpreter;  // of a program: PT_INTERP's path. Empty: EACCES, as in Linux
};

// Reads a file's headers: what Linux does before it gives up the old program, so that execve returns these errors. ENOEXEC for a
// program (ELIBBAD for an interpreter) that is no ELF file, not for 64-bit RISC-V, or whose program headers are none, more than
// 64 KiB, or not in the file; ENOEXEC for a program that is not executable or has a malformed PT_INTERP; EIO for a PT_INTERP
// outside the file or an interpreter shorter than a header; the file's own errors.
ExecResult<ImageHeaders> read_image_headers(const FileBytes& file, ImageRole role);

struct ImagePlan {
    bool fixed;  // ET_EXEC: goes where it says; otherwise anywhere, shifted by a load bias
    std::vector<Segment>
        segments;        // at least one, in the order of their headers: where pages meet, the later one wins
    uint64_t low;        // of all segments: the first page,
    uint64_t high;       // and the page above the last. The heap begins there
    uint64_t alignment;  // of the load bias: the largest p_align that is a power of two, at least a page
    uint64_t entry;      // relative to the bias, unchecked: place_image() does that. Processors ignore bit 0
    uint64_t
        phdr_address;  // of the program headers, relative to the bias; 0 if no segment has them, as in Linux
    uint16_t phdr_count;
    bool executable_stack;  // PT_GNU_STACK says so
};

// What goes where: what Linux does when the old program is gone, so that it kills the process with SIGSEGV where this fails.
// `limit` is where the guest's addresses end, a multiple of the page below 2^63. EINVAL for a program (ENOMEM for an interpreter)
// whose segments have impossible sizes or reach above the limit; EINVAL where there is none, for an offset that does not fit its
// address and for an interpreter that is not executable; EOVERFLOW for offsets that no file has.
ExecResult<ImagePlan> plan_image(const ImageHeaders& headers, uint64_t limit);

}  // namespace weft::user
