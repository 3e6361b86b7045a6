#include "emulator/linux-user/syscall/dispatch.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/strace.h"

namespace weft::user {

namespace {

using Function = SyscallOutcome (*)(CallContext&);

struct Implemented {
    std::string_view name;
    Function function;
};

constexpr Implemented kImplemented[] = {
#define WEFT_USER_BIND(name) {#name, calls::name},
    WEFT_USER_CALLS(WEFT_USER_BIND)
#undef WEFT_USER_BIND
};

// Number, name and policy of each row of table.h.
struct Row {
    uint16_t number;
    std::string_view name;
    Policy::Kind policy;
};

constexpr Policy::Kind own = Policy::Kind::own;
constexpr Policy::Kind pass = Policy::Kind::pass;
constexpr Policy::Kind enosys(std::string_view) { return Policy::Kind::enosys; }

constexpr auto kRows = std::to_array<Row>({
#define WEFT_ROW(number, name, policy, ...) {number, #name, policy},
    WEFT_USER_SYSCALLS(WEFT_ROW)
#undef WEFT_ROW
});

constexpr long functions_of(std::string_view name) {
    return std::ranges::count(kImplemented, name, &Implemented::name);
}
constexpr bool has_row(std::string_view name) { return std::ranges::count(kRows, name, &Row::name) == 1; }

static_assert(std::ranges::all_of(kRows,
                                  [](const Row& row) {
                                      return functions_of(row.name) == (row.policy == own ? 1 : 0);
                                  }),
              "each own call, and no other, has its function");
static_assert(std::ranges::all_of(kImplemented, has_row, &Implemented::name));

constexpr size_t kNumbers = 1 + std::ranges::max_element(kRows, {}, &Row::number)->number;

constexpr auto kFunctions = [] {
    std::array<Function, kNumbers> functions{};
    for (const Row& row : kRows) {
        for (const Implemented& implemented : kImplemented) {
            if (implemented.name == row.name) {
                functions[row.number] = implemented.function;
            }
        }
    }
    return functions;
}();

SyscallOutcome perform(Thread& thread, const Syscall* row, const std::array<uint64_t, 6>& args) {
    if (row == nullptr) {
        return -ENOSYS;
    }
    CallContext call(thread, *row, args);
    if (row->policy.kind == Policy::Kind::pass) {
        return call.pass();
    }
    // Null for those that are not offered.
    const Function function = kFunctions[row->number];
    return function != nullptr ? function(call) : -ENOSYS;
}

SyscallOutcome perform_or_no_memory(Thread& thread, const Syscall* row, const std::array<uint64_t, 6>& args) {
    try {
        return perform(thread, row, args);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;  // weft's own memory
    }
}

// A part of the log for which there is no memory is missing: the call is what it is.
template <class Text>
void write_log(Log* log, Text text) {
    if (log == nullptr) {
        return;
    }
    try {
        log->write(text());
    } catch (const std::bad_alloc&) {
        log->write("(out of memory)\n");
    }
}

}  // namespace

SyscallOutcome dispatch(Thread& thread, uint64_t number, const std::array<uint64_t, 6>& args) {
    Log* const strace = thread.process.options().strace;
    write_log(strace, [&] { return strace_call(thread.tid, number, args, thread.process.memory()); });
    const SyscallOutcome outcome = perform_or_no_memory(thread, find_syscall(number), args);
    write_log(strace, [&] {
        return outcome.kind == SyscallOutcome::Kind::value ? strace_result(number, outcome.value)
                                                           : std::string("\n");
    });
    return outcome;
}

}  // namespace weft::user
