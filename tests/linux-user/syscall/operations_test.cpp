// Calls whose arguments are what an operation says: as the host's kernel answers, and what pointers behind pointers come to.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include <csignal>
#include <string>

#include "base/unique_fd.h"
#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/riscv/hwprobe.h"

#include "tests/linux-user/syscall/native_comparison.h"

namespace weft::user {
namespace {

const Word kText = Word::at(0);       // "user.weft"
const Word kFolder = Word::at(64);    // "/tmp"
const Word kInt = Word::at(128);      // 4, and zeros
const Word kMessage = Word::at(192);  // of type 1
const Word kEmpty = Word::at(256);
const Word kOut = Word::at(512);
constexpr uint64_t kBase = uint64_t{1} << 45;

void fill(uint8_t* arena) {
    for (const uint64_t page : {uint64_t{0}, kReadOnly}) {
        std::memset(arena + page, 0, kGuestPage);
        std::strcpy(reinterpret_cast<char*>(arena + page), "user.weft");
        std::strcpy(reinterpret_cast<char*>(arena + page + 64), "/tmp");
        arena[page + 128] = 4;
        arena[page + 192] = 1;
        std::memset(arena + page + 512, 0x5a, 512);
    }
}

std::vector<Case> cases(int semaphores, int queue) {
    const int pid = getpid();
    return {
        {"prctl", {PR_GET_NAME, kOut}},
        {"prctl", {PR_SET_NAME, kText}},
        {"prctl", {PR_GET_PDEATHSIG, kOut}},
        {"prctl", {PR_SET_PDEATHSIG, 65}},
        {"prctl", {PR_GET_CHILD_SUBREAPER, kOut}},
        {"prctl", {PR_GET_DUMPABLE}},
        {"prctl", {PR_SET_DUMPABLE, 7}},
        {"prctl", {PR_GET_KEEPCAPS}},
        {"prctl", {PR_GET_TIMERSLACK}},
        {"prctl", {PR_CAPBSET_READ, 0}},
        {"prctl", {PR_CAPBSET_READ, 9999}},
        {"prctl", {PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0}},
        {"prctl", {PR_GET_NO_NEW_PRIVS, 0, 0, 0, 1}},
        {"prctl", {PR_SET_VMA, 0, 1, 4096, kText}},
        {"prctl", {9999}},
        {"kcmp", {pid, pid, KCMP_VM, 0, 0}},
        {"kcmp", {pid, pid, KCMP_FILE, 910, 911}},
        {"kcmp", {pid, pid, KCMP_FILE, 910, 909}},
        {"kcmp", {pid, pid, KCMP_EPOLL_TFD, 910, kEmpty}},
        {"kcmp", {pid, pid, 99, 0, 0}},
        {"membarrier", {MEMBARRIER_CMD_QUERY, 1}},
        {"membarrier", {MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0}},
        {"membarrier", {MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0}},
        {"membarrier", {3, 0}},
        {"getsockopt", {910, SOL_SOCKET, SO_TYPE, kOut, kInt}},
        {"getsockopt", {910, SOL_SOCKET, SO_PEERCRED, kOut, kInt}},
        {"getsockopt", {910, SOL_SOCKET, SO_GET_FILTER, kOut, kInt}},
        {"getsockopt", {910, SOL_SOCKET, 9999, kOut, kInt}},
        {"getsockopt", {-1, SOL_SOCKET, SO_TYPE, kOut, kInt}},
        {"setsockopt", {910, SOL_SOCKET, SO_KEEPALIVE, kInt, 4}},
        {"setsockopt", {910, SOL_SOCKET, SO_KEEPALIVE, kInt, 3}},
        {"setsockopt", {910, SOL_SOCKET, SO_KEEPALIVE, kInt, -1}},
        {"setsockopt", {910, SOL_SOCKET, SO_ATTACH_FILTER, kEmpty, 16}},
        {"setsockopt", {910, SOL_SOCKET, SO_ATTACH_FILTER, kEmpty, 15}},
        {"setsockopt", {-1, SOL_SOCKET, SO_ATTACH_FILTER, kEmpty, 16}},
        {"semctl", {semaphores, 0, GETALL, kOut}},
        {"semctl", {semaphores, 0, SETALL, kEmpty}},
        {"semctl", {semaphores, 0, SETVAL, 3}},
        {"semctl", {semaphores, 0, GETVAL}},
        {"semctl", {semaphores, 99, GETVAL}},
        {"semctl", {semaphores, 0, IPC_STAT, kOut}, false, true},
        {"semctl", {-1, 0, IPC_STAT, kOut}},
        {"semctl", {-1, 0, IPC_SET, kEmpty}},
        {"semctl", {-1, 0, GETALL, kOut}},
        {"semctl", {0, 0, IPC_INFO, kOut}},
        {"semctl", {0, 0, 777, kOut}},
        {"msgsnd", {queue, kMessage, 4, IPC_NOWAIT}},
        {"msgsnd", {queue, kMessage, -1, IPC_NOWAIT}},
        {"msgsnd", {queue, kMessage, 0x7ffffffe, IPC_NOWAIT}},
        {"msgsnd", {queue, kEmpty, 4, IPC_NOWAIT}},
        {"msgrcv", {queue, kOut, 16, 0, IPC_NOWAIT}},
        {"msgrcv", {queue, kOut, -1, 0, IPC_NOWAIT}},
        {"msgrcv", {queue, kOut, 16, 77, IPC_NOWAIT}},
        {"mq_notify", {-1, kEmpty}},
        {"keyctl", {KEYCTL_CAPABILITIES, kOut, 4}},
        {"keyctl", {KEYCTL_DESCRIBE, -99, kOut, 64}},
        {"keyctl", {KEYCTL_SEARCH, -99, kText, kText, 0}},
        {"keyctl", {KEYCTL_DH_COMPUTE, kEmpty, kOut, 16, 0}},
        {"keyctl", {9999}},
        {"process_vm_readv", {-1, kEmpty, 1, kEmpty, 1, 0}},
        {"process_vm_readv", {pid, kEmpty, 1, kEmpty, 1, 1}},
        {"process_vm_readv", {pid, kEmpty, 2000, kEmpty, 1, 0}},
        {"process_madvise", {-1, kEmpty, 1, 21, 0}},
        {"process_madvise", {-1, kEmpty, 1, 21, 1}},
        {"get_mempolicy", {kOut, 0, 0, 0, 0}},
        {"get_mempolicy", {kOut, 0, 0, 0, 64}},
        {"mbind", {1, 4096, 0, 0, 0, 0}},
        {"mbind", {0, 4096, 77, 0, 0, 0}},
        {"move_pages", {0, 1, kEmpty, 0, kOut, 0}},
        {"move_pages", {0, 0, 0, 0, 0, 0}},
        {"move_pages", {0, 1, kEmpty, 0, kOut, 99}},
        {"getxattrat", {AT_FDCWD, kFolder, 0, kText, kEmpty, 16}},
        {"getxattrat", {AT_FDCWD, kFolder, 0, kText, kEmpty, 15}},
        {"getxattrat", {AT_FDCWD, kFolder, 0, kText, kEmpty, 24}},
        {"getxattrat", {AT_FDCWD, kFolder, 0, kText, kInt, 24}},
        {"getxattrat", {AT_FDCWD, kFolder, 0, kText, kOut, 24}},
        {"getxattrat", {AT_FDCWD, kFolder, 0, kText, kEmpty, 5000}},
        {"setxattrat", {AT_FDCWD, kFolder, 0, kFolder, kEmpty, 16}},
    };
}

template <class T>
void put(Guest& guest, uint64_t offset, const T& value) {
    std::memcpy(guest.at(offset), &value, sizeof(value));
}
template <class T>
T get(Guest& guest, uint64_t offset) {
    T value;
    std::memcpy(&value, guest.at(offset), sizeof(value));
    return value;
}
uint64_t word(int value) { return static_cast<uint64_t>(value); }

// System V objects that go with the test.
struct Semaphores {
    int id = semget(IPC_PRIVATE, 3, 0600);
    ~Semaphores() { semctl(id, 0, IPC_RMID); }
};
struct Queue {
    int id = msgget(IPC_PRIVATE, 0600);
    ~Queue() { msgctl(id, IPC_RMID, nullptr); }
};
struct Pair {
    Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0); }
    ~Pair() {
        close(ends[0]);
        close(ends[1]);
    }
    int ends[2];
};

}  // namespace

