// Runs a program whose system calls the kernel refuses, as it does for want of memory, of processes or of descriptors: also those that a
// program makes without the C library, as weft makes a guest's calls.
//
//   refuse_calls REPORT at|from N PROGRAM [ARGUMENT]...
//
// Of the calls of the table below, of all processes and threads of the program, the N-th one from 0 on fails, or all from it on, with the
// error that Linux gives there; a call that was interrupted is done when its thread makes it again. They are counted from each process's mark on (kMark), and not from an execve to the next mark: what a
// dynamic linker says of a refusal is no concern of weft's. REPORT becomes a Report of inject.cpp's (injection.py reads it). Ends as the
// program does; 77: no filter can be had here.
//
// By a seccomp filter with notification (seccomp(2), "SECCOMP_RET_USER_NOTIF"): its threads wait in the kernel while a call is looked at.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

namespace {

constexpr int kSkipped = 77;
// sched_get_priority_max(2) of this policy.
constexpr uint64_t kMark = 0x77656674;

struct Refusal {
    int number;
    int error;
};

// Each error is one that the call's manual page names for want of something, or for a signal.
constexpr Refusal kRefusals[] = {
    {SYS_mmap, ENOMEM},       {SYS_munmap, ENOMEM},       {SYS_mprotect, ENOMEM}, {SYS_mremap, ENOMEM},
    {SYS_madvise, ENOMEM},    {SYS_clone, EAGAIN},        {SYS_clone3, EAGAIN},   {SYS_fork, EAGAIN},
    {SYS_vfork, EAGAIN},      {SYS_execve, ENOMEM},       {SYS_openat, EMFILE},   {SYS_pipe2, EMFILE},
    {SYS_socketpair, EMFILE}, {SYS_memfd_create, EMFILE}, {SYS_eventfd2, EMFILE}, {SYS_ftruncate, EINTR},
    {SYS_wait4, EINTR},       {SYS_futex, EINTR},  // waiting alone
    {SYS_membarrier, ENOMEM},                      // its commands alone
};
// Looked at, and done.
constexpr int kSeen[] = {SYS_sched_get_priority_max, SYS_exit_group};

// tests/faults/injection.py
struct Report {
    int64_t failed, calls, allocations, bytes, descriptors, in_handler;
};

bool is_refused(const seccomp_data& call) {
    if (call.nr == SYS_futex) {
        const auto operation = call.args[1] & FUTEX_CMD_MASK;
        return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
    }
    if (call.nr == SYS_membarrier) {
        return call.args[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED ||
               call.args[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
    }
    return true;
}

// The listener of a filter that asks about all calls of the tables, or -1.
int install_filter() {
    std::vector<sock_filter> program = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    };
    const auto ask_about = [&](int number) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    };
    for (const Refusal& refusal : kRefusals) {
        ask_about(refusal.number);
    }
    for (const int number : kSeen) {
        ask_about(number);
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                                    &filter));
}

void send_descriptor(int socket, int descriptor) {
    char byte = 0;
    iovec part = {&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
    }
    (void)sendmsg(socket, &message, 0);
}

int receive_descriptor(int socket) {
    char byte = 0;
    iovec part = {&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) {
        return -1;
    }
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    int descriptor = -1;
    if (header != nullptr) {
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof(descriptor));
    }
    return descriptor;
}

// The process of a thread (proc(5), status), which is what a program and its mark are of.
int process_of(uint32_t thread) {
    std::array<char, 64> name{};
    std::snprintf(name.data(), name.size(), "/proc/%u/status", thread);
    std::FILE* file = std::fopen(name.data(), "re");
    int process = static_cast<int>(thread);
    std::array<char, 256> line{};
    while (file != nullptr && std::fgets(line.data(), line.size(), file) != nullptr) {
        if (std::sscanf(line.data(), "Tgid: %d", &process) == 1) {
            break;
        }
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return process;
}

class Supervisor {
  public:
    Supervisor(int listener, long first, long last) : listener_(listener), first_(first), last_(last) {}

    // Until no process has the filter any more.
    void run() {
        pollfd poll_of = {listener_, POLLIN, 0};
        while (poll(&poll_of, 1, -1) >= 0 || errno == EINTR) {
            if ((poll_of.revents & POLLIN) != 0) {
                answer();
            } else if ((poll_of.revents & (POLLHUP | POLLERR)) != 0) {
                return;
            }
        }
    }
    const Report& report() const { return report_; }

  private:
    void answer() {
        seccomp_notif call{};
        if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
            return;  // whoever made it is gone
        }
        seccomp_notif_resp response{};
        response.id = call.id;
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        if (const Refusal* refusal = refused(call)) {
            response.flags = 0;
            response.error = -refusal->error;
        }
        (void)ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }

    const Refusal* refused(const seccomp_notif& call) {
        const int process = process_of(call.pid);
        if (call.data.nr == SYS_exit_group) {
            starting_.erase(process);
        } else if (call.data.nr == SYS_sched_get_priority_max && call.data.args[0] == kMark) {
            begun_ = true;
            starting_.erase(process);
        }
        const auto* found = std::ranges::find(kRefusals, call.data.nr, &Refusal::number);
        if (found == std::end(kRefusals) || !is_refused(call.data) || !begun_ ||
            starting_.contains(process)) {
            return nullptr;
        }
        const long number = report_.calls++;
        const bool comes_again = found->error == EINTR && interrupted_.erase(call.pid) != 0;
        if (number >= first_ && number <= last_ && !comes_again) {
            if (found->error == EINTR) {
                interrupted_.insert(call.pid);
            }
            report_.failed = 1;
            return found;
        }
        if (call.data.nr == SYS_execve) {
            starting_.insert(process);
        }
        return nullptr;
    }

    const int listener_;
    const long first_;
    const long last_;
    Report report_{};
    bool begun_ = false;
    std::set<uint32_t> interrupted_;  // threads whose last call that may be was
    std::set<int> starting_;          // processes that executed another program, which made no mark yet
};

int end_as(int status) {
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fputs("refuse_calls REPORT at|from N PROGRAM [ARGUMENT]...\n", stderr);
        return 2;
    }
    const long first = std::strtol(argv[3], nullptr, 10);
    const long last = std::string_view(argv[2]) == "from" ? LONG_MAX : first;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return 2;
    }
    const pid_t child = fork();
    if (child == 0) {
        const int listener = install_filter();
        if (listener < 0) {
            std::perror("refuse_calls: seccomp");
        }
        // From here on execve alone is asked about, and the other end knows the listener by then.
        send_descriptor(ends[1], listener);
        close(listener);
        if (listener >= 0) {
            execv(argv[4], argv + 4);
            std::perror(argv[4]);
        }
        _exit(kSkipped);
    }
    close(ends[1]);
    const int listener = receive_descriptor(ends[0]);
    Supervisor supervisor(listener, first, last);
    if (listener >= 0) {
        supervisor.run();
    }
    int status = 0;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    if (std::FILE* file = std::fopen(argv[1], "we")) {
        std::fwrite(&supervisor.report(), sizeof(Report), 1, file);
        std::fclose(file);
    }
    return end_as(status);
}
