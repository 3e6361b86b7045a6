#include "accel/tcg/time/insn_rate.h"

#include <algorithm>

namespace weft::accel {

namespace {

// Between two looks: of the host's time, and of the guest's, where that goes otherwise.
constexpr uint64_t kInterval = 100'000'000;
constexpr uint64_t kShortest = 1'000'000, kLongest = 100'000'000;
constexpr int64_t kTolerance = 100'000'000;  // less is left alone
constexpr int64_t kMostApart = 1'000'000'000;
constexpr unsigned kFirstShift = 3;  // 125 million instructions a second

}  // namespace

InsnRate InsnRate::automatic() {
    InsnRate rate(kFirstShift, true);
    rate.check_at_ns_ = 0;
    return rate;
}

void InsnRate::time_was_set() {
    check_at_ns_ = check_at_ns_ == kNever ? kNever : 0;
    begun_ = false;
    ahead_ns_ = 0;
}

void InsnRate::adjust(uint64_t guest_ns, uint64_t host_ns) {
    const auto distance = static_cast<int64_t>(guest_ns - host_ns);
    if (!begun_) {
        origin_ns_ = distance;
        guest_ns_ = guest_ns;
        host_ns_ = host_ns;
        begun_ = true;
    }
    const int64_t ahead = distance - origin_ns_;
    if (ahead > kTolerance && ahead > ahead_ns_) {
        shift_ -= shift_ == 0 ? 0 : 1;
    } else if (ahead < -kTolerance && ahead < ahead_ns_) {
        shift_ = std::min(shift_ + 1, kMaxShift);
    }
    ahead_ns_ = std::clamp(ahead, -kMostApart, kMostApart);
    origin_ns_ = distance - ahead_ns_;
    const uint64_t passed = std::min(guest_ns - guest_ns_, 10 * kLongest);
    const uint64_t meanwhile = host_ns - host_ns_;
    check_at_ns_ =
        guest_ns +
        (meanwhile == 0 ? kShortest : std::clamp(passed * kInterval / meanwhile, kShortest, kLongest));
    guest_ns_ = guest_ns;
    host_ns_ = host_ns;
}

}  // namespace weft::accel
