// The options of weft-riscv64 and the variables that stand for them.
#include <fmt/format.h>
#include <algorithm>

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "emulator/linux-user/options.h"

using namespace weft;
using namespace weft::user;

namespace {

Result<Options> parse(std::vector<const char*> arguments, std::vector<const char*> environment = {},
                      StartedBy by = {}) {
    return parse_options(arguments, environment, by);
}

std::string error(std::vector<const char*> arguments, std::vector<const char*> environment = {}) {
    const auto parsed = parse(std::move(arguments), std::move(environment));
    return parsed ? "(accepted)" : parsed.error().message();
}

// The properties of the first accelerator as text.
std::string properties(const Options& options) {
    std::string text;
    for (const KeyValue& item : options.accelerators.front().properties) {
        text += item.key + "=" + item.value.value_or("") + ";";
    }
    return text;
}

// For each option with a value: two values that can be told apart.
struct Sample {
    const char* first;
    const char* second;
    std::function<std::string(const Options&)> get;
};

std::string number(const std::optional<uint64_t>& value) { return value ? std::to_string(*value) : "none"; }

const std::map<std::string, Sample> kSamples = {
    {"L", {"/a", "/b", [](const Options& o) { return o.prefix; }}},
    {"E", {"V=1", "V=2", [](const Options& o) { return o.environment.back(); }}},
    {"U", {"V", "W", [](const Options& o) { return std::to_string(o.environment.size()); }}},
    {"0", {"x", "", [](const Options& o) { return o.argument0.value_or("none"); }}},
    {"r", {"5.0", "6.0", [](const Options& o) { return o.release; }}},
    {"s", {"2M", "4096k", [](const Options& o) { return number(o.stack_size); }}},
    {"B", {"0x10000", "131072", [](const Options& o) { return number(o.base); }}},
    {"R", {"1G", "0", [](const Options& o) { return number(o.reserved); }}},
    {"seed", {"1", "2", [](const Options& o) { return number(o.seed); }}},
    {"tb-size", {"1", "2", properties}},
    {"split-wx", {"on", "off", properties}},
    {"d", {"in_asm", "exec", [](const Options& o) { return std::to_string(o.log_items.bits()); }}},
    {"D", {"a", "b", [](const Options& o) { return o.log_file; }}},
    {"dfilter",
     {"0x10..0x20", "0x30..0x40",
      [](const Options& o) { return std::to_string(o.log_filter.contains(0x10)); }}},
    {"accel", {"a", "b", [](const Options& o) { return o.accelerators.front().name; }}},
    {"cpu", {"rv64", "max", [](const Options& o) { return std::string(o.cpu.name); }}},
};
// Those without a value, and how it shows.
const std::map<std::string, std::function<std::string(const Options&)>> kSwitches = {
    {"strace", [](const Options& o) { return std::to_string(o.strace); }},
    {"one-insn-per-tb", properties},
    {"perfmap", properties},
    {"jitdump", properties},
};

}  // namespace

