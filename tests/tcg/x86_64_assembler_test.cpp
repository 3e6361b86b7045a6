// What is not encodings: labels, bounds, patching, the order of the tables, and that the code runs.
#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "tcg/x86_64/assembler.h"

using namespace weft::tcg::x86_64;

namespace {

// "addss" for Simd::addss, out of the compiler's name for this function.
template <auto kValue>
constexpr std::string_view enumerator_name() {
    std::string_view text = __PRETTY_FUNCTION__;
    text = text.substr(0, text.find_first_of(";]", text.find("kValue = ")));
    // A value without an enumerator is printed as a cast: "(weft::...::Simd)33".
    text = text.substr(text.rfind("::") + 2);
    return text.ends_with('_') ? text.substr(0, text.size() - 1) : text;
}

std::string_view name_in(std::string_view row) { return row; }
template <class Row>
std::string_view name_in(const Row& row) {
    return row.name;
}

// The table's rows have the names of the enumerators, in their order, and there is no enumerator beyond the
// table.
template <class Member, const auto& kTable, size_t... kIndex>
void check_order(std::index_sequence<kIndex...>) {
    const std::vector<std::string_view> names = {enumerator_name<static_cast<Member>(kIndex)>()...};
    for (size_t i = 0; i < names.size(); ++i)
        CHECK(names[i] == name_in(kTable[i]));
    CHECK(enumerator_name<static_cast<Member>(kTable.size())>().find(')') != std::string_view::npos);
}
template <class Member, const auto& kTable>
void check_order() {
    check_order<Member, kTable>(std::make_index_sequence<kTable.size()>());
}

// UndefinedBehaviorSanitizer would look for the type of the function in front of it.
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
uint64_t
call_code(const uint8_t* code, uint64_t first, uint64_t second) {
    return reinterpret_cast<uint64_t (*)(uint64_t, uint64_t)>(reinterpret_cast<uintptr_t>(code))(first,
                                                                                                 second);
}

class ExecutableMemory {
  public:
    ExecutableMemory()
        : memory_(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        REQUIRE(memory_ != MAP_FAILED);
    }
    ExecutableMemory(const ExecutableMemory&) = delete;
    ExecutableMemory& operator=(const ExecutableMemory&) = delete;
    ~ExecutableMemory() { munmap(memory_, kBytes); }

    std::span<uint8_t> span() { return {static_cast<uint8_t*>(memory_), kBytes}; }
    void make_executable() { REQUIRE(mprotect(memory_, kBytes, PROT_READ | PROT_EXEC) == 0); }
    uint64_t call(uint32_t offset, uint64_t first, uint64_t second) {
        return call_code(span().data() + offset, first, second);
    }

