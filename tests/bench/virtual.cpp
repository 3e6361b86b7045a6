// Virtual calls: objects of eight classes in random order. SIZE: objects; each is called 16 times a repeat.

#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

class Step {
  public:
    virtual ~Step() = default;
    virtual std::uint64_t apply(std::uint64_t value) = 0;
};

/// Each kind is a class of its own.
template <int kKind>
class KindOfStep final : public Step {
  public:
    std::uint64_t apply(std::uint64_t value) override {
        count_++;
        if constexpr (kKind % 4 == 0)
            return value + kKind + 1;
        else if constexpr (kKind % 4 == 1)
            return value ^ (value << kKind);
        else if constexpr (kKind % 4 == 2)
            return value * (2 * kKind + 1);
        else
            return (value >> kKind) - value;
    }

  private:
    std::uint64_t count_ = 0;
};

std::unique_ptr<Step> any_step(std::uint64_t kind) {
    switch (kind) {
        case 0:
            return std::make_unique<KindOfStep<0>>();
        case 1:
            return std::make_unique<KindOfStep<1>>();
        case 2:
            return std::make_unique<KindOfStep<2>>();
        case 3:
            return std::make_unique<KindOfStep<3>>();
        case 4:
            return std::make_unique<KindOfStep<4>>();
        case 5:
            return std::make_unique<KindOfStep<5>>();
        case 6:
            return std::make_unique<KindOfStep<6>>();
        default:
            return std::make_unique<KindOfStep<7>>();
    }
}

class Virtual final : public bench::Work {
  public:
    explicit Virtual(long size) {
        bench::Random random(7);
        for (long i = 0; i < size; i++)
            steps_.push_back(any_step(random.below(8)));
    }

    std::uint64_t run() override {
        std::uint64_t value = 1;
        for (int pass = 0; pass < 16; pass++) {
            for (const auto& step : steps_)
                value = step->apply(value);
        }
        return value;
    }

  private:
    std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Virtual>(size); }
