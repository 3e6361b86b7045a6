// Semihosting calls of a guest that means no good: any operations, parameters and bytes of memory. Each call has an answer or is to be
// made again, nothing outside the guest's memory is touched, and names never reach the host's files.
#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "base/assert.h"
#include "emulator/semihosting/host.h"
#include "entry.h"
#include "tests/semihosting/fake_guest.h"

using namespace weft;

namespace {

constexpr size_t kMemory = 1024;
constexpr uint64_t kApplicationExit = 0x20026;
constexpr uint64_t kBase = semihosting::test::FakeGuest::kBase;

// As a FakeGuest; but any name that is opened, renamed or removed is that of the root folder, with which none of it can be done but to
// open it for reading. The file that is not the host's stays.
class Guest final : public semihosting::test::FakeGuest {
  public:
    Guest() : FakeGuest(kMemory) {}
    bool names = false;
    size_t read(uint64_t address, std::span<uint8_t> bytes) override {
        const size_t there = FakeGuest::read(address, bytes);
        WEFT_ASSERT(there <= bytes.size());
        // A name comes with the zero behind it.
        const std::string_view name(reinterpret_cast<const char*>(bytes.data()), there);
        if (names && there > 1 && name != std::string_view(":semihosting-features\0", 22)) {
            std::fill_n(bytes.begin(), there - 1, static_cast<uint8_t>('/'));
        }
        return there;
    }
};

}  // namespace

// Sixteen bytes a call: the operation, a handle or word for the first field, and two places for the others. The memory is the input itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    semihosting::test::FakeLine line;
    semihosting::Console console(line, true);
    semihosting::Host host({.command_line = "a command line", .user_mode = false}, console);
    Guest guest;
    int error = 0;
    const std::span<const uint8_t> all(data, size);
    std::copy_n(all.begin(), std::min(size, kMemory / 2), guest.memory.begin());
    for (size_t at = 0; at + 16 <= size && at < 64 * 16; at += 16) {
        const std::span<const uint8_t> step = all.subspan(at, 16);
        // Values at which checks go wrong, by one byte each.
        const auto word = [&](unsigned i) -> uint64_t {
            const uint64_t byte = step[i];
            switch (byte >> 6) {
                case 0:
                    return byte == 0x3f ? kApplicationExit : byte;
                case 1:
                    return kBase + 16 * (byte & 0x3f);
                case 2:
                    return kBase + kMemory - (byte & 0x3f);
                default:
                    return uint64_t{0} - (byte & 0x3f) * (uint64_t{1} << (step[i + 1] & 0x3f));
            }
        };
        const uint64_t operation = step[0] & 0x3f;
        if (operation == 7) {
            line.type("x");
        }
        guest.names = operation == 0x01 || operation == 0x0e || operation == 0x0f;
        if (step[1] & 1) {
            guest.put_words(kBase + kMemory / 2, {word(2), word(4), word(6), word(8)});
        }
        const uint64_t parameter = step[1] & 1 ? kBase + kMemory / 2 : word(10);
        guest.frozen_from = step[1] & 2 ? word(12) : ~uint64_t{0};
        const std::optional<uint64_t> answer = host.call(guest, error, operation, parameter);
        WEFT_ASSERT(answer || operation == 5 || operation == 6 || operation == 7 || operation == 0x18 ||
                    operation == 0x20);
        WEFT_ASSERT(error >= 0 && guest.memory.size() == kMemory);
    }
    for (const int code : guest.ends) {
        WEFT_ASSERT(code >= 0 && code < 256);
    }
    return 0;
}
