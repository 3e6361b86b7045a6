// Guest memory for tests: one stretch of bytes at a guest address, and nothing around it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "emulator/linux-user/syscall/guest_access.h"

namespace weft::user {

class FakeGuest : public GuestAccess {
  public:
    FakeGuest(uint64_t start, size_t size) : start_(start), bytes_(size) {}

    bool read(uint64_t address, void* to, size_t size) override {
        if (!holds(address, size)) {
            return false;
        }
        std::memcpy(to, &bytes_[address - start_], size);
        return true;
    }

    bool write(uint64_t address, const void* from, size_t size) override {
        if (!holds(address, size)) {
            return false;
        }
        std::memcpy(&bytes_[address - start_], from, size);
        return true;
    }

    template <class T>
    void put(uint64_t address, const T& value) {
        write(address, &value, sizeof(value));
    }
    void put_string(uint64_t address, std::string_view text) {
        write(address, text.data(), text.size());
        put(address + text.size(), '\0');
    }
    template <class T>
    T get(uint64_t address) {
        T value{};
        read(address, &value, sizeof(value));
        return value;
    }

    // Where in weft's memory a guest address is.
    uint64_t host(uint64_t address) const { return reinterpret_cast<uint64_t>(&bytes_[address - start_]); }
    uint64_t base() const { return host(start_) - start_; }

  private:
    bool holds(uint64_t address, size_t size) const {
        return address >= start_ && address - start_ <= bytes_.size() &&
               size <= bytes_.size() - (address - start_);
    }

    uint64_t start_;
    std::vector<uint8_t> bytes_;
};

}  // namespace weft::user
