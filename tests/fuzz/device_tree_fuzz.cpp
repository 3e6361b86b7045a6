// A device tree from the user: refused, or changed as the boot code changes it and still a tree afterwards.
#include <vector>

#include "base/assert.h"
#include "emulator/hw/boot/device_tree.h"
#include "entry.h"

using namespace weft;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    auto editor = hw::DeviceTreeEditor::open("file", {data, size});
    if (!editor) {
        return 0;
    }
    const bool has_text =
        editor->set_text("/chosen", "bootargs", "console=ttyS0 " + std::string(300, 'x')).has_value();
    const bool has_wide = editor->set_wide("/chosen", "linux,initrd-start", 0x84000000).has_value();
    std::vector<uint8_t> blob = editor->finish();
    WEFT_ASSERT(hw::DeviceTreeEditor::open("made", blob).has_value());
    const auto text = hw::device_tree_property(blob, "/chosen", "bootargs");
    WEFT_ASSERT(!has_text || text.size() == 315);
    const auto wide = hw::device_tree_property(blob, "/chosen", "linux,initrd-start");
    WEFT_ASSERT(!has_wide || (wide.size() == 8 && wide[4] == 0x84));
    static_cast<void>(hw::device_tree_property(blob, "/", "compatible"));
    return 0;
}