TEST_CASE("each option has its variable, and goes before it", "[user-options]") {
    size_t seen = 0;
    for (const OptionRow& row : option_rows()) {
        const std::string name(row.name);
        INFO(name);
        const auto sample = kSamples.find(name);
        if (sample == kSamples.end()) {
            continue;
        }
        ++seen;
        const std::string option = "-" + name;
        const std::string qemu = "QEMU_" + std::string(row.variable) + "=";
        const std::string weft = "WEFT_" + std::string(row.variable) + "=";
        const auto& [first, second, get] = sample->second;
        // The environment has variables that are none of weft's as well: -U removes some.
        const auto value = [&](std::vector<const char*> arguments, std::vector<std::string> variables) {
            arguments.push_back("program");
            std::vector<const char*> environment = {"V=0", "W=0", "W=1"};
            for (const std::string& variable : variables) {
                environment.push_back(variable.c_str());
            }
            const auto parsed = parse(arguments, environment);
            REQUIRE(parsed);
            return std::pair(get(*parsed), parsed->environment.size());
        };
        const std::string by_first = value({option.c_str(), first}, {}).first;
        const std::string by_second = value({option.c_str(), second}, {}).first;
        CHECK(by_first != by_second);
        CHECK(value({("-" + option).c_str(), first}, {}).first == by_first);
        if (name == "U" || name == "E" || name == "tb-size" || name == "split-wx") {
            continue;  // they add up: below
        }
        CHECK(value({}, {qemu + first}).first == by_first);
        CHECK(value({}, {weft + first}).first == by_first);
        CHECK(value({}, {weft + first, qemu + second}).first == by_first);
        CHECK(value({}, {qemu + second, weft + first}).first == by_first);
        CHECK(value({option.c_str(), first}, {qemu + second, weft + second}).first == by_first);
        CHECK(value({option.c_str(), second, option.c_str(), first}, {}).first ==
              (name == "accel" ? by_second : by_first));
    }
    CHECK(seen == kSamples.size());
    for (const auto& [name, get] : kSwitches) {
        INFO(name);
        const std::vector<OptionRow> rows = option_rows();
        const auto row = std::ranges::find(rows, name, &OptionRow::name);
        const std::string variable = "QEMU_" + std::string(row->variable) + "=";
        const std::string without = get(*parse({"program"}));
        const std::string with = get(*parse({("-" + name).c_str(), "program"}));
        CHECK(with != without);
        CHECK(get(*parse({"program"}, {variable.c_str()})) == with);
    }
    // What is in neither table is looked at by name in other cases.
    for (const OptionRow& row : option_rows()) {
        const std::string name(row.name);
        const std::vector<std::string> others = {"t",    "after-exec", "module-dir",  "g",
                                                 "help", "version",    "print-binfmt"};
        CHECK(kSamples.count(name) + kSwitches.count(name) +
                  static_cast<size_t>(std::ranges::count(others, name)) ==
              1);
    }
}

TEST_CASE("what weft tells the weft that the guest executes is read as it was written", "[user-options]") {
    const Handover told{.personality = 0xffff0000,
                        .space = {.soft = 1, .hard = ~uint64_t{0}},
                        .data = {.soft = 2, .hard = 3},
                        .ignored = signal_bit(11)};
    const auto parsed = parse({"-after-exec", handover_text(told).c_str(), "program"});
    REQUIRE(parsed);
    REQUIRE(parsed->handover);
    CHECK(handover_text(*parsed->handover) == handover_text(told));
    CHECK(parsed->inherited.empty());
    for (const char* text : {"", "1", "1,2,3,4,5", "1,2,3,4,5,6,7", "1,2,3,4,5,x", "0x100000000,2,3,4,5,6"}) {
        INFO(text);
        CHECK_FALSE(parse({"-after-exec", text, "program"}));
    }
}

TEST_CASE("options end at the program", "[user-options]") {
    const auto parsed = parse({"-strace", "program", "-L", "x"});
    REQUIRE(parsed);
    CHECK(parsed->arguments == std::vector<std::string>{"program", "-L", "x"});
    CHECK(parsed->prefix.empty());
    CHECK(parse({"--", "-strace", "x"})->arguments == std::vector<std::string>{"-strace", "x"});
    CHECK(parse({"", "x"})->arguments == std::vector<std::string>{"", "x"});
    CHECK(parse({"-strace", "x"}, {}, {.kernel = true})->arguments ==
          std::vector<std::string>{"-strace", "x"});
    CHECK(error({}) == "no program is given (-help shows how)");
    CHECK(error({"-strace"}) == "no program is given (-help shows how)");
}

