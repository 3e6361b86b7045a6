// Cold code: 20,000 different functions, each called twice. SIZE: how many of them. One repeat: the next would not be cold.

#include "cold.h"

#include <algorithm>
#include <cstddef>

#include "bench.h"

namespace {

class Cold final : public bench::Work {
  public:
    explicit Cold(long size) : size_(static_cast<std::size_t>(size)) {}

    std::uint64_t run() override {
        const auto functions = bench::cold::functions();
        bench::Checksum check;
        std::uint64_t value = 1;
        for (int pass = 0; pass < 2; pass++) {
            for (bench::cold::Function function : functions.first(std::min(size_, functions.size()))) {
                value = function(value, value >> 7);
                check.add(value);
            }
        }
        return check.value();
    }

  private:
    std::size_t size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Cold>(size); }
