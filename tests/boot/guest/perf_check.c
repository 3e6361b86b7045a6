// What Linux' SBI PMU driver makes of the hart's counters: each line is "WEFT perf NAME=ok", or says what was otherwise. Counts and
// samples of a loop whose instructions are known.
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kIterations = 3000000, kPages = 8, kRounds = 200, kEnough = 5 };

static int open_event(uint64_t config, uint64_t period, int exclude_kernel) {
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.type = PERF_TYPE_HARDWARE;
    attr.size = sizeof attr;
    attr.config = config;
    attr.sample_period = period;
    attr.sample_type = period != 0 ? PERF_SAMPLE_IP : 0;
    attr.disabled = 1;
    attr.exclude_kernel = (unsigned)exclude_kernel;
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

// Two instructions an iteration.
static __attribute__((noinline)) void loop(uint64_t iterations) {
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(iterations));
}

static uint64_t count_of(int fd) {
    uint64_t value = 0;
    return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static void say(const char* name, int ok, uint64_t value) {
    if (ok) {
        printf("WEFT perf %s=ok\n", name);
    } else {
        printf("WEFT perf %s: %llu (errno %s)\n", name, (unsigned long long)value, strerror(errno));
    }
}

// How much an event has counted over the loop.
static uint64_t counted(uint64_t config, int exclude_kernel) {
    const int fd = open_event(config, 0, exclude_kernel);
    if (fd < 0) {
        return 0;
    }
    ioctl(fd, PERF_EVENT_IOC_RESET, 0);
    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
    loop(kIterations);
    ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
    const uint64_t value = count_of(fd);
    close(fd);
    return value;
}

// How many samples there are in the buffer, and how many of them are of the loop.
static void count_samples(const struct perf_event_mmap_page* page, uint64_t* all, uint64_t* inside) {
    const uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    const unsigned char* data = (const unsigned char*)page + 4096;
    *all = *inside = 0;
    for (uint64_t at = 0; at + sizeof(struct perf_event_header) + 8 <= head && at < kPages * 4096;) {
        struct perf_event_header header;
        memcpy(&header, data + at, sizeof header);
        if (header.size == 0) {
            break;
        }
        if (header.type == PERF_RECORD_SAMPLE) {
            uint64_t pc = 0;
            memcpy(&pc, data + at + sizeof header, 8);
            ++*all;
            *inside += pc >= (uintptr_t)loop && pc < (uintptr_t)loop + 64 ? 1 : 0;
        }
        at += header.size;
    }
}

// Samples of the loop by an event: it is run until there are enough. How many a run gives depends on how fast the host is where
// time is counted.
static void samples(const char* name, uint64_t config, uint64_t period) {
    const int fd = open_event(config, period, 1);
    const size_t size = (size_t)(kPages + 1) * 4096;
    struct perf_event_mmap_page* page =
        fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        say(name, 0, 0);
        return;
    }
    uint64_t all = 0, inside = 0;
    for (int round = 0; round < kRounds && inside < kEnough; ++round) {
        ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
        loop(kIterations);
        ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
        count_samples(page, &all, &inside);
    }
    say(name, inside >= kEnough, all << 32 | inside);
    munmap(page, size);
    close(fd);
}

int main(void) {
    const uint64_t cycles = counted(PERF_COUNT_HW_CPU_CYCLES, 0);
    say("cycles", cycles > 0, cycles);
    const uint64_t instructions = counted(PERF_COUNT_HW_INSTRUCTIONS, 1);
    say("instructions", instructions > 0, instructions);
    const uint64_t expected = 2ull * kIterations;
    // Exact where instructions are counted: what is more are the calls around the loop.
    printf("WEFT perf counted=%s\n",
           instructions >= expected && instructions < expected + 10000 ? "instructions" : "time");
    samples("samples-cycles", PERF_COUNT_HW_CPU_CYCLES, 100000);
    samples("samples-instructions", PERF_COUNT_HW_INSTRUCTIONS, 100000);
    return 0;
}
