// The Mandelbrot set in double precision, at most 200 iterations a point. SIZE: points a side.

#include "bench.h"

namespace {

class Mandelbrot final : public bench::Work {
  public:
    explicit Mandelbrot(long size) : size_(size) {}

    std::uint64_t run() override {
        bench::Checksum check;
        const double scale = 3.0 / static_cast<double>(size_);
        for (long row = 0; row < size_; row++) {
            for (long column = 0; column < size_; column++) {
                const double cx = static_cast<double>(column) * scale - 2.25;
                const double cy = static_cast<double>(row) * scale - 1.5;
                double x = 0;
                double y = 0;
                std::uint64_t n = 0;
                while (n < 200 && x * x + y * y <= 4.0) {
                    const double next = x * x - y * y + cx;
                    y = 2 * x * y + cy;
                    x = next;
                    n++;
                }
                check.add(n);
            }
        }
        return check.value();
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Mandelbrot>(size); }
