// What a CPU model has shows everywhere: instructions, CSRs, misa, ISA strings, the documents.
#include "emulator/guest/riscv/isa/cpu_model.h"

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <optional>
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

// What of a model remains without one extension and those that need it.
CpuModel without(Extension missing, const CpuModel& model = kRv64) {
    CpuModel less{"less", model.extensions};
    for (ExtensionSet gone = {missing}; gone.has_any(less.extensions);) {
        for (const ExtensionDesc& extension : kExtensions) {
            if (gone.has(extension.id)) {
                less.extensions.remove(extension.id);
            }
        }
        for (const Implication& rule : kImplications) {
            if (rule.needs.has_any(gone)) {
                gone.add(rule.extension);
            }
        }
    }
    return less;
}

CpuModel parsed(const std::string& text) {
    const auto model = parse_cpu_model(text);
    INFO(text);
    REQUIRE(model.has_value());
    return *model;
}

std::string refused(const std::string& text) {
    const auto model = parse_cpu_model(text);
    INFO(text);
    REQUIRE_FALSE(model.has_value());
    return model.error().message();
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
        CHECK((i == 0 || !extension.listed() || extension.name.size() > 1 ||
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
    CHECK(misa(without(Extension::zbb)) == (expected & ~uint64_t{2}));
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
    }
    CHECK(isa_string(kRv64) ==
          "rv64imafdc_zic64b_zicbom_zicbop_zicboz_ziccamoa_zicclsm_ziccrse_zicntr_zicsr_zif"
          "encei_zihintntl_zihintpause_zihpm_zmmul_za64rs_zaamo_zalrsc_zawrs_zfa_zca_zcd_zb"
          "a_zbb_zbc_zbs_ssccptr_sscounterenw_ssstrict_sstc_sstvala_sstvecd_ssu64xl_svadu_svinval_sv"
          "vptc");
    CHECK(isa_string(without(Extension::f)).starts_with("rv64imac_"));
}

// Encodings of a row's own, if there is one that no rule forbids.
std::optional<uint32_t> encoding_of(const InsnDesc& desc) {
    for (const uint32_t operands : {0x5a5a5a5au, 0xa5a5a5a5u, 0x5554u, 0u, ~0u}) {
        const uint32_t bits = desc.match | (~desc.mask & operands & (desc.size == 2 ? 0xffff : ~0u));
        if (decode(bits).desc == &desc) {
            return bits;
        }
    }
    return std::nullopt;
}

TEST_CASE("the decoder knows an instruction where the model has its extension") {
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        const auto bits = encoding_of(desc);
        REQUIRE(bits);
        for (const CpuModel& model : cpu_models()) {
            INFO(model.name);
            CHECK((decode(*bits, model.extensions).desc == &desc) == model.extensions.has(desc.extension));
        }
        ExtensionSet others = kAllExtensions;
        others.remove(desc.extension);
        // A hint of another instruction's is that one then.
        const Insn without = decode(*bits, others);
        CHECK(without.desc != &desc);
        CHECK((without.desc == nullptr || desc.extension == Extension::zihintpause));
        CHECK(without.size == desc.size);
        CHECK(without.bits == *bits);
    }
}

