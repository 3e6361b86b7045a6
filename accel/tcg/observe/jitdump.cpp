#include "accel/tcg/observe/jitdump.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#include <utility>

#include "base/host_info.h"

namespace weft::accel {

namespace {

// All numbers are the host's, in its byte order; the magic number tells a reader which.
constexpr uint32_t kMagic = 0x4a695444;  // "JiTD"
constexpr uint32_t kVersion = 1;

enum RecordId : uint32_t { kCodeLoad = 0, kCodeClose = 3 };

struct FileHeader {
    uint32_t magic;
    uint32_t version;
    uint32_t size;
    uint32_t elf_machine;
    uint32_t reserved;
    uint32_t pid;
    uint64_t time;
    uint64_t flags;  // 0: times are of the clock that perf is told to use (-k mono)
};
static_assert(sizeof(FileHeader) == 40);

struct RecordHeader {
    uint32_t id;
    uint32_t size;
    uint64_t time;
};
static_assert(sizeof(RecordHeader) == 16);

// Followed by the name with its final zero, and the bytes.
struct CodeLoad {
    RecordHeader header;
    uint32_t pid;
    uint32_t tid;
    uint64_t address;       // where it was linked for
    uint64_t code_address;  // where it is
    uint64_t code_size;
    uint64_t index;
};
static_assert(sizeof(CodeLoad) == 56);

uint64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

template <class T>
std::string_view bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace

Result<std::unique_ptr<JitDump>> JitDump::create(uint16_t elf_machine, const std::string& directory) {
    auto file = ListingFile::open(fmt::format("{}/jit-{}.dump", directory, ::getpid()));
    if (!file) {
        return std::unexpected(file.error().within("jitdump=on"));
    }
    if (!file->first()) {
        return fail(fmt::format("jitdump=on: {}: another machine of this process writes it", file->path()));
    }
    FileHeader header{};
    header.magic = kMagic;
    header.version = kVersion;
    header.size = sizeof(header);
    header.elf_machine = elf_machine;
    header.pid = static_cast<uint32_t>(::getpid());
    header.time = monotonic_ns();
    if (!file->write(bytes_of(header))) {
        return fail_errno("jitdump=on: " + file->path());
    }
    auto marker = Mapping::of_fd(file->fd(), 0, host_page_size(), PROT_READ | PROT_EXEC, false);
    if (!marker) {
        return std::unexpected(marker.error().within("jitdump=on: " + file->path()));
    }
    return std::unique_ptr<JitDump>(new JitDump(std::move(*file), std::move(*marker)));
}

JitDump::~JitDump() {
    const RecordHeader close{kCodeClose, sizeof(RecordHeader), monotonic_ns()};
    // Readers do without it.
    [[maybe_unused]] const bool written = file_.write(bytes_of(close));
}

bool JitDump::add(uintptr_t start, std::string_view bytes, std::string_view name) {
    CodeLoad load{};
    load.header.id = kCodeLoad;
    load.header.size = static_cast<uint32_t>(sizeof(load) + name.size() + 1 + bytes.size());
    load.pid = static_cast<uint32_t>(::getpid());
    load.tid = static_cast<uint32_t>(::syscall(SYS_gettid));
    load.address = start;
    load.code_address = start;
    load.code_size = bytes.size();
    MutexLock lock(mutex_);
    load.header.time = monotonic_ns();
    load.index = next_index_++;
    record_.assign(bytes_of(load));
    record_.append(name);
    record_ += '\0';
    record_.append(bytes);
    return file_.write(record_);
}

}  // namespace weft::accel
