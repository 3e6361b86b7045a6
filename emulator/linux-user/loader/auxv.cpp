#include "emulator/linux-user/loader/auxv.h"

#include <sys/auxv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/bits.h"

namespace weft::user {

namespace {

constexpr uint64_t kPointer = 8;
constexpr uint64_t kMostOfAString = 32 * kGuestPageSize;   // MAX_ARG_STRLEN, with the zero at its end
constexpr uint64_t kLeastOfStrings = 32 * kGuestPageSize;  // Linux's ARG_MAX, which limits.h of glibc hides

using Words = std::vector<uint64_t>;

// Writes downwards from an address.
class Downwards {
  public:
    explicit Downwards(uint64_t top) : address_(top) {}

    uint64_t put(std::span<const std::byte> data) {
        pieces_.insert(pieces_.end(), data.rbegin(), data.rend());
        return address_ -= data.size();
    }
    uint64_t put(const std::string& text) {
        return put(std::as_bytes(std::span(text.c_str(), text.size() + 1)));
    }
    uint64_t put(const Words& words) { return put(std::as_bytes(std::span(words))); }
    // Zeros until the address is a multiple of 16, `more` bytes later.
    void align(uint64_t more = 0) {
        const uint64_t next = align_down(address_ - more, 16) + more;
        pieces_.resize(pieces_.size() + (address_ - next));
        address_ = next;
    }
    uint64_t address() const { return address_; }
    std::vector<std::byte> bytes() const { return {pieces_.rbegin(), pieces_.rend()}; }

  private:
    uint64_t address_;
    std::vector<std::byte> pieces_;  // from the top on
};

// Puts strings so that the first has the lowest address; adds the addresses in their order, and a null.
Range put_strings(Downwards& stack, const std::vector<std::string>& strings, Words& addresses) {
    const uint64_t end = stack.address();
    const size_t first = addresses.size();
    addresses.resize(first + strings.size() + 1);
    for (size_t i = strings.size(); i > 0; --i) {
        addresses[first + i - 1] = stack.put(strings[i - 1]);
    }
    return {stack.address(), end - stack.address()};
}

// In Linux' order.
Words auxiliary_vector(const AuxValues& values, uint64_t random, uint64_t path) {
    Words vector;
    if (values.vdso != 0) {
        vector = {AT_SYSINFO_EHDR, values.vdso};
    }
    for (const auto& [type, value] :
         std::initializer_list<std::pair<uint64_t, uint64_t>>{{AT_MINSIGSTKSZ, values.min_signal_stack},
                                                              {AT_HWCAP, values.hwcap},
                                                              {AT_PAGESZ, kGuestPageSize},
                                                              {AT_CLKTCK, values.clock_ticks},
                                                              {AT_PHDR, values.phdr_address},
                                                              {AT_PHENT, sizeof(Elf64_Phdr)},
                                                              {AT_PHNUM, values.phdr_count},
                                                              {AT_BASE, values.interpreter_base},
                                                              {AT_FLAGS, values.flags},
                                                              {AT_ENTRY, values.entry},
                                                              {AT_UID, values.uid},
                                                              {AT_EUID, values.euid},
                                                              {AT_GID, values.gid},
                                                              {AT_EGID, values.egid},
                                                              {AT_SECURE, values.secure ? 1 : 0},
                                                              {AT_RANDOM, random},
                                                              {AT_EXECFN, path},
                                                              {AT_NULL, 0}}) {
        vector.insert(vector.end(), {type, value});
    }
    return vector;
}

}  // namespace

uint64_t hwcap(const riscv::CpuModel& model) {
    uint64_t bits = 0;
    for (const char letter : {'I', 'M', 'A', 'F', 'D', 'C'}) {
        bits |= uint64_t{1} << (letter - 'A');
    }
    return bits & riscv::misa(model);
}

ExecResult<> check_stack_size(const StackStrings& strings, uint64_t argument_count, uint64_t stack_limit) {
    const uint64_t limit = std::max(std::min(kMostOfStrings, stack_limit / 4), kLeastOfStrings);
    // Neither count comes near 2^60: each string took memory.
    uint64_t used = (std::max<uint64_t>(argument_count, 1) + strings.environment.size()) * kPointer;
    if (used >= limit) {
        return exec_fail(E2BIG, "too many arguments");
    }
    used += strings.path.size() + 1 + (strings.arguments.empty() ? 1 : 0);
    for (const auto* list : {&strings.arguments, &strings.environment}) {
        for (const std::string& text : *list) {
            if (text.size() >= kMostOfAString) {
                return exec_fail(E2BIG, "an argument is too long");
            }
            used += text.size() + 1;
        }
    }
    if (used > limit) {
        return exec_fail(E2BIG, "arguments and environment are too long");
    }
    return {};
}

InitialStack build_initial_stack(uint64_t top, const StackStrings& strings, const AuxValues& values) {
    InitialStack built{};
    Downwards stack(top);
    stack.put(Words{0});
    const uint64_t path = stack.put(strings.path);
    Words environment;
    built.environment = put_strings(stack, strings.environment, environment);
    const std::vector<std::string> arguments =
        strings.arguments.empty() ? std::vector<std::string>{""} : strings.arguments;
    Words words{arguments.size()};
    built.arguments = put_strings(stack, arguments, words);
    stack.align();
    const uint64_t random = stack.put(values.random);

    const Words vector = auxiliary_vector(values, random, path);
    words.insert(words.end(), environment.begin(), environment.end());
    const size_t vector_start = words.size();
    words.insert(words.end(), vector.begin(), vector.end());
    stack.align(words.size() * kPointer);
    built.sp = stack.put(words);
    built.auxv = {built.sp + vector_start * kPointer, vector.size() * kPointer};
    built.bytes = stack.bytes();
    return built;
}

}  // namespace weft::user
