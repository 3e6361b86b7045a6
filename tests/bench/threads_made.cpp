// Threads that are made, do next to nothing and are joined, four at a time. SIZE: how often.

#include <thread>
#include <vector>

#include "bench.h"

namespace {

class Made final : public bench::Work {
  public:
    explicit Made(long size) : size_(size) {}

    std::uint64_t run() override {
        bench::Checksum check;
        for (long i = 0; i < size_; i++) {
            std::vector<std::uint64_t> results(4);
            std::vector<std::thread> threads;
            for (std::uint64_t& result : results)
                threads.emplace_back([&result, i] { result = static_cast<std::uint64_t>(i) * 7; });
            for (std::thread& thread : threads)
                thread.join();
            for (const std::uint64_t result : results)
                check.add(result);
        }
        return check.value();
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Made>(size); }