TEST_CASE("a CSR is there where the model has its extension, and each has a name") {
    const std::map<unsigned, Extension> kOwned = {
        {0x001, Extension::f},        {0x002, Extension::f},         {0x003, Extension::f},
        {0x14d, Extension::sstc},     {0xc00, Extension::zicntr},    {0xc01, Extension::zicntr},
        {0xc02, Extension::zicntr},   {0xc03, Extension::zihpm},     {0xc1f, Extension::zihpm},
        {0xda0, Extension::sscofpmf}, {0x321, Extension::smcntrpmf}, {0x34b, Extension::mtval2}};
    unsigned found = 0;
    for (unsigned number = 0; number < 4096; ++number) {
        INFO(number);
        const CsrDesc* csr = find_csr(number);
        if (const auto owned = kOwned.find(number); owned != kOwned.end()) {
            REQUIRE(csr != nullptr);
            CHECK(csr->extension == owned->second);
        }
        if (csr != nullptr) {
            ++found;
            ExtensionSet others = kAllExtensions;
            others.remove(csr->extension);
            CHECK(find_csr(number, others) == nullptr);
            // Some are others without 16-bit instructions.
            CHECK(find_csr(number, {csr->extension, Extension::zca}) == csr);
            CHECK(csr_name(number) != std::to_string(number));
            // The lowest mode that may access it is in the number (privileged specification 2.1): S mode's go with it.
            CHECK((csr->extension != Extension::s || (number >> 8 & 3) == 1 || number == 0x302 ||
                   number == 0x303));
        }
    }
    CHECK(found > 100);
    CHECK(csr_name(0x7c0) == "1984");  // custom registers have no name
}

