// A guest of the tests' own: its memory is one range, its time is told, and ends are written down.
#pragma once

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/backend/char/char_backend.h"
#include "emulator/semihosting/guest.h"

namespace weft::semihosting::test {

class FakeGuest : public Guest {
  public:
    static constexpr uint64_t kBase = 0x80000000;

    explicit FakeGuest(size_t size = 0x40000) : memory(size) {}

    std::vector<uint8_t> memory;
    uint64_t frozen_from = ~uint64_t{0};  // from here on nothing is written
    std::vector<int> ends;
    std::vector<std::string> errors;
    uint64_t elapsed = 1'234'567'890;

    size_t read(uint64_t address, std::span<uint8_t> bytes) override {
        const size_t there = available(address, bytes.size());
        if (there != 0) {
            std::copy_n(memory.begin() + static_cast<ptrdiff_t>(address - kBase), there, bytes.begin());
        }
        return there;
    }
    size_t write(uint64_t address, std::span<const uint8_t> bytes) override {
        size_t there = available(address, bytes.size());
        there = std::min<size_t>(there, address < frozen_from ? frozen_from - address : 0);
        if (there != 0) {
            std::copy_n(bytes.begin(), there, memory.begin() + static_cast<ptrdiff_t>(address - kBase));
        }
        return there;
    }
    void end(int exit_code) override { ends.push_back(exit_code); }
    uint64_t elapsed_ns() override { return elapsed; }
    uint64_t wall_clock_ns() override { return 1'700'000'000'999'999'999; }
    Heap heap() override { return {0x80010000, 0x80020000}; }
    void guest_error(const char* message) override { errors.emplace_back(message); }

    void put(uint64_t address, std::string_view text) {
        std::ranges::copy(text, memory.begin() + static_cast<ptrdiff_t>(address - kBase));
    }
    void put_words(uint64_t address, std::initializer_list<uint64_t> words) {
        for (const uint64_t word : words) {
            std::memcpy(&memory[address - kBase], &word, sizeof(word));
            address += sizeof(word);
        }
    }
    std::string text(uint64_t address, size_t size) const {
        const auto from = memory.begin() + static_cast<ptrdiff_t>(address - kBase);
        return {from, from + static_cast<ptrdiff_t>(size)};
    }
    uint64_t word(uint64_t address) const {
        uint64_t word = 0;
        std::memcpy(&word, &memory[address - kBase], sizeof(word));
        return word;
    }

  private:
    size_t available(uint64_t address, size_t size) const {
        if (address < kBase || address - kBase > memory.size()) {
            return 0;
        }
        return std::min<size_t>(size, memory.size() - (address - kBase));
    }
};

// A line that keeps what is written; tests type.
class FakeLine : public backend::CharBackend {
  public:
    std::string written;
    int accepted = 0;
    Receiver* receiver = nullptr;
    void write(std::span<const uint8_t> data) override { written.append(data.begin(), data.end()); }
    void set_receiver(Receiver* one) override { receiver = one; }
    void accept_input() override { ++accepted; }
    void type(std::string_view text) {
        receiver->receive({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }
};

}  // namespace weft::semihosting::test
