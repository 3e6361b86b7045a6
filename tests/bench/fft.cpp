// Fast Fourier transforms, radix 2, in double precision. SIZE: binary logarithm of the points.

#include <cmath>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

/// std::complex treats infinities in its product; that is not what is measured here.
struct Complex {
    double re = 0;
    double im = 0;
};

Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

class Fft final : public bench::Work {
  public:
    explicit Fft(long size)
        : input_(std::size_t{1} << size), values_(input_.size()), roots_(input_.size() / 2) {
        bench::Random random(9);
        for (Complex& value : input_)
            value = {static_cast<double>(random.below(2001)) - 1000,
                     static_cast<double>(random.below(2001)) - 1000};
        make_roots();
    }

    std::uint64_t run() override {
        const std::size_t count = input_.size();
        for (std::size_t i = 0, reversed = 0; i < count; i++) {
            values_[reversed] = input_[i];
            std::size_t bit = count >> 1;
            while (bit != 0 && (reversed & bit) != 0) {
                reversed ^= bit;
                bit >>= 1;
            }
            reversed |= bit;
        }
        for (std::size_t half = 1; half < count; half *= 2) {
            const std::size_t stride = count / (2 * half);
            for (std::size_t from = 0; from < count; from += 2 * half) {
                for (std::size_t k = 0; k < half; k++) {
                    Complex& low = values_[from + k];
                    Complex& high = values_[from + k + half];
                    const Complex turned = high * roots_[k * stride];
                    high = {low.re - turned.re, low.im - turned.im};
                    low = {low.re + turned.re, low.im + turned.im};
                }
            }
        }
        bench::Checksum check;
        for (const Complex& value : values_) {
            check.add(value.re);
            check.add(value.im);
        }
        return check.value();
    }

  private:
    /// exp(-2 pi i k / count) by square roots and products, which are rounded alike everywhere; the C library's sine is not.
    void make_roots() {
        if (roots_.empty())
            return;
        roots_[0] = {1, 0};
        // turn: exp(-2 pi i step / count), from a half turn downwards.
        Complex turn{-1, 0};
        for (std::size_t step = roots_.size() / 2; step > 0; step /= 2) {
            turn = turn.re < 0
                       ? Complex{0, -1}
                       : Complex{std::sqrt((1 + turn.re) / 2), turn.im / (2 * std::sqrt((1 + turn.re) / 2))};
            for (std::size_t k = 0; k < roots_.size(); k += 2 * step)
                roots_[k + step] = roots_[k] * turn;
        }
    }

    std::vector<Complex> input_;
    std::vector<Complex> values_;
    std::vector<Complex> roots_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Fft>(size); }
