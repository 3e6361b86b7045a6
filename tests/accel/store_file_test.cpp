// Files of stored units: appended to by processes at a time, killed at each of their writes, damaged, and other users'.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "accel/tcg/store/store_file.h"
#include "accel/tcg/store/store_folder.h"
#include "accel/tcg/store/store_layout.h"
#include "accel/tcg/store/translation_store.h"
#include "tcg/code/insn_table.h"
#include "tests/support/subprocess.h"

using namespace weft;
using namespace weft::accel;

namespace {

constexpr uint64_t kIdentity = 77;
const std::string kName = "units";

// A unit made of a number.
struct Numbered {
    std::vector<uint8_t> guest, code, table, record;
    UnitQuery query{};

    explicit Numbered(uint32_t number, size_t code_size = 64) : guest(32), code(code_size) {
        std::memcpy(guest.data(), &number, sizeof(number));
        std::memcpy(code.data(), &number, sizeof(number));
        const std::vector<tcg::InsnRow> rows = {{8, 0}};
        table.resize(tcg::kMaxEncodedInsnRow);
        table.resize(tcg::encode_insn_table(rows, table));
        query = {guest, 0, 0, 512, number % 7};
        StoredUnit unit{};
        unit.compiled.encoded_insns = table;
        unit.guest_size = 8;
        unit.insn_count = 2;
        unit.code = code;
        REQUIRE(append_record(query, unit, &record));
    }
    NewRecord fresh() const { return {query.hash(), query.page_sample, record}; }
};

bool holds(const StoreFile& file, const Numbered& unit) {
    BlockReader reader;
    std::vector<uint8_t> record;
    const auto found = file.find(unit.query, reader, &record);
    return found && std::ranges::equal(found->code, unit.code);
}

bool holds(TranslationStore& store, const Numbered& unit) {
    BlockReader reader;
    std::vector<uint8_t> record;
    const auto found = store.find(unit.query, reader, &record);
    return found && std::ranges::equal(found->code, unit.code);
}

// A folder with a store in it.
struct Folder {
    test::TempDir parent;
    std::string path = parent.file("store");
    UniqueFd fd;
    uint64_t capacity;

