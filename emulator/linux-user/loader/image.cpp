#include "emulator/linux-user/loader/image.h"

#include <fmt/format.h>
#include <linux/limits.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bits.h"

namespace weft::user {

namespace {

constexpr uint64_t kPage = kGuestPageSize;
constexpr uint64_t kMostProgramHeaders = 65536 / sizeof(Elf64_Phdr);  // as in Linux

// The header as Linux sees it: it reads the first bytes of a program into zeros.
ExecResult<Elf64_Ehdr> read_header(const FileBytes& file, ImageRole role) {
    Elf64_Ehdr header{};
    const auto count = file.read_at(0, std::as_writable_bytes(std::span(&header, 1)));
    if (!count) {
        return exec_fail(count.error(), "the ELF header cannot be read");
    }
    if (*count < sizeof(header) && role == ImageRole::interpreter) {
        return exec_fail(EIO, "the ELF header is truncated");
    }
    return header;
}

bool is_executable(const Elf64_Ehdr& header) { return header.e_type == ET_EXEC || header.e_type == ET_DYN; }

std::string not_executable(const Elf64_Ehdr& header) {
    return fmt::format("ELF file of type {} is not an executable", header.e_type);
}

ExecResult<> check_header(const Elf64_Ehdr& header, ImageRole role) {
    const int error = role == ImageRole::program ? ENOEXEC : ELIBBAD;
    const auto refuse = [error](std::string message) { return exec_fail(error, std::move(message)); };
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return refuse("not an ELF file");
    }
    if (header.e_machine != EM_RISCV) {
        return refuse(
            header.e_ident[EI_DATA] == ELFDATA2MSB
                ? "not a little-endian ELF file"
                : fmt::format("ELF file for machine {}, not for RISC-V ({})", header.e_machine, EM_RISCV));
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64) {
        return refuse("not a 64-bit ELF file");
    }
    if (role == ImageRole::program && !is_executable(header)) {
        return refuse(not_executable(header));
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr)) {
        return refuse(fmt::format("ELF program headers of {} bytes", header.e_phentsize));
    }
    if (header.e_phnum == 0 || header.e_phnum > kMostProgramHeaders) {
        return refuse(fmt::format("{} ELF program headers", header.e_phnum));
    }
    return {};
}

ExecResult<std::vector<Elf64_Phdr>> read_program_headers(const FileBytes& file, const Elf64_Ehdr& header,
                                                         ImageRole role) {
    std::vector<Elf64_Phdr> headers(header.e_phnum);
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(headers));
    const auto count = file.read_at(header.e_phoff, bytes);
    if (!count || *count != bytes.size()) {
        return exec_fail(
            role == ImageRole::program ? ENOEXEC : ELIBBAD,
            count ? "ELF program headers lie outside the file" : "ELF program headers cannot be read");
    }
    return headers;
}

// PT_INTERP's path: up to its first zero byte, which need not be its last.
ExecResult<std::string> read_interpreter(const FileBytes& file, const Elf64_Phdr& header) {
    if (header.p_filesz < 2 || header.p_filesz > PATH_MAX) {
        return exec_fail(ENOEXEC, fmt::format("interpreter's path of {} bytes", header.p_filesz));
    }
    std::string path(static_cast<size_t>(header.p_filesz), '\0');
    const auto count = file.read_at(header.p_offset, std::as_writable_bytes(std::span(path)));
    if (!count) {
        return exec_fail(count.error(), "the interpreter's path cannot be read");
    }
    if (*count != path.size()) {
        return exec_fail(EIO, "the interpreter's path lies outside the file");
    }
    if (path.back() != '\0') {
        return exec_fail(ENOEXEC, "the interpreter's path has no end");
    }
    path.resize(path.find('\0'));
    return path;
}

unsigned protection(uint32_t flags) {
    return ((flags & PF_R) != 0 ? kMayRead : 0u) | ((flags & PF_W) != 0 ? kMayWrite : 0u) |
           ((flags & PF_X) != 0 ? kMayExec : 0u);
}

// What Linux checks of a PT_LOAD header, and what its mmap does.
ExecResult<Segment> read_segment(const Elf64_Phdr& header, size_t number, ImageRole role, uint64_t limit) {
    const auto refuse = [number](int number_of_error, const char* reason) {
        return exec_fail(number_of_error, fmt::format("ELF segment {} {}", number, reason));
    };
    const int error = role == ImageRole::program ? EINVAL : ENOMEM;
    if (header.p_filesz > header.p_memsz) {
        return refuse(error, "is larger in the file than in memory");
    }
    if (header.p_vaddr >= limit || header.p_memsz > limit - header.p_vaddr) {
        return refuse(error, "lies above the space of addresses");
    }
    if (header.p_filesz != 0) {
        if ((header.p_offset - header.p_vaddr) % kPage != 0) {
            return refuse(EINVAL, "has an offset that does not fit its address");
        }
        // The first page begins before p_offset, in the file too: both are at the same place of a page.
        constexpr uint64_t kMostBytes = INT64_MAX;  // of a file
        if (header.p_offset > kMostBytes || header.p_filesz > kMostBytes - header.p_offset) {
            return refuse(EOVERFLOW, "lies where no file reaches");
        }
    }
    return Segment{header.p_vaddr, header.p_offset, header.p_filesz, header.p_memsz,
                   protection(header.p_flags)};
}

