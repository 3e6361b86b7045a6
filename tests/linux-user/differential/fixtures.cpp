#include "fixtures.h"

#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <utility>

namespace differential {

namespace {

constexpr char kText[] = "0123456789abcdefghijklmnopqrstuvwxyz";
// Made descriptors have numbers from here on, by their place in the table: so those that calls give are the same.
constexpr int kFirstDescriptor = 100;

int pair_of(int end) {
    int fds[2];
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0 ? fds[end] : -1;
}

int pipe_end(int end, bool full) {
    int fds[2];
    if (pipe2(fds, O_NONBLOCK) != 0) {
        return -1;
    }
    if (full && write(fds[1], kText, 20) != 20) {
        return -1;
    }
    // The other end stays open, far away.
    fcntl(fds[1 - end], F_DUPFD, 300);
    close(fds[1 - end]);
    return fds[end];
}

int listening() {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listening"};
    return bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0 && listen(fd, 1) == 0 ? fd : -1;
}

int internet(int type) {
    const int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name));
    return fd;
}

int memory_file() {
    const int fd = static_cast<int>(syscall(SYS_memfd_create, "memory", 2U));  // MFD_ALLOW_SEALING
    return write(fd, kText, sizeof(kText)) > 0 ? fd : -1;
}

int queue() {
    mq_attr attributes{};
    attributes.mq_maxmsg = 2;
    attributes.mq_msgsize = 16;
    const int fd = mq_open("/queue", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
    mq_send(fd, "message", 8, 3);
    return fd;
}

int signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return signalfd(-1, &set, SFD_NONBLOCK);
}

struct Made {
    std::string name;
    std::function<int()> make;
    int fd = -1;
};

std::vector<Made>& descriptors() {
    static std::vector<Made> table = {
        {"file", [] { return open("file", O_RDWR); }},
        {"read-file", [] { return open("file", O_RDONLY); }},
        {"write-file", [] { return open("file", O_WRONLY | O_APPEND); }},
        {"folder", [] { return open("dir", O_RDONLY | O_DIRECTORY); }},
        {"path-only", [] { return open("file", O_PATH); }},
        {"path-folder", [] { return open("dir", O_PATH); }},
        {"pipe", [] { return pipe_end(0, true); }},
        {"pipe-in", [] { return pipe_end(1, false); }},
        {"socket", [] { return pair_of(0); }},
        {"listening", listening},
        {"udp", [] { return internet(SOCK_DGRAM); }},
        {"tcp", [] { return internet(SOCK_STREAM); }},
        {"epoll", [] { return epoll_create1(0); }},
        {"eventfd", [] { return eventfd(3, EFD_NONBLOCK); }},
        {"timerfd", [] { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK); }},
        {"signalfd", signals},
        {"inotify", [] { return inotify_init1(IN_NONBLOCK); }},
        {"memfd", memory_file},
        {"pidfd", [] { return static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)); }},
        {"null", [] { return open("/dev/null", O_RDWR); }},
        {"zero", [] { return open("/dev/zero", O_RDWR); }},
        {"namespace", [] { return open("/proc/self/ns/uts", O_RDONLY); }},
        {"queue", queue},
        {"root", [] { return open("/", O_RDONLY | O_DIRECTORY); }},
    };
    return table;
}

int descriptor(const std::string& name) {
    if (name == "cwd") {
        return AT_FDCWD;
    }
    std::vector<Made>& table = descriptors();
    for (size_t i = 0; i < table.size(); ++i) {
        if (table[i].name == name) {
            if (table[i].fd == -1) {
                const int fd = table[i].make();
                table[i].fd = fd < 0 ? 899 : dup2(fd, kFirstDescriptor + static_cast<int>(i));
                if (fd >= 0) {
                    close(fd);
                }
            }
            return table[i].fd;
        }
    }
    return 898;
}

pid_t child_that(bool ends) {
    const pid_t child = fork();
    if (child == 0) {
        ends ? _exit(3) : static_cast<void>(pause());
        _exit(4);
    }
    if (ends) {
        siginfo_t info;
        waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    }
    return child;
}

