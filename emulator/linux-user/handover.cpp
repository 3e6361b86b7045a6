#include "emulator/linux-user/handover.h"

#include <fmt/format.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <limits>
#include <vector>

#include "base/text_values.h"

namespace weft::user {

namespace {

constexpr std::array<int, 2> kSignals = {SIGBUS, SIGSEGV};

}  // namespace

Handover hand_over(Process& process, Sighand& actions) {
    Handover handover{.personality = process.personality(),
                      .space = process.limit(RLIMIT_AS),
                      .data = process.limit(RLIMIT_DATA)};
    for (const int signal : kSignals) {
        if (actions.get(signal).handler == kHandlerIgnore) {
            handover.ignored |= signal_bit(signal);
        }
    }
    return handover;
}

void take_over(Process& process, const Handover& handover) {
    // SET_PERSONALITY of a program for Linux.
    process.set_personality(handover.personality & ~static_cast<uint32_t>(PER_MASK));
    // They were the process's already.
    constexpr bool kPrivileged = true;
    process.set_limit(RLIMIT_AS, handover.space, kPrivileged);
    process.set_limit(RLIMIT_DATA, handover.data, kPrivileged);
    constexpr abi::Sigaction kIgnore{.handler = kHandlerIgnore, .flags = 0, .mask = 0};
    for (const int signal : kSignals) {
        if ((handover.ignored & signal_bit(signal)) != 0) {
            process.sighand().set(signal, &kIgnore, nullptr);
        }
    }
}

std::string handover_text(const Handover& handover) {
    return fmt::format("{:#x},{:#x},{:#x},{:#x},{:#x},{:#x}", handover.personality, handover.space.soft,
                       handover.space.hard, handover.data.soft, handover.data.hard, handover.ignored);
}

Result<Handover> parse_handover(const std::string& text) {
    constexpr size_t kNumbers = 6;
    const std::vector<std::string> words = split(text, ',');
    std::array<uint64_t, kNumbers> numbers{};
    bool good = words.size() == kNumbers;
    for (size_t i = 0; good && i < kNumbers; ++i) {
        const auto number = parse_uint(words[i]);
        good = number.has_value();
        numbers[i] = number.value_or(0);
    }
    if (!good || numbers[0] > std::numeric_limits<uint32_t>::max()) {
        return fail(fmt::format("{} is not what weft tells itself", in_quotes(text)));
    }
    return Handover{.personality = static_cast<uint32_t>(numbers[0]),
                    .space = {.soft = numbers[1], .hard = numbers[2]},
                    .data = {.soft = numbers[3], .hard = numbers[4]},
                    .ignored = numbers[5]};
}

}  // namespace weft::user
