// Random cases for the comparison of emulators: unlike the programs of tests/riscv/random_program.h, these trap,
// loop, call, misalign, set reserved rounding modes and run in all privilege modes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/isa/program_format.h"
#include "tests/isa/sequence.h"
#include "tests/riscv/random_program.h"

namespace weft::isa_test {

// What a case is mostly made of.
enum class CaseFamily : uint8_t { integer, floating, memory, atomic, compressed, system, mixed };
inline constexpr unsigned kCaseFamilies = 7;
std::string_view case_family_name(CaseFamily family);

struct RandomCase {
    CaseFamily family = CaseFamily::mixed;
    isa::Case start{};  // sizes are not filled in
    Sequence sequence;

    // The case as the guest finds it, with the first `kept` instructions of its sequence.
    std::string bytes(uint32_t kept) const;
    std::string bytes() const { return bytes(sequence.size()); }
    // What it starts with and its code, for people.
    std::string describe() const;
};

// The same case for the same seed. Counts the instructions in *coverage (may be null).
RandomCase make_random_case(uint64_t seed, CaseFamily family, unsigned insns, riscv::InsnCoverage* coverage);

// Why random cases have no instruction of this row; empty where they do.
std::string_view reason_not_in_random_cases(riscv::InsnId id);

}  // namespace weft::isa_test
