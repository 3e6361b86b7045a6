// ELF headers: plans against readelf, and what is refused.
#include "emulator/linux-user/loader/image.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <functional>

#include "elf_file.h"
#include "elf_tool.h"
#include "tests/support/subprocess.h"

using namespace weft::user;

namespace {

constexpr uint64_t kLimit = uint64_t{1} << 46;

// Text and data, each a page of the file; data with bss.
ElfFile usual(uint16_t type = ET_EXEC) {
    ElfFile file(type);
    file.header.e_entry = 0x10100;
    file.add(PT_LOAD, PF_R | PF_X, 0, 0x10000, 0x1000, 0x1000);
    file.add(PT_LOAD, PF_R | PF_W, 0x1000, 0x12000, 0x800, 0x2800);
    file.contents[0x17ff] = "x";
    return file;
}

ExecResult<ImagePlan> plan(const std::string& bytes, ImageRole role = ImageRole::program) {
    const auto headers = read_image_headers(BytesInMemory(bytes), role);
    if (!headers) {
        return std::unexpected(headers.error());
    }
    return plan_image(*headers, kLimit);
}

}  // namespace

TEST_CASE("A plan says of real programs what readelf says", "[image]") {
    for (const std::string& file : real_programs()) {
        INFO(file);
        const ElfHeaders expected = readelf_headers(file);
        REQUIRE(expected.program.size() > 2);
        const auto headers =
            read_image_headers(BytesInMemory(weft::test::read_file(file)), ImageRole::program);
        REQUIRE(headers);
        CHECK(headers->interpreter.value_or("") == expected.interpreter);
        CHECK(headers->interpreter.has_value() == !expected.interpreter.empty());
        const auto got = plan_image(*headers, kLimit);
        REQUIRE(got);
        CHECK(got->fixed == (expected.type == "EXEC"));
        CHECK(got->entry == expected.entry);
        CHECK(got->phdr_count == expected.program.size());
        size_t number = 0;
        for (const ElfHeaders::Program& one : expected.program) {
            if (one.type == "GNU_STACK") {
                CHECK(got->executable_stack == (one.flags.find('E') != std::string::npos));
            }
            if (one.type == "PHDR") {
                CHECK(got->phdr_address == one.vaddr);
            }
            if (one.type != "LOAD") {
                continue;
            }
            const unsigned prot = (one.flags.find('R') != std::string::npos ? 1u : 0u) |
                                  (one.flags.find('W') != std::string::npos ? 2u : 0u) |
                                  (one.flags.find('E') != std::string::npos ? 4u : 0u);
            REQUIRE(number < got->segments.size());
            CHECK(got->segments[number++] ==
                  Segment{one.vaddr, one.offset, one.file_size, one.memory_size, prot});
            CHECK(got->alignment >= one.align);
            CHECK(got->low <= one.vaddr);
            CHECK(got->high >= one.vaddr + one.memory_size);
        }
        CHECK(number == got->segments.size());
    }
}

TEST_CASE("Segments become pages", "[image]") {
    const auto check = [](const Segment& segment, Range file, uint64_t offset, Range tail, Range anonymous) {
        const SegmentPages pages = segment_pages(segment);
        CHECK(pages.file == file);
        CHECK(pages.file_offset == offset);
        CHECK(pages.tail == tail);
        CHECK(pages.anonymous == anonymous);
    };
    // All of the file's.
    check({0x10123, 0x4123, 0x100, 0x100, kMayRead}, {0x10000, 0x1000}, 0x4000, {}, {});
    // bss within the last page: zero to the page's end.
    check({0x10123, 0x4123, 0x100, 0x180, kMayRead}, {0x10000, 0x1000}, 0x4000, {0x10223, 0xddd}, {});
    // bss beyond it.
    check({0x10800, 0x800, 0x1000, 0x4000, kMayWrite}, {0x10000, 0x2000}, 0, {0x11800, 0x800},
          {0x12000, 0x3000});
    // The file's part ends with its page.
    check({0x10000, 0, 0x1000, 0x1001, kMayWrite}, {0x10000, 0x1000}, 0, {0x11000, 0}, {0x11000, 0x1000});
    // bss alone, whatever the offset is.
    check({0x10fff, 0x55, 0, 2, kMayWrite}, {}, 0, {}, {0x10000, 0x2000});
    // Nothing.
    check({0x10fff, 0xfff, 0, 0, kMayWrite}, {}, 0, {}, {});
    // bss may be written and is executable only where the segment is.
    CHECK(segment_pages({0, 0, 0, 1, kMayRead}).anonymous_prot == (kMayRead | kMayWrite));
    CHECK(segment_pages({0, 0, 0, 1, kMayExec}).anonymous_prot == (kMayRead | kMayWrite | kMayExec));
}

