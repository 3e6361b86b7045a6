// The library's sort. SIZE: random 64-bit numbers sorted in each repeat.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

class Sort final : public bench::Work {
  public:
    explicit Sort(long size) : input_(static_cast<std::size_t>(size)), sorted_(input_.size()) {
        bench::Random random(1);
        for (std::uint64_t& value : input_)
            value = random.next();
    }

    std::uint64_t run() override {
        std::copy(input_.begin(), input_.end(), sorted_.begin());
        std::sort(sorted_.begin(), sorted_.end());
        bench::Checksum check;
        for (std::uint64_t value : sorted_)
            check.add(value);
        return check.value();
    }

  private:
    std::vector<std::uint64_t> input_;
    std::vector<std::uint64_t> sorted_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Sort>(size); }
