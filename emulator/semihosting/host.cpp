#include "emulator/semihosting/host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

namespace weft::semihosting {

namespace {

// Bounds of what one call may be made to do. A longer SYS_READ or SYS_WRITE ends early, as it may.
constexpr uint64_t kMaxName = 4096;
constexpr uint64_t kMaxString = uint64_t{16} << 20;
constexpr uint64_t kMaxTransfer = uint64_t{256} << 20;
constexpr uint64_t kPiece = uint64_t{64} << 10;

// SYS_EXIT's reason for an end of the program's own will (5.3), of which alone the code counts.
constexpr uint64_t kApplicationExit = 0x20026;

constexpr uint64_t kTicksPerSecond = 1'000'000'000;
constexpr uint64_t kNsPerCentisecond = 10'000'000;

}  // namespace

struct Host::Call {
    Guest& guest;
    const uint64_t parameter;
    const int last_error;
    std::array<uint64_t, kMaxFields> field{};

    bool read(uint64_t address, std::span<uint8_t> bytes) {
        return guest.read(address, bytes) == bytes.size();
    }
    bool write(uint64_t address, std::span<const uint8_t> bytes) {
        return guest.write(address, bytes) == bytes.size();
    }
    bool read_words(uint64_t address, std::span<uint64_t> words) {
        return read(address, {reinterpret_cast<uint8_t*>(words.data()), words.size_bytes()});
    }
    bool write_words(uint64_t address, std::span<const uint64_t> words) {
        return write(address, {reinterpret_cast<const uint8_t*>(words.data()), words.size_bytes()});
    }
    // A name of the guest's, whose length is given and which ends there with a zero. 0 or an errno.
    int read_name(uint64_t address, uint64_t length, std::string* name) {
        if (length > kMaxName) {
            return ENAMETOOLONG;
        }
        name->resize(length + 1);
        if (!read(address, {reinterpret_cast<uint8_t*>(name->data()), name->size()})) {
            return EFAULT;
        }
        if (name->back() != 0) {
            return EINVAL;
        }
        name->resize(std::strlen(name->c_str()));
        return 0;
    }
    // With a zero behind it, into `room` bytes. 0 or an errno, `too_long` where it does not fit.
    int write_text(uint64_t address, uint64_t room, const std::string& text, int too_long) {
        if (text.size() >= room) {
            return too_long;
        }
        return write(address, {reinterpret_cast<const uint8_t*>(text.c_str()), text.size() + 1}) ? 0 : EFAULT;
    }
};

// Numbers and parameters: chapter 5.
constexpr Host::Operation Host::kOperations[] = {
    {0x01, 3, &Host::open},           {0x02, 1, &Host::close},     {0x03, 0, &Host::write_character},
    {0x04, 0, &Host::write_string},   {0x05, 3, &Host::write},     {0x06, 3, &Host::read},
    {0x07, 0, &Host::read_character}, {0x08, 1, &Host::is_error},  {0x09, 1, &Host::is_terminal},
    {0x0a, 2, &Host::seek},           {0x0c, 1, &Host::length},    {0x0d, 3, &Host::temporary_name},
    {0x0e, 2, &Host::remove},         {0x0f, 4, &Host::rename},    {0x10, 0, &Host::clock},
    {0x11, 0, &Host::time},           {0x12, 0, &Host::system},    {0x13, 0, &Host::last_error},
    {0x15, 2, &Host::command_line},   {0x16, 1, &Host::heap_info}, {0x18, 2, &Host::exit},
    {0x20, 2, &Host::exit},           {0x30, 0, &Host::elapsed},   {0x31, 0, &Host::tick_frequency},
};

std::optional<uint64_t> Host::call(Guest& guest, int& error, uint64_t number, uint64_t parameter) {
    Call call{guest, parameter, error};
    Answer answer = Answer::failed(ENOMEM);
    try {
        answer = run(call, number);
    } catch (const std::bad_alloc&) {
        // The guest asked for more than there is: its call fails.
    }
    if (answer.repeat) {
        return std::nullopt;
    }
    if (answer.error != 0) {
        error = answer.error;
    }
    return answer.word;
}

Host::Answer Host::run(Call& call, uint64_t number) {
    const auto operation = std::ranges::find(kOperations, number, &Operation::number);
    if (operation == std::end(kOperations)) {
        call.guest.guest_error(fmt::format("semihosting: there is no operation {:#x}", number).c_str());
        return Answer::failed(ENOSYS);
    }
    if (!call.read_words(call.parameter, std::span(call.field).first(operation->fields))) {
        call.guest.guest_error(
            fmt::format("semihosting: operation {:#x}: no parameters at {:#x}", number, call.parameter)
                .c_str());
        return Answer::failed(EFAULT);
    }
    return (this->*operation->run)(call);
}

// ---- files ----

Host::Answer Host::open(Call& call) {
    const auto [name_at, mode, length, unused] = call.field;
    std::string name;
    if (const int error = call.read_name(name_at, length, &name); error != 0) {
        return Answer::failed(error);
    }
    if (mode >= kOpenModes) {
        return Answer::failed(EINVAL);
    }
    std::shared_ptr<File> file;
    if (name == ":tt") {
        // 5.10 and SH_EXT_STDOUT_STDERR: standard input, output and error by the mode.
        constexpr int kStandard[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
        file = HostFile::standard(kStandard[mode / 4]);
    } else if (name == ":semihosting-features") {
        if (mode > 1) {
            return Answer::failed(EACCES);
        }
        file = std::make_shared<FeaturesFile>();
    } else {
        HostFile::Opened opened = HostFile::open(name, mode);
        if (opened.file == nullptr) {
            return Answer::failed(opened.error);
        }
        file = std::move(opened.file);
    }
    const std::optional<uint64_t> handle = files_.add(std::move(file));
    return handle ? Answer::value(*handle) : Answer::failed(EMFILE);
}

Host::Answer Host::close(Call& call) {
    return files_.remove(call.field[0]) ? Answer::value(0) : Answer::failed(EBADF);
}

// Gives how many bytes were not written.
Host::Answer Host::write(Call& call) {
    const auto [handle, from, size, unused] = call.field;
    const std::shared_ptr<File> file = files_.find(handle);
    if (file == nullptr) {
        return Answer::failed(EBADF, size);
    }
    const uint64_t end = std::min(size, kMaxTransfer);
    std::vector<uint8_t> piece(std::min(end, kPiece));
    uint64_t done = 0;
    while (done < end) {
        const uint64_t wanted = std::min<uint64_t>(end - done, piece.size());
        const size_t there = call.guest.read(from + done, std::span(piece).first(wanted));
        if (there == 0) {
            return Answer::failed(EFAULT, size - done);
        }
        const FileAccess access = file->write(std::span<const uint8_t>(piece).first(there));
        if (access.outcome == FileAccess::Outcome::failed) {
            return Answer::failed(access.error, size - done);
        }
        if (access.outcome == FileAccess::Outcome::wait || access.count == 0) {
            return done == 0 ? Answer::again() : Answer::value(size - done);
        }
        done += access.count;
    }
    return Answer::value(size - done);
}

// Gives how many bytes were not read.
Host::Answer Host::read(Call& call) {
    const auto [handle, to, size, unused] = call.field;
    const std::shared_ptr<File> file = files_.find(handle);
    if (file == nullptr) {
        return Answer::failed(EBADF, size);
    }
    const uint64_t end = std::min(size, kMaxTransfer);
    std::vector<uint8_t> piece(std::min(end, kPiece));
    uint64_t done = 0;
    while (done < end) {
        const uint64_t wanted = std::min<uint64_t>(end - done, piece.size());
        const FileAccess access = file->read(std::span(piece).first(wanted));
        if (access.outcome == FileAccess::Outcome::failed) {
            return Answer::failed(access.error, size - done);
        }
        if (access.outcome == FileAccess::Outcome::wait) {
            return done == 0 ? Answer::again() : Answer::value(size - done);
        }
        const size_t taken = call.guest.write(to + done, std::span<const uint8_t>(piece).first(access.count));
        done += taken;
        if (taken != access.count) {
            // What the guest could not take is still to be read, where the file can go back.
            file->seek(-static_cast<int64_t>(access.count - taken), true);
            return Answer::failed(EFAULT, size - done);
        }
        if (access.count != wanted) {
            break;  // the end, or all that a terminal has
        }
    }
    return Answer::value(size - done);
}

Host::Answer Host::is_error(Call& call) {
    return Answer::value(static_cast<int64_t>(call.field[0]) < 0 ? 1 : 0);
}

Host::Answer Host::is_terminal(Call& call) {
    const std::shared_ptr<File> file = files_.find(call.field[0]);
    if (file == nullptr) {
        return Answer::failed(EBADF);
    }
    const int error = file->terminal();
    return error == 0 ? Answer::value(1) : Answer::failed(error, 0);
}

Host::Answer Host::seek(Call& call) {
    const std::shared_ptr<File> file = files_.find(call.field[0]);
    const int error = file == nullptr ? EBADF : file->seek(static_cast<int64_t>(call.field[1]), false);
    return error == 0 ? Answer::value(0) : Answer::failed(error);
}

Host::Answer Host::length(Call& call) {
    const std::shared_ptr<File> file = files_.find(call.field[0]);
    const int64_t length = file == nullptr ? -int64_t{EBADF} : file->length();
    return length >= 0 ? Answer::value(static_cast<uint64_t>(length))
                       : Answer::failed(static_cast<int>(-length));
}

Host::Answer Host::temporary_name(Call& call) {
    const auto [to, id, room, unused] = call.field;
    if (id > 255) {
        return Answer::failed(EINVAL);
    }
    const int error = call.write_text(to, room, fmt::format("/tmp/weft-{:x}{:02x}", getpid(), id), EINVAL);
    return error == 0 ? Answer::value(0) : Answer::failed(error);
}

Host::Answer Host::remove(Call& call) {
    std::string name;
    if (const int error = call.read_name(call.field[0], call.field[1], &name); error != 0) {
        return Answer::failed(error);
    }
    return std::remove(name.c_str()) == 0 ? Answer::value(0) : Answer::failed(errno);
}

Host::Answer Host::rename(Call& call) {
    std::string from;
    std::string to;
    int error = call.read_name(call.field[0], call.field[1], &from);
    if (error == 0) {
        error = call.read_name(call.field[2], call.field[3], &to);
    }
    if (error == 0 && std::rename(from.c_str(), to.c_str()) != 0) {
        error = errno;
    }
    return error == 0 ? Answer::value(0) : Answer::failed(error);
}

// ---- the console ----

Host::Answer Host::write_character(Call& call) {
    uint8_t character = 0;
    if (!call.read(call.parameter, {&character, 1})) {
        return Answer::failed(EFAULT);
    }
    console_.write({&character, 1});
    return Answer::value(0);
}

Host::Answer Host::write_string(Call& call) {
    std::array<uint8_t, 256> piece;
    for (uint64_t done = 0; done < kMaxString;) {
        const size_t there = call.guest.read(call.parameter + done, piece);
        const auto characters = std::span<const uint8_t>(piece).first(there);
        const auto end = std::ranges::find(characters, 0);
        console_.write(characters.first(static_cast<size_t>(end - characters.begin())));
        if (end != characters.end()) {
            return Answer::value(0);
        }
        if (there != piece.size()) {
            return Answer::failed(EFAULT);
        }
        done += there;
    }
    return Answer::failed(E2BIG);
}

Host::Answer Host::read_character(Call&) {
    const std::optional<uint8_t> character = console_.read();
    return character ? Answer::value(*character) : Answer::again();
}

// ---- the machine ----

Host::Answer Host::clock(Call& call) { return Answer::value(call.guest.elapsed_ns() / kNsPerCentisecond); }

Host::Answer Host::time(Call& call) { return Answer::value(call.guest.wall_clock_ns() / 1'000'000'000); }

// A guest is given files of the host's, but no programs.
Host::Answer Host::system(Call& call) {
    call.guest.guest_error("semihosting: SYS_SYSTEM is refused");
    return Answer::failed(EPERM);
}

Host::Answer Host::last_error(Call& call) { return Answer::value(static_cast<uint64_t>(call.last_error)); }

Host::Answer Host::command_line(Call& call) {
    const auto [to, room, unused, unused_too] = call.field;
    int error = call.write_text(to, room, config_.command_line, E2BIG);
    const uint64_t length = config_.command_line.size();
    if (error == 0 && !call.write_words(call.parameter + sizeof(uint64_t), {&length, 1})) {
        error = EFAULT;
    }
    return error == 0 ? Answer::value(0) : Answer::failed(error);
}

// The stack grows from the end down to where the heap ends, as the program has it.
Host::Answer Host::heap_info(Call& call) {
    const Guest::Heap heap = call.guest.heap();
    const uint64_t block[] = {heap.base, heap.limit, heap.limit, heap.base};
    return call.write_words(call.field[0], block) ? Answer::value(0) : Answer::failed(EFAULT);
}

Host::Answer Host::exit(Call& call) {
    const auto [reason, code, unused, unused_too] = call.field;
    call.guest.end(reason == kApplicationExit ? static_cast<int>(code & 0xff) : 1);
    return Answer::again();  // the CPU does not go on
}

Host::Answer Host::elapsed(Call& call) {
    const uint64_t ticks = call.guest.elapsed_ns();
    return call.write_words(call.parameter, {&ticks, 1}) ? Answer::value(0) : Answer::failed(EFAULT);
}

Host::Answer Host::tick_frequency(Call&) { return Answer::value(kTicksPerSecond); }

}  // namespace weft::semihosting