TEST_CASE("operations answer as the host's kernel does") {
    const uint64_t base = GENERATE(uint64_t{0}, kBase);
    Guest guest(base);
    Native native;
    Semaphores semaphores;
    Queue queue;
    Pair pair;
    REQUIRE(dup2(pair.ends[0], 910) == 910);
    const UniqueFd same(910);
    Comparison{guest, native, fill}.check_all(cases(semaphores.id, queue.id));
}

TEST_CASE("a socket's filter lies where the guest says") {
    Guest guest(GENERATE(uint64_t{0}, kBase));
    Pair pair;
    const sock_filter accept{BPF_RET | BPF_K, 0, 0, 0xffff};
    struct {
        uint64_t length;
        uint64_t filter;
    } program{1, kArena + 64};
    put(guest, 0, program);
    put(guest, 64, accept);
    const uint64_t end = word(pair.ends[1]);
    CHECK(guest("setsockopt", {end, SOL_SOCKET, SO_ATTACH_FILTER, kArena, 16}) == SyscallOutcome(0));
    put(guest, 512, 1);
    REQUIRE(guest("getsockopt", {end, SOL_SOCKET, SO_GET_FILTER, kArena + 520, kArena + 512}) ==
            SyscallOutcome(0));
    CHECK(std::memcmp(guest.at(520), &accept, sizeof(accept)) == 0);
    // Only half an instruction fits there: its size is that of instructions.
    CHECK(guest("getsockopt", {end, SOL_SOCKET, SO_GET_FILTER, kArena + kGuestPage - 4, kArena + 512}) ==
          SyscallOutcome(-EFAULT));
    for (const uint64_t wild : {kArena + kGuestPage, uint64_t{1} << 45, ~uint64_t{0}}) {
        program.filter = wild;
        put(guest, 0, program);
        CHECK(guest("setsockopt", {end, SOL_SOCKET, SO_ATTACH_FILTER, kArena, 16}) ==
              SyscallOutcome(-EFAULT));
    }
}

