#include "tcg/x86_64/fault_operand.h"

namespace weft::tcg::x86_64 {

namespace {

// An opcode of one byte, or with `two_byte` the second one after 0f, with a ModRM byte. The forms that differ in operand
// size alone are apart in the lowest bit, or in prefixes.
struct Form {
    uint8_t opcode;
    bool two_byte;
    bool store;
};

constexpr Form kForms[] = {
    {0x03, false, false},                        // add r, m
    {0x63, false, false},                        // movsxd
    {0x86, false, true},                         // xchg
    {0x87, false, true},  {0x88, false, true},   // mov m, r
    {0x89, false, true},  {0x8a, false, false},  // mov r, m
    {0x8b, false, false}, {0xc6, false, true},   // mov m, imm
    {0xc7, false, true},  {0x10, true, false},   // movss, movsd
    {0x11, true, true},   {0xb0, true, true},    // cmpxchg
    {0xb1, true, true},   {0xb6, true, false},   // movzx
    {0xb7, true, false},  {0xbe, true, false},   // movsx
    {0xbf, true, false},  {0xc0, true, true},    // xadd
    {0xc1, true, true},
};

const Form* find_form(uint8_t opcode, bool two_byte) {
    for (const Form& form : kForms) {
        if (form.opcode == opcode && form.two_byte == two_byte) {
            return &form;
        }
    }
    return nullptr;
}

class Reader {
  public:
    explicit Reader(std::span<const uint8_t> code) : rest_(code) {}

    // 0, and ended() from then on, behind the last byte.
    uint8_t byte() {
        if (rest_.empty()) {
            ended_ = true;
            return 0;
        }
        const uint8_t value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    uint8_t peek() const { return rest_.empty() ? 0 : rest_.front(); }
    int64_t displacement8() { return static_cast<int8_t>(byte()); }
    int64_t displacement32() {
        uint32_t value = 0;
        for (unsigned shift = 0; shift < 32; shift += 8) {
            value |= uint32_t{byte()} << shift;
        }
        return static_cast<int32_t>(value);
    }
    bool ended() const { return ended_; }

  private:
    std::span<const uint8_t> rest_;
    bool ended_ = false;
};

constexpr bool is_plain_prefix(uint8_t byte) {
    return byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
}
constexpr uint8_t kGsPrefix = 0x65;
constexpr unsigned kRexX = 1u << 1;
constexpr unsigned kRexB = 1u << 0;

}  // namespace

std::optional<FaultOperand> fault_operand(std::span<const uint8_t> code,
                                          const std::array<uint64_t, kGprCount>& regs) {
    Reader in(code);
    FaultOperand operand{};
    for (; in.peek() == kGsPrefix || is_plain_prefix(in.peek()); in.byte()) {
        operand.gs = operand.gs || in.peek() == kGsPrefix;
    }
    const unsigned rex = (in.peek() & 0xf0) == 0x40 ? in.byte() : 0;
    const bool two_byte = in.peek() == 0x0f;
    if (two_byte) {
        in.byte();
    }
    const Form* const form = find_form(in.byte(), two_byte);
    if (form == nullptr) {
        return std::nullopt;
    }
    operand.store = form->store;

    const unsigned modrm = in.byte();
    const unsigned mod = modrm >> 6;
    const unsigned rm = modrm & 7;
    if (mod == 3 || (mod == 0 && rm == 5)) {
        return std::nullopt;  // a register; relative to rip
    }
    bool has_base = true;
    unsigned base = rm;
    if (rm == 4) {
        const unsigned sib = in.byte();
        base = sib & 7;
        has_base = mod != 0 || base != 5;
        const unsigned index = (sib >> 3 & 7) | ((rex & kRexX) != 0 ? 8 : 0);
        if (index != number_of(Gpr::rsp)) {
            operand.address = regs[index] << (sib >> 6);
        }
    }
    if (has_base) {
        operand.base = static_cast<Gpr>(base | ((rex & kRexB) != 0 ? 8 : 0));
        operand.address += regs[number_of(*operand.base)];
    }
    int64_t displacement = 0;
    if (mod == 1) {
        displacement = in.displacement8();
    } else if (mod == 2 || !has_base) {
        displacement = in.displacement32();
    }
    operand.address += static_cast<uint64_t>(displacement);
    return in.ended() ? std::nullopt : std::optional(operand);
}

}  // namespace weft::tcg::x86_64
