// The vDSO's call frame information: DWARF 5 section 6.4 in the form of Linux Standard Base, "Exception Frames".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::user::vdso {

// Code for which there is a frame description. Offsets are of the image.
struct FrameRange {
    uint64_t start;
    uint64_t size;
    bool signal;  // a signal handler returns to it: sp is a struct rt_sigframe's
};

struct FrameSections {
    std::string header;  // .eh_frame_hdr, with its table of ranges
    std::string frames;  // .eh_frame
};

// For sections at these offsets of the image. `ranges` is sorted.
FrameSections frame_sections(const std::vector<FrameRange>& ranges, uint64_t header_offset,
                             uint64_t frames_offset);

}  // namespace weft::user::vdso