    explicit Folder(uint64_t most = kMinCapacity) : capacity(most) {
        auto opened = open_store_folder(path, StoreFolder::make);
        REQUIRE(opened);
        fd = std::move(*opened);
        REQUIRE(open());
    }
    StoreFile open(uint64_t identity = kIdentity) const {
        auto file = StoreFile::open(fd.get(), kName, identity, capacity);
        REQUIRE(file);
        return std::move(*file);
    }
    Appended append(const std::vector<NewRecord>& records) const {
        const auto end = append_to_store(fd.get(), kName, kIdentity, records);
        REQUIRE(end);
        return *end;
    }
    std::string file() const { return path + "/" + kName; }
};

mode_t mode_of(const std::string& path) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("what was appended is found") {
    const Folder folder;
    std::vector<Numbered> units;
    for (uint32_t i = 0; i < 300; ++i) {
        units.emplace_back(i, 64 + i);
    }
    std::vector<NewRecord> records;
    for (const Numbered& unit : units) {
        records.push_back(unit.fresh());
    }
    CHECK(folder.append(records) == Appended::done);
    const StoreFile file = folder.open();
    for (const Numbered& unit : units) {
        CHECK(holds(file, unit));
    }
    CHECK_FALSE(holds(file, Numbered(300)));
    // The file and its folder are the user's alone, and nothing is there twice.
    CHECK(mode_of(folder.path) == 0700);
    CHECK(mode_of(folder.file()) == 0600);
    const auto size = std::filesystem::file_size(folder.file());
    CHECK(folder.append(records) == Appended::done);
    CHECK(std::filesystem::file_size(folder.file()) == size);
}

TEST_CASE("units that begin alike are told apart") {
    const Folder folder;
    // Equal in what they are looked up by, their first 16 bytes.
    Numbered a(1);
    Numbered b(1);
    b.guest[20] = 1;
    b.code[5] = 9;
    StoredUnit unit{};
    unit.compiled.encoded_insns = b.table;
    unit.guest_size = 24;
    unit.insn_count = 2;
    unit.code = b.code;
    b.record.clear();
    REQUIRE(append_record(b.query, unit, &b.record));
    REQUIRE(a.query.hash() == b.query.hash());
    const bool longer_first = GENERATE(false, true);
    folder.append(longer_first ? std::vector{b.fresh(), a.fresh()} : std::vector{a.fresh(), b.fresh()});
    const StoreFile file = folder.open();
    CHECK(holds(file, a));
    BlockReader reader;
    std::vector<uint8_t> record;
    const auto found = file.find(b.query, reader, &record);
    // What is made of fewer of its bytes is right as well.
    REQUIRE(found);
    CHECK((std::ranges::equal(found->code, b.code) || std::ranges::equal(found->code, a.code)));
}

TEST_CASE("only the user's own folder and file are used") {
    Folder folder;
    SECTION("others may write to the folder") {
        REQUIRE(::chmod(folder.path.c_str(), 0722) == 0);
        const auto opened = open_store_folder(folder.path, StoreFolder::existing);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().message() == folder.path + ": others may write to it");
    }
    SECTION("others may write to the file") {
        REQUIRE(::chmod(folder.file().c_str(), 0620) == 0);
        CHECK_FALSE(StoreFile::open(folder.fd.get(), kName, kIdentity, kMinCapacity));
        CHECK_FALSE(append_to_store(folder.fd.get(), kName, kIdentity, {}));
    }
    SECTION("a link to a file") {
        std::filesystem::rename(folder.file(), folder.file() + ".real");
        std::filesystem::create_symlink(folder.file() + ".real", folder.file());
        CHECK_FALSE(StoreFile::open(folder.fd.get(), kName, kIdentity, kMinCapacity));
        CHECK_FALSE(append_to_store(folder.fd.get(), kName, kIdentity, {}));
    }
    SECTION("a pipe, for whose other end nobody waits") {
        std::filesystem::remove(folder.file());
        REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
        CHECK_FALSE(StoreFile::open(folder.fd.get(), kName, kIdentity, kMinCapacity));
    }
    SECTION("no folder") {
        CHECK_FALSE(open_store_folder(folder.file(), StoreFolder::make));
        // None is made above it.
        CHECK_FALSE(open_store_folder(folder.parent.file("a/b"), StoreFolder::make));
    }
    SECTION("another user's") {
        if (::geteuid() == 0) {
            REQUIRE(::chown(folder.file().c_str(), 1, 1) == 0);
            CHECK_FALSE(StoreFile::open(folder.fd.get(), kName, kIdentity, kMinCapacity));
            REQUIRE(::chown(folder.path.c_str(), 1, 1) == 0);
            CHECK_FALSE(open_store_folder(folder.path, StoreFolder::existing));
        }
    }
}

TEST_CASE("a file of another build is replaced, one that is damaged too") {
    Folder folder;
    const Numbered unit(1);
    folder.append({unit.fresh()});
    SECTION("identity") {
        CHECK_FALSE(holds(folder.open(kIdentity + 1), unit));
        CHECK_FALSE(append_to_store(folder.fd.get(), kName, kIdentity, {}));
    }
    SECTION("header") {
        const unsigned byte = GENERATE(0u, 8u, 19u, 25u, 36u, 38u);
        CAPTURE(byte);
        std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(byte);
        file.put('\x5a');
        file.close();
        CHECK_FALSE(append_to_store(folder.fd.get(), kName, kIdentity, {}));
        CHECK_FALSE(holds(folder.open(), unit));
        CHECK(folder.append({unit.fresh()}) == Appended::done);
        CHECK(holds(folder.open(), unit));
    }
}