  private:
    static constexpr size_t kBytes = 65536;
    void* memory_;
};

int32_t signed32_at(std::span<const uint8_t> code, size_t at) {
    int32_t value;
    std::memcpy(&value, code.data() + at, sizeof(value));
    return value;
}

uint64_t seed() {
    const char* const text = std::getenv("WEFT_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 0) : std::random_device()();
}

// One of each kind of emission, so that every path meets the limit.
void emit_some_of_all(Assembler& a) {
    Label forward;
    Label backward;
    a.bind(backward);
    a.add(Width::q64, Gpr::rax, Gpr::r9);
    a.mov_imm(Gpr::r10, 0x123456789abcdef0);
    a.jcc(Cond::ne, forward);
    a.lock_alu(Alu::add, Width::w16, Mem(Gpr::r12, Gpr::r13, 8, 0x12345678), 0x1234);
    a.mov(Width::d32, Gpr::rcx, Mem::rip_label(forward));
    a.jmp_short(forward);
    a.nop(14);
    a.jmp(backward);
    a.jmp_patchable(0);
    a.evex(Simd::addss, Rounding::zero, Xmm::xmm1, Xmm::xmm2, Xmm::xmm3);
    a.align(16);
    a.bind(forward);
    a.data32(0xdeadbeef);
    a.align_data(8);
    a.data64(0x0123456789abcdef);
    a.ret();
}

}  // namespace

TEST_CASE("tables are in the order of their enumerators") {
    check_order<Alu, kAlu>();
    check_order<Shift, kShift>();
    check_order<Unary, kUnary>();
    check_order<BitTest, kBitTest>();
    check_order<DoubleShift, kDoubleShift>();
    check_order<RegRm, kRegRm>();
    check_order<BmiNds, kBmiNds>();
    check_order<BmiCount, kBmiCount>();
    check_order<BmiUnary, kBmiUnary>();
    check_order<Plain, kPlain>();
    check_order<Cond, kCond>();
    check_order<Simd, kSimd>();
    check_order<SimdImm, kSimdImm>();
    check_order<SimdCompare, kSimdCompare>();
    check_order<SimdShift, kSimdShift>();
    check_order<SimdMove, kSimdMove>();
    check_order<ToInt, kToInt>();
    check_order<ToUnsigned, kToUnsigned>();
    check_order<FromInt, kFromInt>();
    check_order<FromUnsigned, kFromUnsigned>();
    check_order<Blend, kBlend>();
    check_order<Mxcsr, kMxcsr>();
}

TEST_CASE("conditions") {
    CHECK(invert(Cond::e) == Cond::ne);
    CHECK(invert(Cond::g) == Cond::le);
    CHECK(invert(Cond::ae) == Cond::b);
    // The same comparison of the same numbers, either way round.
    const auto holds = [](Cond cond, int64_t x, int64_t y) {
        switch (cond) {
            case Cond::e:
                return x == y;
            case Cond::ne:
                return x != y;
            case Cond::l:
                return x < y;
            case Cond::le:
                return x <= y;
            case Cond::g:
                return x > y;
            case Cond::ge:
                return x >= y;
            case Cond::b:
                return static_cast<uint64_t>(x) < static_cast<uint64_t>(y);
            case Cond::be:
                return static_cast<uint64_t>(x) <= static_cast<uint64_t>(y);
            case Cond::a:
                return static_cast<uint64_t>(x) > static_cast<uint64_t>(y);
            case Cond::ae:
                return static_cast<uint64_t>(x) >= static_cast<uint64_t>(y);
            default:
                return false;
        }
    };
    for (const Cond cond :
         {Cond::e, Cond::ne, Cond::l, Cond::le, Cond::g, Cond::ge, Cond::b, Cond::be, Cond::a, Cond::ae}) {
        for (const int64_t x : {-2, -1, 0, 1}) {
            for (const int64_t y : {-2, -1, 0, 1}) {
                CHECK(holds(cond, x, y) == holds(swap_operands(cond), y, x));
                CHECK(holds(cond, x, y) != holds(invert(cond), x, y));
            }
        }
    }
}

TEST_CASE("nothing is written past the limit, and what does not fit is dropped whole") {
    std::vector<uint8_t> whole(4096);
    Assembler reference(whole);
    emit_some_of_all(reference);
    REQUIRE(!reference.overflowed());
    const size_t length = reference.offset();
    CHECK(reference.awaited_references() == 0);

    constexpr uint8_t kGuard = 0xa5;
    for (size_t room = 0; room <= length + 20; ++room) {
        std::vector<uint8_t> buffer(room + 64, kGuard);
        Assembler a(std::span<uint8_t>(buffer).first(room));
        emit_some_of_all(a);
        CAPTURE(room);
        CHECK(a.overflowed() == (room < length));
        CHECK(a.offset() <= room);
        for (size_t i = room; i < buffer.size(); ++i)
            REQUIRE(buffer[i] == kGuard);
        if (!a.overflowed())
            CHECK(std::equal(a.bytes().begin(), a.bytes().end(), whole.begin(), whole.begin() + a.offset()));
    }
}

TEST_CASE("an instruction that fits exactly is written") {
    std::array<uint8_t, 10> buffer{};
    Assembler a(buffer);
    a.mov_imm64(Gpr::rax, ~uint64_t{0});
    CHECK(!a.overflowed());
    CHECK(a.offset() == 10);
    a.ret();
    CHECK(a.overflowed());
    CHECK(a.offset() == 10);
    // One byte would fit now, but nothing follows an overflow.
    a.rewind(0);
    CHECK(!a.overflowed());
    a.nop(9);
    a.mov(Width::q64, Gpr::rax, Gpr::rcx);
    CHECK(a.overflowed());
    a.ret();
    CHECK(a.offset() == 9);
}

TEST_CASE("nothing follows data that did not fit, though there is room") {
    std::array<uint8_t, 64> buffer{};
    Assembler a(buffer);
    a.data(std::vector<uint8_t>(65));
    CHECK(a.overflowed());
    a.ret();
    a.data32(1);
    CHECK(a.bytes().empty());
    a.rewind(0);
    a.data(std::vector<uint8_t>(64, 1));
    CHECK(!a.overflowed());
    CHECK(a.offset() == 64);
}

TEST_CASE("random jumps and references reach their labels") {
    const uint64_t start = seed();
    INFO("WEFT_TEST_SEED=" << start);
    std::mt19937_64 random(start);
    for (int round = 0; round < 200; ++round) {
        std::vector<uint8_t> buffer(65536);
        Assembler a(buffer);
        constexpr size_t kLabels = 12;
        std::vector<Label> labels(kLabels);
        struct Use {
            uint32_t begin, end;
            size_t label;
        };
        std::vector<Use> uses;
        size_t bound = 0;
        const auto bind_next = [&] {
            a.bind(labels[bound]);
            ++bound;
        };
        while (bound < kLabels) {
            const size_t label = random() % kLabels;
            const uint32_t begin = a.offset();
            switch (random() % 9) {
                case 0:
                    a.jmp(labels[label]);
                    break;
                case 1:
                    a.jcc(static_cast<Cond>(random() % 16), labels[label]);
                    break;
                case 2:
                    a.call(labels[label]);
                    break;
                case 3:
                    a.lea(Width::q64, Gpr::rcx, Mem::rip_label(labels[label]));
                    break;
                case 4:
                    a.mov(Width::d32, Mem::rip_label(labels[label]), 0x11223344);
                    break;
                case 5:
                    a.alu(Alu::cmp, Width::d32, Mem::rip_label(labels[label]), 1);
                    break;
                case 6:
                    a.mov(Width::w16, Mem::rip_label(labels[label]), 0x1122);
                    break;
                case 7:
                    a.nop(static_cast<unsigned>(random() % 200));
                    continue;
                default:
                    bind_next();
                    continue;
            }
            uses.push_back({begin, a.offset(), label});
        }
        REQUIRE(!a.overflowed());
        REQUIRE(a.awaited_references() == 0);
        const std::span<const uint8_t> code = a.bytes();
        for (const Use& use : uses) {
            const uint8_t opcode = code[use.begin];
            const int64_t here = use.end;
            int64_t target = -1;
            if (opcode == 0xeb || (opcode & 0xf0) == 0x70)
                target = here + static_cast<int8_t>(code[use.end - 1]);
            else if (opcode == 0xe9 || opcode == 0xe8 || opcode == 0x0f ||
                     opcode == 0x48)  // jmp, call, jcc, lea
                target = here + signed32_at(code, use.end - 4);
            else if (opcode == 0xc7)
                target = here + signed32_at(code, use.begin + 2);
            else if (opcode == 0x83)
                target = here + signed32_at(code, use.begin + 2);
            else if (opcode == 0x66)
                target = here + signed32_at(code, use.begin + 3);
            REQUIRE(target == labels[use.label].position());
        }
    }
}

TEST_CASE("backward jumps are short exactly as far as a byte reaches") {
    for (unsigned distance = 120; distance < 136; ++distance) {
        std::array<uint8_t, 256> buffer{};
        Assembler a(buffer);
        Label label;
        a.bind(label);
        a.nop(distance);
        a.jmp(label);
        CHECK(a.offset() - distance == (distance + 2 <= 128 ? 2U : 5U));
        const uint32_t begin = a.offset();
        a.jcc(Cond::e, label);
        CHECK(a.offset() - begin == (begin + 2 <= 128 ? 2U : 6U));
    }
}

TEST_CASE("several short jumps to one label") {
    std::array<uint8_t, 256> buffer{};
    Assembler a(buffer);
    Label label;
    a.jmp_short(label);
    a.nop(100);
    a.jcc_short(Cond::l, label);
    a.nop(20);
    a.jmp(label);
    CHECK(a.awaited_references() == 3);
    CHECK(label.awaited());
    a.bind(label);
    CHECK(!label.awaited());
    CHECK(a.awaited_references() == 0);
    const uint32_t end = 2 + 100 + 2 + 20 + 5;
    CHECK(label.position() == end);
    CHECK(buffer[1] == end - 2);
    CHECK(buffer[103] == end - 104);
    CHECK(signed32_at(buffer, end - 4) == 0);
}

TEST_CASE("short jumps backwards") {
    std::array<uint8_t, 16> buffer{};
    Assembler a(buffer);
    Label label;
    a.nop(3);
    a.bind(label);
    a.jcc_short(Cond::e, label);
    a.jmp_short(label);
    CHECK(a.offset() == 7);
    CHECK(buffer[3] == 0x74);
    CHECK(buffer[4] == 0xfe);
    CHECK(buffer[5] == 0xeb);
    CHECK(buffer[6] == 0xfc);
}

TEST_CASE("fields of dropped instructions may be patched without effect") {
    std::array<uint8_t, 4> buffer{1, 2, 3, 4};
    Assembler a(buffer);
    const uint32_t field = a.jmp_rel32(0);
    CHECK(a.overflowed());
    a.patch_rel32(field, 100);
    a.patch8(field, 9);
    a.patch64(field, 9);
    CHECK(a.bytes().empty());
    CHECK(buffer == std::array<uint8_t, 4>{1, 2, 3, 4});
}

TEST_CASE("memory operands move") {
    CHECK(Mem(Gpr::rax, 8).plus(-8).disp() == 0);
    CHECK(Mem(Gpr::rax, Gpr::rcx, 4, 8).plus(4).disp() == 12);
    CHECK(Mem(Gpr::rax, Gpr::rcx, 4, 8).plus(4).index() == Gpr::rcx);
}

TEST_CASE("fields are where they are said to be") {
    std::array<uint8_t, 256> buffer{};
    Assembler a(buffer);
    for (unsigned lead = 0; lead < 8; ++lead) {
        a.nop(lead);
        const uint32_t field = a.jmp_patchable(5000);
        CHECK(field % 4 == 0);
        CHECK(field + 4 == a.offset());
        CHECK(buffer[field - 1] == 0xe9);
        CHECK(int64_t{a.offset()} + signed32_at(buffer, field) == 5000);
        a.patch_rel32(field, -1000);
        CHECK(int64_t{a.offset()} + signed32_at(buffer, field) == -1000);
    }
    const uint32_t call = a.call_rel32(-4096);
    CHECK(int64_t{a.offset()} + signed32_at(buffer, call) == -4096);
    const uint32_t imm = a.mov_imm64(Gpr::r11, 1);
    CHECK(imm + 8 == a.offset());
    a.patch64(imm, 0x1122334455667788);
    CHECK(buffer[imm] == 0x88);
    CHECK(a.read32(imm + 4) == 0x11223344);
    // Counted from the end of the instruction, behind the immediate.
    a.mov(Width::d32, Mem::rip_unit(-64), 7);
    CHECK(int64_t{a.offset()} + signed32_at(buffer, a.offset() - 8) == -64);
}

TEST_CASE("the code runs") {
    ExecutableMemory memory;
    Assembler a(memory.span());
    Label loop;
    Label done;
    Label constant;
    Label triple;
    // rdi: how many, rsi: addend. Sums constant + addend * 3 that often.
    a.alu(Alu::xor_, Width::q64, Gpr::rax, Gpr::rax);
    a.call(triple);
    a.bind(loop);
    a.cmp(Width::q64, Gpr::rdi, 0);
    a.jcc(Cond::e, done);
    a.add(Width::q64, Gpr::rax, Mem::rip_label(constant));
    a.add(Width::q64, Gpr::rax, Gpr::rcx);
    a.sub(Width::q64, Gpr::rdi, 1);
    a.jmp(loop);
    a.bind(done);
    a.ret();
    a.bind(triple);
    a.lea(Width::q64, Gpr::rcx, Mem(Gpr::rsi, Gpr::rsi, 2));
    a.ret();
    a.align_data(8);
    a.bind(constant);
    a.data64(1'000'000'007);
    REQUIRE(!a.overflowed());
    REQUIRE(a.awaited_references() == 0);
    memory.make_executable();
    CHECK(memory.call(0, 0, 5) == 0);
    CHECK(memory.call(0, 10, 5) == 10 * uint64_t{1'000'000'022});
}

TEST_CASE("shorter relatives of an instruction have the same results and flags") {
    // The result and the flags of `op reg, imm` as emitted, and of the same with the immediate in a register.
    struct Row {
        bool is_test;
        Alu op;
        int64_t imm;
    };
    const std::vector<Row> rows = {
        {false, Alu::and_, 0},         {false, Alu::and_, 0x7f}, {false, Alu::and_, 0x7fffffff},
        {false, Alu::and_, -2},        {false, Alu::cmp, 0},     {false, Alu::cmp, 1},
        {true, Alu::and_, 1},          {true, Alu::and_, 0x7f},  {true, Alu::and_, 0x80},
        {true, Alu::and_, 0x7fffffff}, {true, Alu::and_, -128}};
    for (const Row& row : rows) {
        for (const Width width : {Width::b8, Width::w16, Width::d32, Width::q64}) {
            const int64_t imm = width == Width::b8    ? static_cast<int8_t>(row.imm)
                                : width == Width::w16 ? static_cast<int16_t>(row.imm)
                                                      : row.imm;
            for (const Gpr reg : {Gpr::rax, Gpr::rdi}) {
                ExecutableMemory memory;
                Assembler a(memory.span());
                const auto emit = [&](bool from_register) {
                    const uint32_t begin = a.offset();
                    a.mov(Width::q64, reg, Gpr::rdi);
                    a.mov_imm(Gpr::rdx, static_cast<uint64_t>(imm));
                    a.plain(Plain::stc);
                    if (row.is_test)
                        from_register ? a.test(width, reg, Gpr::rdx) : a.test(width, reg, imm);
                    else
                        from_register ? a.alu(row.op, width, reg, Gpr::rdx) : a.alu(row.op, width, reg, imm);
                    // result * 32 + overflow, sign, zero, carry, parity
                    a.mov(Width::q64, Gpr::r8, reg);
                    for (const Cond cond : {Cond::o, Cond::s, Cond::e, Cond::b, Cond::p}) {
                        a.set(cond, Gpr::rcx);
                        a.movzx(Width::b8, Gpr::rcx, Gpr::rcx);
                        a.lea(Width::q64, Gpr::r8, Mem(Gpr::rcx, Gpr::r8, 2));
                    }
                    a.mov(Width::q64, Gpr::rax, Gpr::r8);
                    a.ret();
                    return begin;
                };
                const uint32_t immediate = emit(false);
                const uint32_t reference = emit(true);
                REQUIRE(!a.overflowed());
                memory.make_executable();
                for (const uint64_t value :
                     {uint64_t{0}, uint64_t{1}, uint64_t{0x80}, uint64_t{0xff}, uint64_t{0x8000},
                      uint64_t{0x80000000}, uint64_t{0xffffffff80000000}, uint64_t{1} << 63, ~uint64_t{0},
                      uint64_t{0x0123456789abcdef}})
                    REQUIRE(memory.call(immediate, value, 0) == memory.call(reference, value, 0));
            }
        }
    }
}
