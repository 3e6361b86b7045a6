// The frame of each benchmark program:
//
//   PROGRAM SIZE REPEATS     prepares, prints "BENCH begin NAME", runs REPEATS times, prints
//                            "BENCH end NAME size=S repeats=R check=HEX seconds=T", T for all repeats together
//   PROGRAM nothing          does nothing: what the process-start program starts
//
// Lines are written at once, so that those of the system do not land inside them.

#include <unistd.h>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include "bench.h"

namespace {

double now() {
    timespec time{};
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) {
        std::perror("clock_gettime");
        std::exit(1);
    }
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

bool parse(const char* text, long& value) {
    char* end = nullptr;
    errno = 0;
    value = std::strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && value >= 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "nothing") == 0)
        return 0;
    long size = 0;
    long repeats = 0;
    if (argc != 3 || !parse(argv[1], size) || !parse(argv[2], repeats)) {
        std::fprintf(stderr, "usage: %s SIZE REPEATS\n", argv[0]);
        return 2;
    }
    const char* slash = std::strrchr(argv[0], '/');
    const char* name = slash == nullptr ? argv[0] : slash + 1;

    const std::unique_ptr<bench::Work> work = bench::make(size);
    std::printf("BENCH begin %s\n", name);
    std::fflush(stdout);

    const double start = now();
    const std::uint64_t check = work->run();
    bool same = true;
    for (long i = 1; i < repeats; i++)
        same &= work->run() == check;
    const double seconds = now() - start;

    if (!same) {
        std::printf("BENCH wrong %s: repeats differ\n", name);
        return 1;
    }
    std::printf("BENCH end %s size=%ld repeats=%ld check=%016" PRIx64 " seconds=%.9f\n", name, size, repeats,
                check, seconds);
    return 0;
}
