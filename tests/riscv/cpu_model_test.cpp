// What a CPU model has shows everywhere: instructions, CSRs, misa, ISA strings, the documents.
#include "emulator/guest/riscv/isa/cpu_model.h"

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/isa/csr_numbers.h"
#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/isa/insn_table.h"
#include "emulator/guest/riscv/isa/register_names.h"

namespace weft::riscv {
namespace {

std::set<std::string> words(const std::string& text) {
    std::set<std::string> found;
    std::string word;
    for (const char c : text + ".") {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            word += static_cast<char>(std::tolower(c));
        } else if (!word.empty()) {
            found.insert(std::exchange(word, {}));
        }
    }
    return found;
}

// What of a model remains without one extension.
CpuModel without(Extension missing) {
    CpuModel model{"less", {}, ""};
    for (const ExtensionDesc& extension : kExtensions) {
        if (extension.id != missing && kRv64.extensions.has(extension.id)) {
            model.extensions.add(extension.id);
        }
    }
    return model;
}

TEST_CASE("the table is in order, a name and a letter each once") {
    std::set<std::string_view> names;
    std::set<char> letters;
    for (unsigned i = 0; i < kExtensions.size(); ++i) {
        const ExtensionDesc& extension = kExtensions[i];
        CHECK(static_cast<unsigned>(extension.id) == i);
        CHECK(names.insert(extension.name).second);
        CHECK((extension.misa_letter == 0 || letters.insert(extension.misa_letter).second));
        // ISA strings name single letters first (unprivileged specification, "ISA Extension Naming Conventions").
        CHECK((i == 0 || !extension.listed || extension.name.size() > 1 ||
               kExtensions[i - 1].name.size() == 1));
    }
}

TEST_CASE("misa has a bit for each letter of the ISA string, and B, S and U") {
    // Privileged specification 3.1.1: MXL 2 is RV64, bit 0 is A.
    const std::string isa = isa_string(kRv64);
    uint64_t expected = uint64_t{2} << 62;
    for (const char letter : isa.substr(4, isa.find('_') - 4)) {
        expected |= uint64_t{1} << (letter - 'a');
    }
    for (const char letter : {'B', 'S', 'U'}) {
        expected |= uint64_t{1} << (letter - 'A');
    }
    CHECK(misa(kRv64) == expected);
    CHECK(misa(kRv64) == 0x800000000014112f);
    CHECK(misa(without(Extension::d)) == (expected & ~(uint64_t{1} << 3)));
    CHECK(misa(without(Extension::zbb)) == expected);
}

TEST_CASE("ISA strings say the same in both notations") {
    for (const ExtensionDesc& extension : kExtensions) {
        const CpuModel model = without(extension.id);
        std::string joined = "rv64";
        for (const std::string_view name : isa_extensions(model)) {
            joined += (name.size() > 1 ? "_" : "") + std::string(name);
            CHECK(name != extension.name);
        }
        CHECK(joined == isa_string(model));
        CHECK((joined == isa_string(kRv64)) == !extension.listed);
    }
    CHECK(isa_string(kRv64) == "rv64imafdc_zicntr_zicsr_zifencei_zihintpause_zba_zbb_zbs_sstc_svinval");
}

TEST_CASE("the decoder knows an instruction where the model has its extension") {
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        // Operands of ones and zeros by turns: no rule forbids them, but for those that ask for certain ones.
        const Insn insn = decode(desc.match | (~desc.mask & (desc.size == 2 ? 0x5554 : 0x5a5a5a5a)));
        CHECK((insn.desc == nullptr || kRv64.extensions.has(insn.desc->extension)));
        CHECK((insn.desc == &desc || desc.rules != rule_none) == kRv64.extensions.has(desc.extension));
    }
}

TEST_CASE("a CSR is there where the model has its extension, and each has a name") {
    const std::map<unsigned, Extension> kOwned = {{0x001, Extension::f},      {0x002, Extension::f},
                                                  {0x003, Extension::f},      {0x14d, Extension::sstc},
                                                  {0xc00, Extension::zicntr}, {0xc01, Extension::zicntr},
                                                  {0xc02, Extension::zicntr}};
    unsigned found = 0;
    for (unsigned number = 0; number < 4096; ++number) {
        INFO(number);
        const CsrDesc* csr = find_csr(number);
        if (const auto owned = kOwned.find(number); owned != kOwned.end()) {
            REQUIRE((csr != nullptr) == kRv64.extensions.has(owned->second));
            CHECK((csr == nullptr || csr->extension == owned->second));
        }
        if (csr != nullptr) {
            ++found;
            CHECK(kRv64.extensions.has(csr->extension));
            CHECK(csr_name(number) != std::to_string(number));
            // The lowest mode that may access it is in the number (privileged specification 2.1): S mode's go with it.
            CHECK((csr->extension != Extension::s || (number >> 8 & 3) == 1 || number == 0x302 ||
                   number == 0x303));
        }
    }
    CHECK(found > 100);
    CHECK(csr_name(0x7c0) == "1984");  // custom registers have no name
}

TEST_CASE("the README lists what the model has") {
    std::ifstream file(README);
    std::stringstream text;
    text << file.rdbuf();
    const std::string all = text.str();
    const size_t start = all.find("- RV64GC with ");
    REQUIRE(start != std::string::npos);
    std::set<std::string> listed = words(all.substr(start, all.find(", in M", start) - start));
    for (const ExtensionDesc& extension : kExtensions) {
        INFO(extension.name);
        // G is IMAFD_Zicsr_Zifencei (unprivileged specification, chapter "RV32/64G").
        const bool named =
            listed.contains(std::string(extension.name)) ||
            (extension.name.size() == 1 && std::string_view("imafdc").contains(extension.name[0]));
        CHECK((!extension.listed || named == kRv64.extensions.has(extension.id)));
    }
}

}  // namespace
}  // namespace weft::riscv
