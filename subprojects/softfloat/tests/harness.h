#pragma once

// Comparing the library with the oracle, many times over.

#include <array>
#include <cinttypes>
#include <cstdio>
#include <initializer_list>
#include <string>

#include "catch.h"

#include "inputs.h"
#include "oracle.h"

namespace harness {

using oracle::Outcome;
using softfloat::Context;
using softfloat::Rounding;

inline constexpr std::array kRoundings = {Rounding::nearest_even, Rounding::toward_zero, Rounding::down,
                                          Rounding::up, Rounding::nearest_away};

template <class F>
inline constexpr oracle::Format kFormatOf = oracle::kBinary64;
template <>
inline constexpr oracle::Format kFormatOf<softfloat::F16> = oracle::kBinary16;
template <>
inline constexpr oracle::Format kFormatOf<softfloat::F32> = oracle::kBinary32;

template <class F>
F make(uint64_t bits) {
    return F{static_cast<decltype(F::bits)>(bits)};
}

/// Runs `operation` with a fresh context and gives what it returned and raised.
template <class Operation>
Outcome observe(Rounding rounding, Operation operation) {
    Context context{rounding, 0};
    const uint64_t bits = operation(context);
    return {bits, context.flags};
}

/// Counts comparisons and shows the first few that fail; Catch2's own assertions would take most of the time.
class Report {
  public:
    explicit Report(std::string operation) : operation_(std::move(operation)) {}
    ~Report() {
        INFO(operation_ << ", WEFT_TEST_SEED=" << inputs::seed());
        CHECK(compared_ > 0);
        CHECK(failed_ == 0);
    }
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;

    void compare(Rounding rounding, std::initializer_list<uint64_t> operands, const Outcome& expected,
                 const Outcome& got) {
        ++compared_;
        if (expected == got || ++failed_ > kShown) {
            return;
        }
        std::string text = operation_ + " rounding " + std::to_string(static_cast<int>(rounding)) + " of";
        for (const uint64_t operand : operands) {
            text += ' ' + hex(operand);
        }
        text += ": expected " + hex(expected.bits) + " flags " + hex(expected.flags) + ", got " +
                hex(got.bits) + " flags " + hex(got.flags);
        FAIL_CHECK(text);
    }

  private:
    static constexpr int kShown = 5;

    static std::string hex(uint64_t value) {
        std::array<char, 24> buffer;
        std::snprintf(buffer.data(), buffer.size(), "0x%" PRIx64, value);
        return buffer.data();
    }

    std::string operation_;
    long compared_ = 0;
    long failed_ = 0;
};

}  // namespace harness
