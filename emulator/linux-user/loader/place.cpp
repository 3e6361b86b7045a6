#include "emulator/linux-user/loader/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/bits.h"

namespace weft::user {

namespace {

// The pages of a plan's segments, sorted; those that meet are one range.
std::vector<Range> occupied(const ImagePlan& plan) {
    std::vector<Range> ranges;
    for (const Segment& segment : plan.segments) {
        const SegmentPages pages = segment_pages(segment);
        for (const Range& range : {pages.file, pages.anonymous}) {
            if (range.size != 0) {
                ranges.push_back(range);
            }
        }
    }
    std::ranges::sort(ranges, {}, &Range::start);
    std::vector<Range> merged;
    for (const Range& range : ranges) {
        if (!merged.empty() && range.start <= merged.back().end()) {
            merged.back().size = std::max(merged.back().end(), range.end()) - merged.back().start;
        } else {
            merged.push_back(range);
        }
    }
    return merged;
}

// What an image has taken of the address space; gives it back unless it is kept.
class Taken {
  public:
    explicit Taken(ImageMapper& mapper) : mapper_(mapper) {}
    ~Taken() {
        for (const Range& range : ranges_) {
            mapper_.release(range);
        }
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;

    void add(Range range) { ranges_.push_back(range); }
    void keep() { ranges_.clear(); }

  private:
    ImageMapper& mapper_;
    std::vector<Range> ranges_;
};

Range shifted(Range range, uint64_t bias) { return {range.start + bias, range.size}; }

int reserve_all(ImageMapper& mapper, std::span<const Range> ranges, Taken& taken) {
    for (const Range& range : ranges) {
        if (const int error = mapper.reserve(range); error != 0) {
            return error;
        }
        taken.add(range);
    }
    return 0;
}

// Takes the whole span of an image that may go anywhere, then gives back what lies between its segments. The load bias, or an
// error number.
std::expected<uint64_t, int> reserve_span(const ImagePlan& plan, ImageMapper& mapper,
                                          std::span<const Range> ranges, std::optional<uint64_t> wanted,
                                          Taken& taken) {
    const uint64_t size = plan.high - plan.low;
    const uint64_t remainder = plan.low & (plan.alignment - 1);
    std::optional<uint64_t> address;
    if (wanted && *wanted >= remainder) {
        const uint64_t lower = align_down(*wanted - remainder, plan.alignment) + remainder;
        if (mapper.reserve({lower, size}) == 0) {
            address = lower;
        }
    }
    if (!address) {
        auto chosen = mapper.reserve_anywhere(size, plan.alignment, remainder);
        if (!chosen && chosen.error() == ENOMEM && plan.alignment > kGuestPageSize) {
            // Linux asks for an alignment, and takes what it gets.
            chosen = mapper.reserve_anywhere(size, kGuestPageSize, 0);
        }
        if (!chosen) {
            return std::unexpected(chosen.error());
        }
        address = *chosen;
    }
    const uint64_t bias = *address - plan.low;
    uint64_t hole = *address;
    for (const Range& range : ranges) {
        const Range part = shifted(range, bias);
        if (part.start != hole) {
            mapper.release({hole, part.start - hole});
        }
        taken.add(part);
        hole = part.end();
    }
    if (hole != *address + size) {
        mapper.release({hole, *address + size - hole});
    }
    return bias;
}

// The first error of the calls that a segment takes.
int map_segment(const Segment& segment, uint64_t bias, ImageMapper& mapper) {
    const SegmentPages pages = segment_pages(segment);
    if (pages.file.size != 0) {
        // Zeros behind the file's bytes are written, also where the guest may not write.
        const bool unlock = pages.tail.size != 0 && (segment.prot & kMayWrite) == 0;
        const Range range = shifted(pages.file, bias);
        if (const int error =
                mapper.map_file(range, pages.file_offset, segment.prot | (unlock ? kMayWrite : 0u))) {
            return error;
        }
        if (pages.tail.size != 0) {
            // As in Linux, a page without bytes (past the file's end) matters only to a segment that is to be written.
            const int error = mapper.zero(shifted(pages.tail, bias));
            if (error != 0 && !unlock) {
                return error;
            }
        }
        if (unlock) {
            if (const int error = mapper.protect(range, segment.prot)) {
                return error;
            }
        }
    }
    return pages.anonymous.size != 0
               ? mapper.map_anonymous(shifted(pages.anonymous, bias), pages.anonymous_prot)
               : 0;
}

}  // namespace

ExecResult<PlacedImage> place_image(const ImagePlan& plan, ImageMapper& mapper,
                                    std::optional<uint64_t> wanted, uint64_t limit) {
    const std::vector<Range> ranges = occupied(plan);
    Taken taken(mapper);
    uint64_t bias = 0;
    if (plan.fixed) {
        if (const int error = reserve_all(mapper, ranges, taken); error != 0) {
            return exec_fail(error, fmt::format("the program's place, {:#x} to {:#x}, cannot be had",
                                                plan.low, plan.high));
        }
    } else if (!ranges.empty()) {
        const auto found = reserve_span(plan, mapper, ranges, wanted, taken);
        if (!found) {
            return exec_fail(found.error(),
                             fmt::format("there is no place for {:#x} bytes", plan.high - plan.low));
        }
        bias = *found;
    }
    for (size_t i = 0; i < plan.segments.size(); ++i) {
        if (const int error = map_segment(plan.segments[i], bias, mapper); error != 0) {
            return exec_fail(error, fmt::format("segment at {:#x} cannot be mapped", plan.segments[i].vaddr));
        }
    }
    const uint64_t entry = plan.entry + bias;
    if (entry >= limit) {
        return exec_fail(EINVAL,
                         fmt::format("the entry point, {:#x}, lies above the space of addresses", entry));
    }
    taken.keep();
    return PlacedImage{bias, entry, plan.phdr_address + bias, plan.high + bias};
}

}  // namespace weft::user
