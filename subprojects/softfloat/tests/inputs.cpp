#include "inputs.h"

#include <algorithm>
#include <cstdlib>

namespace inputs {

std::vector<uint64_t> corners(const Format& format) {
    const int fraction = format.fraction_bits();
    const uint64_t ulp_of_one = 1;
    // The nearest normal one, where the format has none of that exponent.
    const auto power = [&](int exponent) {
        return static_cast<uint64_t>(std::clamp(exponent, format.emin, format.emax) + format.emax)
               << fraction;
    };
    const uint64_t one = power(0);
    const uint64_t least_normal = power(format.emin);
    const uint64_t half_fraction = uint64_t{1} << (fraction - 1);
    std::vector<uint64_t> list = {
        0,                                          // zero
        1,                                          // the least subnormal
        2,                                          //
        3,                                          //
        half_fraction,                              // a subnormal power of two
        least_normal - 2,                           //
        least_normal - 1,                           // the greatest subnormal
        least_normal,                               //
        least_normal + 1,                           //
        least_normal | half_fraction,               //
        power(format.emin + 1),                     //
        power(format.emin + 1) - 1,                 //
        power(format.emin / 2),                     // squares and roots at the lower bound
        power(format.emin / 2) + 1,                 //
        power(format.emin / 2) - 1,                 //
        power(format.emin / 2 - format.precision),  //
        power(-format.precision),                   // half a unit of a number just below one
        power(-format.precision) + 1,               //
        power(-fraction),                           // a unit of one
        power(-1) - 1,                              //
        power(-1),                                  // a half
        power(-1) + 1,                              //
        one - ulp_of_one,                           //
        one,                                        //
        one + ulp_of_one,                           //
        one | half_fraction,                        // one and a half
        power(1) - 1,                               //
        power(1),                                   //
        power(1) | (half_fraction >> 1),            // two and a half
        power(fraction) - 1,                        // a half-integer, the greatest non-integer
        power(fraction),                            //
        power(format.precision) - 1,                // the greatest odd integer
        power(31),                                  // the bounds of integers
        power(31) - 1,                              //
        power(32) - 1,                              //
        power(63),                                  //
        power(63) - 1,                              //
        power(64),                                  //
        power(64) - 1,                              //
        power(format.emax / 2),                     // squares at the upper bound
        power(format.emax / 2 + 1),                 //
        power(format.emax) - 1,                     //
        power(format.emax),                         //
        format.infinity() - 2,                      //
        format.infinity() - 1,                      // the greatest finite number
        format.infinity(),                          //
        format.infinity() + 1,                      // signaling NaNs
        format.infinity() | (half_fraction >> 1),   //
        format.canonical_nan(),                     //
        format.canonical_nan() + 1,                 // a quiet NaN with a payload
    };
    const size_t count = list.size();
    for (size_t i = 0; i < count; ++i) {
        list.push_back(list[i] | format.sign());
    }
    return list;
}

uint64_t seed() {
    const char* text = std::getenv("WEFT_TEST_SEED");
    return text != nullptr && *text != 0 ? std::strtoull(text, nullptr, 0) : 0x5eed754;
}

int cases(int usual) {
    const char* text = std::getenv("SOFTFLOAT_TEST_CASES");
    return text != nullptr && *text != 0 ? std::atoi(text) : usual;
}

int Generator::between(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<uint64_t>(high - low + 1));
}

uint64_t Generator::fraction(int bits) {
    if (bits == 0) {
        return 0;
    }
    const uint64_t mask = (uint64_t{1} << bits) - 1;
    const uint64_t value = random_() & mask;
    switch (between(0, 5)) {
        case 0:  // one run of ones
            return ((uint64_t{1} << between(0, bits)) - (uint64_t{1} << between(0, bits))) & mask;
        case 1:  // trailing zeros
            return value & ~((uint64_t{1} << between(0, bits)) - 1);
        case 2:  // trailing ones
            return value | ((uint64_t{1} << between(0, bits)) - 1);
        case 3:  // few ones
            return ((uint64_t{1} << between(0, bits - 1)) | (uint64_t{1} << between(0, bits - 1))) & mask;
        default:
            return value;
    }
}

uint64_t Generator::finite(int exponent) {
    const uint64_t sign = (random_() & 1) != 0 ? format_.sign() : 0;
    if (exponent < format_.emin) {
        const int bits = format_.fraction_bits() - (format_.emin - 1 - exponent);
        return sign | (bits > 0 ? (uint64_t{1} << (bits - 1)) | fraction(bits - 1) : 1);
    }
    const auto field = static_cast<uint64_t>(std::min(exponent, format_.emax) + format_.emax);
    return sign | (field << format_.fraction_bits()) | fraction(format_.fraction_bits());
}

int Generator::exponent(uint64_t x) const {
    return static_cast<int>((x & ~format_.sign()) >> format_.fraction_bits()) - format_.emax;
}

uint64_t Generator::any() {
    const int precision = format_.precision;
    switch (between(0, 15)) {
        case 0: {
            const auto list = corners(format_);
            return list[random_() % list.size()];
        }
        case 1:
            return random_() & (format_.sign() | (format_.sign() - 1));
        case 2:
        case 3:
            return finite(format_.emin + between(-precision, precision));
        case 4:
            return finite(format_.emax - between(0, precision));
        case 5:
        case 6:
        case 7:
            return finite(between(format_.emin, format_.emax));
        default:
            return finite(between(-precision - 3, precision + 3));
    }
}

uint64_t Generator::nearby(uint64_t x) {
    return (x + static_cast<uint64_t>(between(-2, 2))) & (format_.sign() | (format_.sign() - 1));
}

uint64_t Generator::addend(uint64_t a) {
    switch (between(0, 3)) {
        case 0:
            return any();
        case 1:
            return nearby(a ^ format_.sign());
        default:
            return finite(exponent(a) + between(-format_.precision - 3, format_.precision + 3));
    }
}

uint64_t Generator::factor(uint64_t a) {
    switch (between(0, 3)) {
        case 0:
            return any();
        case 1:
            return finite(format_.emax - exponent(a) - between(-1, 2));
        default:
            return finite(format_.emin - exponent(a) + between(-format_.precision - 3, 2));
    }
}

uint64_t Generator::divisor(uint64_t a) {
    switch (between(0, 3)) {
        case 0:
            return any();
        case 1:
            return finite(exponent(a) - format_.emax + between(-2, 2));
        default:
            return finite(exponent(a) - format_.emin - between(-format_.precision - 3, 2));
    }
}

uint64_t Generator::fma_addend(uint64_t a, uint64_t b) {
    const int product = exponent(a) + exponent(b);
    const int precision = format_.precision;
    switch (between(0, 3)) {
        case 0:
            return any();
        case 1:
            return finite(product + between(-1, 2));
        default:
            return finite(product + between(-2 * precision - 3, 2 * precision + 3));
    }
}

uint64_t Generator::integer() {
    const uint64_t value = random_() >> between(0, 63);
    switch (between(0, 3)) {
        case 0:
            return (uint64_t{1} << between(0, 63)) + static_cast<uint64_t>(between(-2, 2));
        case 1:
            return 0 - value;
        default:
            return value;
    }
}

}  // namespace inputs