TEST_CASE("options with addresses inside are refused where addresses are converted") {
    Guest guest(kBase);
    const UniqueFd socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    put(guest, 512, 64);
    CHECK(guest("getsockopt", {word(socket_.get()), 6, 35 /* TCP_ZEROCOPY_RECEIVE */, kArena,
                               kArena + 512}) == SyscallOutcome(-ENOPROTOOPT));
}

TEST_CASE("the memory of this process, by its id") {
    Guest guest(GENERATE(uint64_t{0}, kBase));
    guest.text(0, "0123456789abcde");
    const uint64_t pid = word(GENERATE(0, 1) != 0 ? getpid() : gettid());
    put(guest, 256, iovec{reinterpret_cast<void*>(kArena + 512), 16});
    put(guest, 272, iovec{reinterpret_cast<void*>(kArena), 16});
    CHECK(guest("process_vm_readv", {pid, kArena + 256, 1, kArena + 272, 1, 0}) == SyscallOutcome(16));
    CHECK(std::memcmp(guest.at(512), "0123456789abcde", 16) == 0);
    put(guest, 256, iovec{reinterpret_cast<void*>(kArena + 8), 8});
    put(guest, 272, iovec{reinterpret_cast<void*>(kArena + 520), 8});
    CHECK(guest("process_vm_writev", {pid, kArena + 256, 1, kArena + 272, 1, 0}) == SyscallOutcome(8));
    // Memory of this program that is not the guest's.
    char own[16] = "";
    put(guest, 272, iovec{own, 8});
    CHECK(guest("process_vm_readv", {pid, kArena + 256, 1, kArena + 272, 1, 0}) == SyscallOutcome(-EFAULT));
    CHECK(guest("process_vm_writev", {pid, kArena + 256, 1, kArena + 272, 1, 0}) == SyscallOutcome(-EFAULT));
}

