// Why a program cannot be executed: as the guest's execve says it, and as weft's user reads it.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace weft::user {

struct ExecError {
    int number;           // errno's
    std::string message;  // one line, without the file's name
};

template <class T = void>
using ExecResult = std::expected<T, ExecError>;

inline std::unexpected<ExecError> exec_fail(int number, std::string message) {
    return std::unexpected(ExecError{number, std::move(message)});
}

}  // namespace weft::user
