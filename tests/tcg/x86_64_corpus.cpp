#include "x86_64_corpus.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

namespace weft::tcg::testing {

using namespace x86_64;

namespace {

constexpr std::array<std::array<std::string_view, kGprCount>, 4> kGprNames = {{
    {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b",
     "r15b"},
    {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w",
     "r15w"},
    {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d",
     "r14d", "r15d"},
    {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
     "r15"},
}};

constexpr std::array<Gpr, 7> kSomeGprs = {Gpr::rax, Gpr::rcx, Gpr::rsp, Gpr::rdi,
                                          Gpr::r8,  Gpr::r12, Gpr::r15};
constexpr std::array<Xmm, 4> kSomeXmms = {Xmm::xmm0, Xmm::xmm5, Xmm::xmm8, Xmm::xmm15};

const std::array<Mem, 29> kSomeMems = {
    Mem(Gpr::rax),
    Mem(Gpr::rbp),
    Mem(Gpr::rsp),
    Mem(Gpr::r12),
    Mem(Gpr::r13),
    Mem(Gpr::rsp, 8),
    Mem(Gpr::r12, -128),
    Mem(Gpr::rax, 127),
    Mem(Gpr::rbp, 128),
    Mem(Gpr::r13, -129),
    Mem(Gpr::rdi, 0x7fffffff),
    Mem(Gpr::r9, -0x7fffffff - 1),
    Mem(Gpr::rcx, Gpr::rdx, 1),
    Mem(Gpr::rbp, Gpr::r9, 2),
    Mem(Gpr::r13, Gpr::rax, 4, 1),
    Mem(Gpr::r12, Gpr::r12, 8, -1000),
    Mem(Gpr::rsp, Gpr::r15, 8),
    Mem(Gpr::rsp, Gpr::rbp, 1, 64),
    Mem::scaled(Gpr::rsi, 4),
    Mem::scaled(Gpr::r10, 8, -5),
    Mem::scaled(Gpr::r13, 2, 0x1234),
    Mem::scaled(Gpr::r12, 1, 16),
    Mem(Gpr::rax).in_gs(),
    Mem(Gpr::r12, 127).in_gs(),
    Mem(Gpr::r13, Gpr::rax, 4, 1000).in_gs(),
    Mem::scaled(Gpr::r10, 8, -5).in_gs(),
    Mem::rip(64).in_gs(),
    Mem::rip(0x12345678),
    Mem::rip(-1),
};

constexpr int kSkipped = 77;

void require_llvm_mc() {
    if (have_llvm_mc())
        return;
    fmt::print("llvm-mc-19 is not installed\n");
    std::exit(kSkipped);
}

// Catch2's assertions cost more than all the rest, so failures are gathered first.
class Failures {
  public:
    void add(std::string text) {
        if (++count_ <= kShown)
            shown_ += text + "\n";
    }
    void report() const {
        INFO(count_ << " failures; the first:\n" << shown_);
        CHECK(count_ == 0);
    }