TEST_CASE("a slot that leads behind the records leads nowhere") {
    const uint64_t offset = GENERATE(kMinCapacity, kMaxCapacity - kRecordAlignment);
    const Folder folder;
    const Numbered unit(1);
    const Place place = place_of(slots_of(kMinCapacity), unit.query.page_sample, unit.query.hash());
    const uint64_t slot = slot_of(unit.query.hash(), offset);
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(kSlotsStart + place.slot(0) * sizeof(slot)));
    file.write(reinterpret_cast<const char*>(&slot), sizeof(slot));
    file.close();
    CHECK_FALSE(holds(folder.open(), unit));
    CHECK(folder.append({unit.fresh()}) == Appended::done);
    CHECK(holds(folder.open(), unit));
}

TEST_CASE("a file may be shortened while it is read") {
    const Folder folder;
    const Numbered unit(1);
    folder.append({unit.fresh()});
    const auto size = std::filesystem::file_size(folder.file());
    const StoreFile file = folder.open();
    for (const uint64_t left : {size - 1, kSlotsStart + 8, uint64_t{10}, uint64_t{0}}) {
        std::filesystem::resize_file(folder.file(), left);
        CHECK_FALSE(holds(file, unit));
        CHECK_FALSE(append_to_store(folder.fd.get(), kName, kIdentity, {}));
    }
    CHECK_FALSE(holds(folder.open(), unit));
    CHECK(folder.append({unit.fresh()}) == Appended::done);
    CHECK(holds(folder.open(), unit));
}

TEST_CASE("a reader sees what was appended behind what it has read") {
    const Folder folder;
    const StoreFile file = folder.open();
    BlockReader reader;
    std::vector<uint8_t> record;
    // Units of one page each, so that no group of slots was read before.
    for (uint32_t i = 0; i < 7; ++i) {
        const Numbered unit(i);
        folder.append({unit.fresh()});
        const auto found = file.find(unit.query, reader, &record);
        CAPTURE(i);
        CHECK((found && std::ranges::equal(found->code, unit.code)));
    }
}

