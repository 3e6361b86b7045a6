#include "file_run.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/text_values.h"
#include "random_input.h"

namespace weft::tcg::test {

namespace {

constexpr unsigned kRandomStates = 8;

// Every way to run a unit that a result must not depend on.
std::vector<std::unique_ptr<Harness>> all_ways(bool count_insns) {
    HarnessOptions fast;
    fast.count_insns = count_insns;
    HarnessOptions slow = fast;
    slow.tlb_pages = 0;
    HarnessOptions plain = fast;
    plain.native.pin_registers = false;
    plain.native.own_probes = false;
    plain.native.direct_side_exits = false;
    plain.native.share_tlb_probes = false;
    plain.native.carry_pages = false;
    plain.native.inline_fp_flags = false;
    std::vector<std::unique_ptr<Harness>> ways = all_harnesses_and_memories(fast);
    for (const HarnessOptions& options : {slow, plain}) {
        for (auto& harness : all_harnesses(options)) {
            ways.push_back(std::move(harness));
        }
    }
    return ways;
}

Result<Outcome> same_everywhere(std::span<const std::unique_ptr<Harness>> ways, const ir::Unit& plain,
                                const ir::Unit& optimized, const Input& input) {
    const Outcome first = ways.front()->run(plain, input);
    for (size_t i = 0; i < ways.size(); ++i) {
        for (const ir::Unit* unit : {&plain, &optimized}) {
            const Outcome outcome = ways[i]->run(*unit, input);
            if (const std::string found = difference(first, outcome); !found.empty()) {
                return fail(fmt::format("{} backend{}, way {}: {}", ways[i]->name(),
                                        unit == &optimized ? ", optimized" : "", i, found));
            }
        }
    }
    return first;
}

// Eight bytes that a word names, "[0x7f0008]" or "area[8]"; null where it names none.
uint8_t* place_of(Input& input, std::string_view name) {
    const size_t open = name.find('[');
    if (open == std::string_view::npos || !name.ends_with(']')) {
        return nullptr;
    }
    const auto number = parse_uint(name.substr(open + 1, name.size() - open - 2));
    if (name.starts_with("area[")) {
        return number && *number <= kAreaSize - 8 ? input.state.area + *number : nullptr;
    }
    const uint64_t offset = number.value_or(0) - kMemoryBase;
    return open == 0 && offset <= kMemorySize - 8 ? input.memory.data() + offset : nullptr;
}

bool set(Input& input, std::string_view name, uint64_t value) {
    if (name == "flags") {
        input.fp_flags = static_cast<uint32_t>(value);
    } else if (name == "page") {
        input.page_pc = value;
    } else if (name == "exit_request") {
        input.exit_request = static_cast<uint32_t>(value);
    } else if (name == "budget") {
        input.insn_budget = static_cast<int64_t>(value);
    } else if (uint8_t* place = place_of(input, name)) {
        std::memcpy(place, &value, sizeof(value));
    } else {
        const auto number = name.empty() ? std::nullopt : parse_uint(name.substr(1));
        if (name.starts_with('r') && number && *number < kIntGlobals) {
            input.state.regs[*number] = value;
        } else if (name.starts_with('f') && number && *number < kFpGlobals) {
            input.state.fp_regs[*number] = value;
        } else if (name.starts_with('w') && number && *number < kWordGlobals) {
            input.state.words[*number] = static_cast<uint32_t>(value);
        } else {
            return false;
        }
    }
    return true;
}

std::string exit_text(const Outcome& outcome) {
    switch (outcome.exit) {
        case ExitKind::goto_tb:
            return fmt::format("goto_tb pc={:#x}", outcome.pc);
        case ExitKind::indirect:
            return fmt::format("lookup_and_goto_ptr pc={:#x}", outcome.pc);
        case ExitKind::lookup:
            return fmt::format("lookup pc={:#x}", outcome.pc);
        case ExitKind::halt:
            return fmt::format("halt pc={:#x}", outcome.pc);
        case ExitKind::yield:
            return fmt::format("yield pc={:#x}", outcome.pc);
        case ExitKind::fault:
            break;
    }
    return fmt::format("fault pc+{:#x}", outcome.fault_pc_offset);
}

uint64_t word_at(const uint8_t* bytes) {
    uint64_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
}

// How it left, and every thing that is other than before.
std::string outcome_text(const Input& input, const Outcome& outcome, bool counts) {
    std::string text = ' ' + exit_text(outcome);
    const auto show = [&text](const std::string& name, uint64_t before, uint64_t after) {
        if (before != after) {
            text += fmt::format(" {}={:#x}", name, after);
        }
    };
    for (unsigned i = 0; i < kIntGlobals; ++i) {
        show(fmt::format("r{}", i), input.state.regs[i], outcome.state.regs[i]);
    }
    for (unsigned i = 0; i < kWordGlobals; ++i) {
        show(fmt::format("w{}", i), input.state.words[i], outcome.state.words[i]);
    }
    for (unsigned i = 0; i < kFpGlobals; ++i) {
        show(fmt::format("f{}", i), input.state.fp_regs[i], outcome.state.fp_regs[i]);
    }
    for (size_t i = 0; i < kAreaSize; i += 8) {
        show(fmt::format("area[{}]", i), word_at(input.state.area + i), word_at(outcome.state.area + i));
    }
    for (size_t i = 0; i < kMemorySize; i += 8) {
        show(fmt::format("[{:#x}]", kMemoryBase + i), word_at(&input.memory[i]), word_at(&outcome.memory[i]));
    }
    show("flags", input.fp_flags, outcome.fp_flags);
    show("page", input.page_pc, outcome.page_pc);
    // These two are mixtures of all that was seen: compared between backends, and no reader could say what they should be.
    text += input.state.helper_trace != outcome.state.helper_trace ? " traced" : "";
    text += input.state.exception != outcome.state.exception ? " raised" : "";
    if (counts) {
        text += fmt::format(" budget={}", outcome.insn_budget);
    }
    return text + '\n';
}

}  // namespace

Result<> same_from_random_states(const ir::Unit& plain, const ir::Unit& optimized) {
    const auto ways = all_ways(false);
    const uint64_t seed = test_seed(1);
    std::mt19937_64 random(seed);
    for (unsigned i = 0; i < kRandomStates; ++i) {
        const auto same = same_everywhere(ways, plain, optimized, random_input(random));
        if (!same) {
            return std::unexpected(same.error().within(fmt::format("WEFT_TEST_SEED={}, state {}", seed, i)));
        }
    }
    return {};
}

Result<std::string> run_everywhere(const ir::Unit& plain, const ir::Unit& optimized,
                                   const std::vector<std::string>& words) {
    Input input;
    bool counts = false;
    for (const std::string& word : words) {
        const size_t equals = word.find('=');
        const auto value = equals == std::string::npos
                               ? std::nullopt
                               : parse_uint(std::string_view(word).substr(equals + 1));
        if (!value || !set(input, std::string_view(word).substr(0, equals), *value)) {
            return fail(fmt::format("{} sets nothing", in_quotes(word)));
        }
        counts = counts || word.starts_with("budget=");
    }
    const auto outcome = same_everywhere(all_ways(counts), plain, optimized, input);
    return outcome ? Result<std::string>(outcome_text(input, *outcome, counts))
                   : std::unexpected(outcome.error());
}

}  // namespace weft::tcg::test
