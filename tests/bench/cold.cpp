// Cold code: 20,000 functions, each called twice. SIZE: how many of them. One repeat: the next would not be cold.

#include "cold.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "bench.h"

namespace {

class Cold final : public bench::Work {
  public:
    explicit Cold(long size) : size_(static_cast<std::size_t>(size)) {}

    std::uint64_t run() override {
        static constexpr std::array kParts{&bench_cold_0, &bench_cold_1, &bench_cold_2, &bench_cold_3,
                                           &bench_cold_4, &bench_cold_5, &bench_cold_6, &bench_cold_7,
                                           &bench_cold_8, &bench_cold_9};
        bench::Checksum check;
        std::uint64_t value = 1;
        for (int pass = 0; pass < 2; pass++) {
            std::size_t left = size_;
            for (const bench::cold::Part* part : kParts) {
                const std::size_t count = std::min(left, part->size());
                left -= count;
                for (std::size_t i = 0; i < count; i++) {
                    value = (*part)[i](value, value >> 7);
                    check.add(value);
                }
            }
        }
        return check.value();
    }

  private:
    std::size_t size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Cold>(size); }
