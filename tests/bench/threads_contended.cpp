// Two threads that share a counter changed by atomic additions, one changed by compare and exchange, and one behind a mutex.
// SIZE: thousands of changes a thread, of each kind in turn.

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "bench.h"

namespace {

class Contended final : public bench::Work {
  public:
    explicit Contended(long size) : size_(size) {}

    std::uint64_t run() override {
        added_ = 0;
        exchanged_ = 0;
        locked_ = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; i++)
            threads.emplace_back([this] { work(); });
        for (std::thread& thread : threads)
            thread.join();
        bench::Checksum check;
        check.add(added_.load());
        check.add(exchanged_.load());
        check.add(locked_);
        return check.value();
    }

  private:
    void work() {
        for (long i = 0; i < size_ * 1000; i++) {
            added_.fetch_add(1);
            std::uint64_t seen = exchanged_.load();
            while (!exchanged_.compare_exchange_weak(seen, seen + 3)) {
            }
            // A mutex at each step would measure the kernel's futex only.
            if (i % 16 == 0) {
                const std::lock_guard lock(mutex_);
                locked_ += 5;
            }
        }
    }

    long size_;
    std::atomic<std::uint64_t> added_{0};
    std::atomic<std::uint64_t> exchanged_{0};
    std::mutex mutex_;
    std::uint64_t locked_ = 0;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Contended>(size); }
