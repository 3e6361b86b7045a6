#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace bench {

/// The product of two 512 x 512 matrices by its definition: the inner loop walks down a column of the second one, in steps
/// of a whole row. SIZE: rows of the product that are computed, up to 512; each costs 262,144 multiplications.
template <typename Number>
class MatrixProduct final : public Work {
  public:
    explicit MatrixProduct(long size)
        : rows_(std::min(static_cast<std::size_t>(size), kOrder)),
          a_(kOrder * kOrder),
          b_(a_.size()),
          product_(a_.size()) {
        Random random(8);
        // Sums of 512 products of these are exact, whatever Number is.
        for (std::size_t i = 0; i < a_.size(); i++) {
            a_[i] = static_cast<Number>(random.below(1000));
            b_[i] = static_cast<Number>(random.below(1000));
        }
    }

    std::uint64_t run() override {
        Checksum check;
        for (std::size_t i = 0; i < rows_; i++) {
            for (std::size_t j = 0; j < kOrder; j++) {
                Number sum = 0;
                for (std::size_t k = 0; k < kOrder; k++)
                    sum += a_[i * kOrder + k] * b_[k * kOrder + j];
                product_[i * kOrder + j] = sum;
            }
        }
        for (std::size_t i = 0; i < rows_ * kOrder; i++)
            check.add(static_cast<std::uint64_t>(product_[i]));
        return check.value();
    }

  private:
    static constexpr std::size_t kOrder = 512;

    std::size_t rows_;
    std::vector<Number> a_;
    std::vector<Number> b_;
    std::vector<Number> product_;
};

}  // namespace bench