  private:
    static constexpr size_t kShown = 20;
    size_t count_ = 0;
    std::string shown_;
};

}  // namespace

std::string_view name(Width width, Gpr reg) { return kGprNames[static_cast<size_t>(width)][number_of(reg)]; }

std::string name(Xmm reg) { return fmt::format("xmm{}", number_of(reg)); }

std::string name(unsigned bytes, const Mem& mem) {
    std::string_view size;
    switch (bytes) {
        case 1:
            size = "byte ptr ";
            break;
        case 2:
            size = "word ptr ";
            break;
        case 4:
            size = "dword ptr ";
            break;
        case 8:
            size = "qword ptr ";
            break;
        case 16:
            size = "xmmword ptr ";
            break;
        default:
            break;
    }
    std::string address;
    const auto index = [&] {
        return fmt::format("{}*{}", 1U << mem.scale_log2(), name(Width::q64, mem.index()));
    };
    switch (mem.kind()) {
        case Mem::Kind::base:
            address = name(Width::q64, mem.base());
            break;
        case Mem::Kind::base_index:
            address = fmt::format("{} + {}", name(Width::q64, mem.base()), index());
            break;
        case Mem::Kind::index_only:
            address = index();
            break;
        case Mem::Kind::rip:
            address = "rip";
            break;
        case Mem::Kind::rip_unit:
        case Mem::Kind::rip_label:
            FAIL("this operand has no text of its own");
            break;
    }
    const int64_t disp = mem.disp();
    if (disp != 0)
        address += disp < 0 ? fmt::format(" - {}", -disp) : fmt::format(" + {}", disp);
    return fmt::format("{}{}[{}]", size, mem.gs() ? "gs:" : "", address);
}

std::vector<Gpr> all_gprs() {
    std::vector<Gpr> regs;
    for (unsigned number = 0; number < kGprCount; ++number)
        regs.push_back(static_cast<Gpr>(number));
    return regs;
}

std::vector<Xmm> all_xmms() {
    std::vector<Xmm> regs;
    for (unsigned number = 0; number < kXmmCount; ++number)
        regs.push_back(static_cast<Xmm>(number));
    return regs;
}

std::span<const Gpr> some_gprs() { return kSomeGprs; }
std::span<const Xmm> some_xmms() { return kSomeXmms; }
std::span<const Mem> some_mems() { return kSomeMems; }

std::vector<Mem> all_mems() {
    std::vector<Mem> mems;
    for (const int32_t disp : {0, 1, -1, 127, -128, 128, -129, 0x7fffffff, -0x7fffffff - 1}) {
        mems.push_back(Mem::rip(disp));
        for (const Gpr base : all_gprs()) {
            mems.push_back(Mem(base, disp));
            for (const Gpr index : all_gprs()) {
                if (index == Gpr::rsp)
                    continue;
                for (const unsigned scale : {1U, 2U, 4U, 8U}) {
                    mems.push_back(Mem(base, index, scale, disp));
                    if (base == Gpr::rax)
                        mems.push_back(Mem::scaled(index, scale, disp));
                }
            }
        }
    }
    return mems;
}

void Corpus::check() const {
    require_llvm_mc();
    const std::vector<Code> expected = assemble(texts_);
    Failures failures;
    std::vector<size_t> unequal;
    std::vector<Code> pairs;
    for (size_t i = 0; i < size(); ++i) {
        if (codes_[i] == expected[i])
            continue;
        if (expected[i].empty() || codes_[i].size() > expected[i].size()) {
            failures.add(
                fmt::format("{}: weft {}, llvm-mc {}", texts_[i], to_hex(codes_[i]), to_hex(expected[i])));
            continue;
        }
        unequal.push_back(i);
        pairs.push_back(codes_[i]);
        pairs.push_back(expected[i]);
    }
    const std::vector<std::string> read_back = disassemble(pairs);
    for (size_t i = 0; i < unequal.size(); ++i) {
        const std::string& ours = read_back[2 * i];
        const std::string& theirs = read_back[2 * i + 1];
        if (ours != theirs || ours == "?")
            failures.add(fmt::format("{}: weft {} ({}), llvm-mc {} ({})", texts_[unequal[i]],
                                     to_hex(codes_[unequal[i]]), ours, to_hex(expected[unequal[i]]), theirs));
    }
    INFO(size() << " instructions, " << unequal.size() << " encoded otherwise than by llvm-mc");
    failures.report();
    CHECK(size() != 0);
}

void Corpus::check_disassembly() const {
    require_llvm_mc();
    const std::vector<std::string> read_back = disassemble(codes_);
    Failures failures;
    for (size_t i = 0; i < size(); ++i) {
        if (read_back[i] != texts_[i])
            failures.add(fmt::format("{}: weft {} ({})", texts_[i], to_hex(codes_[i]), read_back[i]));
    }
    failures.report();
    CHECK(size() != 0);
}

}  // namespace weft::tcg::testing