// Numbers of objects that calls are about.
int64_t process(const std::string& name) {
    if (name == "self") {
        return getpid();
    }
    if (name == "dead" || name == "child") {
        return child_that(name == "dead");
    }
    if (name == "messages") {
        const int id = msgget(IPC_PRIVATE, 0600);
        const struct {
            long type;
            char text[8];
        } message = {5, "hello"};
        msgsnd(id, &message, 6, 0);
        return id;
    }
    if (name == "semaphores") {
        return semget(IPC_PRIVATE, 3, 0600);
    }
    if (name == "shared") {
        return shmget(IPC_PRIVATE, 8192, 0600);
    }
    if (name == "timer") {
        timer_t timer = nullptr;
        sigevent event{};
        event.sigev_notify = SIGEV_NONE;
        int id = -1;
        syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id);
        (void)timer;
        return id;
    }
    return -1;
}

// Pages of their own for calls about memory: eight that may be written, three that may not, five that may be read, three that are not there.
constexpr uint64_t kPages = kArena + 0x100000;
constexpr std::pair<const char*, uint64_t> kAddresses[] = {
    {"pages", kPages},
    {"pages+1", kPages + 1},
    {"pages+7", kPages + 0x7000},
    {"forbidden-pages", kPages + 0x8000},
    {"read-only-pages", kPages + 0xb000},
    {"last-page", kPages + 0xf000},
    {"no-pages", kPages + 0x10000},
    {"file-pages", kPages + 0x20000},
    {"shared-pages", kPages + 0x30000},
};

struct Slot {
    bool used = false;
    uint64_t at = 0;
    const Value* value = nullptr;
    std::vector<uint8_t> before, nested_before;
};
Slot slots[6];

uint8_t* memory(uint64_t address) { return reinterpret_cast<uint8_t*>(address); }

void put_links(uint8_t* bytes, const std::vector<uint32_t>& links, uint64_t nested) {
    for (const uint32_t at : links) {
        uint64_t word = 0;
        std::memcpy(&word, bytes + at, sizeof(word));
        word += nested;
        std::memcpy(bytes + at, &word, sizeof(word));
    }
}

uint64_t put(const Value& value, unsigned number) {
    const uint64_t slot = kArena + number * kSlotSize, nested = slot + kNestedAt;
    const size_t size = value.bytes.size();
    uint64_t at = slot + kStart;
    switch (value.place) {
        case Place::start:
            break;
        case Place::zeros:
            std::memset(memory(at), 0, slot + kWritable - at);
            break;
        case Place::end:
            at = slot + kWritable - size;
            break;
        case Place::cut:
            at = slot + kWritable - size + 1;
            break;
        case Place::odd:
            at += 1;
            break;
        case Place::read_only:
            at = slot + kReadOnlyAt;
            mprotect(memory(at), 0x1000, PROT_READ | PROT_WRITE);
            break;
    }
    const size_t room = slot + kWritable - at;
    std::vector<uint8_t> bytes = value.bytes;
    put_links(bytes.data(), value.links, nested);
    std::memcpy(memory(at), bytes.data(), value.place == Place::cut ? std::min(room, size) : size);
    if (value.place == Place::read_only) {
        mprotect(memory(at), 0x1000, PROT_READ);
    }
    if (!value.nested.empty()) {
        bytes = value.nested;
        put_links(bytes.data(), value.nested_links, nested);
        std::memcpy(memory(nested), bytes.data(), bytes.size());
    }
    slots[number] = {true,
                     at,
                     &value,
                     {memory(slot), memory(slot + kWritable)},
                     {memory(nested), memory(nested + 0x1000)}};
    return at;
}

sigjmp_buf unreadable;
void on_fault(int) { siglongjmp(unreadable, 1); }

