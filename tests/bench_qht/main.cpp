// Operations a second of hash tables: weft's (base/qht.h), liburcu's and TBB's. scripts/bench qht runs it.
//
//   bench-qht TABLE BITS THREADS UPDATES MILLISECONDS
//     TABLE    weft, lfht or tbb
//     BITS     2^BITS entries
//     THREADS  numbers of threads, with commas between them
//     UPDATES  shares of insertions and removals, in percent, with commas between them
//   bench-qht --check
//     whether all three tables do what they are measured at
//
// Keys are drawn from twice as many as there are entries, every second of which is there in the beginning; half of the
// updates insert and half remove, so that the number of entries stays. For each number of threads and each share a line
// is printed: threads, share, millions of operations a second, and the same by the processor time of the threads: what it
// would be if each had a processor to itself, however busy the host is.
#include <fmt/format.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <latch>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench_qht/tables.h"

namespace weft::bench {
namespace {

using Clock = std::chrono::steady_clock;

// xorshift64*: drawing must cost little beside a look-up.
class Draw {
  public:
    explicit Draw(std::uint64_t seed) : state_(hash_of(seed) | 1) {}
    std::uint64_t operator()() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d;
    }

  private:
    std::uint64_t state_;
};

constexpr unsigned kBetweenQuiescent = 64;  // operations

struct Work {
    std::uint64_t entries;
    unsigned threads;
    unsigned updates;  // percent
    std::chrono::milliseconds duration;
};

struct alignas(64) Done {
    std::uint64_t operations = 0;
    std::uint64_t hits = 0;  // of look-ups; keeps the compiler from leaving them out
    double seconds = 0;      // of processor time
};

// Millions of operations a second.
struct Rates {
    double elapsed;
    double processor;
};

double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

template <class Table>
Done work(Table& table, typename Table::Thread& self, const Work& what, std::uint64_t seed,
          const std::atomic<bool>& stop) {
    Draw draw(seed);
    Done done;
    const std::uint64_t mask = 2 * what.entries - 1;
    // Of 2^24, so that the share is exact enough and costs no division.
    const std::uint64_t updates = (std::uint64_t{what.updates} << 24) / 100;
    while (!stop.load(std::memory_order_relaxed)) {
        for (unsigned i = 0; i < kBetweenQuiescent; ++i) {
            const std::uint64_t drawn = draw();
            const std::uint64_t key = drawn >> 8 & mask;
            if (drawn >> 40 >= updates) {
                done.hits += table.contains(self, key) ? 1 : 0;
            } else if ((drawn & 1) != 0) {
                table.insert(self, key);
            } else {
                table.remove(self, key);
            }
        }
        done.operations += kBetweenQuiescent;
        table.quiescent(self);
    }
    return done;
}

template <class Table>
Rates measure(Table& table, const Work& what) {
    std::vector<Done> done(what.threads);
    std::latch ready(what.threads + 1);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < what.threads; ++t) {
        threads.emplace_back([&, t] {
            typename Table::Thread self(table);
            ready.arrive_and_wait();
            const double begin = processor_seconds();
            done[t] = work(table, self, what, t + 1, stop);
            done[t].seconds = processor_seconds() - begin;
        });
    }
    ready.arrive_and_wait();
    const Clock::time_point begin = Clock::now();
    std::this_thread::sleep_for(what.duration);
    stop.store(true, std::memory_order_relaxed);
    const std::chrono::duration<double> elapsed = Clock::now() - begin;
    Rates rates{};
    for (unsigned t = 0; t < what.threads; ++t) {
        threads[t].join();
        const double millions = static_cast<double>(done[t].operations) / 1e6;
        rates.elapsed += millions / elapsed.count();
        rates.processor += millions / done[t].seconds;
    }
    return rates;
}

template <class Table>
void fill(Table& table, std::uint64_t entries) {
    typename Table::Thread self(table);
    for (std::uint64_t i = 0; i < entries; ++i) {
        table.insert(self, 2 * i);
        if (i % kBetweenQuiescent == 0) {
            table.quiescent(self);
        }
    }
}

std::vector<unsigned> numbers(std::string_view text) {
    std::vector<unsigned> out;
    while (!text.empty()) {
        out.push_back(static_cast<unsigned>(std::strtoul(std::string(text).c_str(), nullptr, 10)));
        const std::size_t comma = text.find(',');
        text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
    }
    return out;
}

template <class Table>
int run(unsigned bits, std::string_view threads, std::string_view updates, unsigned milliseconds) {
    Work what{std::uint64_t{1} << bits, 0, 0, std::chrono::milliseconds(milliseconds)};
    Table table(what.entries);
    fill(table, what.entries);
    for (const unsigned share : numbers(updates)) {
        for (const unsigned count : numbers(threads)) {
            what.threads = count;
            what.updates = share;
            const Rates rates = measure(table, what);
            fmt::print("{} {} {:.4f} {:.4f}\n", count, share, rates.elapsed, rates.processor);
        }
    }
    return 0;
}

// The number of wrong answers.
template <class Table>
unsigned check() {
    constexpr std::uint64_t kEntries = 5000;
    unsigned wrong = 0;
    Table table(kEntries);
    typename Table::Thread self(table);
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (std::uint64_t key = 0; key < kEntries; ++key) {
            wrong += table.contains(self, key) ? 1 : 0;
            wrong += table.insert(self, key) ? 0 : 1;
            wrong += table.insert(self, key) ? 1 : 0;
            wrong += table.contains(self, key) ? 0 : 1;
        }
        for (std::uint64_t key = 0; key < kEntries; ++key) {
            wrong += table.remove(self, key) ? 0 : 1;
            wrong += table.remove(self, key) ? 1 : 0;
            table.quiescent(self);
        }
    }
    for (std::uint64_t key = 0; key < kEntries; key += 2) {
        wrong += table.insert(self, key) ? 0 : 1;
    }
    fmt::print("{}: {} wrong\n", Table::kName, wrong);
    return wrong;
}

int usage() {
    fmt::print(stderr,
               "usage: bench-qht weft|lfht|tbb BITS THREADS,... UPDATES,... MILLISECONDS\n"
               "       bench-qht --check\n");
    return 2;
}

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--check") {
        return check<WeftTable>() + check<LfhtTable>() + check<TbbTable>() == 0 ? 0 : 1;
    }
    if (argc != 6) {
        return usage();
    }
    const std::string_view name = argv[1];
    const auto bits = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
    const auto milliseconds = static_cast<unsigned>(std::strtoul(argv[5], nullptr, 10));
    if (bits == 0 || bits > 30 || milliseconds == 0) {
        return usage();
    }
    if (name == WeftTable::kName) {
        return run<WeftTable>(bits, argv[3], argv[4], milliseconds);
    }
    if (name == LfhtTable::kName) {
        return run<LfhtTable>(bits, argv[3], argv[4], milliseconds);
    }
    if (name == TbbTable::kName) {
        return run<TbbTable>(bits, argv[3], argv[4], milliseconds);
    }
    return usage();
}

}  // namespace
}  // namespace weft::bench

int main(int argc, char** argv) { return weft::bench::main(argc, argv); }