TEST_CASE("-cpu: a model and what it is to have") {
    CHECK(parsed("rv64").extensions == kRv64.extensions);
    CHECK(parsed("max").extensions == kMax.extensions);
    for (const CpuModel& model : cpu_models()) {
        CHECK(parsed(std::string(model.name)).extensions == model.extensions);
        CHECK(complete(model.extensions).extensions == model.extensions);
    }
    for (const char* off : {"off", "false", "no"}) {
        CHECK_FALSE(parsed(std::string("rv64,zba=") + off).extensions.has(Extension::zba));
    }
    for (const char* on : {"on", "true", "yes"}) {
        CHECK(parsed(std::string("rv64,zba=off,zba=") + on).extensions == kRv64.extensions);
        CHECK(parsed(std::string("rva22s64,sstc=") + on).extensions.has(Extension::sstc));
    }
    // Letters and their parts.
    CHECK(misa(parsed("rv64,zbb=off")) == (misa(kRv64) & ~uint64_t{2}));
    CHECK_FALSE(parsed("rv64,m=off").extensions.has_any({Extension::m, Extension::zmmul}));
    CHECK_FALSE(parsed("max,c=off")
                    .extensions.has_any(
                        {Extension::c, Extension::zca, Extension::zcb, Extension::zcd, Extension::zcmop}));
    CHECK(misa(parsed("rv64,c=off")) == (misa(kRv64) & ~uint64_t{4}));
    CHECK(parsed("rv64,m=off,zmmul=on").extensions.has(Extension::zmmul));
    CHECK_FALSE(parsed("rv64,b=off").extensions.has_any({Extension::b, Extension::zba, Extension::zbs}));
    CHECK(parsed("rva22s64,b=off,b=on").extensions.has(Extension::b));
    CHECK_FALSE(parsed("max,smstateen=off").extensions.has(Extension::ssstateen));
    CHECK_FALSE(parsed("max,ssstateen=off").extensions.has(Extension::smstateen));
    CHECK(parsed("rv64,smstateen=on").extensions.has(Extension::ssstateen));
    CHECK(parsed("rv64,zkn=on").extensions.has_all({Extension::zkn, Extension::zbkb, Extension::zknh}));
    CHECK(parsed("rv64,zbkb=on,zbkc=on,zbkx=on,zksed=on,zksh=on").extensions.has(Extension::zks));
    CHECK_FALSE(parsed("max,zkn=off").extensions.has_any({Extension::zkn, Extension::zknd, Extension::zkne}));
    CHECK(parsed("max,zkn=off").extensions.has_all({Extension::zks, Extension::zbkb}));
    CHECK(parsed("rv64,d=off").extensions.has(Extension::f));
    CHECK_FALSE(parsed("rv64,d=off").extensions.has(Extension::zcd));
    CHECK(mmu_type(parsed("rv64,sv48=off")) == std::string("riscv,sv39"));
    CHECK(mmu_type(kRv64) == std::string("riscv,sv57"));
    CHECK(mmu_type(parsed("rv64,sv57=off")) == std::string("riscv,sv48"));
    CHECK(mmu_type(parsed("rva22s64,sv57=on")) == std::string("riscv,sv57"));
    CHECK(mmu_type(parsed("rva22s64")) == std::string("riscv,sv39"));
    CHECK(mmu_type(parsed("rva22u64")) == std::string("riscv,none"));
    // S mode without page tables, and harts without protection.
    CHECK(parsed("rv64,mmu=off").extensions.has(Extension::s));
    CHECK(mmu_type(parsed("rv64,mmu=off")) == std::string("riscv,none"));
    CHECK(parsed("rv64,sv39=off").extensions == parsed("rv64,mmu=off").extensions);
    CHECK(parsed("rv64,mmu=off,mmu=on").extensions == kRv64.extensions);
    CHECK(kRv64.extensions.has(Extension::pmp));
    CHECK_FALSE(parsed("max,pmp=off").extensions.has_any({Extension::pmp, Extension::smepmp}));
    CHECK(parsed("rv64").pmu_mask == 0x7fff8);
    CHECK(parsed("max,pmu-mask=0xfffffff8").pmu_mask == 0xffff'fff8);
    CHECK(parsed("rv64,pmu-num=3").pmu_mask == 0x38);
    CHECK(parsed("rv64,pmu-num=29").pmu_mask == 0xffff'fff8);
    CHECK(parsed("rv64,pmu-num=2,pmu-mask=0").pmu_mask == 0);
    CHECK(parsed("rv64,sscofpmf=on").extensions.has_all({Extension::sscofpmf, Extension::zihpm}));
    CHECK_FALSE(kRv64.extensions.has(Extension::sscofpmf));
    CHECK(parsed("rv64,supm=on").extensions.has(Extension::ssnpm));
    CHECK(parsed("rv64,sspm=on").extensions.has(Extension::smnpm));
    CHECK(parsed("rv64,smmpm=on").extensions.has(Extension::mseccfg));
    CHECK(parsed("rv64,ssdbltrp=on").extensions.has(Extension::mtval2));
    CHECK_FALSE(kMax.extensions.has(Extension::smdbltrp));
    // As test suites of the privileged architecture start it.
    CHECK(parsed("max,pmu-mask=0xfffffff8,smdbltrp=true,ssdbltrp=true").extensions.has(Extension::smdbltrp));
    // Profiles as properties.
    CHECK(parsed("rv64i,rva22s64=on").extensions == kRva22s64.extensions);
    CHECK(parsed("rv64i,rva22u64=true").extensions == kRva22u64.extensions);
    CHECK(parsed("rv64i,rva22u64=on,rva22s64=on").extensions == kRva22s64.extensions);
    CHECK(parsed("rva22u64,rva22s64=on").extensions == kRva22s64.extensions);
    CHECK_FALSE(parsed("rv64i").extensions.has_any(
        {Extension::m, Extension::a, Extension::f, Extension::c, Extension::s, Extension::zifencei}));
    CHECK(parsed("rv64i,m=on").extensions.has(Extension::zmmul));
    CHECK(
        parsed("rv64,rva22s64=on").extensions.has_all({Extension::zfa, Extension::svadu, Extension::svade}));
    // Of the schemes Sv39, or what is asked for wherever it stands.
    CHECK(mmu_type(parsed("rv64,rva22s64=on")) == std::string("riscv,sv39"));
    CHECK(mmu_type(parsed("rv64,rva22s64=on,sv57=on")) == std::string("riscv,sv57"));
    CHECK(mmu_type(parsed("rv64,sv48=on,rva22s64=on")) == std::string("riscv,sv48"));
    CHECK(mmu_type(parsed("rv64,rva22u64=on")) == std::string("riscv,sv57"));
    CHECK_FALSE(parsed("rv64i,rva22s64=on,zfhmin=off").extensions.has(Extension::zfhmin));
    CHECK(parsed("rv64i,zfhmin=off,rva22s64=on").extensions.has(Extension::zfhmin));
    // What QEMU's users turn off, or leave on.
    CHECK(parsed("rv64,v=false,h=off,sdtrig=off,mmu=true,pmp=on").extensions == kRv64.extensions);
}

TEST_CASE("-cpu: what cannot be is said in one line") {
    CHECK(refused("z80") == "unknown CPU 'z80' ('help' lists them)");
    CHECK(refused("rv64,zab=on") == "CPU 'rv64' has no property 'zab'");
    CHECK(refused("rv64,priv=off") == "CPU 'rv64' has no property 'priv'");
    CHECK(refused("rv64,zba") == "property 'zba' is 'on' or 'off', not ''");
    CHECK(refused("rv64,zba=maybe") == "property 'zba' is 'on' or 'off', not 'maybe'");
    CHECK(refused("rv64,v=on") == "property 'v' cannot be on: weft does not have this");
    CHECK(refused("max,pmp=off,smepmp=on") == "property 'smepmp' needs 'pmp', which is off");
    CHECK(refused("rv64,mmu=off,sv48=on") == "property 'sv48' needs 'sv39', which is off");
    CHECK(refused("rv64,pmu-mask=7") ==
          "property 'pmu-mask' is a mask of counters 3 to 31 (0xfffffff8 for all), not '7'");
    CHECK(refused("rv64,pmu-mask=on").ends_with("not 'on'"));
    CHECK(refused("rv64,pmu-num=30") == "property 'pmu-num' is a number of counters up to 29, not '30'");
    CHECK(refused("max,zihpm=off,sscofpmf=on") == "property 'sscofpmf' needs 'zihpm', which is off");
    CHECK(refused("rv64,u=off") == "property 'u' cannot be off: weft has no CPU without it");
    CHECK(refused("rv64,zca=off,c=on") == "property 'c' needs 'zca', which is off");
    CHECK(refused("rv64,f=off") == "property 'd' needs 'f', which is off");
    CHECK(refused("rva22s64,s=off,svinval=on") == "property 'svinval' needs 's', which is off");
    CHECK(refused("rv64,sv57=on,sv48=off") == "property 'sv57' needs 'sv48', which is off");
    CHECK(refused("rv64,b=on,zbs=off") == "property 'b' needs 'zbs', which is off");
    CHECK(refused("zba=on") == "the model's name comes first");
    CHECK(refused("rv64i,rva23s64=on") ==
          "profile 'rva23s64' cannot be had: it has the vector and the hypervisor extension, which weft does "
          "not "
          "have");
    CHECK(refused("rv64,rva22u64=off") ==
          "property 'rva22u64' can only be on: what else goes with a profile is not said");
    CHECK(refused("rv64,rva22u64=1") == "property 'rva22u64' is 'on' or 'off', not '1'");
    CHECK(refused("rv64i,rva22s64=on,s=off,svinval=on") == "property 'svinval' needs 's', which is off");
    CHECK(refused("rva23s64") ==
          "CPU 'rva23s64' cannot be had: it has the vector and the hypervisor extension, which weft does not "
          "have");
    CHECK(refused("rva23u64,v=off") ==
          "CPU 'rva23u64' cannot be had: it has the vector extension, which weft does not have");
}

TEST_CASE("translations are a model's own") {
    std::set<uint64_t> ids;
    for (const ExtensionDesc& extension : kExtensions) {
        CpuModel less{"less", kAllExtensions};
        less.extensions.remove(extension.id);
        CHECK(ids.insert(model_id(less)).second);
    }
    CHECK(ids.insert(model_id({"all", kAllExtensions})).second);
    CHECK(model_id(parsed("max")) == model_id(kMax));
}

TEST_CASE("the README lists what there is") {
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
        // The letters' parts go without saying.
        constexpr ExtensionSet kParts = {Extension::zmmul, Extension::zaamo, Extension::zalrsc,
                                         Extension::zca, Extension::zcd};
        CHECK((!extension.listed() || kParts.has(extension.id) || named));
    }
}

}  // namespace
}  // namespace weft::riscv
