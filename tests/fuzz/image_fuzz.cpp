// Files that a machine boots: what is accepted is what loader.h says.
#include "base/assert.h"
#include "emulator/hw/boot/gzip.h"
#include "emulator/hw/boot/kernel_image.h"
#include "entry.h"

using namespace weft;

namespace {

constexpr uint64_t kLimit = uint64_t{1} << 20;

void check(const Result<hw::LoadedImage>& image) {
    if (!image) {
        WEFT_ASSERT(image.error().message().starts_with("file: "));
        return;
    }
    WEFT_ASSERT(!image->segments.empty() && image->low <= image->high);
    uint64_t low = UINT64_MAX;
    for (const hw::LoadSegment& segment : image->segments) {
        WEFT_ASSERT(segment.bytes.size() <= segment.memory_size && segment.memory_size != 0);
        WEFT_ASSERT(segment.paddr <= UINT64_MAX - segment.memory_size);
        WEFT_ASSERT(segment.paddr + segment.memory_size <= image->high);
        low = std::min(low, segment.paddr);
    }
    WEFT_ASSERT(low == image->low);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Bytes bytes(data, size);
    const uint64_t base = bytes.take<uint64_t>();
    const hw::BootFile file{"file", std::vector<uint8_t>(bytes.data(), bytes.data() + bytes.size())};
    check(hw::load_kernel(file, base, kLimit));
    check(hw::load_firmware(file, base));
    const auto plain = hw::unpack_gzip("file", file.bytes, kLimit);
    WEFT_ASSERT(!plain || plain->size() <= kLimit);
    return 0;
}
