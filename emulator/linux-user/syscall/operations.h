// Calls whose arguments are what an operation among them says: a table row for each operation, in the words of table.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "emulator/linux-user/syscall/arguments.h"

namespace weft::user {

struct Operation {
    uint32_t number;
    std::array<Arg, 6> args;  // of the whole call, the operation among them
};

// Null where there is no row. Any thread.
constexpr const Operation* find_operation(std::span<const Operation> operations, uint32_t number) {
    const auto row = std::ranges::find(operations, number, &Operation::number);
    return row != operations.end() ? &*row : nullptr;
}

}  // namespace weft::user
