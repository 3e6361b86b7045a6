// The host's execve as the oracle: programs of the host's with random headers, and the same headers as a RISC-V program's.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "elf_file.h"
#include "native_exec.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"

using namespace weft::user;
using weft::test::Random;

namespace {

constexpr uint64_t kLimit = uint64_t{1} << 46;
constexpr int kExitCode = 42;

// mov edi, 42; mov eax, 231 (exit_group); syscall
const std::string kCode = std::string("\xbf\x2a\0\0\0\xb8\xe7\0\0\0\x0f\x05", 12);

// e_machine is where the two differ.
std::string for_host(std::string bytes) {
    uint16_t machine = 0;
    std::memcpy(&machine, &bytes[offsetof(Elf64_Ehdr, e_machine)], 2);
    const uint16_t other = machine == EM_RISCV ? EM_X86_64 : machine == EM_X86_64 ? EM_RISCV : machine;
    std::memcpy(&bytes[offsetof(Elf64_Ehdr, e_machine)], &other, 2);
    return bytes;
}

// Numbers that hurt.
uint64_t hostile(Random& random) {
    const uint64_t near = random.below(3);
    switch (random.below(6)) {
        case 0:
            return near;
        case 1:
            return UINT64_MAX - near;
        case 2:
            return (uint64_t{1} << random.below(64)) - near;
        case 3:
            return (uint64_t{1} << random.below(64)) + near;
        case 4:
            return random.below(0x4000);
        default:
            return random.next();
    }
}

void change_header(Elf64_Ehdr& header, Random& random) {
    const auto value = hostile(random);
    switch (random.below(9)) {
        case 0:
            header.e_ident[random.below(SELFMAG)] ^= static_cast<unsigned char>(1 + random.below(255));
            break;
        case 1:
            header.e_ident[EI_DATA + random.below(EI_NIDENT - EI_DATA)] = static_cast<unsigned char>(value);
            break;
        case 2:
            header.e_type = static_cast<uint16_t>(random.below(6));
            break;
        case 3:
            // Not EM_386, which the host may run too.
            header.e_machine = value % 2 == 0 ? EM_X86_64 : EM_AARCH64;
            break;
        case 4:
            header.e_version = static_cast<uint32_t>(value);
            break;
        case 5:
            header.e_phoff = value;
            break;
        case 6:
            header.e_phentsize = static_cast<uint16_t>(value);
            break;
        case 7:
            header.e_phnum =
                static_cast<uint16_t>(random.below(2) == 0 ? random.below(80) : 1165 + random.below(10));
            break;
        default:
            header.e_shoff = value;
    }
}

void change_program_header(Elf64_Phdr& header, Random& random) {
    const auto value = hostile(random);
    switch (random.below(7)) {
        case 0:
            header.p_type = static_cast<uint32_t>(random.below(8));
            break;
        case 1:
            header.p_flags = static_cast<uint32_t>(value);
            break;
        case 2:
            header.p_offset = value;
            break;
        case 3:
            header.p_vaddr = value;
            break;
        case 4:
            header.p_filesz = value;
            break;
        case 5:
            header.p_memsz = value;
            break;
        default:
            header.p_align = value;
    }
}

ElfFile runnable(uint16_t type, Random& random, unsigned changes) {
    ElfFile file(type);
    file.header.e_entry = 0x400000 + 0x1000;
    file.add(PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x1000 + kCode.size(), 0x1000 + kCode.size());
    file.add(PT_LOAD, PF_R | PF_W, 0x2010, 0x402010, 0x100, 0x3000);
    file.contents[0x1000] = kCode;
    file.contents[0x2010] = std::string(0x100, 'd');
    file.contents[0x12000] = "end";
    for (unsigned i = 0; i < changes; ++i) {
        if (random.below(2) == 0) {
            change_header(file.header, random);
        } else {
            change_program_header(file.program[random.below(file.program.size())], random);
        }
    }
    return file;
}

}  // namespace

TEST_CASE("Random headers are refused with the same error and at the same stage as the host's", "[native]") {
    const uint64_t seed = weft::test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    weft::test::TempDir folder;
    const std::string path = folder.file("program");
    const std::string interpreter_path = folder.file("interpreter");
    unsigned early = 0, late = 0, ran = 0;
    for (unsigned round = 0; round < exec_rounds(600); ++round) {
        INFO("round " << round);
        const uint16_t type = random.below(2) == 0 ? ET_EXEC : ET_DYN;
        const bool with_interpreter = random.below(2) == 0;
        const auto changes = static_cast<unsigned>(random.below(3));
        ElfFile file = runnable(type, random, with_interpreter ? 0 : changes);
        BytesInMemory interpreter("");
        if (with_interpreter) {
            // An own place, for it may be fixed too.
            ElfFile other = runnable(ET_DYN, random, changes);
            const std::string bytes =
                other.bytes().substr(0, random.below(8) == 0 ? random.below(0x200) : 0x20000);
            interpreter = BytesInMemory(bytes);
            write_executable(
                interpreter_path,
                for_host(bytes.size() < 20 ? bytes + std::string(20, '\0') : bytes).substr(0, bytes.size()));
            file.contents[0x2800] = interpreter_path + '\0';
            file.add(PT_INTERP, PF_R, 0x2800, 0, interpreter_path.size() + 1, 0);
            if (random.below(4) == 0) {
                change_program_header(file.program.back(), random);
                file.program.back().p_type = PT_INTERP;
            }
        }
        const std::string bytes = file.bytes();
        write_executable(path, for_host(bytes));
        const NativeExec native = exec_natively(path, {path});

        const auto headers = read_image_headers(BytesInMemory(bytes), ImageRole::program);
        int error = headers ? 0 : headers.error().number;
        bool planned = headers && plan_image(*headers, kLimit);
        if (headers && headers->interpreter) {
            if (*headers->interpreter == interpreter_path) {
                const auto second = read_image_headers(interpreter, ImageRole::interpreter);
                error = second ? 0 : second.error().number;
                planned = planned && second && plan_image(*second, kLimit);
            } else {
                // None is one's own folder, and other names are those of folders.
                const std::string& name = *headers->interpreter;
                error = name.empty() || access(name.c_str(), X_OK) == 0 ? EACCES : errno;
            }
        }
        INFO((headers ? "" : headers.error().message));
        CHECK(error == native.error);
        if (native.error != 0) {
            ++early;
        } else if (error == 0 && !planned) {
            // The old program was gone.
            CHECK(WIFSIGNALED(native.status));
            CHECK(WTERMSIG(native.status) == SIGSEGV);
            ++late;
        } else if (WIFEXITED(native.status)) {
            CHECK(WEXITSTATUS(native.status) == kExitCode);
            ++ran;
        }
    }
    // All three happened.
    CHECK(early > 20);
    CHECK(late > 20);
    CHECK(ran > 20);
}
