// What something's state is made of, described once: saving it, checking a saved one and loading that go through the same function.
//
// Whoever owns state has a function `visit_state(StateVisitor&)` that names its fields, always the same ones in the same order but where a
// field before says otherwise. It is called with a visitor that saves; or with one that checks and later one that loads what was
// saved. Checking changes nothing: what is visited comes back as a value, so that fields which must fit each other are
// compared before any of them is stored. What follows from fields (levels of lines, timers) is done where `loads()`.
//
// What was saved comes from outside, and is not trusted: each number has a range, each list a greatest length. The first thing that does not
// fit is kept as the error; from then on fields keep the values that they have, and nothing is stored.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace weft {

class StateVisitor {
  public:
    enum class Purpose : uint8_t { save, check, load };

    virtual ~StateVisitor() = default;
    StateVisitor(const StateVisitor&) = delete;
    StateVisitor& operator=(const StateVisitor&) = delete;

    bool loads() const { return purpose_ == Purpose::load && !error_; }
    bool saves() const { return purpose_ == Purpose::save; }
    const std::optional<Error>& error() const { return error_; }

    // What a saved value of another field makes impossible. `reason` names both, and is told behind the section's name.
    void require(bool holds, const char* reason) {
        if (!holds) {
            refuse(reason);
        }
    }

    // For what is no plain field: gives `present` back where it saves, else the saved value, at most `most`.
    template <class T>
        requires std::is_unsigned_v<T>
    T value(const char* name, T present, std::type_identity_t<T> most = std::numeric_limits<T>::max()) {
        return static_cast<T>(visit_number(name, present, sizeof(T), most));
    }

    // A field; its value, which is the saved one also where it is only checked.
    template <class T>
        requires std::is_unsigned_v<T> && (!std::is_same_v<T, bool>)
    T number(const char* name, T& field, std::type_identity_t<T> most = std::numeric_limits<T>::max()) {
        const T visited = value(name, field, most);
        store(field, visited);
        return visited;
    }

    bool flag(const char* name, bool& field) {
        const bool visited = value<uint8_t>(name, field ? 1 : 0, 1) != 0;
        store(field, visited);
        return visited;
    }

    // An enumeration whose values are all from 0 to `last`.
    template <class T>
        requires std::is_enum_v<T>
    T choice(const char* name, T& field, T last) {
        using Number = std::make_unsigned_t<std::underlying_type_t<T>>;
        const auto visited =
            static_cast<T>(value<Number>(name, static_cast<Number>(field), static_cast<Number>(last)));
        store(field, visited);
        return visited;
    }

    // So many bytes, neither more nor fewer. Nothing is stored where they are only checked.
    void bytes(const char* name, std::span<uint8_t> field) { visit_bytes(name, field); }

    // So many numbers, each at most `most`.
    template <class T, size_t Extent>
        requires std::is_unsigned_v<T>
    void numbers(const char* name, std::span<T, Extent> field,
                 std::type_identity_t<T> most = std::numeric_limits<T>::max()) {
        const uint32_t count = visit_count(name, static_cast<uint32_t>(field.size()),
                                           static_cast<uint32_t>(field.size()), sizeof(T));
        require_count(name, count, field.size());
        for (T& one : field) {
            store(one, static_cast<T>(visit_element(name, one, sizeof(T), most)));
        }
    }

    // At most `most` elements; `visit(element)` visits what one is made of.
    template <class T, class Visit>
    void list(const char* name, std::vector<T>& field, uint32_t most, const Visit& visit) {
        const uint32_t count = visit_count(name, static_cast<uint32_t>(field.size()), most, 0);
        if (saves()) {
            for (T& element : field) {
                visit(element);
            }
            return;
        }
        // An element is made of what was saved also where it is only checked.
        std::vector<T> elements;
        for (uint32_t i = 0; i < count && !error_; ++i) {
            T element{};
            {
                const Scratch scratch(*this);
                visit(element);
            }
            elements.push_back(std::move(element));
        }
        if (loads()) {
            field = std::move(elements);
        }
    }

    // What may be there or not.
    template <class T, class Visit>
    void maybe(const char* name, std::optional<T>& field, const Visit& visit) {
        std::vector<T> there;
        if (field) {
            there.push_back(*field);
        }
        list(name, there, 1, visit);
        if (loads()) {
            field = there.empty() ? std::nullopt : std::optional<T>(std::move(there.front()));
        }
    }

    template <size_t Bits>
    void bits(const char* name, std::bitset<Bits>& field) {
        for (size_t i = 0; i < Bits; ++i) {
            const bool visited = value<uint8_t>(name, field[i] ? 1 : 0, 1) != 0;
            if (loads()) {
                field[i] = visited;
            }
        }
    }

  protected:
    explicit StateVisitor(Purpose purpose) : purpose_(purpose) {}

    void refuse(std::string reason) {
        if (!error_) {
            error_.emplace(std::move(reason));
        }
    }
    Purpose purpose() const { return purpose_; }

    // Saves `present`, of `size` bytes, or returns what was saved; `present` where that cannot be had.
    virtual uint64_t visit_number(const char* name, uint64_t present, unsigned size, uint64_t most) = 0;
    // The same for elements of numbers().
    virtual uint64_t visit_element(const char* name, uint64_t present, unsigned size, uint64_t most) = 0;
    // How many elements follow, of `size` bytes each; 0: fields follow. 0 where that cannot be had, or is above `most`.
    virtual uint32_t visit_count(const char* name, uint32_t present, uint32_t most, unsigned size) = 0;
    virtual void visit_bytes(const char* name, std::span<uint8_t> field) = 0;

  private:
    // Elements of lists are stored where the list is only checked as well: they are nobody's yet.
    class Scratch {
      public:
        explicit Scratch(StateVisitor& visitor) : visitor_(visitor), before_(visitor.scratch_) {
            visitor.scratch_ = true;
        }
        ~Scratch() { visitor_.scratch_ = before_; }
        Scratch(const Scratch&) = delete;
        Scratch& operator=(const Scratch&) = delete;

      private:
        StateVisitor& visitor_;
        const bool before_;
    };

    template <class T>
    void store(T& field, T visited) {
        if ((loads() || scratch_) && !error_) {
            field = visited;
        }
    }
    void require_count(const char* name, uint32_t count, size_t wanted) {
        if (count != wanted && !error_) {
            refuse(std::string("field '") + name + "' has " + std::to_string(count) + " elements, not " +
                   std::to_string(wanted));
        }
    }

    const Purpose purpose_;
    bool scratch_ = false;
    std::optional<Error> error_;
};

}  // namespace weft
