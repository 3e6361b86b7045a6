// Disk and network throughput as a program sees them. Each measurement is one line:
//
//   BENCH io NAME OPERATIONS BYTES NANOSECONDS
//
// io_main disk DEVICE read|write seq|random SIZE DEPTH MILLISECONDS
//     reads or writes SIZE bytes at a time without the page cache, DEPTH requests in flight (one: pread and pwrite; more: io_uring)
// io_main serve PORT-FILE
//     a server on 127.0.0.1 for those below; writes its port into the file, ends when its standard input does
// io_main send|receive|ask ADDRESS PORT MILLISECONDS
//     TCP to the server, from it, or one byte there and back again and again
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void die(const char* what) {
    std::printf("BENCH io failed: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

void report(const std::string& name, uint64_t operations, uint64_t bytes, uint64_t ns) {
    std::printf("BENCH io %s %llu %llu %llu\n", name.c_str(), static_cast<unsigned long long>(operations),
                static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(ns));
}

// ---- disks ----

struct Job {
    int fd = -1;
    bool write = false;
    bool random = false;
    size_t size = 0;
    unsigned depth = 1;
    uint64_t places = 0;  // of `size` bytes on the device
    uint64_t end_ns = 0;
    uint64_t next_place = 0;
    uint64_t draw = 88172645463325252;

    uint64_t offset() {
        if (random) {
            draw ^= draw << 13;
            draw ^= draw >> 7;
            draw ^= draw << 17;
            return draw % places * size;
        }
        const uint64_t place = next_place++ % places;
        return place * size;
    }
};

uint8_t* buffer(size_t size) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 4096, size) != 0) {
        die("memory");
    }
    for (size_t i = 0; i < size; ++i) {
        static_cast<uint8_t*>(memory)[i] = static_cast<uint8_t>(i * 31 + i / 4096);
    }
    return static_cast<uint8_t*>(memory);
}

uint64_t one_by_one(Job& job) {
    uint8_t* const data = buffer(job.size);
    uint64_t count = 0;
    do {
        const auto at = static_cast<off_t>(job.offset());
        const ssize_t done =
            job.write ? pwrite(job.fd, data, job.size, at) : pread(job.fd, data, job.size, at);
        if (done != static_cast<ssize_t>(job.size)) {
            die("request");
        }
        ++count;
    } while (now_ns() < job.end_ns);
    return count;
}