TEST_CASE("advice for a process") {
    Guest guest(GENERATE(uint64_t{0}, kBase));
    const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    REQUIRE(self.get() >= 0);
    put(guest, 256, iovec{reinterpret_cast<void*>(kArena), kGuestPage});
    guest.at(0)[0] = 7;
    const auto advise = [&](int advice) {
        return guest("process_madvise", {word(self.get()), kArena + 256, 1, word(advice), 0});
    };
    CHECK(advise(MADV_WILLNEED) == SyscallOutcome(static_cast<int64_t>(kGuestPage)));
    CHECK(advise(MADV_DONTNEED) == SyscallOutcome(-EINVAL));
    CHECK(guest.at(0)[0] == 7);
}

TEST_CASE("a notice by a thread's cookie") {
    Guest guest(GENERATE(uint64_t{0}, kBase));
    const std::string name = "/weft-notice-" + std::to_string(getpid());
    const mqd_t queue = mq_open(name.c_str(), O_CREAT | O_RDWR | O_NONBLOCK, 0600, nullptr);
    REQUIRE(queue >= 0);
    mq_unlink(name.c_str());
    const UniqueFd netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    REQUIRE(netlink.get() >= 0);
    guest.text(0, "a cookie of thirty-two bytes...");
    const struct {
        uint64_t value;
        int32_t signal, notify;
        uint64_t rest[6];
    } event{kArena, netlink.get(), SIGEV_THREAD, {}};
    put(guest, 256, event);
    REQUIRE(guest("mq_notify", {word(queue), kArena + 256}) == SyscallOutcome(0));
    REQUIRE(mq_send(queue, "x", 1, 0) == 0);
    char cookie[64] = "";
    CHECK(recv(netlink.get(), cookie, sizeof(cookie), MSG_DONTWAIT) == 32);
    CHECK(std::string(cookie, 31) == "a cookie of thirty-two bytes...");
    mq_close(queue);
}

TEST_CASE("a set of semaphores has the guest's layout") {
    Guest guest;
    Semaphores semaphores;
    const uint64_t id = word(semaphores.id);
    REQUIRE(guest("semctl", {id, 0, IPC_STAT, kArena}) == SyscallOutcome(0));
    abi::SemidDs set = get<abi::SemidDs>(guest, 0);
    semid_ds host{};
    REQUIRE(semctl(semaphores.id, 0, IPC_STAT, &host) == 0);
    CHECK(set.nsems == 3);
    CHECK(set.ctime == host.sem_ctime);
    CHECK(guest.at(sizeof(set))[0] == 0);
    set.perm.mode = 0640;
    put(guest, 0, set);
    REQUIRE(guest("semctl", {id, 0, IPC_SET, kArena}) == SyscallOutcome(0));
    REQUIRE(semctl(semaphores.id, 0, IPC_STAT, &host) == 0);
    CHECK((host.sem_perm.mode & 0777) == 0640);
    // All three values, where only two fit.
    CHECK(guest("semctl", {id, 0, GETALL, kArena + kGuestPage - 4}) == SyscallOutcome(-EFAULT));
}

