#include "tests/block/qcow2_support.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <utility>

#include "base/assert.h"

namespace weft::test {

namespace {

Outcome run_tool(const std::string& tool, const std::vector<std::string>& arguments) {
    Command command;
    command.arguments = {tool};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    return run(command);
}

void need(const Outcome& outcome, const std::vector<std::string>& arguments) {
    if (outcome.exit_code != 0) {
        for (const std::string& argument : arguments) {
            std::cerr << argument << ' ';
        }
        std::cerr << "\n" << outcome.output << outcome.errors;
        std::abort();
    }
}

std::vector<std::string> io_arguments(const std::string& path, const std::vector<std::string>& commands) {
    std::vector<std::string> arguments = {"-f", "qcow2"};
    for (const std::string& command : commands) {
        arguments.insert(arguments.end(), {"-c", command});
    }
    arguments.push_back(path);
    return arguments;
}

}  // namespace

std::string qemu_img(const std::vector<std::string>& arguments) {
    const Outcome outcome = run_tool(QEMU_IMG, arguments);
    need(outcome, arguments);
    return outcome.output;
}

void qemu_io(const std::string& path, const std::vector<std::string>& commands) {
    const std::vector<std::string> arguments = io_arguments(path, commands);
    need(run_tool(QEMU_IO, arguments), arguments);
}

void qemu_io_killed(const std::string& path, std::vector<std::string> commands) {
    commands.push_back("abort");
    WEFT_ASSERT(run_tool(QEMU_IO, io_arguments(path, commands)).signal != 0);
}

std::string checked(const std::string& path) {
    const Outcome outcome = run_tool(QEMU_IMG, {"check", "-f", "qcow2", path});
    // 3: clusters that are counted and not used, nothing else.
    return outcome.exit_code == 0   ? "clean"
           : outcome.exit_code == 3 ? "leaks"
                                    : outcome.output.substr(0, 2000) + outcome.errors.substr(0, 2000);
}

Bytes contents(const TempDir& dir, const std::string& path, const std::string& format) {
    const std::string raw = dir.file("contents.raw");
    qemu_img({"convert", "-f", format, "-O", "raw", path, raw});
    return file_bytes(raw);
}

Bytes file_bytes(const std::string& path) {
    const std::string text = read_file(path);
    return {text.begin(), text.end()};
}

void write_bytes(const std::string& path, std::span<const uint8_t> bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    WEFT_ASSERT(file.good());
}

Bytes pattern(uint64_t seed, size_t size) {
    Random random(seed);
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<uint8_t>(random.next() | 1);
    }
    return bytes;
}

std::string refusal(const std::string& path, backend::DiskAccess access) {
    const auto disk = backend::open_disk(path, access);
    const std::string text = disk ? "(opened)" : disk.error().message();
    const auto check = backend::check_disk(path, access);
    const std::string check_text = check ? "(opened)" : check.error().message();
    if (check_text != text || text.find('\n') != std::string::npos) {
        return "opened: " + text + "\nchecked: " + check_text;
    }
    const std::string prefix = backend::disk_image(path) + ": ";
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

std::unique_ptr<backend::BlockBackend> opened(const std::string& path, backend::DiskAccess access) {
    auto disk = backend::open_disk(path, access);
    if (!disk) {
        std::cerr << disk.error().message() << '\n';
        std::abort();
    }
    return std::move(*disk);
}

void Model::work(backend::BlockBackend& disk, Random& random, unsigned rounds, size_t most) {
    constexpr size_t kSector = 512;
    WEFT_ASSERT(disk.size() == bytes.size());
    const size_t sectors = bytes.size() / kSector;
    for (unsigned round = 0; round < rounds; ++round) {
        const size_t first = random.below(sectors);
        const size_t count = 1 + random.below(std::min(sectors - first, most / kSector));
        const auto range = std::span(bytes).subspan(first * kSector, count * kSector);
        const unsigned what = static_cast<unsigned>(random.below(8));
        if (what < 4) {
            const Bytes data = pattern(random.next(), range.size());
            std::ranges::copy(data, range.begin());
            const auto written = disk.write(first * kSector, data);
            WEFT_ASSERT(written.has_value());
        } else if (what == 4 && round % 16 == 0) {
            WEFT_ASSERT(disk.flush().has_value());
        } else {
            Bytes back(range.size());
            const auto read = disk.read(first * kSector, back);
            if (!read) {
                std::cerr << read.error().message() << '\n';
            }
            WEFT_ASSERT(read.has_value());
            WEFT_ASSERT(std::ranges::equal(back, range));
        }
    }
}

bool MemoryFile::fails(unsigned& left, unsigned& failures) {
    if (failures == 0) {
        return false;
    }
    if (left != 0) {
        --left;
        return false;
    }
    --failures;
    return true;
}

Result<size_t> MemoryFile::read(uint64_t offset, std::span<uint8_t> data) {
    if (before_read_ && offset <= at_ && at_ - offset < data.size()) {
        std::exchange(before_read_, nullptr)();
    }
    const size_t count = offset < bytes_.size() ? std::min<uint64_t>(data.size(), bytes_.size() - offset) : 0;
    if (count != 0) {
        std::memcpy(data.data(), bytes_.data() + offset, count);
    }
    return count;
}

Result<> MemoryFile::write(uint64_t offset, std::span<const uint8_t> data) {
    if (before_write_) {
        std::exchange(before_write_, nullptr)();
    }
    if (fails(writes_left_, write_failures_) || offset + data.size() > limit_) {
        return fail("No space left on device");
    }
    bytes_.resize(std::max<uint64_t>(bytes_.size(), offset + data.size()));
    std::ranges::copy(data, bytes_.begin() + static_cast<ptrdiff_t>(offset));
    events_.push_back({.offset = offset, .data = {data.begin(), data.end()}});
    return {};
}

Result<bool> MemoryFile::punch(uint64_t offset, uint64_t length) {
    if (offset < bytes_.size()) {
        const Bytes zeros(std::min<uint64_t>(length, bytes_.size() - offset));
        std::ranges::copy(zeros, bytes_.begin() + static_cast<ptrdiff_t>(offset));
        events_.push_back({.offset = offset, .data = zeros});
    }
    return true;
}

Result<> MemoryFile::sync() {
    if (fails(syncs_left_, sync_failures_)) {
        return fail("Input/output error");
    }
    events_.push_back({.sync = true, .data = {}});
    return {};
}

std::unique_ptr<backend::BlockBackend> image_over(MemoryFile& file,
                                                  std::unique_ptr<backend::BlockBackend> backing) {
    // The image owns its file, the tests keep theirs.
    struct Borrowed final : backend::ImageFile {
        explicit Borrowed(MemoryFile& whole) : file(whole) {}
        Result<uint64_t> size() const override { return file.size(); }
        bool grows() const override { return true; }
        Result<size_t> read(uint64_t offset, std::span<uint8_t> data) override {
            return file.read(offset, data);
        }
        Result<> write(uint64_t offset, std::span<const uint8_t> data) override {
            return file.write(offset, data);
        }
        Result<> sync() override { return file.sync(); }
        Result<bool> punch(uint64_t offset, uint64_t length) override { return file.punch(offset, length); }
        MemoryFile& file;
    };
    auto own = std::make_unique<Borrowed>(file);
    const auto header = backend::qcow2::read_header(*own);
    WEFT_ASSERT(header.has_value());
    auto image = backend::qcow2::Image::open("image", std::move(own), *header, std::move(backing), {});
    WEFT_ASSERT(image.has_value());
    return std::move(*image);
}

}  // namespace weft::test
