// SHA-256 (FIPS 180-4). SIZE: KiB hashed.

#include <array>
#include <bit>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

using Words = std::array<std::uint32_t, 64>;
using State = std::array<std::uint32_t, 8>;

/// The first 32 bits of the fractional part of a root (FIPS 180-4, 4.2.2, 5.3.3), in integers: the largest r with
/// r^power <= prime << (32 * power).
std::uint32_t fraction_of_root(std::uint32_t prime, int power) {
    std::uint64_t low = 0;
    std::uint64_t high = std::uint64_t{1} << 37;
    // r^3 has up to 111 bits.
    const unsigned __int128 target = static_cast<unsigned __int128>(prime) << (32 * power);
    while (high - low > 1) {
        const std::uint64_t middle = low + (high - low) / 2;
        unsigned __int128 product = static_cast<unsigned __int128>(middle) * middle;
        if (power == 3)
            product *= middle;
        (product <= target ? low : high) = middle;
    }
    return static_cast<std::uint32_t>(low);
}

class Sha256 final : public bench::Work {
  public:
    explicit Sha256(long size) : data_(static_cast<std::size_t>(size) * 1024) {
        bench::Random random(3);
        for (std::uint8_t& byte : data_)
            byte = static_cast<std::uint8_t>(random.next());
        std::size_t count = 0;
        for (std::uint32_t n = 2; count < constants_.size(); n++) {
            bool prime = true;
            for (std::uint32_t d = 2; d * d <= n; d++)
                prime &= n % d != 0;
            if (!prime)
                continue;
            constants_[count] = fraction_of_root(n, 3);
            if (count < start_.size())
                start_[count] = fraction_of_root(n, 2);
            count++;
        }
    }

    std::uint64_t run() override {
        State state = start_;
        for (std::size_t at = 0; at < data_.size(); at += 64)
            block(state, data_.data() + at);
        // The data are whole blocks: the padding is a block of its own.
        std::array<std::uint8_t, 64> padding{0x80};
        const std::uint64_t bits = std::uint64_t{data_.size()} * 8;
        for (std::size_t i = 0; i < 8; i++)
            padding[63 - i] = static_cast<std::uint8_t>(bits >> (8 * i));
        block(state, padding.data());
        bench::Checksum check;
        for (std::uint32_t word : state)
            check.add(std::uint64_t{word});
        return check.value();
    }

  private:
    void block(State& state, const std::uint8_t* data) const {
        Words w;
        for (std::size_t i = 0; i < 16; i++, data += 4)
            w[i] = std::uint32_t{data[0]} << 24 | std::uint32_t{data[1]} << 16 | std::uint32_t{data[2]} << 8 |
                   data[3];
        for (std::size_t i = 16; i < 64; i++) {
            const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
            const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        auto [a, b, c, d, e, f, g, h] = state;
        for (std::size_t i = 0; i < 64; i++) {
            const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
            const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants_[i] + w[i];
            const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
            const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
        const State add{a, b, c, d, e, f, g, h};
        for (std::size_t i = 0; i < state.size(); i++)
            state[i] += add[i];
    }

    std::vector<std::uint8_t> data_;
    Words constants_{};
    State start_{};
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Sha256>(size); }