TEST_CASE("values of an extended attribute lie where the guest says") {
    Guest guest(GENERATE(uint64_t{0}, kBase));
    char name[] = "/tmp/weft-attribute-XXXXXX";
    const UniqueFd file(mkstemp(name));
    const bool supported = setxattr(name, "user.weft", "old", 3, 0) == 0;
    guest.text(0, name);
    guest.text(64, "user.weft");
    guest.text(128, "value");
    struct {
        uint64_t value;
        uint32_t size, flags;
    } args{kArena + 128, 5, 0};
    put(guest, 256, args);
    const uint64_t here = word(AT_FDCWD);
    const SyscallOutcome set = guest("setxattrat", {here, kArena, 0, kArena + 64, kArena + 256, 16});
    if (supported && set != SyscallOutcome(-ENOSYS)) {
        CHECK(set == SyscallOutcome(0));
        char value[8] = "";
        CHECK(getxattr(name, "user.weft", value, sizeof(value)) == 5);
        CHECK(std::string(value) == "value");
        args.value = kArena + 512;
        put(guest, 256, args);
        CHECK(guest("getxattrat", {here, kArena, 0, kArena + 64, kArena + 256, 16}) == SyscallOutcome(5));
        CHECK(std::memcmp(guest.at(512), "value", 5) == 0);
        args.value = uint64_t{1} << 45;
        put(guest, 256, args);
        CHECK(guest("setxattrat", {here, kArena, 0, kArena + 64, kArena + 256, 16}) ==
              SyscallOutcome(-EFAULT));
    }
    unlink(name);
}

TEST_CASE("where the guest's memory lies") {
    Guest guest(GENERATE(uint64_t{0}, kBase));
    std::memset(guest.at(0), 1, 8);
    put(guest, 256, kArena);
    put(guest, 264, kArena + kGuestPage);  // not mapped
    put(guest, 272, uint64_t{1} << 45);
    void* const place = guest.at(0);
    int native[1] = {-1};
    void* pages[1] = {place};
    const long expected = syscall(SYS_move_pages, 0, 1, pages, nullptr, native, 0);
    const SyscallOutcome outcome = guest("move_pages", {0, 3, kArena + 256, 0, kArena + 512, 0});
    if (expected == 0) {
        CHECK(outcome == SyscallOutcome(0));
        CHECK(get<int>(guest, 512) == native[0]);
        CHECK(get<int>(guest, 516) < 0);
        CHECK(get<int>(guest, 520) < 0);
    } else {
        CHECK(outcome == SyscallOutcome(-errno));
    }
    constexpr uint64_t kOfAddress = 2;
    for (const uint64_t address : {kArena, kArena + kGuestPage}) {
        const long policy =
            syscall(SYS_get_mempolicy, native, nullptr, 0, guest.at(address - kArena), kOfAddress);
        const SyscallOutcome same(policy == 0 ? 0 : -errno);
        CHECK(guest("get_mempolicy", {kArena + 512, 0, 0, address, kOfAddress}) == same);
        const long bound = syscall(SYS_mbind, guest.at(address - kArena), kGuestPage, 0, nullptr, 0, 0);
        const SyscallOutcome same_bound(bound == 0 ? 0 : -errno);
        CHECK(guest("mbind", {address, kGuestPage, 0, 0, 0, 0}) == same_bound);
    }
    CHECK(guest("mbind", {uint64_t{1} << 45, kGuestPage, 0, 0, 0, 0}).value < 0);
}

TEST_CASE("prctl: what is not the host's") {
    Guest guest;
    guest.thread->clear_child_tid = 0x1234;
    CHECK(guest("prctl", {PR_GET_TID_ADDRESS, kArena}) == SyscallOutcome(0));
    CHECK(get<uint64_t>(guest, 0) == 0x1234);
    constexpr uint64_t kFlushContext = 71, kVectorControl = 69, kMdwe = 65, kUserDispatch = 59;
    CHECK(guest("prctl", {kFlushContext, 0, 1}) == SyscallOutcome(0));
    CHECK(guest("prctl", {kFlushContext, 1, 0}) == SyscallOutcome(0));
    CHECK(guest("prctl", {kFlushContext, 2, 0}) == SyscallOutcome(-EINVAL));
    CHECK(guest("prctl", {kFlushContext, 0, 2}) == SyscallOutcome(-EINVAL));
    // The host has them: this process would see its calls judged, or could have no translations any more.
    for (const uint64_t option : {uint64_t{PR_GET_TSC}, uint64_t{PR_GET_SECCOMP}, uint64_t{PR_SET_MM},
                                  kVectorControl, kMdwe, kUserDispatch, uint64_t{PR_GET_SPECULATION_CTRL}}) {
        CHECK(guest("prctl", {option, option == PR_GET_TSC ? kArena : 0, 0, 0, 0}) ==
              SyscallOutcome(-EINVAL));
    }
    Program program;
    program.auxv = {kArena + 64, kArena + 96};
    put(guest, 64, uint64_t{6});
    guest.process->loaded(program);
    constexpr uint64_t kGetAuxv = 0x41555856;
    CHECK(guest("prctl", {kGetAuxv, kArena + 512, 9, 0, 0}) == SyscallOutcome(32));
    CHECK(get<uint64_t>(guest, 512) == 6);
    CHECK(guest("prctl", {kGetAuxv, kArena + kGuestPage, 9, 0, 0}) == SyscallOutcome(-EFAULT));
    CHECK(guest("prctl", {kGetAuxv, kArena + 512, 9, 1, 0}) == SyscallOutcome(-EINVAL));
}

