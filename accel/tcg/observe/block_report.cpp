// Reports on translation blocks: which are entered most often, and what they consist of.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <functional>
#include <optional>
#include <vector>

#include "accel/tcg/observe/report.h"

namespace weft::accel {

namespace {

using tcg::TranslationBlock;

// What is looked at while a TB's tree is locked, and kept.
struct Block {
    uint64_t entries;
    uint64_t pc;
    tcg::TbKey key;
    tcg::RxAddress code;
    uint32_t code_size;
    uint16_t guest_size;
    uint16_t insn_count;
    bool invalid;
};

struct Contents {
    std::vector<uint8_t> guest;  // empty: not kept
    std::vector<uint32_t> code;
};

Block block_of(ReportSource& source, const TranslationBlock& tb) {
    const Profile* const profile = source.profile();
    const uint64_t entries = profile != nullptr ? profile->entries(source.cache().offset_of(tb)) : 0;
    return {entries, tb.pc, tb.key, tb.code, tb.code_size, tb.guest_size, tb.insn_count, tb.invalid()};
}

// Jumps in the code may be patched meanwhile: each is one aligned word.
Contents contents_of(const TranslationCache& cache, const TranslationBlock& tb) {
    Contents contents;
    if (tb.saved_bytes != nullptr) {
        contents.guest.assign(tb.saved_bytes, tb.saved_bytes + tb.guest_size);
    }
    auto* words = cache.buffer().to_rw(tb.code).as<uint32_t>();
    for (uint32_t i = 0; i < tb.code_size / sizeof(uint32_t); ++i) {
        contents.code.push_back(std::atomic_ref<uint32_t>(words[i]).load(std::memory_order_relaxed));
    }
    return contents;
}

// By its place: nullopt where it has gone meanwhile.
std::optional<Contents> contents_of(TranslationCache& cache, const Block& block) {
    std::optional<Contents> contents;
    const size_t offset = static_cast<size_t>(block.code - cache.buffer().rx());
    cache.regions().trees().visit_region(cache.regions().layout().region_of(offset),
                                         [&](TranslationBlock& tb) {
                                             if (tb.code == block.code && tb.key == block.key) {
                                                 contents = contents_of(cache, tb);
                                             }
                                         });
    return contents;
}

std::string line(const Block& block, bool profiled, uint64_t total) {
    std::string text;
    if (profiled) {
        text += fmt::format(
            "{:>14} {:>5.1f}%  ", block.entries,
            total == 0 ? 0.0 : 100.0 * static_cast<double>(block.entries) / static_cast<double>(total));
    }
    text += fmt::format("{:016x}  {:>5}  {:>5}  {:>5}  {:016x}  {:010x}  {:x}{}\n", block.pc,
                        block.insn_count, block.guest_size, block.code_size, block.code.value(),
                        block.key.start, block.key.tb_flags, block.invalid ? "  invalid" : "");
    return text;
}

std::string heading(bool profiled) {
    return fmt::format("{}{:<16}  {:>5}  {:>5}  {:>5}  {:<16}  {:<10}  {}\n",
                       profiled ? "       entries  share  " : "", "guest pc", "insns", "bytes", "host",
                       "host pc", "RAM offset", "flags");
}

std::string instructions(TranslationCache& cache, const Block& block) {
    std::optional<Contents> contents = contents_of(cache, block);
    if (!contents) {
        return "(it has gone meanwhile)\n";
    }
    std::string text = "guest:\n";
    if (contents->guest.empty()) {
        text += "(its bytes are kept with profile=on)\n";
    } else {
        const TextSink sink{[](void* opaque, const char* more, size_t length) {
                                static_cast<std::string*>(opaque)->append(more, length);
                            },
                            &text};
        const GuestArch& guest = cache.guest();
        guest.disassemble(guest.model, contents->guest.data(), contents->guest.size(), block.pc, &sink);
    }
    const tcg::CodeWindow window{tcg::RwAddress(reinterpret_cast<uintptr_t>(contents->code.data())),
                                 block.code, block.code_size};
    return text + "host:\n" + cache.backend().disassemble(window) + "\n";
}

template <class T>
bool parse(std::string_view text, int base, T* value) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, *value, base);
    return error == std::errc{} && stop == end;
}

}  // namespace

std::string block_list_report(ReportSource& source, std::string_view arguments) {
    TranslationCache& cache = source.cache();
    if (source.profile() == nullptr) {
        return "entries are counted with profile=on only (-accel tcg,profile=on)\n";
    }
    bool details = false;
    size_t wanted = 10;
    if (arguments.starts_with("-d")) {
        details = true;
        arguments.remove_prefix(std::min<size_t>(arguments.size(), 3));
    }
    if (!arguments.empty() && !parse(arguments, 10, &wanted)) {
        return fmt::format("'{}' is no number\n", arguments);
    }
    EpochDomain::Reader reader(cache.epochs());
    reader.go_online();
    std::vector<Block> blocks;
    blocks.reserve(cache.regions().trees().count());
    uint64_t total = 0;
    cache.regions().trees().visit([&](TranslationBlock& tb) {
        blocks.push_back(block_of(source, tb));
        total += blocks.back().entries;
    });
    wanted = std::min(wanted, blocks.size());
    std::ranges::partial_sort(blocks, blocks.begin() + static_cast<ptrdiff_t>(wanted), std::ranges::greater{},
                              &Block::entries);
    std::string text = fmt::format("{} blocks, entered {} times\n{}", blocks.size(), total, heading(true));
    for (size_t i = 0; i < wanted; ++i) {
        text += line(blocks[i], true, total);
        if (details) {
            text += instructions(cache, blocks[i]);
        }
    }
    return text;
}

std::string block_report(ReportSource& source, std::string_view arguments) {
    TranslationCache& cache = source.cache();
    uint64_t address = 0;
    std::string_view digits = arguments;
    if (digits.starts_with("0x")) {
        digits.remove_prefix(2);
    }
    if (!parse(digits, 16, &address)) {
        return fmt::format("'{}' is no address (hexadecimal, of the guest or of generated code)\n",
                           arguments);
    }
    EpochDomain::Reader reader(cache.epochs());
    reader.go_online();
    std::vector<Block> blocks;
    cache.regions().trees().visit([&](TranslationBlock& tb) {
        const bool at_guest = address - tb.pc < tb.guest_size;
        const bool at_host = address - tb.code.value() < tb.code_size;
        if (at_guest || at_host) {
            blocks.push_back(block_of(source, tb));
        }
    });
    if (blocks.empty()) {
        return fmt::format("no translation contains {:#x}\n", address);
    }
    const bool profiled = source.profile() != nullptr;
    std::string text;
    for (const Block& block : blocks) {
        text += heading(profiled) + line(block, profiled, 0) + instructions(cache, block);
    }
    return text;
}

}  // namespace weft::accel
