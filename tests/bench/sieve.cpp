// The sieve of Eratosthenes, a byte a number. SIZE: the numbers below which primes are counted.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

class Sieve final : public bench::Work {
  public:
    explicit Sieve(long size) : composite_(static_cast<std::size_t>(size)) {}

    std::uint64_t run() override {
        const std::size_t end = composite_.size();
        std::fill(composite_.begin(), composite_.end(), std::uint8_t{0});
        bench::Checksum check;
        std::uint64_t primes = 0;
        for (std::size_t i = 2; i < end; i++) {
            if (composite_[i] != 0)
                continue;
            primes++;
            for (std::size_t k = i * i; k < end; k += i)
                composite_[k] = 1;
        }
        check.add(primes);
        return check.value();
    }

  private:
    std::vector<std::uint8_t> composite_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Sieve>(size); }
