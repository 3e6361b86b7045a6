#include "runner.h"

#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>

#include "fixtures.h"

namespace differential {

namespace {

constexpr uid_t kNobody = 65534;
constexpr int kSkipped = 77;
constexpr char kFolder[] = "case";

// Those that end or stop the process, wait, or make others: nothing would come after them.
constexpr std::string_view kNotInSequences[] = {
    "clock_nanosleep", "clone",         "clone3",          "epoll_pwait",
    "epoll_pwait2",    "execve",        "execveat",        "exit",
    "exit_group",      "futex",         "futex_wait",      "futex_waitv",
    "futex_requeue",   "kill",          "nanosleep",       "pidfd_send_signal",
    "ppoll",           "prctl",         "pselect6",        "reboot",
    "rt_sigqueueinfo", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
    "setitimer",       "semop",         "semtimedop",      "tgkill",
    "tkill",           "vhangup",       "wait4",           "waitid",
};

std::string error_text(int64_t result) {
    const char* const name = strerrorname_np(static_cast<int>(-result));
    return name != nullptr ? name : std::to_string(result);
}

int remove_one(const char* path, const struct stat*, int, FTW*) { return std::remove(path); }

std::string label(unsigned i, const Value& value) { return std::to_string(i) + "=" + value.label; }

// Each word is the step's: "s2.a0+0x400=1".
std::string of_step(size_t step, const std::string& words) {
    std::string text = "s" + std::to_string(step) + "=";
    const std::string prefix = " s" + std::to_string(step) + ".";
    for (const char c : words) {
        c == ' ' ? text += prefix : text += c;
    }
    return text;
}

}  // namespace

// What a child tells its parent, in memory that both have.
struct Runner::Report {
    bool done;
    char text[32000];
};

Runner::Runner(const Options& options, const std::vector<Call>& calls) : options_(options), calls_(calls) {
    void* const shared =
        mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        std::perror("memory of the report");
        std::exit(2);
    }
    report_ = static_cast<Report*>(shared);
}

void Runner::run_child(const std::vector<Step>& steps) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    // What is mounted or named is so for this call alone.
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS) != 0 || chdir(kFolder) != 0) {
        _exit(kSkipped);
    }
    if (options_.nobody && (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
                            setresuid(kNobody, kNobody, kNobody) != 0)) {
        _exit(kSkipped);
    }
    make_files();
    std::string text;
    for (size_t step = 0; step < steps.size(); ++step) {
        const auto& [call, values] = steps[step];
        uint64_t args[6] = {};
        begin_call();
        for (unsigned i = 0; i < values.size(); ++i) {
            args[i] = resolve(values[i], i);
        }
        const int64_t result = make_call(call->number, args, call->makes_child);
        const bool failed = result < 0 && result >= -4095;
        std::string words = failed ? error_text(result) : std::to_string(result);
        if (!failed && call->gives_descriptor) {
            words += describe_descriptor(result);
        }
        words += changes();
        text += steps.size() == 1 ? words : of_step(step, words) + " ";
        std::snprintf(report_->text, sizeof(report_->text), "%s", text.c_str());
    }
    report_->done = true;
    _exit(0);
}

std::string Runner::run(const std::vector<Step>& steps) {
    report_->done = false;
    report_->text[0] = '\0';
    mkdir(kFolder, 0755);
    if (options_.nobody && chown(kFolder, kNobody, kNobody) != 0) {
        std::exit(kSkipped);
    }
    const pid_t child = fork();
    if (child == 0) {
        run_child(steps);
    }
    setpgid(child, child);
    pollfd ended = {
        .fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0)), .events = POLLIN, .revents = 0};
    const bool blocks = poll(&ended, 1, options_.milliseconds) == 0;
    close(ended.fd);
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    nftw(kFolder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    std::string text = report_->text;
    if (!report_->done) {
        text += blocks                ? "blocks"
                : WIFSIGNALED(status) ? "signal=" + std::to_string(WTERMSIG(status))
                                      : "exit=" + std::to_string(WEXITSTATUS(status));
    }
    return text;
}

bool Runner::chosen(const std::string& name, bool base) const {
    if (!options_.only.empty()) {
        return options_.only.contains(name);
    }
    if (options_.matching &&
        !std::regex_search(name, *options_.matching, std::regex_constants::match_continuous)) {
        return false;
    }
    uint32_t hash = 2166136261;
    for (const char c : name) {
        hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
    }
    return base || (hash >> 8) % options_.parts == options_.part;
}

