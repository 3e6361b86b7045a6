// Arrays that begin as zeros, in pages of their own that the host makes when they are first touched.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "base/mapping.h"

namespace weft {

// When the pages are made. Each costs a page fault else, which takes longer than clearing the page.
enum class PagesMade : bool {
    on_demand,  // of a large array few are used as a rule
    at_once,
};

// Of elements that are valid, and empty, as zeros. The owner makes it and ends it; the elements are shared as they themselves allow.
template <class T>
    requires std::is_trivially_destructible_v<T>
class ZeroedArray {
  public:
    ZeroedArray() = default;
    // Throws std::bad_alloc. `count` is not 0.
    explicit ZeroedArray(std::size_t count, PagesMade made = PagesMade::on_demand)
        : memory_(make(count * sizeof(T), made)) {}

    std::size_t size() const { return memory_.size() / sizeof(T); }
    T* data() const { return reinterpret_cast<T*>(memory_.data()); }
    T& operator[](std::size_t index) const { return data()[index]; }
    // Zeros again; the pages stay.
    void clear() const {
        if (memory_) {
            std::memset(memory_.data(), 0, memory_.size());
        }
    }

  private:
    static Mapping make(std::size_t size, PagesMade made) {
        Result<Mapping> memory =
            Mapping::anonymous(size, PROT_READ | PROT_WRITE, made == PagesMade::at_once ? MAP_POPULATE : 0);
        if (!memory) {
            throw std::bad_alloc();
        }
        return std::move(*memory);
    }

    Mapping memory_;
};

}  // namespace weft
