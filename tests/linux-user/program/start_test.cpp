// From a path to the first instruction: files, scripts, interpreters, memory, the first stack.
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "emulator/linux-user/loader/vdso.h"
#include "tests/linux-user/program/programs.h"
#include "tests/linux-user/program/toy.h"

using namespace weft;
using namespace weft::test;
using user::RunSettings;

namespace {

template <class T>
T read(Toy& toy, uint64_t address) {
    T value{};
    CHECK(toy.process->memory().read(address, &value, sizeof(value)));
    return value;
}

std::string text_at(Toy& toy, uint64_t address) {
    return toy.process->memory().string(address, 65536).value_or("?");
}

// What the psABI says lies at the first stack pointer ("Process Initialization").
struct FirstStack {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::map<uint64_t, uint64_t> auxv;
};

FirstStack read_stack(Toy& toy, uint64_t sp) {
    FirstStack stack;
    CHECK(sp % 16 == 0);
    const auto count = read<uint64_t>(toy, sp);
    for (uint64_t i = 0; i < count; ++i) {
        stack.arguments.push_back(text_at(toy, read<uint64_t>(toy, sp += 8)));
    }
    CHECK(read<uint64_t>(toy, sp += 8) == 0);
    while (const auto variable = read<uint64_t>(toy, sp += 8)) {
        stack.environment.push_back(text_at(toy, variable));
    }
    while (const auto type = read<uint64_t>(toy, sp += 8)) {
        stack.auxv[type] = read<uint64_t>(toy, sp += 8);
    }
    return stack;
}

// Runs what `settings` name up to the first instruction.
struct Start {
    Toy toy;
    user::FrameRegisters registers;
    FirstStack stack;
    user::Program program;
    std::optional<user::RunError> error;
    int status = -1;

    explicit Start(RunSettings&& settings, const std::function<void(Toy&)>& look = [](Toy&) {}) {
        toy.steps = {[&](ToyState& state) {
            registers = state.registers;
            stack = read_stack(toy, registers.x[2]);
            program = toy.process->program();
            look(toy);
            return Toy::call(state, 94, {7});
        }};
        const auto ended = toy.run(std::move(settings));
        if (ended) {
            status = *ended;
        } else {
            error = ended.error();
        }
    }
};

RunSettings settings_for(const std::string& path, std::vector<std::string> arguments = {}) {
    if (arguments.empty()) {
        arguments = {path};
    }
    return {.program = {.path = path, .arguments = std::move(arguments)}};
}

}  // namespace

