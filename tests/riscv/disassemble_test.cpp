// Decoder and disassembler against LLVM's: the same encodings are valid, and their text is the same.
#define CATCH_CONFIG_RUNNER
#include "emulator/guest/riscv/isa/disassemble.h"
#include "emulator/guest/riscv/isa/cpu_model.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/riscv/test_seed.h"

namespace weft::riscv {
namespace {

const char* const kLlvmMc = "llvm-mc-19";

// A directory of its own that goes away with it.
class ScratchDir {
  public:
    ScratchDir() {
        std::string name = (std::filesystem::temp_directory_path() / "weft-disassemble-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~ScratchDir() { std::filesystem::remove_all(path_); }
    ScratchDir(const ScratchDir&) = delete;
    ScratchDir& operator=(const ScratchDir&) = delete;
    std::string file(const char* name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

// "\taddi\ta0, a0, 1" as "addi a0, a0, 1".
std::string with_single_spaces(const std::string& line) {
    std::istringstream words(line);
    std::string text;
    for (std::string word; words >> word;) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

// What LLVM makes of each encoding: its text, or nothing where it knows no such instruction.
std::vector<std::string> llvm_texts(const std::vector<uint32_t>& encodings) {
    const ScratchDir dir;
    {
        std::ofstream input(dir.file("in"));
        for (uint32_t bits : encodings) {
            char line[32];
            const bool is_16 = insn_size(static_cast<uint16_t>(bits)) == 2;
            std::snprintf(line, sizeof(line), is_16 ? "0x%02x 0x%02x\n" : "0x%02x 0x%02x 0x%02x 0x%02x\n",
                          bits & 255, bits >> 8 & 255, bits >> 16 & 255, bits >> 24);
            input << line;
        }
    }
    const std::string command =
        std::string(kLlvmMc) +
        " --disassemble --triple=riscv64 -mattr=+m,+a,+f,+d,+c,+zba,+zbb,+zbs,+zicsr,+zifencei,"
        "+svinval,+zihintpause,+zicond,+zimop,+zawrs,+zbc,+zbkb,+zbkc,+zbkx,+zcb,+zcmop,+zabha,+experimental-"
        "zacas,+zfa,+zfh,+zicbom,+zicboz,+zknd,+zkne,+zknh,+zksed,+zksh -M no-aliases <" +
        dir.file("in") + " >" + dir.file("out") + " 2>" + dir.file("err");
    static_cast<void>(std::system(command.c_str()));  // it fails where an encoding is invalid

    std::vector<bool> invalid(encodings.size(), false);
    std::ifstream errors(dir.file("err"));
    for (std::string line; std::getline(errors, line);) {
        unsigned number = 0;
        if (std::sscanf(line.c_str(), "<stdin>:%u:", &number) == 1) {
            REQUIRE(number - 1 < encodings.size());
            invalid[number - 1] = true;
        }
    }
    std::vector<std::string> texts;
    std::ifstream output(dir.file("out"));
    std::string line;
    std::getline(output, line);  // .text
    for (size_t i = 0; i < encodings.size(); ++i) {
        if (invalid[i]) {
            texts.emplace_back();
        } else {
            REQUIRE(std::getline(output, line));
            texts.push_back(with_single_spaces(line));
        }
    }
    CHECK_FALSE(std::getline(output, line));
    return texts;
}

// LLVM's text in our words. Where it says less or otherwise:
//  - shifts of compressed registers by zero (HINTs here) are instructions of their own, left from RV128;
//  - no-aliases knows no pause;
//  - c.lui to x0, a HINT, is written with a signed immediate;
//  - the defined illegal instruction and c.lui of zero, which is reserved, have names;
//  - Smcntrpmf's registers are numbers.
std::string expected_text(const Insn& insn, const std::string& llvm) {
    if (insn.desc == nullptr) {
        const bool is_named_illegal =
            llvm == "c.unimp" || (llvm.rfind("c.lui ", 0) == 0 && llvm.ends_with(", 0"));
        return is_named_illegal ? "" : llvm;
    }
    const size_t rv128 = llvm.find("64 ");
    if (insn.size == 2 && rv128 != std::string::npos && llvm.rfind("c.s", 0) == 0) {
        return llvm.substr(0, rv128) + llvm.substr(rv128 + 2) + ", 0";
    }
    for (const auto& [number, name] :
         {std::pair{", 801, ", ", mcyclecfg, "}, std::pair{", 802, ", ", minstretcfg, "}}) {
        if (const size_t at = llvm.find(number); at != std::string::npos && llvm.starts_with("csrr")) {
            return llvm.substr(0, at) + name + llvm.substr(at + std::strlen(number));
        }
    }
    if (insn.desc->id == InsnId::pause && llvm == "fence w, 0") {
        return "pause";
    }
    if (insn.desc->id == InsnId::c_lui && insn.rd == 0) {
        return "c.lui zero, " + std::to_string(std::stol(llvm.substr(llvm.rfind(' '))) & 0xfffff);
    }
    return llvm;
}

// Fences with reserved fields are instructions, but LLVM takes them for invalid.
bool is_reserved_fence(const Insn& insn) {
    return insn.desc != nullptr && ((insn.desc->id == InsnId::fence && (insn.bits & 0xf00fff80) != 0) ||
                                    (insn.desc->id == InsnId::fence_i && (insn.bits & 0xffff8f80) != 0));
}

// FCVTMOD.W.D has one rounding mode, toward zero (unprivileged specification, "Zfa"); LLVM takes any.
bool is_reserved_conversion(uint32_t bits) {
    return (bits & 0xfff0007f) == 0xc2800053 && (bits >> 12 & 7) != 1;
}

// The key schedule of AES has rounds 0 to 10 (unprivileged specification, "aes64ks1i"); LLVM takes any.
bool is_reserved_round(uint32_t bits) { return (bits & 0xff00707f) == 0x31001013 && (bits >> 20 & 15) > 10; }

// Beginnings of encodings that are longer than 32 bits: LLVM skips more than the bytes it was given.
bool is_long(uint32_t bits) { return (bits & 0x1f) == 0x1f; }

void compare(std::vector<uint32_t> encodings) {
    std::erase_if(encodings, is_long);
    const std::vector<std::string> texts = llvm_texts(encodings);
    unsigned different = 0;
    for (size_t i = 0; i < encodings.size(); ++i) {
        const Insn insn = decode(encodings[i]);
        if (is_reserved_fence(insn) || is_reserved_conversion(encodings[i]) ||
            is_reserved_round(encodings[i])) {
            continue;
        }
        const std::string ours = insn.desc == nullptr ? "" : format_insn(insn, std::nullopt);
        const std::string theirs = expected_text(insn, texts[i]);
        if (ours != theirs && ++different <= 20) {
            UNSCOPED_INFO(std::hex << encodings[i] << ": \"" << ours << "\", LLVM: \"" << theirs << "\"");
        }
    }
    CHECK(different == 0);
}

TEST_CASE("all 16-bit encodings") {
    std::vector<uint32_t> encodings;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        if ((bits & 3) != 3) {
            encodings.push_back(bits);
        }
    }
    compare(encodings);
}

TEST_CASE("32-bit encodings drawn from the tables") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937_64 random(seed);
    std::vector<uint32_t> encodings;
    for (const InsnDesc& desc : kInsns) {
        for (unsigned i = 0; desc.size == 4 && i < 300; ++i) {
            encodings.push_back((static_cast<uint32_t>(random()) & ~desc.mask) | desc.match);
        }
    }
    compare(encodings);
}

TEST_CASE("32-bit encodings near those of the tables") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937_64 random(seed);
    std::vector<uint32_t> encodings;
    for (const InsnDesc& desc : kInsns) {
        for (unsigned bit = 2; desc.size == 4 && bit < 32; ++bit) {
            for (unsigned i = 0; i < 4; ++i) {
                const uint32_t bits =
                    ((static_cast<uint32_t>(random()) & ~desc.mask) | desc.match) ^ 1u << bit;
                encodings.push_back(bits);
            }
        }
    }
    compare(encodings);
}

TEST_CASE("all functions of the major opcodes") {
    // With fixed registers: every opcode, funct3, funct7, and rs2 where it selects the instruction.
    std::vector<uint32_t> encodings;
    for (uint32_t opcode = 3; opcode < 128; opcode += 4) {
        for (uint32_t upper = 0; upper < 1u << 10; ++upper) {
            for (const uint32_t rs2 : {0u, 1u, 2u, 3u, 4u, 5u, 7u, 24u, 31u}) {
                encodings.push_back(opcode | (upper & 7) << 12 | (upper >> 3) << 25 | rs2 << 20 | 10u << 15 |
                                    11u << 7);
            }
        }
    }
    compare(encodings);
}

TEST_CASE("all CSRs") {
    std::vector<uint32_t> encodings;
    for (uint32_t csr = 0; csr < 4096; ++csr) {
        encodings.push_back(csr << 20 | 0x00052573);
    }
    compare(encodings);
}

TEST_CASE("a listing has one line an instruction") {
    const uint8_t code[] = {0x13, 0x05, 0x15, 0x00, 0x82, 0x80, 0x63, 0x08,
                            0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x13, 0x05};
    std::string text;
    const TextSink sink{[](void* opaque, const char* line, size_t length) {
                            static_cast<std::string*>(opaque)->append(line, length);
                        },
                        &text};
    disassemble(&kMax, code, sizeof(code), 0x80000000, &sink);
    CHECK(text ==
          "0x0000000080000000:  00150513  addi        a0, a0, 1\n"
          "0x0000000080000004:  8082      c.jr        ra\n"
          "0x0000000080000006:  00000863  beq         zero, zero, 0x80000016\n"
          "0x000000008000000a:  ffffffff  .4byte      0xffffffff\n"
          "0x000000008000000e:  13        .byte       0x13\n"
          "0x000000008000000f:  05        .byte       0x5\n");
}

}  // namespace
}  // namespace weft::riscv

int main(int argc, char* argv[]) {
    constexpr int kSkipped = 77;
    if (std::system((std::string(weft::riscv::kLlvmMc) + " --version >/dev/null 2>&1").c_str()) != 0) {
        std::fprintf(stderr, "%s is not there: skipped\n", weft::riscv::kLlvmMc);
        return kSkipped;
    }
    return Catch::Session().run(argc, argv);
}
