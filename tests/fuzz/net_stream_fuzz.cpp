// Frames on a stream, in pieces of any size: they come out as they went in, whatever pieces the bytes come in, or the stream is refused.
//
// Input: sizes of pieces in the first 8 bytes, then the stream.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "emulator/backend/net/stream_frames.h"
#include "entry.h"

using namespace weft;

namespace {

constexpr size_t kMaxFrame = 300;

struct Outcome {
    std::vector<std::vector<uint8_t>> frames;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

Outcome put_together(std::span<const uint8_t> stream, std::span<const uint8_t> pieces) {
    Outcome outcome;
    backend::StreamFrames frames(kMaxFrame);
    backend::FrameQueue queue(2 * kMaxFrame);
    size_t turn = 0;
    while (!outcome.refused) {
        const size_t wanted = pieces.empty() ? stream.size() : size_t{pieces[turn++ % pieces.size()]} + 1;
        const std::span<uint8_t> room = frames.room();
        const size_t count = std::min({wanted, room.size(), stream.size()});
        WEFT_ASSERT(!room.empty());
        std::copy_n(stream.begin(), count, room.begin());
        frames.filled(count);
        stream = stream.subspan(count);
        do {
            outcome.refused = !frames.take(queue);
            if (queue.empty()) {
                break;
            }
            for (; !queue.empty(); queue.drop_first()) {
                WEFT_ASSERT(!queue.first().empty() && queue.first().size() <= kMaxFrame);
                outcome.frames.emplace_back(queue.first().begin(), queue.first().end());
            }
        } while (!outcome.refused);
        if (count == 0) {
            break;
        }
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::span<const uint8_t> input(data, size);
    const auto pieces = input.first(std::min<size_t>(size, 8));
    const auto stream = input.subspan(pieces.size());
    const Outcome whole = put_together(stream, {});
    const Outcome cut = put_together(stream, pieces);
    WEFT_ASSERT(cut == whole);
    // What was understood is written again as it came.
    std::vector<uint8_t> again;
    for (const auto& frame : whole.frames) {
        backend::append_stream_frame(again, frame);
    }
    WEFT_ASSERT(again.size() <= stream.size() && std::ranges::equal(again, stream.first(again.size())));
    return 0;
}