TEST_CASE("Hostile headers of programs are refused as Linux does", "[image]") {
    struct Case {
        const char* what;
        int error;
        std::function<void(ElfFile&)> change;
    };
    const std::vector<Case> cases = {
        {"magic", ENOEXEC, [](ElfFile& f) { f.header.e_ident[3] = 'f'; }},
        {"class", ENOEXEC, [](ElfFile& f) { f.header.e_ident[EI_CLASS] = ELFCLASS32; }},
        {"machine", ENOEXEC, [](ElfFile& f) { f.header.e_machine = EM_X86_64; }},
        {"big-endian", ENOEXEC,
         [](ElfFile& f) { f.header.e_machine = EM_RISCV << 8, f.header.e_ident[EI_DATA] = 2; }},
        {"type", ENOEXEC, [](ElfFile& f) { f.header.e_type = ET_REL; }},
        {"header size", ENOEXEC, [](ElfFile& f) { f.header.e_phentsize = 32; }},
        {"no headers", ENOEXEC, [](ElfFile& f) { f.program.clear(); }},
        {"too many headers", ENOEXEC,
         [](ElfFile& f) { f.program.resize(1171, f.program[0]), f.contents[0x10000] = "x"; }},
        {"PN_XNUM headers", ENOEXEC, [](ElfFile& f) { f.header.e_phnum = PN_XNUM; }},
        {"headers behind the end", ENOEXEC, [](ElfFile& f) { f.header.e_phoff = 0x17ff; }},
        {"headers at the end of numbers", ENOEXEC, [](ElfFile& f) { f.header.e_phoff = UINT64_MAX - 8; }},
        {"empty interpreter", ENOEXEC, [](ElfFile& f) { f.add(PT_INTERP, PF_R, 0x1000, 0, 1, 1); }},
        {"long interpreter", ENOEXEC, [](ElfFile& f) { f.add(PT_INTERP, PF_R, 0, 0, 4097, 4097); }},
        {"interpreter behind the end", EIO, [](ElfFile& f) { f.add(PT_INTERP, PF_R, 0x17ff, 0, 2, 2); }},
        {"interpreter without end", ENOEXEC, [](ElfFile& f) { f.add(PT_INTERP, PF_R, 0x17fe, 0, 2, 2); }},
        {"interpreter at the end of numbers", EINVAL,
         [](ElfFile& f) { f.add(PT_INTERP, PF_R, ~uint64_t{0}, 0, 2, 2); }},
        {"no segment", EINVAL, [](ElfFile& f) { f.program[0].p_type = f.program[1].p_type = PT_NOTE; }},
        {"more of the file than memory", EINVAL, [](ElfFile& f) { f.program[1].p_memsz = 0x7ff; }},
        {"address at the limit", EINVAL, [](ElfFile& f) { f.program[1].p_vaddr = kLimit; }},
        {"end above the limit", EINVAL, [](ElfFile& f) { f.program[1].p_memsz = kLimit - 0x12000 + 1; }},
        {"size that wraps", EINVAL, [](ElfFile& f) { f.program[1].p_memsz = UINT64_MAX; }},
        {"address that wraps", EINVAL, [](ElfFile& f) { f.program[1].p_vaddr = UINT64_MAX - 0xfff; }},
        {"offset that does not fit", EINVAL, [](ElfFile& f) { f.program[1].p_offset += 8; }},
        {"offset that no file has", EOVERFLOW, [](ElfFile& f) { f.program[1].p_offset = uint64_t{1} << 63; }},
        {"file size that wraps", EOVERFLOW,
         [](ElfFile& f) {
             f.program[1].p_offset = INT64_MAX & ~uint64_t{0xfff}, f.program[1].p_filesz = 0x1000;
         }},
    };
    for (const Case& one : cases) {
        INFO(one.what);
        ElfFile file = usual();
        REQUIRE(plan(file.bytes()));
        one.change(file);
        const auto refused = plan(file.bytes());
        REQUIRE(!refused);
        CHECK(refused.error().number == one.error);
        CHECK(!refused.error().message.empty());
    }
    ElfFile many = usual();
    many.program.resize(1170, {PT_NOTE, 0, 0, 0, 0, 0, 0, 0});
    CHECK(plan(many.bytes())->phdr_count == 1170);
    CHECK(plan("").error().number == ENOEXEC);
    CHECK(plan(usual().bytes().substr(0, 63)).error().number == ENOEXEC);
}

