// Recursive calls. SIZE: the argument of the Fibonacci function; the others grow with it.

#include "bench.h"

namespace {

#define BENCH_CALLED __attribute__((noinline, noclone))

BENCH_CALLED std::uint64_t fibonacci(std::uint64_t n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

BENCH_CALLED std::uint64_t ackermann(std::uint64_t m, std::uint64_t n) {
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

BENCH_CALLED long tak(long x, long y, long z) {
    return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

class Recursion final : public bench::Work {
  public:
    explicit Recursion(long size) : size_(size) {}

    std::uint64_t run() override {
        bench::Checksum check;
        check.add(fibonacci(static_cast<std::uint64_t>(size_)));
        check.add(ackermann(2, static_cast<std::uint64_t>(size_) * 8));
        check.add(static_cast<std::uint64_t>(tak(size_ / 2, size_ / 3, size_ / 6)));
        return check.value();
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Recursion>(size); }
