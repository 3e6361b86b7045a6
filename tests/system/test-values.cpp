// Numbers, sizes, switches and comma lists.
#include <catch2/catch.hpp>

#include "base/text_values.h"

using namespace weft;

TEST_CASE("sizes take a suffix or the option's unit", "[values]") {
    constexpr uint64_t kMiB = 1 << 20;
    CHECK(parse_size("128", kMiB) == 128 * kMiB);
    CHECK(parse_size("1G", kMiB) == 1024 * kMiB);
    CHECK(parse_size("2g", kMiB) == 2048 * kMiB);
    CHECK(parse_size("64K", kMiB) == 65536);
    CHECK(parse_size("1T", kMiB) == uint64_t{1} << 40);
    CHECK(parse_size("0x10M", kMiB) == 16 * kMiB);
    for (const char* bad : {"", "M", "1X", "1MM", "-1", "+1", " 1", "1 ", "1.5G", "0x",
                            "99999999999999999999", "18446744073709551615K"}) {
        INFO(bad);
        CHECK_FALSE(parse_size(bad, kMiB));
    }
}

TEST_CASE("sizes are shown in the largest unit that divides them", "[values]") {
    CHECK(format_size(0) == "0");
    CHECK(format_size(512) == "512");
    CHECK(format_size(4096) == "4K");
    CHECK(format_size(uint64_t{3} << 29) == "1536M");
    CHECK(format_size(uint64_t{1} << 40) == "1T");
}

TEST_CASE("numbers and switches are exact", "[values]") {
    CHECK(parse_uint("0") == 0u);
    CHECK(parse_uint("18446744073709551615") == UINT64_MAX);
    CHECK(parse_uint("0xffffffffffffffff") == UINT64_MAX);
    for (const char* bad : {"", "-1", "+1", "1a", "0x", "0xg", "18446744073709551616", " 1"}) {
        INFO(bad);
        CHECK_FALSE(parse_uint(bad));
    }
    for (const char* on : {"on", "yes", "true"}) {
        CHECK(parse_bool(on) == true);
    }
    for (const char* off : {"off", "no", "false"}) {
        CHECK(parse_bool(off) == false);
    }
    for (const char* bad : {"", "1", "0", "ON", "maybe"}) {
        CHECK_FALSE(parse_bool(bad));
    }
}

TEST_CASE("comma lists keep order, doubled commas and absent values", "[values]") {
    const auto list = parse_key_values("tcg,thread=multi,file=a,,b,flag,empty=", true);
    REQUIRE(list);
    CHECK(list->head == "tcg");
    REQUIRE(list->items.size() == 4);
    CHECK(list->items[0].key == "thread");
    CHECK(list->items[0].value == "multi");
    CHECK(list->items[1].value == "a,b");
    CHECK_FALSE(list->items[2].value);
    CHECK(list->items[3].value == "");

    const auto headless = parse_key_values("flag,a=b=c", false);
    REQUIRE(headless);
    CHECK_FALSE(headless->head);
    CHECK(headless->items[1].value == "b=c");

    CHECK_FALSE(parse_key_values("", true));
    CHECK_FALSE(parse_key_values("tcg,", true));
    CHECK_FALSE(parse_key_values("a,=b", true));
}

TEST_CASE("quoting keeps a message on one line", "[values]") {
    CHECK(in_quotes("a b") == "'a b'");
    CHECK(in_quotes("a\nb\x7f") == "'a\\x0ab\\x7f'");
    CHECK(in_quotes("ä") == "'ä'");
}
