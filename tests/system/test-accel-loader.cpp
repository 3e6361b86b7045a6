// Modules: where they are looked for, and what is wrong with those that cannot be used.
#include <catch2/catch.hpp>

#include "emulator/accel/accel_loader.h"
#include "emulator/accel/module_by_dlopen.h"
#include "emulator/accel/module_by_gmodule.h"
#include "tests/support/subprocess.h"

using namespace weft;

namespace {

// Each way to open a module gives the same answers.
loader::AccelSources sources(std::vector<std::string> folders = {MOCK_DIR}) {
    return {.folders = std::move(folders), .open = GENERATE(loader::gmodule_symbol, loader::dlopen_symbol)};
}

std::string message(const loader::AccelSources& from, const std::string& name) {
    const auto loaded = loader::load_accelerator(from, name);
    return loaded ? "(loaded)" : loaded.error().message();
}

std::string path(const std::string& name) { return std::string(MOCK_DIR) + "/accel-" + name + ".so"; }

}  // namespace

TEST_CASE("folders come in the documented order, each once", "[accel-loader]") {
    CHECK(loader::module_folders("m", "e1::e2:m", "/opt/weft/bin") ==
          std::vector<std::string>{"m", "e1", "e2", "/opt/weft/bin", "/opt/weft/bin/accel",
                                   "/opt/weft/lib/weft", "/opt/accel/tcg"});
    CHECK(loader::module_folders(std::nullopt, std::nullopt, "/b/emulator/system").back() == "/b/accel/tcg");
}

TEST_CASE("a module built against the public headers alone is accepted", "[accel-loader]") {
    const loader::AccelSources from = sources();
    const auto loaded = loader::load_accelerator(from, "mock");
    REQUIRE(loaded);
    CHECK((*loaded)->name == std::string("mock"));
    CHECK((*loaded)->property_count > 4);
    // Resident: it is the same the next time.
    CHECK(*loader::load_accelerator(from, "mock") == *loaded);
}

TEST_CASE("the first folder that has the module decides", "[accel-loader]") {
    const test::TempDir dir;
    const std::string garbage = dir.write("accel-mock.so", "this is no shared object\n");
    loader::AccelSources from = sources({"/nonexistent", MOCK_DIR, dir.path()});
    CHECK(message(from, "mock") == "(loaded)");
    from.folders = {dir.path(), MOCK_DIR};
    const std::string broken = message(from, "mock");
    CHECK(broken.starts_with("accelerator 'mock': cannot open the module: " + garbage));
    CHECK(broken.find('\n') == std::string::npos);
}

TEST_CASE("each unusable module has its message", "[accel-loader]") {
    const loader::AccelSources from = sources();
    CHECK(message(from, "none-such") ==
          "accelerator 'none-such': there is no accel-none-such.so in " MOCK_DIR);
    CHECK(message(from, "no-symbol") == "accelerator 'no-symbol': " + path("no-symbol") +
                                            " is no accelerator module (it has no symbol weft_accelerator)");
    CHECK(message(from, "other-abi") == "accelerator 'other-abi': " + path("other-abi") +
                                            " has ABI version 77; this program speaks version " +
                                            std::to_string(kAccelAbiVersion));
    CHECK(message(from, "other-size") == "accelerator 'other-size': " + path("other-size") +
                                             " has a descriptor of 8 bytes; this program expects " +
                                             std::to_string(sizeof(AccelDescriptor)));
    CHECK(message(from, "other-layout")
              .starts_with("accelerator 'other-layout': " + path("other-layout") +
                           " was built with other data layouts (000000000000002a) than this program ("));
    CHECK(message(from, "other-sanitizer")
              .starts_with("accelerator 'other-sanitizer': " + path("other-sanitizer") + " was built with "));
    CHECK(message(from, "misnamed") ==
          "accelerator 'misnamed': " + path("misnamed") + " says its name is 'mock'");
}

TEST_CASE("what lies behind a wrong version is not looked at", "[accel-loader]") {
    AccelDescriptor descriptor{};
    descriptor.abi_version = kAccelAbiVersion + 1;
    const auto checked = loader::check_descriptor(descriptor, "x.so", "x");
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message().find("ABI version") != std::string::npos);

    descriptor = {kAccelAbiVersion,
                  sizeof(AccelDescriptor),
                  layout_hash(),
                  sanitizer_mode(),
                  "x",
                  nullptr,
                  nullptr,
                  0,
                  nullptr,
                  nullptr};
    const auto incomplete = loader::check_descriptor(descriptor, "x.so", "x");
    REQUIRE_FALSE(incomplete);
    CHECK(incomplete.error().message() == "accelerator 'x': x.so has an incomplete descriptor");
}

TEST_CASE("the list shows usable modules and what is wrong with others", "[accel-loader]") {
    const std::string text = loader::accelerators_text(sources());
    CHECK(text.starts_with("Accelerators:\n"));
    CHECK(text.find("\n  mock  runs nothing and reports (for tests)\n") != std::string::npos);
    CHECK(text.find("\n  other-abi  (cannot be used: accelerator 'other-abi': ") != std::string::npos);
    CHECK(loader::accelerators_text({}) == "There are no accelerators.\n");
}

TEST_CASE("an accelerator that is linked in comes before a module of its name", "[accel-loader]") {
    static constexpr AccelDescriptor kLinked = {kAccelAbiVersion,
                                                sizeof(AccelDescriptor),
                                                0,
                                                SanitizerMode::none,
                                                "mock",
                                                "linked in",
                                                nullptr,
                                                0,
                                                nullptr,
                                                nullptr};
    static constexpr const AccelDescriptor* kTable[] = {&kLinked};
    loader::AccelSources from = sources();
    CHECK(*loader::load_accelerator(from, "mock") != &kLinked);
    from.built_in = kTable;
    CHECK(*loader::load_accelerator(from, "mock") == &kLinked);
    const std::string text = loader::accelerators_text(from);
    CHECK(text.find("\n  mock  linked in\n") != std::string::npos);
    CHECK(text.find("\n  mock  runs nothing") == std::string::npos);
    // Without any way to open modules.
    CHECK(*loader::load_accelerator({.built_in = kTable}, "mock") == &kLinked);
}
