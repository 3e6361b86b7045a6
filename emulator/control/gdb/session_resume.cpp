// How threads go on.
#include <algorithm>

#include "emulator/control/gdb/session.h"

namespace weft::control::gdb {

namespace {

// gdb's numbers go to GDB_SIGNAL_LAST, which is below 256.
std::optional<int> read_signal(std::string_view digits) {
    const auto number = hex_number(digits);
    return number && *number < 256 ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

}  // namespace

// "vCont?". `t` is for non-stop mode, but clients take vCont for whole only with all of the others.
Session::Reply Session::actions_there_are(std::string_view) { return "vCont;c;C;s;S;t"; }

// "ACTION[:thread-id]", of which the action has been announced.
std::optional<Session::Action> Session::read_action(std::string_view text) const {
    std::string_view word = take_until(text, ':');
    Action action{.kind = ThreadAction::Kind::go, .signal = 0, .whom = {-1, -1}};
    if (word.empty()) {
        return std::nullopt;
    }
    const char letter = word.front();
    word.remove_prefix(1);
    switch (letter) {
        case 'c':
        case 'C':
            break;
        case 's':
        case 'S':
            action.kind = ThreadAction::Kind::step;
            break;
        case 't':
            action.kind = ThreadAction::Kind::stay;
            break;
        default:
            return std::nullopt;
    }
    if (letter == 'C' || letter == 'S') {
        const auto signal = read_signal(word);
        if (!signal) {
            return std::nullopt;
        }
        action.signal = *signal;
    } else if (!word.empty()) {
        return std::nullopt;
    }
    if (!text.empty()) {
        const auto id = read_thread_id(text);
        if (!id) {
            return std::nullopt;
        }
        action.whom = *id;
    }
    return action;
}

Session::Reply Session::act(std::string_view arguments) {
    std::vector<Action> actions;
    while (!arguments.empty()) {
        const auto action = read_action(take_until(arguments, ';'));
        if (!action) {
            return std::string(kBadArguments);
        }
        actions.push_back(*action);
    }
    return resume(actions);
}

// "The actions are in order of precedence: for each thread the leftmost that applies."
Session::Reply Session::resume(const std::vector<Action>& actions) {
    std::vector<ThreadAction> each;
    bool any = false;
    for (const uint64_t thread : target_.threads()) {
        const auto found = std::ranges::find_if(actions, [&](const Action& action) {
            const ThreadId& whom = action.whom;
            return (whom.process <= 0 || static_cast<uint64_t>(whom.process) == target_.process()) &&
                   (whom.thread <= 0 || static_cast<uint64_t>(whom.thread) == thread);
        });
        if (found != actions.end()) {
            each.push_back({.thread = thread, .kind = found->kind, .signal = found->signal});
            any = any || found->kind != ThreadAction::Kind::stay;
        }
    }
    if (!any) {
        return std::string(kNoSuchThread);
    }
    running_ = true;
    target_.resume(each);
    return std::nullopt;
}

// c, C, s and S: the thread of Hc, and with c all others.
Session::Reply Session::resume_by_letter(ThreadAction::Kind kind, std::string_view signal_digits,
                                         std::string_view address) {
    // Where to go on: clients set the pc instead, and the register is the architecture's.
    const auto signal = signal_digits.empty() ? std::optional(0) : read_signal(signal_digits);
    if (!signal || !address.empty()) {
        return std::string(kBadArguments);
    }
    const auto thread = pick(continue_);
    if (!thread) {
        return std::string(kNoSuchThread);
    }
    std::vector<Action> actions = {
        {.kind = kind, .signal = *signal, .whom = {0, static_cast<int64_t>(*thread)}}};
    if (continue_.thread <= 0) {
        actions.push_back({.kind = ThreadAction::Kind::go, .signal = 0, .whom = {-1, -1}});
    }
    return resume(actions);
}

Session::Reply Session::go(std::string_view arguments) {
    return resume_by_letter(ThreadAction::Kind::go, {}, arguments);
}

Session::Reply Session::step(std::string_view arguments) {
    return resume_by_letter(ThreadAction::Kind::step, {}, arguments);
}

Session::Reply Session::go_with_signal(std::string_view arguments) {
    const std::string_view signal = take_until(arguments, ';');
    return signal.empty() ? std::string(kBadArguments)
                          : resume_by_letter(ThreadAction::Kind::go, signal, arguments);
}

Session::Reply Session::step_with_signal(std::string_view arguments) {
    const std::string_view signal = take_until(arguments, ';');
    return signal.empty() ? std::string(kBadArguments)
                          : resume_by_letter(ThreadAction::Kind::step, signal, arguments);
}

Session::Reply Session::pass_signals(std::string_view arguments) {
    std::vector<int> signals;
    while (!arguments.empty()) {
        const auto signal = read_signal(take_until(arguments, ';'));
        if (!signal) {
            return std::string(kBadArguments);
        }
        signals.push_back(*signal);
    }
    target_.pass_signals(signals);
    return std::string(kOk);
}

}  // namespace weft::control::gdb
