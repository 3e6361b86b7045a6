// Each row of the instruction tables with operands at which it could go wrong: all combinations of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/guest/riscv/isa/insn_table.h"
#include "tests/isa/program_format.h"

namespace weft::isa_test {

// All values that jobs use, each set of them a range.
struct ValueRange {
    uint64_t first = 0;
    uint64_t count = 0;
};

struct CornerSuite {
    std::vector<uint64_t> values;
    std::vector<isa::CornerJob> jobs;
    std::vector<riscv::InsnId> rows;  // by job; of jobs with what is no instruction, any row
};

// `full`: the squares of all corners rather than products with the most telling of them.
CornerSuite make_corner_suite(bool full);

// The jobs as the guest finds them.
std::string corner_program(const CornerSuite& suite, const std::vector<isa::CornerJob>& jobs);

// A job's instructions, for people.
std::string describe(const isa::CornerJob& job);

// Why there is no job of this row; empty where there is.
std::string_view reason_without_corners(riscv::InsnId id);

}  // namespace weft::isa_test