TEST_CASE("a kept descriptor is out of the way, and goes where it is told") {
    const Folder folder;
    const Numbered unit(1);
    folder.append({unit.fresh()});
    const StoreFile file = folder.open();
    const int before = file.descriptor()->get();
    CHECK(before >= 900);
    CHECK((::fcntl(before, F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE(file.descriptor()->move());
    CHECK(file.descriptor()->get() != before);
    CHECK(::fcntl(before, F_GETFD) == -1);
    CHECK(holds(file, unit));
}

// ---- killed, and at a time ----

namespace {

// Runs `body` in a child, which is killed before its n-th pwrite(2), from 0 on. False: it came to its end before.
template <class Body>
bool killed_before_write(unsigned n, Body&& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    unsigned writes = 0;
    bool entering = true;
    while (true) {
        REQUIRE(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0);
        REQUIRE(::waitpid(child, &status, 0) == child);
        if (WIFEXITED(status)) {
            REQUIRE(WEXITSTATUS(status) == 0);
            return false;
        }
        user_regs_struct registers{};
        REQUIRE(::ptrace(PTRACE_GETREGS, child, nullptr, &registers) == 0);
        if (entering && registers.orig_rax == SYS_pwrite64 && writes++ == n) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
            return true;
        }
        entering = !entering;
    }
}

}  // namespace

TEST_CASE("killed before any of its writes, a process leaves a file that holds all that was there") {
    unsigned kills = 0;
    for (bool killed = true; killed; ++kills) {
        const Folder folder;
        const Numbered before(1);
        const Numbered during(2);
        const Numbered during_too(3);
        const Numbered after(4);
        folder.append({before.fresh()});
        killed = killed_before_write(kills, [&] { folder.append({during.fresh(), during_too.fresh()}); });
        CAPTURE(kills);
        CHECK(holds(folder.open(), before));
        // What it has of the other two is whole.
        BlockReader reader;
        std::vector<uint8_t> record;
        for (const Numbered* unit : {&during, &during_too}) {
            const auto found = folder.open().find(unit->query, reader, &record);
            CHECK((!found || std::ranges::equal(found->code, unit->code)));
            CHECK((killed || found));
        }
        CHECK(folder.append({after.fresh(), during.fresh()}) == Appended::done);
        for (const Numbered* unit : {&before, &during, &after}) {
            CHECK(holds(folder.open(), *unit));
        }
    }
    CHECK(kills == 5);  // records, header, two slots; and the end
}

TEST_CASE("while one process appends, others are told so and may read") {
    const Folder folder;
    const Numbered unit(1);
    folder.append({unit.fresh()});
    const UniqueFd holder(::open(folder.file().c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(holder.get(), LOCK_EX) == 0);
    CHECK(folder.append({Numbered(2).fresh()}) == Appended::busy);
    CHECK(holds(folder.open(), unit));
}

TEST_CASE("processes append at a time, and nothing is lost but what they were told of") {
    constexpr uint32_t kProcesses = 4;
    constexpr uint32_t kUnits = 200;
    const Folder folder(uint64_t{4} << 20);
    std::vector<pid_t> children;
    for (uint32_t process = 0; process < kProcesses; ++process) {
        children.push_back(::fork());
        if (children.back() == 0) {
            for (uint32_t i = 0; i < kUnits;) {
                // A third of them all have.
                const Numbered unit(i % 3 == 0 ? i : process * kUnits + i);
                i += folder.append({unit.fresh()}) == Appended::done ? 1 : 0;
            }
            ::_exit(0);
        }
    }
    for (const pid_t child : children) {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    const StoreFile file = folder.open();
    for (uint32_t process = 0; process < kProcesses; ++process) {
        for (uint32_t i = 0; i < kUnits; ++i) {
            CHECK(holds(file, Numbered(i % 3 == 0 ? i : process * kUnits + i)));
        }
    }
}

// ---- the store ----

TEST_CASE("a store of two files has a limit, and keeps what is in use") {
    const test::TempDir parent;
    const StoreConfig config{parent.file("s"), 2 * kMinCapacity, kIdentity};
    const Numbered used(1'000'000, 512);
    {
        const auto store = TranslationStore::create(config);
        REQUIRE(store);
        (*store)->add(used.query, used.record);
        (*store)->write();
    }
    for (uint32_t round = 0; round < 30; ++round) {
        const auto store = TranslationStore::create(config);
        REQUIRE(store);
        CAPTURE(round);
        CHECK(holds(**store, used));
        for (uint32_t i = 0; i < 400; ++i) {
            const Numbered unit(round * 400 + i, 512);
            (*store)->add(unit.query, unit.record);
        }
        (*store)->write();
        uint64_t size = 0;
        for (const auto& entry : std::filesystem::directory_iterator(config.folder)) {
            size += entry.file_size();
        }
        CHECK(size <= config.size);
    }
    const auto store = TranslationStore::create(config);
    CHECK(holds(**store, Numbered(29 * 400 + 399, 512)));
    CHECK_FALSE(holds(**store, Numbered(0, 512)));
}

TEST_CASE("files of builds that nobody runs any more go") {
    const test::TempDir parent;
    for (uint64_t identity = 1; identity <= 20; ++identity) {
        const StoreConfig config{parent.file("s"), 2 * kMinCapacity, identity};
        REQUIRE(TranslationStore::create(config));
    }
    const auto files = std::filesystem::directory_iterator(parent.file("s"));
    CHECK(std::distance(begin(files), end(files)) <= 9);
}

TEST_CASE("a child of fork writes nothing that is its parent's to write") {
    const test::TempDir parent;
    const StoreConfig config{parent.file("s"), 2 * kMinCapacity, kIdentity};
    const auto store = TranslationStore::create(config);
    REQUIRE(store);
    const Numbered unit(1);
    (*store)->add(unit.query, unit.record);
    (*store)->fork_prepare();
    const pid_t child = ::fork();
    if (child == 0) {
        (*store)->fork_child();
        (*store)->write();
        const auto again = TranslationStore::create(config);
        ::_exit(again && !holds(**again, unit) ? 0 : 1);
    }
    (*store)->fork_parent();
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    (*store)->write();
    const auto again = TranslationStore::create(config);
    CHECK(holds(**again, unit));
}
