#include "tests/isa/state_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include "emulator/guest/riscv/isa/register_names.h"
#include "tests/isa/program_format.h"

namespace weft::isa_test {
namespace {

constexpr size_t kStateWords = sizeof(isa::FinalState) / 8;

// Names of all words, where the state has so many traps.
std::vector<std::string> word_names(uint64_t trap_count) {
    std::vector<std::string> names;
    for (unsigned n = 1; n < 32; ++n) {
        names.push_back(fmt::format("x{} ({})", n, riscv::kGprNames[n]));
    }
    for (unsigned n = 0; n < 32; ++n) {
        names.push_back(fmt::format("f{} ({})", n, riscv::kFprNames[n]));
    }
    for (const char* name : {"fcsr", "mstatus.FS or SD wrong", "sscratch", "number of traps"}) {
        names.emplace_back(name);
    }
    for (uint64_t i = 0; i < std::min(trap_count, isa::kMaxTraps); ++i) {
        for (const char* name : {"cause", "tval", "epc"}) {
            names.push_back(fmt::format("trap {} {}", i, name));
        }
    }
    for (uint64_t i = 0; i < isa::kScratchWords; ++i) {
        names.push_back(fmt::format("memory at {:#x}", isa::kScratchBegin + 8 * i));
    }
    return names;
}

uint64_t trap_count(const std::vector<std::string>& lines) {
    return lines.size() < kStateWords ? 0 : std::strtoull(lines[kStateWords - 1].c_str(), nullptr, 16);
}

// Words by name: where one of two states has more traps, positions differ.
std::map<std::string, std::string> named(const std::vector<std::string>& lines) {
    const std::vector<std::string> names = word_names(trap_count(lines));
    std::map<std::string, std::string> words;
    for (size_t i = 0; i < std::min(names.size(), lines.size()); ++i) {
        words[names[i]] = lines[i];
    }
    return words;
}

std::string value(const std::map<std::string, std::string>& words, const std::string& name) {
    const auto found = words.find(name);
    return found == words.end() ? "nothing" : found->second;
}

}  // namespace

std::string compare_dumps(const std::vector<std::string>& peer, const std::vector<std::string>& weft) {
    constexpr size_t kMost = 40;
    const auto peer_words = named(peer);
    const auto weft_words = named(weft);
    std::string text;
    size_t shown = 0;
    for (const std::string& name : word_names(std::max(trap_count(peer), trap_count(weft)))) {
        const std::string one = value(peer_words, name);
        const std::string other = value(weft_words, name);
        if (one != other && ++shown <= kMost) {
            text += fmt::format("  {}: peer {}, weft {}\n", name, one, other);
        }
    }
    return shown <= kMost ? text : text + fmt::format("  and {} more\n", shown - kMost);
}

}  // namespace weft::isa_test