// As much of io_uring(7) as it takes.
class Ring {
  public:
    explicit Ring(unsigned depth) {
        io_uring_params p{};
        fd_ = static_cast<int>(syscall(SYS_io_uring_setup, depth, &p));
        if (fd_ < 0) {
            die("io_uring_setup");
        }
        sq_ = map(p.sq_off.array + p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
        cq_ = map(p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
        entries_ = reinterpret_cast<io_uring_sqe*>(map(p.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
        sq_tail_ = reinterpret_cast<uint32_t*>(sq_ + p.sq_off.tail);
        sq_mask_ = *reinterpret_cast<uint32_t*>(sq_ + p.sq_off.ring_mask);
        sq_array_ = reinterpret_cast<uint32_t*>(sq_ + p.sq_off.array);
        cq_head_ = reinterpret_cast<uint32_t*>(cq_ + p.cq_off.head);
        cq_tail_ = reinterpret_cast<uint32_t*>(cq_ + p.cq_off.tail);
        cq_mask_ = *reinterpret_cast<uint32_t*>(cq_ + p.cq_off.ring_mask);
        completions_ = reinterpret_cast<io_uring_cqe*>(cq_ + p.cq_off.cqes);
    }

    void add(const Job& job, uint64_t offset, uint8_t* data, uint64_t slot) {
        const uint32_t tail = *sq_tail_;
        io_uring_sqe& entry = entries_[tail & sq_mask_];
        entry = {};
        entry.opcode = job.write ? IORING_OP_WRITE : IORING_OP_READ;
        entry.fd = job.fd;
        entry.off = offset;
        entry.addr = reinterpret_cast<uint64_t>(data);
        entry.len = static_cast<uint32_t>(job.size);
        entry.user_data = slot;
        sq_array_[tail & sq_mask_] = tail & sq_mask_;
        __atomic_store_n(sq_tail_, tail + 1, __ATOMIC_RELEASE);
        ++added_;
    }

    // Submits what was added and waits for one that is done.
    void enter() {
        const long done = syscall(SYS_io_uring_enter, fd_, added_, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
        if (done < 0) {
            die("io_uring_enter");
        }
        added_ -= static_cast<unsigned>(done);
    }

    template <class Done>
    void reap(const Done& done) {
        uint32_t head = *cq_head_;
        while (head != __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE)) {
            const io_uring_cqe entry = completions_[head & cq_mask_];
            __atomic_store_n(cq_head_, ++head, __ATOMIC_RELEASE);
            done(entry.user_data, entry.res);
        }
    }

  private:
    uint8_t* map(size_t size, uint64_t offset) {
        void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                                  static_cast<off_t>(offset));
        if (memory == MAP_FAILED) {
            die("io_uring mmap");
        }
        return static_cast<uint8_t*>(memory);
    }

    int fd_ = -1;
    unsigned added_ = 0;
    uint8_t* sq_ = nullptr;
    uint8_t* cq_ = nullptr;
    io_uring_sqe* entries_ = nullptr;
    io_uring_cqe* completions_ = nullptr;
    uint32_t *sq_tail_ = nullptr, *sq_array_ = nullptr, *cq_head_ = nullptr, *cq_tail_ = nullptr;
    uint32_t sq_mask_ = 0, cq_mask_ = 0;
};

uint64_t in_flight(Job& job) {
    Ring ring(job.depth);
    std::vector<uint8_t*> data;
    for (unsigned i = 0; i < job.depth; ++i) {
        data.push_back(buffer(job.size));
        ring.add(job, job.offset(), data.back(), i);
    }
    uint64_t count = 0;
    unsigned open = job.depth;
    while (open != 0) {
        ring.enter();
        const bool more = now_ns() < job.end_ns;
        ring.reap([&](uint64_t slot, int32_t result) {
            if (result != static_cast<int32_t>(job.size)) {
                errno = result < 0 ? -result : EIO;
                die("request");
            }
            ++count;
            if (more) {
                ring.add(job, job.offset(), data[slot], slot);
            } else {
                --open;
            }
        });
    }
    return count;
}

int disk(char** words) {
    Job job;
    job.write = std::strcmp(words[1], "write") == 0;
    job.random = std::strcmp(words[2], "random") == 0;
    job.size = number(words[3]);
    job.depth = static_cast<unsigned>(number(words[4]));
    job.fd = open(words[0], (job.write ? O_RDWR : O_RDONLY) | O_DIRECT);
    struct stat info{};
    uint64_t bytes = 0;
    if (job.fd < 0 || fstat(job.fd, &info) != 0) {
        die(words[0]);
    }
    if (S_ISBLK(info.st_mode) ? ioctl(job.fd, BLKGETSIZE64, &bytes) != 0
                              : (bytes = static_cast<uint64_t>(info.st_size), false)) {
        die("size");
    }
    job.places = bytes / job.size;
    if (job.places == 0) {
        errno = ENOSPC;
        die("size");
    }
    const uint64_t start = now_ns();
    job.end_ns = start + number(words[5]) * 1'000'000;
    const uint64_t count = job.depth == 1 ? one_by_one(job) : in_flight(job);
    const std::string name = std::string(words[1]) + "-" + words[2] + "-" + words[3] + "-" + words[4];
    report(name, count, count * job.size, now_ns() - start);
    return 0;
}

// ---- networks ----

constexpr size_t kChunk = 128 << 10;

void serve_one(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::vector<uint8_t> chunk(kChunk);
    char mode = 0;
    if (read(fd, &mode, 1) == 1) {
        if (mode == 's') {  // the client sends; it wants to know how much came
            uint64_t bytes = 0;
            for (ssize_t got = 0; (got = read(fd, chunk.data(), chunk.size())) > 0;) {
                bytes += static_cast<uint64_t>(got);
            }
            if (write(fd, &bytes, sizeof bytes) != sizeof bytes) {
                std::perror("serve");
            }
        } else if (mode == 'r') {
            while (send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) {
            }
        } else {
            while (read(fd, &mode, 1) == 1 && send(fd, &mode, 1, MSG_NOSIGNAL) == 1) {
            }
        }
    }
    close(fd);
}

int serve(char** words) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        die("serve");
    }
    const std::string path = words[0];
    std::FILE* const file = std::fopen((path + ".new").c_str(), "w");
    if (file == nullptr || std::fprintf(file, "%u\n", ntohs(address.sin_port)) < 0 ||
        std::fclose(file) != 0 || std::rename((path + ".new").c_str(), path.c_str()) != 0) {
        die("port file");
    }
    while (true) {
        pollfd waiting[] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        if (poll(waiting, 2, -1) < 0 && errno != EINTR) {
            die("poll");
        }
        if (waiting[1].revents != 0) {
            std::_Exit(0);
        }
        if (waiting[0].revents != 0) {
            std::thread(serve_one, accept(fd, nullptr, nullptr)).detach();
        }
    }
}

int network(const std::string& mode, char** words) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(number(words[1])));
    int on = 1;
    if (fd < 0 || inet_pton(AF_INET, words[0], &address.sin_addr) != 1 ||
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        die("connect");
    }
    std::vector<uint8_t> chunk(kChunk);
    uint64_t count = 0;
    uint64_t bytes = 0;
    const uint64_t start = now_ns();
    const uint64_t end = start + number(words[2]) * 1'000'000;
    if (write(fd, mode.c_str(), 1) != 1) {
        die("send");
    }
    for (; now_ns() < end; ++count) {
        ssize_t done = 0;
        if (mode == "send") {
            done = write(fd, chunk.data(), chunk.size());
        } else if (mode == "receive") {
            done = read(fd, chunk.data(), chunk.size());
        } else {
            done = write(fd, chunk.data(), 1) == 1 ? read(fd, chunk.data(), 1) : -1;
        }
        if (done <= 0) {
            die("transfer");
        }
        bytes += static_cast<uint64_t>(done);
    }
    if (mode == "send") {
        // What is still under way counts when it has arrived.
        uint64_t arrived = 0;
        if (shutdown(fd, SHUT_WR) != 0 || read(fd, &arrived, sizeof arrived) != sizeof arrived ||
            arrived != bytes) {
            die("what arrived");
        }
    }
    report(mode, count, bytes, now_ns() - start);
    return 0;
}

}  // namespace

int main(int count, char** words) {
    const std::string mode = count > 1 ? words[1] : "";
    if (mode == "disk" && count == 8) {
        return disk(words + 2);
    }
    if (mode == "serve" && count == 3) {
        return serve(words + 2);
    }
    if ((mode == "send" || mode == "receive" || mode == "ask") && count == 5) {
        return network(mode, words + 2);
    }
    std::fputs("io_main: see the top of its source\n", stderr);
    return 1;
}
