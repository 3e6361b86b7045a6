// What a guest may send to its shared folder: messages one after the other, each with little or much room for its answer. Whatever
// they are, each has one whole answer within its room, and no path that is made of them leads out of the tree.
#include <span>
#include <vector>

#include "base/assert.h"
#include "emulator/hw/virtio/9p/server.h"
#include "entry.h"
#include "memory_tree.h"

using namespace weft;
using namespace weft::hw;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    test::MemoryTree tree;
    p9::Server server(tree, p9::QidMap(tree.other_devices(), [] {}), 16);
    std::vector<uint8_t> bytes(p9::Server::kMinSize + 64);
    const std::span<uint8_t> room(bytes);
    std::span<const uint8_t> rest(data, size);
    while (rest.size() >= p9::kHeaderSize) {
        p9::FieldReader reader(rest);
        uint32_t length = 0;
        uint8_t number = 0;
        uint16_t tag = 0;
        reader.take(length);
        reader.take(number);
        reader.take(tag);
        // One that says more than is there is handed over as it is.
        const size_t end = std::min<size_t>(std::max<size_t>(length, p9::kHeaderSize), rest.size());
        // Tags with their upper bit set come with little room.
        const size_t space = (tag & 0x8000) != 0 ? p9::Server::kErrorSize + tag % 64 : room.size();
        const size_t answer = server.answer(rest.first(end), room.first(space));
        WEFT_ASSERT(answer >= p9::kHeaderSize && answer <= space);
        p9::FieldReader header(room.first(answer));
        uint32_t said = 0;
        uint8_t kind = 0;
        uint16_t same = 0;
        header.take(said);
        header.take(kind);
        header.take(same);
        WEFT_ASSERT(said == answer && same == tag);
        WEFT_ASSERT(kind == number + 1 || kind == p9::Rlerror::kNumber);
        if (kind == p9::Rlerror::kNumber) {
            const auto error = p9::read_fields<p9::Rlerror>(header);
            WEFT_ASSERT(header.good() && header.rest().empty() && error.error != 0);
        }
        rest = rest.subspan(end);
    }
    return 0;
}