TEST_CASE("a fixed program starts at its entry with the psABI's stack", "[user-start]") {
    const TempDir folder;
    const std::string path = write_program(folder, "p", make_elf(ET_EXEC, "hello").bytes());
    RunSettings settings = settings_for(path, {"zero", "", "two three"});
    settings.environment = {"A=1", "B=2=3"};
    settings.at_flags = 1;
    settings.secure = true;
    for (size_t i = 0; i < settings.random.size(); ++i) {
        settings.random[i] = static_cast<std::byte>(i + 1);
    }
    std::string data;
    std::vector<uint8_t> random;
    std::vector<uint8_t> headers;
    Start start(std::move(settings), [&](Toy& toy) {
        const auto auxv = read_stack(toy, toy.process->program().stack_start).auxv;
        data = text_at(toy, kData);
        for (uint64_t i = 0; i < 16; ++i) {
            random.push_back(read<uint8_t>(toy, auxv.at(AT_RANDOM) + i));
        }
        CHECK(text_at(toy, auxv.at(AT_EXECFN)) == path);
        CHECK(read<Elf64_Phdr>(toy, auxv.at(AT_PHDR)).p_vaddr == kCode);
        CHECK(text_at(toy, auxv.at(AT_SYSINFO_EHDR)).starts_with(ELFMAG));
        CHECK(toy.process->heap() != nullptr);
        CHECK(toy.process->heap()->start() == kData + 0x1000);
        // No file of the program's is open any more.
        for (int fd = 3; fd < 64; ++fd) {
            std::array<char, 256> name{};
            const ssize_t length =
                ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), name.data(), name.size() - 1);
            CHECK((length < 0 || path != name.data()));
        }
    });
    REQUIRE_FALSE(start.error);
    CHECK(start.status == 7);
    CHECK(start.registers.pc == kCode + kEntry);
    for (unsigned i = 0; i < 32; ++i) {
        CHECK((i == 2 || start.registers.x[i] == 0));
        CHECK(start.registers.f[i] == 0);
    }
    CHECK(start.registers.fcsr == 0);
    CHECK(start.stack.arguments == std::vector<std::string>{"zero", "", "two three"});
    CHECK(start.stack.environment == std::vector<std::string>{"A=1", "B=2=3"});
    std::map<uint64_t, uint64_t>& auxv = start.stack.auxv;
    CHECK(auxv.at(AT_PAGESZ) == 4096);
    CHECK(auxv.at(AT_PHNUM) == 2);
    CHECK(auxv.at(AT_PHENT) == sizeof(Elf64_Phdr));
    CHECK(auxv.at(AT_BASE) == 0);
    CHECK(auxv.at(AT_FLAGS) == 1);
    CHECK(auxv.at(AT_ENTRY) == kCode + kEntry);
    CHECK(auxv.at(AT_UID) == ::getuid());
    CHECK(auxv.at(AT_EGID) == ::getegid());
    CHECK(auxv.at(AT_SECURE) == 1);
    CHECK(auxv.at(AT_HWCAP) == ((1u << 0) | (1u << 2) | (1u << 3) | (1u << 5) | (1u << 8) | (1u << 12)));
    CHECK(auxv.at(AT_CLKTCK) == static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
    CHECK(auxv.at(AT_MINSIGSTKSZ) == 1088);
    CHECK(auxv.at(AT_SYSINFO_EHDR) == start.program.vdso.start);
    CHECK(data == "hello");
    for (uint8_t i = 0; i < 16; ++i) {
        CHECK(random[i] == i + 1);
    }
    CHECK(start.program.path == path);
    CHECK(start.program.code.start == kCode);
    CHECK(start.program.code.end == kCode + 0x1000);
    CHECK(start.program.data.start == kData);
    CHECK(start.program.stack_start == start.registers.x[2]);
    CHECK(start.program.arguments.end - start.program.arguments.start ==
          sizeof("zero") + 1 + sizeof("two three"));
    CHECK(start.toy.events == std::vector<std::string>{"create", "attach", "detach", "destroy"});
}

TEST_CASE("-B moves the guest and changes none of its addresses", "[user-start]") {
    const TempDir folder;
    const std::string path = write_program(folder, "p", make_elf(ET_EXEC, "hello").bytes());
    RunSettings settings = settings_for(path);
    settings.space.base = uint64_t{1} << 45;
    settings.space.reserved = uint64_t{1} << 34;
    std::string data;
    Start start(std::move(settings), [&](Toy& toy) {
        data = text_at(toy, kData);
        CHECK(toy.process->core().config().base == uint64_t{1} << 45);
    });
    REQUIRE_FALSE(start.error);
    CHECK(start.registers.pc == kCode + kEntry);
    CHECK(data == "hello");
}

