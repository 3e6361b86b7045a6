// Carries out an image's plan: files' pages, zeros and protections at their addresses.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "emulator/linux-user/loader/image.h"

namespace weft::user {

// The address space as a loader sees it. Addresses are the guest's; ranges are whole pages but in zero(). Each call does all or
// nothing and gives 0 or an error number. Used by one thread, before the guest runs.
class ImageMapper {
  public:
    virtual ~ImageMapper() = default;
    // Takes a range in which nothing is yet: EEXIST where something is, ENOMEM outside the space, EPERM below its lowest address.
    virtual int reserve(Range range) = 0;
    // Takes a free range of `size` bytes anywhere; its address is `remainder` modulo `alignment`, a power of two of at least a
    // page. The address, or an error number.
    virtual std::expected<uint64_t, int> reserve_anywhere(uint64_t size, uint64_t alignment,
                                                          uint64_t remainder) = 0;
    // These replace what is in a range that was taken. The file is the one that the mapper was made for; past its end there
    // may be pages without bytes.
    virtual int map_file(Range range, uint64_t offset, unsigned prot) = 0;
    virtual int map_anonymous(Range range, unsigned prot) = 0;
    virtual int protect(Range range, unsigned prot) = 0;
    // Zeros for bytes of pages that are mapped writable; EFAULT where the file has none.
    virtual int zero(Range range) = 0;
    // Gives a range back, whatever is in it. Cannot fail: the range was taken.
    virtual void release(Range range) = 0;
};

struct PlacedImage {
    uint64_t
        bias;  // AT_BASE, for an interpreter. A sum of it and an address of the plan is meant modulo 2^64
    uint64_t entry;         // below the limit
    uint64_t phdr_address;  // AT_PHDR, for a program
    uint64_t brk_start;
};

// Maps an image. One that is not fixed goes with its lowest page at `wanted`, or the next lower address that its alignment
// allows, if that is free; otherwise, and without `wanted`, where the mapper says; without its alignment if there is no room so aligned.
// `limit` as plan_image() got it.
//
// Between the segments of an image nothing is mapped afterwards. On failure nothing of it remains. Errors are the mapper's, and
// EINVAL for an entry point that is not below the limit.
ExecResult<PlacedImage> place_image(const ImagePlan& plan, ImageMapper& mapper,
                                    std::optional<uint64_t> wanted, uint64_t limit);

}  // namespace weft::user
