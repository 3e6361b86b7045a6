// A small code memory and made-up units for the tests of regions and trees.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "tcg/code/regions.h"

namespace weft::tcg::test_code {

inline constexpr size_t kPage = 4096;

struct CodeMemory {
    CodeBuffer buffer;
    std::unique_ptr<RegionAllocator> regions;
};

// Of `size` bytes, for `contexts` vCPUs. Null where something failed.
inline std::unique_ptr<CodeMemory> make_memory(size_t size, unsigned contexts,
                                               EvictMode evict = EvictMode::flush,
                                               SplitWx split = SplitWx::off,
                                               GuardPages guards = GuardPages::each_region,
                                               const HostCalls& calls = HostCalls::real(),
                                               size_t prologue = 500) {
    auto buffer = CodeBuffer::create(size, split, true, calls);
    if (!buffer) {
        return nullptr;
    }
    auto memory = std::make_unique<CodeMemory>(CodeMemory{std::move(*buffer), nullptr});
    auto regions = RegionAllocator::create(
        memory->buffer,
        {.size = 0, .vcpus = contexts, .contexts = contexts, .evict = evict, .guards = guards}, calls);
    if (!regions) {
        return nullptr;
    }
    memory->regions = std::move(*regions);
    const CodeWindow window = memory->regions->runtime_window();
    std::memset(window.bytes(), 0x90, prologue);
    memory->regions->runtime_emitted(prologue);
    return memory;
}

// "Compiles" `size` bytes of `fill` into the context's window, with `jumps` jump sites and a row for every 16 bytes.
// Null where they do not fit (or the host has no memory).
inline TranslationBlock* add_unit(CodeContext& context, size_t size, uint8_t fill = 0xcc, unsigned jumps = 2,
                                  uint64_t guest_start = 0x1000) {
    const CodeWindow window = context.window();
    if (window.size < size) {
        return nullptr;
    }
    std::memset(window.bytes(), fill, size);
    std::vector<InsnRow> rows;
    for (uint32_t end = 16; end <= size; end += 16) {
        rows.push_back({end, static_cast<int32_t>(end / 4)});
    }
    CompiledUnit compiled{};
    compiled.code_size = static_cast<uint32_t>(size);
    compiled.jump_count = static_cast<uint8_t>(jumps);
    for (unsigned i = 0; i < jumps; ++i) {
        compiled.jumps[i] = {8 * i, 8 * i + 4, static_cast<uint16_t>(i)};
    }
    compiled.insns = rows;
    const BlockInfo info{.key = {guest_start, kNoPage, 7},
                         .hash = 99,
                         .state = 0,
                         .guest_size = static_cast<uint16_t>(4 * rows.size()),
                         .insn_count = static_cast<uint16_t>(rows.size()),
                         .saved_bytes = {}};
    return context.add(info, compiled);
}

// Adds units of `size` until the region is full; how many.
inline unsigned fill_region(CodeContext& context, size_t size) {
    unsigned count = 0;
    while (add_unit(context, size) != nullptr) {
        ++count;
    }
    return count;
}

}  // namespace weft::tcg::test_code