TEST_CASE("an interpreter is found below -L and starts instead of the program", "[user-start]") {
    const TempDir folder;
    user::ElfFile elf = make_elf(ET_DYN);
    const std::string name = "/weft-no-such-folder/ld.so";
    elf.add(PT_INTERP, PF_R, 0x800, 0x800, name.size() + 1, name.size() + 1);
    elf.contents[0x800] = name + '\0';
    const std::string path = write_program(folder, "p", elf.bytes());
    Start missing(settings_for(path));
    REQUIRE(missing.error);
    CHECK(missing.error->status == user::kStatusNotFound);
    CHECK(missing.error->message.find(name) != std::string::npos);
    CHECK(missing.error->message.find(path) != std::string::npos);

    const std::string prefix = folder.file("root");
    REQUIRE(::mkdir(prefix.c_str(), 0755) == 0);
    REQUIRE(::mkdir((prefix + "/weft-no-such-folder").c_str(), 0755) == 0);
    user::ElfFile loader = make_elf(ET_DYN);
    loader.header.e_entry = 0x200;
    write_program(folder, "root" + name, loader.bytes());
    RunSettings settings = settings_for(path);
    settings.program.prefix = prefix;
    Start start(std::move(settings));
    REQUIRE_FALSE(start.error);
    const uint64_t base = start.stack.auxv.at(AT_BASE);
    CHECK(base != 0);
    CHECK(start.registers.pc == base + 0x200);
    const uint64_t window = uint64_t{1} << 38;
    CHECK(start.stack.auxv.at(AT_ENTRY) == (window / 3 * 2 & ~uint64_t{0xfff}) + kEntry);
    CHECK(base > start.stack.auxv.at(AT_ENTRY));
    CHECK(start.program.path == path);
    // Nearest to the stack is the vDSO.
    CHECK(start.program.vdso.start > base);
}

TEST_CASE("scripts lead to their interpreter", "[user-start]") {
    const TempDir folder;
    const std::string path = write_program(folder, "p", make_elf(ET_EXEC).bytes());
    const std::string first = write_program(folder, "first", "#!" + path + " -x y\n");
    const std::string second = write_program(folder, "second", "#! " + first + "\n");
    std::string name;
    Start start(settings_for(second, {"argument0", "last"}), [&](Toy& toy) {
        name = text_at(toy, read_stack(toy, toy.process->program().stack_start).auxv.at(AT_EXECFN));
    });
    REQUIRE_FALSE(start.error);
    CHECK(start.stack.arguments == std::vector<std::string>{path, "-x y", first, second, "last"});
    CHECK(name == second);
    CHECK(start.program.path == path);

    const std::string loop = folder.file("loop");
    write_program(folder, "loop", "#!" + loop + "\n");
    Start endless(settings_for(loop));
    REQUIRE(endless.error);
    CHECK(endless.error->status == user::kStatusNotExecutable);
    CHECK(endless.error->message.find('\n') == std::string::npos);
}

TEST_CASE("what cannot be executed is told with a shell's status", "[user-start]") {
    const TempDir folder;
    const std::string good = make_elf(ET_EXEC).bytes();
    const std::string plain = write_program(folder, "plain", good, 0644);
    const std::string text = write_program(folder, "text", "echo\n");
    const std::string empty = write_program(folder, "empty", "");
    const std::string broken = write_program(folder, "broken", "#!/weft-no-such-file\n");
    user::ElfFile high = make_elf(ET_EXEC);
    high.program[0].p_vaddr = uint64_t{1} << 46;
    const std::string far = write_program(folder, "far", high.bytes());
    const std::string pipe = folder.file("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0755) == 0);
    struct Row {
        std::string path;
        int status;
    };
    for (const Row& row : {Row{folder.file("none"), 127}, Row{plain + "/x", 127}, Row{"", 127},
                           Row{broken, 127}, Row{folder.path(), 126}, Row{pipe, 126}, Row{text, 126},
                           Row{empty, 126}, Row{"/proc/self/exe", 126}, Row{far, 126}, Row{plain, 126}}) {
        INFO(row.path);
        const Start start(settings_for(row.path));
        REQUIRE(start.error);
        CHECK(start.error->status == row.status);
        CHECK(start.error->message.find('\n') == std::string::npos);
        CHECK(start.error->message.size() > row.path.size());
        CHECK(start.toy.events.empty());
    }
}

TEST_CASE("an open file needs no right to be executed again, and is closed", "[user-start]") {
    const TempDir folder;
    const std::string path = write_program(folder, "p", make_elf(ET_EXEC).bytes(), 0644);
    RunSettings settings = settings_for(path);
    const int fd = ::open(path.c_str(), O_RDONLY);
    settings.program.opened = UniqueFd(fd);
    bool closed = false;
    const Start start(std::move(settings), [&](Toy&) { closed = ::fcntl(fd, F_GETFD) < 0; });
    REQUIRE_FALSE(start.error);
    CHECK(closed);
}

TEST_CASE("an accelerator that cannot run processes is told of", "[user-start]") {
    const TempDir folder;
    const std::string path = write_program(folder, "p", make_elf(ET_EXEC).bytes());
    Toy none;
    none.has_process_mode = false;
    const auto refused = none.run(settings_for(path));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "accelerator 'toy' cannot run processes");
    CHECK(refused.error().status == 1);
    CHECK(none.events == std::vector<std::string>{"create", "destroy"});

    Toy full;
    full.attach_fails = true;
    const auto failed = full.run(settings_for(path));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message == "the first thread: no room");
    CHECK(full.events == std::vector<std::string>{"create", "destroy"});

    Toy broken;
    broken.create_error = "no such host";
    const auto error = broken.run(settings_for(path));
    REQUIRE_FALSE(error);
    CHECK(error.error().message == "accelerator 'toy': no such host");
}