TEST_CASE("each mistake has its line", "[user-options]") {
    CHECK(error({"-nonesuch", "p"}) == "unknown option '-nonesuch' (-help lists them)");
    CHECK(error({"-", "p"}) == "unknown option '-' (-help lists them)");
    CHECK(error({"-L=x", "p"}) == "unknown option '-L=x' (-help lists them)");
    CHECK(error({"-strace=on", "p"}) == "unknown option '-strace=on' (-help lists them)");
    CHECK(error({"-print-binfmt=FX", "p"}) == "-print-binfmt: 'X' is not among the flags C, F, O and P");
    CHECK(error({"-L"}) == "-L: needs a value: DIR");
    CHECK(error({"-L", "", "p"}) == "-L: the value is empty");
    CHECK(error({"-B", "x", "p"}) == "-B: 'x' is not a number");
    CHECK(error({"-s", "8Q", "p"}) == "-s: '8Q' is not a number of bytes, with a suffix K, M, G or T");
    CHECK(error({"-seed", "-1", "p"}) == "-seed: '-1' is not a number");
    CHECK(error({"-E", "A", "p"}) == "-E: 'A' is not VARIABLE=VALUE");
    CHECK(error({"-E", "=A", "p"}) == "-E: '=A' is not VARIABLE=VALUE");
    CHECK(error({"-U", "A=1", "p"}) == "-U: 'A=1' is not a variable's name");
    CHECK(error({"-U", "", "p"}) == "-U: '' is not a variable's name");
    CHECK(error({"-cpu", "rv64,zfh=on,f=off", "p"}) == "-cpu: property 'd' needs 'f', which is off");
    CHECK(error({"-cpu", "z80", "p"}) == "-cpu: unknown CPU 'z80' ('help' lists them)");
    for (const char* wrong : {"", "0", "65536", "x", "host:1234"}) {
        CHECK(error({"-g", wrong, "p"}) ==
              fmt::format("-g: '{}' is neither a port (1 to 65535) nor a path with a slash", wrong));
    }
    CHECK(error({"p"}, {"QEMU_GDB=x"}) ==
          "QEMU_GDB: 'x' is neither a port (1 to 65535) nor a path with a slash");
    CHECK(error({"p"}, {"WEFT_GUEST_BASE=y"}) == "WEFT_GUEST_BASE: 'y' is not a number");
    CHECK(error({"-d", "nonesuch", "p"}).starts_with("-d: "));
    CHECK(error({"-dfilter", "3..2", "p"}).starts_with("-dfilter: "));
    CHECK(error({"-accel", "tcg,bounds=maybe", "p"}) == "-accel: property bounds: 'maybe' is not on or off");
    CHECK(error({"-accel", "../x", "p"}) == "-accel: invalid accelerator name '../x'");
}

TEST_CASE("the guest's variables are weft's, changed", "[user-options]") {
    using Strings = std::vector<std::string>;
    CHECK(parse({"p"}, {"A=1", "B=2"})->environment == Strings{"A=1", "B=2"});
    CHECK(parse({"-E", "A=3,C=4", "-E", "D=5,,6", "p"}, {"A=1", "B=2"})->environment ==
          Strings{"B=2", "A=3", "C=4", "D=5,6"});
    CHECK(parse({"-U", "A,C", "p"}, {"A=1", "AB=2", "C=3"})->environment == Strings{"AB=2"});
    CHECK(parse({"-E", "A=3", "-U", "A", "p"}, {"A=1"})->environment.empty());
    CHECK(parse({"-U", "A", "-E", "A=3", "p"}, {"A=1"})->environment == Strings{"A=3"});
    CHECK(parse({"p"}, {"A=1", "QEMU_SET_ENV=A=2"})->environment == Strings{"QEMU_SET_ENV=A=2", "A=2"});
    CHECK(parse({"p"}, {"A=1", "QEMU_UNSET_ENV=A"})->environment == Strings{"QEMU_UNSET_ENV=A"});
}

