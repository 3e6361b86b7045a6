#include "emulator/linux-user/debug/signal_numbers.h"

#include <csignal>

namespace weft::user {

namespace {

struct Pair {
    int linux_number;
    int gdb_number;
};

// Those below the real-time signals. SIGPOLL is Linux' SIGIO.
constexpr Pair kPairs[] = {
    {SIGHUP, 1},     {SIGINT, 2},   {SIGQUIT, 3},   {SIGILL, 4},   {SIGTRAP, 5},  {SIGABRT, 6},
    {SIGFPE, 8},     {SIGKILL, 9},  {SIGBUS, 10},   {SIGSEGV, 11}, {SIGSYS, 12},  {SIGPIPE, 13},
    {SIGALRM, 14},   {SIGTERM, 15}, {SIGURG, 16},   {SIGSTOP, 17}, {SIGTSTP, 18}, {SIGCONT, 19},
    {SIGCHLD, 20},   {SIGTTIN, 21}, {SIGTTOU, 22},  {SIGIO, 23},   {SIGXCPU, 24}, {SIGXFSZ, 25},
    {SIGVTALRM, 26}, {SIGPROF, 27}, {SIGWINCH, 28}, {SIGUSR1, 30}, {SIGUSR2, 31}, {SIGPWR, 32},
    {32, 77},        {64, 78},
};
// 33 to 63 follow one another.
constexpr int kFirstRealTime = 33;
constexpr int kLastRealTime = 63;
constexpr int kFirstGdbRealTime = 45;
constexpr int kUnknown = 143;

}  // namespace

int gdb_signal(int signal) {
    for (const Pair& pair : kPairs) {
        if (pair.linux_number == signal) {
            return pair.gdb_number;
        }
    }
    return signal >= kFirstRealTime && signal <= kLastRealTime ? signal - kFirstRealTime + kFirstGdbRealTime
                                                               : kUnknown;
}

int linux_signal(int gdb_number) {
    for (const Pair& pair : kPairs) {
        if (pair.gdb_number == gdb_number) {
            return pair.linux_number;
        }
    }
    const int real_time = gdb_number - kFirstGdbRealTime + kFirstRealTime;
    return real_time >= kFirstRealTime && real_time <= kLastRealTime ? real_time : 0;
}

}  // namespace weft::user