namespace {

// A host that has something in the given ranges.
class OccupiedHost final : public user::HostMemory {
  public:
    explicit OccupiedHost(std::vector<std::pair<uint64_t, uint64_t>> taken) : taken_(std::move(taken)) {}
    int64_t mappings(uint64_t start, uint64_t end,
                     const std::function<void(uint64_t, uint64_t)>& found) const override {
        for (const auto& [from, to] : taken_) {
            if (from < end && start < to) {
                found(from, to);
            }
        }
        return 0;
    }

  private:
    const std::vector<std::pair<uint64_t, uint64_t>> taken_;
};

user::ImagePlan fixed_plan(uint64_t low, uint64_t high) {
    return {.fixed = true,
            .segments = {},
            .low = low,
            .high = high,
            .alignment = 4096,
            .entry = low,
            .phdr_address = 0,
            .phdr_count = 0,
            .executable_stack = false};
}

}  // namespace

TEST_CASE("the base is the lowest with which a fixed program has its addresses", "[user-start][A2]") {
    const auto base = [](uint64_t low, uint64_t high, std::vector<std::pair<uint64_t, uint64_t>> taken) {
        const auto config =
            user::choose_space({}, fixed_plan(low, high), OccupiedHost(std::move(taken)), 0x10000);
        REQUIRE(config);
        return config->base;
    };
    // Not where a sanitizer has its shadow.
    if (base(0x10000, 0x30000, {}) == 0) {
        CHECK(base(0x1000, 0x3000, {}) == 0x10000);
        CHECK(base(0xf000, 0x13000, {}) == 0x10000);
        CHECK(base(0x10000, 0x13000, {{0x30000, 0x40000}}) == 0);
        CHECK(base(0x10000, 0x13000, {{0x12000, 0x13000}}) == 0x10000);
        // In the way of the first choice, and of the second.
        CHECK(base(0x10000, 0x13000, {{0x12000, 0x13000}, {0x21000, 0x45000}}) == 0x40000);
    }
    const auto asked = user::choose_space({.base = 0x5000, .reserved = {}}, fixed_plan(0x1000, 0x3000),
                                          OccupiedHost({}), 0x10000);
    REQUIRE(asked);
    CHECK(asked->base == 0x5000);
    CHECK(asked->minimum == 0xb000);
    const auto small = user::choose_space({.base = {}, .reserved = 0x100000}, fixed_plan(0x10000, 0x200000),
                                          OccupiedHost({}), 0x10000);
    REQUIRE_FALSE(small);
    CHECK(small.error().message().find("0x200000") != std::string::npos);
}
