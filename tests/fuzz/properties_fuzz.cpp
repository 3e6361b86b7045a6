// -accel's text against a table with each type of property: values are within what the table allows, or the message is one
// line.
#include <iterator>
#include <string>

#include "base/assert.h"
#include "base/text_values.h"
#include "emulator/accel/accel_properties.h"
#include "entry.h"

using namespace weft;

namespace {

constexpr PropertyDesc kTable[] = {
    {"split-wx", PropertyType::boolean, "off", 0, 0, nullptr, "two mappings"},
    {"tb-size", PropertyType::uint, "0", 0, 4096, nullptr, "size in MiB"},
    {"first-tb", PropertyType::uint, nullptr, 7, 7, nullptr, "a number with one value"},
    {"thread", PropertyType::choice, "multi", 0, 0, "single|multi|auto", "threads"},
    {"label", PropertyType::string, nullptr, 0, 0, nullptr, "a label"},
};

void check_values(const loader::AccelProperties& properties) {
    for (size_t i = 0; i < std::size(kTable); ++i) {
        const PropertyValue& value = properties.values()[i];
        if (!value.set) {
            WEFT_ASSERT(kTable[i].default_value == nullptr);
            continue;
        }
        switch (kTable[i].type) {
            case PropertyType::boolean:
                WEFT_ASSERT(value.number <= 1);
                break;
            case PropertyType::uint:
                WEFT_ASSERT(value.number >= kTable[i].min && value.number <= kTable[i].max);
                break;
            case PropertyType::choice:
                WEFT_ASSERT(value.number <= 2);
                break;
            case PropertyType::string:
                WEFT_ASSERT(value.text != nullptr);
                break;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    AccelDescriptor descriptor{};
    descriptor.name = "tcg";
    descriptor.description = "fuzz";
    descriptor.properties = kTable;
    descriptor.property_count = std::size(kTable);
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto list = parse_key_values(text, true);
    if (!list) {
        WEFT_ASSERT(list.error().message().find('\n') == std::string::npos);
        return 0;
    }
    const auto properties = loader::AccelProperties::parse(descriptor, list->items);
    if (!properties) {
        WEFT_ASSERT(properties.error().message().find('\n') == std::string::npos);
        return 0;
    }
    check_values(*properties);
    return 0;
}
