// Accelerator properties against a table.
#include <catch2/catch.hpp>

#include "emulator/accel/accel_properties.h"

using namespace weft;

namespace {

constexpr PropertyDesc kTable[] = {
    {"split-wx", PropertyType::boolean, "off", 0, 0, nullptr, "two mappings"},
    {"tb-size", PropertyType::uint, "0", 0, 4096, nullptr, "size in MiB"},
    {"thread", PropertyType::choice, "multi", 0, 0, "single|multi|auto", "threads"},
    {"label", PropertyType::string, nullptr, 0, 0, nullptr, "a label"},
};

AccelDescriptor descriptor() {
    AccelDescriptor result{};
    result.name = "tcg";
    result.description = "test";
    result.properties = kTable;
    result.property_count = std::size(kTable);
    return result;
}

std::string message(std::vector<KeyValue> items) {
    const Result<loader::AccelProperties> properties = loader::AccelProperties::parse(descriptor(), items);
    return properties ? "(accepted)" : properties.error().message();
}

}  // namespace

TEST_CASE("defaults, then the user's values, the last one last", "[accel-properties]") {
    const auto defaults = loader::AccelProperties::parse(descriptor(), {});
    REQUIRE(defaults);
    REQUIRE(defaults->values().size() == 4);
    CHECK(defaults->data()[0].set);
    CHECK(defaults->data()[0].number == 0);
    CHECK(defaults->data()[2].number == 1);
    CHECK_FALSE(defaults->data()[3].set);

    const std::vector<KeyValue> items = {{"thread", "single"}, {"tb-size", "0x20"},
                                         {"label", "first"},   {"thread", "auto"},
                                         {"label", "last"},    {"split-wx", std::nullopt}};
    auto parsed = loader::AccelProperties::parse(descriptor(), items);
    REQUIRE(parsed);
    const loader::AccelProperties moved = std::move(*parsed);
    CHECK(moved.data()[0].number == 1);
    CHECK(moved.data()[1].number == 32);
    CHECK(moved.data()[2].number == 2);
    CHECK(moved.data()[3].text == std::string("last"));
}

TEST_CASE("each bad property names itself, its value and what is allowed", "[accel-properties]") {
    CHECK(message({{"tb-size", "abc"}}) ==
          "accelerator 'tcg': property 'tb-size': 'abc' is not a number from 0 to 4096");
    CHECK(message({{"tb-size", "-1"}}) ==
          "accelerator 'tcg': property 'tb-size': '-1' is not a number from 0 to 4096");
    CHECK(message({{"tb-size", "4097"}}) ==
          "accelerator 'tcg': property 'tb-size': '4097' is not a number from 0 to 4096");
    CHECK(message({{"split-wx", "maybe"}}) ==
          "accelerator 'tcg': property 'split-wx': 'maybe' is not on or off");
    CHECK(message({{"thread", "many"}}) ==
          "accelerator 'tcg': property 'thread': 'many' is not single, multi or auto");
    CHECK(message({{"thread", "Multi"}}) ==
          "accelerator 'tcg': property 'thread': 'Multi' is not single, multi or auto");
    CHECK(message({{"thread", std::nullopt}}) ==
          "accelerator 'tcg': property 'thread' needs a value: single, multi or auto");
    CHECK(message({{"foo", "1"}}) ==
          "accelerator 'tcg' has no property 'foo' (properties: split-wx, tb-size, thread, label)");
    // An earlier bad value is not excused by a later good one.
    CHECK(message({{"tb-size", "abc"}, {"tb-size", "1"}}) ==
          "accelerator 'tcg': property 'tb-size': 'abc' is not a number from 0 to 4096");
}

TEST_CASE("the help text shows type, range, default and meaning", "[accel-properties]") {
    CHECK(loader::properties_text(descriptor()) ==
          "tcg: test\n"
          "  split-wx=<on or off> (default: off)\n      two mappings\n"
          "  tb-size=<a number from 0 to 4096> (default: 0)\n      size in MiB\n"
          "  thread=<single, multi or auto> (default: multi)\n      threads\n"
          "  label=<a text>\n      a label\n");
}
