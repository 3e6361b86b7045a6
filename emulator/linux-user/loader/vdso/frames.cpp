#include "emulator/linux-user/loader/vdso/frames.h"

#include "emulator/linux-user/loader/vdso/bytes.h"

namespace weft::user::vdso {

namespace {

// DWARF's registers of RISC-V (ELF psABI, "DWARF Register Numbers"): x0 to x31, f0 to f31, and a number for an address to return to
// that is in no register.
constexpr unsigned kRa = 1, kSp = 2, kFloat = 32, kAlternateReturn = 64;

// struct rt_sigframe: siginfo of 128 bytes, and ucontext, in which sigcontext begins at 176 with pc and x1 to x31; f0 to f31 follow.
constexpr int64_t kContext = 128 + 176;
constexpr int64_t kFloats = kContext + 32 * 8;

constexpr uint8_t kDefCfa = 0x0c, kDefCfaExpression = 0x0f, kExpression = 0x10;
constexpr uint8_t kDeref = 0x06, kBreg = 0x70;
constexpr uint8_t kPcRelative = 0x1b, kTableRelative = 0x3b,
                  kUnsigned = 0x03;  // of four bytes, the first two signed

std::string address_in_frame(int64_t offset) {
    std::string expression(1, static_cast<char>(kBreg + kSp));
    append_sleb(expression, offset);
    return expression;
}

void append_block(std::string& out, const std::string& block) {
    append_uleb(out, block.size());
    out += block;
}

void saved_at(std::string& out, unsigned reg, int64_t offset) {
    append(out, kExpression);
    append_uleb(out, reg);
    append_block(out, address_in_frame(offset));
}

// The frame below is the interrupted one: its CFA is the sp that it had, and every register lies in the frame.
std::string signal_rules() {
    std::string rules;
    append(rules, kDefCfaExpression);
    append_block(rules, address_in_frame(kContext + kSp * 8) + static_cast<char>(kDeref));
    saved_at(rules, kAlternateReturn, kContext);
    for (unsigned reg = 1; reg < 32; ++reg) {
        saved_at(rules, reg, kContext + reg * 8);
    }
    for (unsigned reg = 0; reg < 32; ++reg) {
        saved_at(rules, kFloat + reg, kFloats + reg * 8);
    }
    return rules;
}

// A function that changes neither sp nor ra.
std::string leaf_rules() {
    std::string rules;
    append(rules, kDefCfa);
    append_uleb(rules, kSp);
    append_uleb(rules, 0);
    return rules;
}

// Length, and padding with no operation.
void append_entry(std::string& out, std::string entry) {
    pad(entry, 4);
    append(out, static_cast<uint32_t>(entry.size()));
    out += entry;
}

void append_cie(std::string& out, bool signal) {
    std::string entry;
    append(entry, uint32_t{0});
    append(entry, uint8_t{1});
    entry += signal ? "zRS" : "zR";
    entry += '\0';
    append_uleb(entry, 1);   // code alignment
    append_sleb(entry, -8);  // data alignment
    append_uleb(entry, signal ? kAlternateReturn : kRa);
    append_uleb(entry, 1);  // of augmentation
    append(entry, kPcRelative);
    entry += signal ? signal_rules() : leaf_rules();
    append_entry(out, entry);
}

}  // namespace

FrameSections frame_sections(const std::vector<FrameRange>& ranges, uint64_t header_offset,
                             uint64_t frames_offset) {
    FrameSections sections;
    std::string& frames = sections.frames;
    const auto difference = [](uint64_t to, uint64_t from) { return static_cast<int32_t>(to - from); };
    append_cie(frames, false);
    const size_t signal_cie = frames.size();
    append_cie(frames, true);
    std::string table;
    for (const FrameRange& range : ranges) {
        const size_t start = frames.size();
        std::string entry;
        append(entry, static_cast<uint32_t>(start + 4 - (range.signal ? signal_cie : 0)));
        append(entry, difference(range.start, frames_offset + start + 8));
        append(entry, static_cast<uint32_t>(range.size));
        append_uleb(entry, 0);  // of augmentation
        append_entry(frames, entry);
        append(table, difference(range.start, header_offset));
        append(table, difference(frames_offset + start, header_offset));
    }
    append(frames, uint32_t{0});
    for (const uint8_t byte : {uint8_t{1}, kPcRelative, kUnsigned, kTableRelative}) {
        append(sections.header, byte);
    }
    append(sections.header, difference(frames_offset, header_offset + 4));
    append(sections.header, static_cast<uint32_t>(ranges.size()));
    sections.header += table;
    return sections;
}

}  // namespace weft::user::vdso