TEST_CASE("a caller with fewer rights has no say", "[user-options]") {
    const std::vector<const char*> variables = {"QEMU_LOG_FILENAME=/etc/f",
                                                "WEFT_STRACE=", "WEFT_ACCEL=mine"};
    const auto asked = parse({"p"}, variables, {.kernel = true});
    CHECK((asked->log_file == "/etc/f" && asked->strace && asked->accelerators.front().name == "mine"));
    const auto parsed = parse({"p"}, variables, {.kernel = true, .more_rights = true});
    REQUIRE(parsed);
    CHECK(parsed->log_file.empty());
    CHECK_FALSE(parsed->strace);
    CHECK(parsed->accelerators.front().name == "tcg");
    CHECK(parsed->environment.size() == variables.size());
}

TEST_CASE("options that stand for properties reach each accelerator", "[user-options]") {
    // Code that forked children share would be written by both.
    CHECK(properties(*parse({"p"})) == "split-wx=off;");
    const auto parsed =
        parse({"-accel", "tcg,evict=flush,bounds=on", "-accel", "other", "-perfmap", "-tb-size", "8", "p"},
              {"QEMU_TB_SIZE=4"});
    REQUIRE(parsed);
    CHECK(properties(*parsed) == "split-wx=off;evict=flush;tb-size=4;perfmap=on;tb-size=8;");
    CHECK(parsed->bounds);
    REQUIRE(parsed->accelerators.size() == 2);
    CHECK(parsed->accelerators[1].properties.size() == 3);
    CHECK_FALSE(parse({"-accel", "tcg,bounds=on", "-accel", "tcg,bounds=off", "p"})->bounds);
    CHECK(parse({"-accel", "tcg,bounds", "p"})->bounds);
    CHECK(parse({"-accel", "mine", "p"})->accelerators.front().properties.empty());
    CHECK(parse({"-module-dir", "/m", "p"})->module_dir == "/m");
}

TEST_CASE("-d strace is -strace", "[user-options]") {
    CHECK(parse({"-d", "strace", "p"})->strace);
    CHECK(parse({"-d", "strace", "p"})->log_items.empty());
    const auto both = parse({"-d", "exec,strace", "p"});
    CHECK(both->strace);
    CHECK(both->log_items == LogMask(LogItem::exec));
    CHECK_FALSE(parse({"-d", "exec", "p"})->strace);
}

TEST_CASE("help is asked for in each place", "[user-options]") {
    CHECK(parse({"-h"})->help == HelpTopic::usage);
    CHECK(parse({"--help"})->help == HelpTopic::usage);
    CHECK(parse({"-version"})->help == HelpTopic::version);
    CHECK(parse({"p"}, {"QEMU_VERSION=1"})->help == HelpTopic::version);
    CHECK(parse({"-cpu", "help"})->help == HelpTopic::cpus);
    CHECK(parse({"-d", "help"})->help == HelpTopic::log_items);
    CHECK(parse({"-accel", "help"})->help == HelpTopic::accels);
    const auto one = parse({"-accel", "tcg,help"});
    CHECK(one->help == HelpTopic::accel_properties);
    CHECK(one->help_subject == "tcg");
    CHECK(parse({"-print-binfmt"})->help == HelpTopic::binfmt);
    CHECK(parse({"--print-binfmt"})->help_subject == "FOP");
    CHECK(parse({"-print-binfmt=C"})->help_subject == "C");
    CHECK(parse({"-print-binfmt", "p"})->arguments == std::vector<std::string>{"p"});
    const std::string text = usage_text();
    for (const OptionRow& row : option_rows()) {
        CHECK(text.find("\n  -" + std::string(row.name)) != std::string::npos);
        CHECK((row.variable.empty() ||
               text.find("(QEMU_" + std::string(row.variable) + ")") != std::string::npos));
    }
    CHECK(cpus_text().find("  rv64  rv64imafdc_") != std::string::npos);
    CHECK(parse({"p"})->cpu.extensions == riscv::kMax.extensions);
    CHECK_FALSE(parse({"-cpu", "max,zba=off", "p"})->cpu.extensions.has(riscv::Extension::zba));
    CHECK(parse({"p"}, {"QEMU_CPU=rva22u64"})->cpu.name == "rva22u64");
}