TEST_CASE("Interpreters are refused with ELIBBAD, and later with ENOMEM", "[image]") {
    const auto error_of = [](const std::function<void(ElfFile&)>& change) {
        ElfFile file = usual(ET_DYN);
        change(file);
        const auto planned = plan(file.bytes(), ImageRole::interpreter);
        return planned ? 0 : planned.error().number;
    };
    CHECK(error_of([](ElfFile&) {}) == 0);
    CHECK(error_of([](ElfFile& f) { f.header.e_ident[0] = 0; }) == ELIBBAD);
    CHECK(error_of([](ElfFile& f) { f.header.e_machine = EM_386; }) == ELIBBAD);
    CHECK(error_of([](ElfFile& f) { f.header.e_ident[EI_CLASS] = 1; }) == ELIBBAD);
    CHECK(error_of([](ElfFile& f) { f.header.e_phentsize = 0; }) == ELIBBAD);
    CHECK(error_of([](ElfFile& f) { f.header.e_phoff = 1 << 20; }) == ELIBBAD);
    CHECK(error_of([](ElfFile& f) { f.header.e_type = ET_CORE; }) == EINVAL);
    CHECK(error_of([](ElfFile& f) { f.program[1].p_memsz = 0; }) == ENOMEM);
    CHECK(error_of([](ElfFile& f) { f.program[0].p_type = f.program[1].p_type = PT_NULL; }) == EINVAL);
    // It has none of its own.
    CHECK(error_of([](ElfFile& f) { f.add(PT_INTERP, 0, 0, 0, 0, 0); }) == 0);
    CHECK(plan(usual().bytes().substr(0, 63), ImageRole::interpreter).error().number == EIO);
}

TEST_CASE("A file that cannot be read gives its own error", "[image]") {
    ElfFile file = usual();
    file.add(PT_INTERP, PF_R, 0x1000, 0, 8, 8);
    const auto error_from = [&file](uint64_t place) {
        return read_image_headers(BytesInMemory(file.bytes(), place), ImageRole::program).error().number;
    };
    CHECK(error_from(0) == EIO);
    CHECK(error_from(64) == ENOEXEC);  // Linux says no more of program headers
    CHECK(error_from(0x1000) == EIO);
}

TEST_CASE("The program headers are found in memory", "[image]") {
    ElfFile file = usual(ET_DYN);
    CHECK(plan(file.bytes())->phdr_address == 0x10040);
    // Segments whose addresses do not follow their offsets: the one that has the headers counts (QEMU issue 1952).
    file.program[0].p_vaddr = 0x40000;
    CHECK(plan(file.bytes())->phdr_address == 0x40040);
    CHECK(plan(file.bytes())->low == 0x12000);
    // The last of several.
    file.add(PT_LOAD, PF_R, 0, 0x60000, 0x1000, 0x1000);
    CHECK(plan(file.bytes())->phdr_address == 0x60040);
    // PT_PHDR where no segment has them; and then only within the image.
    file = usual(ET_DYN);
    file.contents[0x3000] = std::string(file.bytes().substr(64, 112));
    file.header.e_phoff = 0x3000;
    CHECK(plan(file.bytes())->phdr_address == 0);
    file.program[0].p_type = PT_PHDR;
    file.contents[0x3000] = file.bytes().substr(64, 112);
    CHECK(plan(file.bytes())->phdr_address == 0);
    file.program[0].p_vaddr = 0x12100;
    file.contents[0x3000] = file.bytes().substr(64, 112);
    CHECK(plan(file.bytes())->phdr_address == 0x12100);
}

TEST_CASE("Stack, alignment, interpreter and heap of a plan", "[image]") {
    ElfFile file = usual(ET_DYN);
    CHECK(!plan(file.bytes())->executable_stack);
    CHECK(plan(file.bytes())->alignment == 0x1000);
    CHECK(plan(file.bytes())->high == 0x15000);
    file.add(PT_GNU_STACK, PF_R | PF_W | PF_X, 0, 0, 0, 0);
    CHECK(plan(file.bytes())->executable_stack);
    file.add(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0);  // the last one
    CHECK(!plan(file.bytes())->executable_stack);
    file.program[0].p_align = 0x200000;
    file.program[1].p_align = 0x300000;  // no power of two
    CHECK(plan(file.bytes())->alignment == 0x200000);
    file.program[1].p_align = uint64_t{1} << 63;
    CHECK(plan(file.bytes())->alignment == uint64_t{1} << 63);
    // Up to the first zero byte; the first of several.
    file.contents[0x1000] = std::string("/lib/ld.so\0more\0", 16);
    file.contents[0x1100] = std::string("\0", 2);
    file.add(PT_INTERP, PF_R, 0x1000, 0, 16, 16);
    file.add(PT_INTERP, PF_R, 0x1100, 0, 2, 2);
    CHECK(read_image_headers(BytesInMemory(file.bytes()), ImageRole::program)->interpreter == "/lib/ld.so");
    // A segment up to the limit.
    file.program[1].p_memsz = kLimit - 0x12000;
    CHECK(plan(file.bytes())->high == kLimit);
}