// Where the program headers are in memory: in the last segment that has them, or where PT_PHDR says if none has.
uint64_t find_program_headers(const ImagePlan& plan, const ImageHeaders& headers) {
    uint64_t address = 0;
    const auto own = std::ranges::find(headers.program, Elf64_Word{PT_PHDR}, &Elf64_Phdr::p_type);
    if (own != headers.program.end() && own->p_vaddr >= plan.low && own->p_vaddr < plan.high) {
        address = own->p_vaddr;
    }
    const uint64_t offset = headers.file.e_phoff;
    for (const Segment& segment : plan.segments) {
        if (offset >= segment.offset && offset - segment.offset < segment.file_size) {
            address = segment.vaddr + (offset - segment.offset);
        }
    }
    return address;
}

}  // namespace

SegmentPages segment_pages(const Segment& segment) {
    const uint64_t first = align_down(segment.vaddr, kPage);
    const uint64_t file_end = segment.vaddr + segment.file_size;
    const uint64_t end = segment.vaddr + segment.memory_size;
    SegmentPages pages{};
    uint64_t mapped_end = first;
    if (segment.file_size != 0) {
        mapped_end = align_up(file_end, kPage);
        pages.file = {first, mapped_end - first};
        pages.file_offset = align_down(segment.offset, kPage);
    }
    if (segment.memory_size > segment.file_size) {
        if (segment.file_size != 0) {
            // Up to the page's end, also where the segment ends before it.
            pages.tail = {file_end, mapped_end - file_end};
        }
        if (align_up(end, kPage) > mapped_end) {
            pages.anonymous = {mapped_end, align_up(end, kPage) - mapped_end};
            pages.anonymous_prot = kMayRead | kMayWrite | (segment.prot & kMayExec);
        }
    }
    return pages;
}

ExecResult<ImageHeaders> read_image_headers(const FileBytes& file, ImageRole role) {
    const auto header = read_header(file, role);
    if (!header) {
        return std::unexpected(header.error());
    }
    if (const auto checked = check_header(*header, role); !checked) {
        return std::unexpected(checked.error());
    }
    auto program_headers = read_program_headers(file, *header, role);
    if (!program_headers) {
        return std::unexpected(program_headers.error());
    }
    ImageHeaders headers{role, *header, *std::move(program_headers), std::nullopt};
    const auto interpreter = std::ranges::find(headers.program, Elf64_Word{PT_INTERP}, &Elf64_Phdr::p_type);
    if (role == ImageRole::program && interpreter != headers.program.end()) {
        auto path = read_interpreter(file, *interpreter);
        if (!path) {
            return std::unexpected(path.error());
        }
        headers.interpreter = *std::move(path);
    }
    return headers;
}

ExecResult<ImagePlan> plan_image(const ImageHeaders& headers, uint64_t limit) {
    if (!is_executable(headers.file)) {  // an interpreter
        return exec_fail(EINVAL, not_executable(headers.file));
    }
    ImagePlan plan{};
    plan.fixed = headers.file.e_type == ET_EXEC;
    plan.entry = headers.file.e_entry;
    plan.phdr_count = headers.file.e_phnum;
    plan.low = UINT64_MAX;
    plan.alignment = kPage;
    for (size_t i = 0; i < headers.program.size(); ++i) {
        const Elf64_Phdr& header = headers.program[i];
        if (header.p_type == PT_GNU_STACK) {
            plan.executable_stack = (header.p_flags & PF_X) != 0;
        }
        if (header.p_type != PT_LOAD) {
            continue;
        }
        const auto segment = read_segment(header, i, headers.role, limit);
        if (!segment) {
            return std::unexpected(segment.error());
        }
        plan.segments.push_back(*segment);
        plan.low = std::min(plan.low, align_down(segment->vaddr, kPage));
        plan.high = std::max(plan.high, align_up(segment->vaddr + segment->memory_size, kPage));
        if (is_power_of_two(header.p_align)) {
            plan.alignment = std::max(plan.alignment, header.p_align);
        }
    }
    if (plan.segments.empty()) {
        return exec_fail(EINVAL, "ELF file has nothing to load");
    }
    plan.phdr_address = find_program_headers(plan, headers);
    return plan;
}

}  // namespace weft::user