// Fields that are others now. What the struct takes counts as compared.
void compare_fields(std::string& text, unsigned number, Slot& slot) {
    const uint64_t start = kArena + number * kSlotSize, in_slot = slot.at - start;
    const Layout& layout = *slot.value->layout;
    if (in_slot + layout.size > kWritable) {
        slot.before.clear();  // bytes of one layout's halves
        return;
    }
    for (const auto& [name, at, size] : layout.fields) {
        uint64_t old = 0, now = 0;
        std::memcpy(&old, &slot.before[in_slot + at], size);
        std::memcpy(&now, memory(slot.at + at), size);
        if (old != now) {
            char word[80];
            std::snprintf(word, sizeof(word), " a%u.%s=%llx", number, name,
                          static_cast<unsigned long long>(now));
            text += word;
        }
    }
    std::memcpy(&slot.before[in_slot], memory(slot.at), layout.size);
}

// Where the first and the last word are that are others now.
void compare_extent(std::string& text, unsigned number, const Slot& slot) {
    const uint64_t start = kArena + number * kSlotSize;
    size_t first = 0, last = 0;
    for (size_t at = 0; at < slot.before.size(); at += 8) {
        if (std::memcmp(&slot.before[at], memory(start + at), 8) != 0) {
            first = last == 0 ? at : first;
            last = at + 8;
        }
    }
    if (last != 0) {
        char word[80];
        std::snprintf(word, sizeof(word), " a%u=%zx-%zx", number, first, last);
        text += word;
    }
}

// The time of a moment ago or to come soon is no number to compare, wherever in a word it lies.
std::string value_text(uint64_t value) {
    constexpr uint64_t kSoon = 1000;
    const auto now = static_cast<uint64_t>(time(nullptr));
    if (value > now - kSoon && value < now + kSoon) {
        return "now";
    }
    for (const unsigned shift : {8u, 16u, 24u, 32u}) {
        const uint64_t part = value >> shift & 0xffffffff;
        if (part > now - kSoon && part < now + kSoon) {
            return "now<<" + std::to_string(shift);
        }
    }
    char text[20];
    std::snprintf(text, sizeof(text), "%llx", static_cast<unsigned long long>(value));
    return text;
}

// Words that are others now; many are one sum.
void compare(std::string& text, const char* what, unsigned number, uint64_t start,
             const std::vector<uint8_t>& before) {
    unsigned shown = 0;
    uint64_t sum = 0;
    char word[80];
    for (size_t at = 0; at < before.size(); at += 8) {
        uint64_t old, now;
        std::memcpy(&old, &before[at], 8);
        std::memcpy(&now, memory(start + at), 8);
        if (old == now) {
            continue;
        }
        if (++shown <= 24) {
            std::snprintf(word, sizeof(word), " %s%u+%#llx=%s", what, number,
                          static_cast<unsigned long long>(at), value_text(now).c_str());
            text += word;
        }
        sum = (sum ^ now ^ at) * 0x100'0000'01b3;
    }
    if (shown > 24) {
        std::snprintf(word, sizeof(word), " %s%u+more=%u:%llx", what, number, shown,
                      static_cast<unsigned long long>(sum));
        text += word;
    }
}

}  // namespace

const std::vector<std::string>& descriptor_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Made& made : descriptors()) {
            all.push_back(made.name);
        }
        return all;
    }();
    return names;
}

const std::vector<std::string>& process_names() {
    static const std::vector<std::string> names = {"self", "dead", "child"};
    return names;
}

const std::vector<std::string>& address_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const auto& [name, address] : kAddresses) {
            all.emplace_back(name);
        }
        return all;
    }();
    return names;
}