TEST_CASE("a barrier for code reaches the translations") {
    struct Code : CodeSync {
        void sync(uint64_t start, uint64_t end, bool all) override {
            whole = start == 0 && end == uint64_t{1} << 45 && all;
        }
        bool whole = false;
    } code;
    ProcessOptions options;
    options.code = &code;
    Guest guest(0, options);
    const SyscallOutcome commands = guest("membarrier", {MEMBARRIER_CMD_QUERY});
    REQUIRE(commands.value > 0);
    CHECK((commands.value &
           (MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)) == 0);
    CHECK(guest("membarrier", {MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ}) == SyscallOutcome(-EINVAL));
    CHECK(guest("membarrier", {MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE}) == SyscallOutcome(0));
    CHECK_FALSE(code.whole);
    CHECK(guest("membarrier", {MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE}) == SyscallOutcome(0));
    CHECK(code.whole);
}

TEST_CASE("hwprobe: pairs, sets, and what cannot be reached") {
    Guest guest;
    const auto probe = [&](uint64_t count, uint64_t size, uint64_t set, uint64_t flags) {
        return guest("riscv_hwprobe", {kArena, count, size, set, flags});
    };
    put(guest, 0, abi::HwprobePair{hwprobe_key::kBaseBehavior, 9});
    put(guest, 16, abi::HwprobePair{9999, 9});
    CHECK(probe(2, 0, 0, 0) == SyscallOutcome(0));
    CHECK(get<abi::HwprobePair>(guest, 0).value == 1);
    CHECK(get<abi::HwprobePair>(guest, 16).key == -1);
    CHECK(get<abi::HwprobePair>(guest, 16).value == 0);
    CHECK(probe(0, 0, 0, 2) == SyscallOutcome(-EINVAL));
    CHECK(probe(0, 8, kArena + 512, 0) == SyscallOutcome(-EINVAL));  // no CPU
    CHECK(probe(0, 8, kArena + kGuestPage, 0) == SyscallOutcome(-EFAULT));
    CHECK(probe(1000, 0, 0, 0) == SyscallOutcome(-EFAULT));
    guest.at(512)[0] = 1;
    CHECK(probe(1, 8, kArena + 512, 0) == SyscallOutcome(0));
    // Which of these CPUs have it: the first, and none that has another value as well.
    put(guest, 0, abi::HwprobePair{hwprobe_key::kBaseBehavior, 1});
    CHECK(probe(1, 8, kArena + 512, kHwprobeWhichCpus) == SyscallOutcome(0));
    CHECK(guest.at(512)[0] == 1);
    put(guest, 0, abi::HwprobePair{hwprobe_key::kBaseBehavior, 3});
    put(guest, 16, abi::HwprobePair{hwprobe_key::kBaseBehavior, 1});
    CHECK(probe(2, 8, kArena + 512, kHwprobeWhichCpus) == SyscallOutcome(0));
    CHECK(guest.at(512)[0] == 0);
    CHECK(probe(1, 0, 0, kHwprobeWhichCpus) == SyscallOutcome(-EINVAL));
}

}  // namespace weft::user
