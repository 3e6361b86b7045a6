// Two threads that share nothing. SIZE: thousands of steps a thread.

#include <array>
#include <cstddef>
#include <thread>
#include <vector>

#include "bench.h"

namespace {

struct alignas(128) Share {
    std::array<std::uint64_t, 4096> words{};
    std::uint64_t result = 0;
};

void work(Share& share, long size, std::uint64_t seed) {
    std::uint64_t state = seed;
    share.words.fill(seed);
    for (long i = 0; i < size * 1000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::uint64_t& word = share.words[state % share.words.size()];
        word = word * 3 + state;
    }
    bench::Checksum check;
    for (std::uint64_t word : share.words)
        check.add(word);
    share.result = check.value();
}

class Independent final : public bench::Work {
  public:
    explicit Independent(long size) : size_(size), shares_(2) {}

    std::uint64_t run() override {
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < shares_.size(); i++)
            threads.emplace_back([this, i] { work(shares_[i], size_, i + 1); });
        for (std::thread& thread : threads)
            thread.join();
        bench::Checksum check;
        for (const Share& share : shares_)
            check.add(share.result);
        return check.value();
    }

  private:
    long size_;
    std::vector<Share> shares_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Independent>(size); }