void make_memory() {
    const auto map = [](uint64_t at, uint64_t size, int protection, int flags = MAP_PRIVATE | MAP_ANONYMOUS,
                        int fd = -1) {
        void* const wanted = memory(at);
        if (mmap(wanted, size, protection, flags | MAP_FIXED_NOREPLACE, fd, 0) != wanted) {
            std::perror("memory of the arguments");
            std::exit(2);
        }
        if (protection == (PROT_READ | PROT_WRITE) && fd == -1) {
            std::memset(wanted, kFiller, size);
        }
    };
    for (uint64_t slot = kArena; slot < kArena + 6 * kSlotSize; slot += kSlotSize) {
        map(slot, kWritable, PROT_READ | PROT_WRITE);
        map(slot + kForbiddenAt, 0x1000, PROT_NONE);
        map(slot + kReadOnlyAt, 0x1000, PROT_READ);
        map(slot + kNestedAt, 0x1000, PROT_READ | PROT_WRITE);
    }
    map(kPages, 0x8000, PROT_READ | PROT_WRITE);
    map(kPages + 0x8000, 0x3000, PROT_NONE);
    map(kPages + 0xb000, 0x5000, PROT_READ);
    const int program = open("/proc/self/exe", O_RDONLY);
    map(kPages + 0x20000, 0x4000, PROT_READ, MAP_PRIVATE, program);
    close(program);
    map(kPages + 0x30000, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
}

void make_files() {
    const int fd = open("file", O_RDWR | O_CREAT, 0644);
    if (write(fd, kText, sizeof(kText) - 1) < 0) {
        std::perror("file");
    }
    close(fd);
    mkdir("dir", 0755);
    close(open("dir/inner", O_RDWR | O_CREAT, 0600));
    mkdir("locked", 0000);
    symlinkat("file", AT_FDCWD, "link");
    symlinkat("nothing", AT_FDCWD, "dangling");
    symlinkat("loop", AT_FDCWD, "loop");
    mknodat(AT_FDCWD, "fifo", S_IFIFO | 0644, 0);
}

void begin_call() {
    for (Slot& slot : slots) {
        slot = {};
    }
}

uint64_t resolve(const Value& value, unsigned slot) {
    switch (value.source) {
        case Source::number:
            return value.number;
        case Source::descriptor:
            return static_cast<uint64_t>(int64_t{descriptor(value.text)}) | value.number;
        case Source::process:
            return static_cast<uint64_t>(process(value.text));
        case Source::address:
            for (const auto& [name, address] : kAddresses) {
                if (value.text == name) {
                    return address;
                }
            }
            return 0;
        case Source::memory:
            return put(value, slot);
    }
    return 0;
}

std::string changes() {
    std::string text;
    struct sigaction action{};
    action.sa_handler = on_fault;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    for (unsigned number = 0; number < 6; ++number) {
        if (!slots[number].used) {
            continue;
        }
        if (sigsetjmp(unreadable, 1) != 0) {
            text += " unreadable";
            continue;
        }
        const uint64_t slot = kArena + number * kSlotSize;
        if (slots[number].value->only_extent) {
            compare_extent(text, number, slots[number]);
            continue;
        }
        if (slots[number].value->layout != nullptr) {
            compare_fields(text, number, slots[number]);
        }
        compare(text, "a", number, slot, slots[number].before);
        compare(text, "n", number, slot + kNestedAt, slots[number].nested_before);
    }
    for (const Made& made : descriptors()) {
        struct stat file;
        if (made.fd >= 0 && (made.name == "file" || made.name == "memfd" || made.name == "write-file") &&
            fstat(made.fd, &file) == 0) {
            char word[120], content[64] = {};
            const long got = pread(made.fd, content, sizeof(content) - 1, 0);
            uint64_t sum = static_cast<uint64_t>(got);
            for (const char c : content) {
                sum = (sum ^ static_cast<uint8_t>(c)) * 0x100'0000'01b3;
            }
            std::snprintf(word, sizeof(word), " %s=%o:%lld:%lld:%llx", made.name.c_str(), file.st_mode,
                          static_cast<long long>(file.st_size),
                          static_cast<long long>(lseek(made.fd, 0, SEEK_CUR)),
                          static_cast<unsigned long long>(sum));
            text += word;
        }
    }
    return text;
}

std::string describe_descriptor(int64_t fd) {
    struct stat file;
    char word[80] = "";
    if (fstat(static_cast<int>(fd), &file) == 0) {
        std::snprintf(word, sizeof(word), " gives=%o:%x:%x", file.st_mode,
                      fcntl(static_cast<int>(fd), F_GETFL), fcntl(static_cast<int>(fd), F_GETFD));
    }
    return word;
}

}  // namespace differential