void Runner::one(const Call& call, const std::string& arguments, const std::vector<const Value*>& values) {
    const std::string name = call.name + call.variant + " " + arguments;
    if (!chosen(name, arguments == "base")) {
        return;
    }
    std::vector<Step> steps = {{&call, {}}};
    for (const Value* const value : values) {
        steps.front().values.push_back(*value);
    }
    for (const Call& next : call.then) {
        steps.push_back({&next, {}});
        for (const Argument& argument : next.arguments) {
            steps.back().values.push_back(argument.values.front());
        }
    }
    std::printf("%s: %s\n", name.c_str(), run(steps).c_str());
    std::fflush(stdout);
}

void Runner::each_argument(const Call& call) {
    std::vector<const Value*> values;
    for (const Argument& argument : call.arguments) {
        values.push_back(&argument.values.front());
    }
    one(call, "base", values);
    for (unsigned i = 0; call.then.empty() && i < values.size(); ++i) {
        const Value* const base = values[i];
        for (size_t k = 1; k < call.arguments[i].values.size(); ++k) {
            values[i] = &call.arguments[i].values[k];
            one(call, label(i, *values[i]), values);
        }
        values[i] = base;
    }
    if (call.then.empty()) {
        pairs(call, values);
    }
}

// Of two things that are wrong, which one is told.
void Runner::pairs(const Call& call, std::vector<const Value*>& values) {
    for (unsigned i = 0; i < values.size(); ++i) {
        for (unsigned j = 0; j < values.size(); ++j) {
            const Argument &first = call.arguments[i], &second = call.arguments[j];
            const Value *const base = values[i], *const other = values[j];
            const auto both = [&](const Value& one_value, const Value& other_value) {
                values[i] = &one_value;
                values[j] = &other_value;
                one(call, label(i, one_value) + "," + label(j, other_value), values);
            };
            for (const Value& bad : first.bad) {
                for (const Value& worse : second.bad) {
                    if (i < j) {
                        both(bad, worse);
                    }
                }
            }
            // A struct of any size, with zeros behind what is known.
            for (const Value& value : first.values) {
                for (const Value& size : second.values) {
                    if (i != j && first.extensible && value.place == Place::zeros &&
                        size.source == Source::number) {
                        both(value, size);
                    }
                }
            }
            values[i] = base;
            values[j] = other;
        }
    }
}

void Runner::sequences(uint32_t seed, unsigned count) {
    constexpr unsigned kSteps = 8, kOtherValues = 4, kEarlierDescriptors = 8, kFirstDescriptor = 3,
                       kDescriptors = 4;
    std::vector<const Call*> calls;
    for (const Call& call : calls_) {
        if (call.in_sequences && call.then.empty() &&
            std::ranges::find(kNotInSequences, call.name) == std::end(kNotInSequences)) {
            calls.push_back(&call);
        }
    }
    for (unsigned number = 0; number < count; ++number) {
        // Its results are the same with each C++ library; those of distributions need not be.
        std::mt19937 random(seed * 1'000'003 + number);
        const auto one_of = [&](size_t choices) { return random() % choices; };
        std::vector<Step> steps;
        std::string description;
        for (unsigned step = 0; step < kSteps; ++step) {
            Step next{calls[one_of(calls.size())], {}};
            description += (step == 0 ? "" : "; ") + next.call->name + next.call->variant;
            for (unsigned i = 0; i < next.call->arguments.size(); ++i) {
                const std::vector<Value>& values = next.call->arguments[i].values;
                const bool other = one_of(kOtherValues) == 0;
                next.values.push_back(values[other ? one_of(values.size()) : 0]);
                Value& value = next.values.back();
                if (value.source == Source::descriptor && one_of(kEarlierDescriptors) == 0) {
                    // Perhaps one that an earlier call gave.
                    value = {.label = "", .number = kFirstDescriptor + one_of(kDescriptors)};
                    value.label = std::to_string(value.number);
                }
                if (value.label != values.front().label) {
                    description += " " + label(i, value);
                }
            }
            steps.push_back(std::move(next));
        }
        const std::string name = "sequence " + std::to_string(seed) + "/" + std::to_string(number);
        if (chosen(name, true)) {
            std::printf("%s: %s\n", name.c_str(), run(steps).c_str());
            std::fflush(stdout);
            std::fprintf(stderr, "%s: %s\n", name.c_str(), description.c_str());
        }
    }
}

}  // namespace differential
