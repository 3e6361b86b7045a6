// A fuzz entry: a function of bytes that must hold for all of them. What does not hold ends the process (WEFT_ASSERT).
//
// Each *_fuzz.cpp defines it once. libFuzzer (-Dfuzz=enabled, clang) or driver_main.cpp calls it, on one thread; entries keep
// nothing from one call to the next that could change what a call does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace weft::fuzz {

// Takes values off the front of an input; zeros once it has ended.
class Bytes {
  public:
    Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}

    template <class T>
    T take() {
        T value{};
        const size_t count = size_ < sizeof(T) ? size_ : sizeof(T);
        std::memcpy(&value, data_, count);
        data_ += count;
        size_ -= count;
        return value;
    }
    const uint8_t* data() const { return data_; }
    size_t size() const { return size_; }
    std::string text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  private:
    const uint8_t* data_;
    size_t size_;
};

}  // namespace weft::fuzz
