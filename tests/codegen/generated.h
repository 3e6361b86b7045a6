// What the translator of RISC-V, the optimizer and the x86-64 backend make of a piece of code, as numbers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tcg/backend.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/opt/optimizer.h"

namespace weft::codegen {

// A host, and a way to guest memory.
struct Target {
    std::string_view name;
    bool level_3;  // what x86-64-v3 has, else x86-64-v2, which the backend asks for (x86-64 psABI, 3.1.1)
    tcg::MemoryModel memory;
};

// Process mode, and last for comparison what a machine's user programs get.
inline constexpr std::array<Target, 3> kTargets = {{
    {"v2", false, {.kind = tcg::MemoryModel::Kind::direct}},
    {"v3", true, {.kind = tcg::MemoryModel::Kind::direct}},
    {"tlb", true, {.kind = tcg::MemoryModel::Kind::table}},
}};

struct HostInsns {
    uint32_t path = 0;   // from the unit's start to its last transfer, where no branch of the guest is taken
    uint32_t whole = 0;  // with side exits and what is out of line

    friend bool operator==(const HostInsns&, const HostInsns&) = default;
};

struct Counts {
    uint32_t insns = 0;  // of the guest
    uint32_t ops = 0;    // of IR, optimized; without those that nobody needs, and without marks
    std::array<HostInsns, kTargets.size()> host{};

    std::string text() const;
    // Of what text() gave; all 0 for other texts.
    static Counts parse(std::string_view text);
    Counts& operator+=(const Counts& other);
    friend bool operator==(const Counts&, const Counts&) = default;
};

// Nothing of it depends on the host: what it makes is read, never run.
class Generator {
  public:
    static Result<Generator> create(const tcg::OptimizeOptions& options);

    // Of the unit that begins at the code's first byte; the ops are the first target's. Error: it does not reach to the code's end.
    Result<Counts> counts(std::span<const uint8_t> code);

  private:
    struct Host;
    explicit Generator(const tcg::OptimizeOptions& options);

    // Leaves the optimized unit in memory_.
    Result<> translate(std::span<const uint8_t> code, bool fixed_pages);
    Result<HostInsns> compile(const Host& host, const ir::Unit& unit) const;

    std::unique_ptr<tcg::UnitMemory> memory_;
    std::unique_ptr<tcg::Optimizer> optimizer_;
    std::vector<std::shared_ptr<const Host>> hosts_;  // as kTargets
};

}  // namespace weft::codegen
