// How 9P messages lie in bytes (the Plan 9 manual, intro(5)): size[4] type[1] tag[2] and fields, all little-endian, where a string has its
// size before it in two bytes.
//
// A message is a struct with its number, its name and its fields in order (messages.h). From that table come reading, writing and what
// tests make.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

namespace weft::hw::p9 {

inline constexpr size_t kHeaderSize = 7;  // size[4] type[1] tag[2]
// A walk's names at most (walk(5)).
inline constexpr size_t kMaxNames = 16;

// What tells files apart, on the server: intro(5).
struct Qid {
    static constexpr uint8_t kFolder = 0x80, kSymlink = 0x02, kFile = 0;
    uint8_t type = kFile;
    uint32_t version = 0;  // another one after each change
    uint64_t path = 0;     // the same of no two files
    bool operator==(const Qid&) const = default;
};

// Kinds of fields. Strings and data are parts of the message that they were read from.
using Text = std::string_view;                // two bytes of size
using Names = std::vector<std::string_view>;  // two bytes of count, kMaxNames at most
using Qids = std::vector<Qid>;                // the same
using Data = std::span<const uint8_t>;        // four bytes of size

template <class Message, class Kind>
struct Field {
    const char* name;
    Kind Message::* member;
};

// Takes fields off the front of bytes that anybody may have made. After the first that is not all there, nothing more is taken.
class FieldReader {
  public:
    explicit FieldReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

    bool good() const { return good_; }
    std::span<const uint8_t> rest() const { return bytes_; }

    template <std::unsigned_integral T>
    void take(T& value) {
        value = 0;
        const std::span<const uint8_t> raw = take_bytes(sizeof(T));
        for (size_t i = 0; i < raw.size(); ++i) {
            value = static_cast<T>(value | static_cast<T>(raw[i]) << 8 * i);
        }
    }
    void take(Text& value) {
        uint16_t size = 0;
        take(size);
        const std::span<const uint8_t> raw = take_bytes(size);
        value = {reinterpret_cast<const char*>(raw.data()), raw.size()};
    }
    void take(Data& value) {
        uint32_t size = 0;
        take(size);
        value = take_bytes(size);
    }
    void take(Qid& value) {
        take(value.type);
        take(value.version);
        take(value.path);
    }
    template <class T>
    void take(std::vector<T>& values) {
        uint16_t count = 0;
        take(count);
        good_ = good_ && count <= kMaxNames;
        values.clear();
        for (uint16_t i = 0; good_ && i < count; ++i) {
            T value{};
            take(value);
            values.push_back(value);
        }
    }

  private:
    std::span<const uint8_t> take_bytes(size_t count) {
        good_ = good_ && count <= bytes_.size();
        if (!good_) {
            return {};
        }
        const std::span<const uint8_t> taken = bytes_.first(count);
        bytes_ = bytes_.subspan(count);
        return taken;
    }

    std::span<const uint8_t> bytes_;
    bool good_ = true;
};

// Puts fields one behind the other into room that may not do: then none is put any more.
class FieldWriter {
  public:
    explicit FieldWriter(std::span<uint8_t> room) : room_(room) {}

    bool good() const { return good_; }
    size_t size() const { return size_; }
    // All the room, whatever was put there.
    std::span<uint8_t> whole() const { return room_; }
    // What is still free.
    std::span<uint8_t> rest() const { return good_ ? room_.subspan(size_) : std::span<uint8_t>(); }
    // What was written there by others is a part of the message.
    void add(size_t count) { size_ += count; }

    template <std::unsigned_integral T>
    void put(T value) {
        for (uint8_t& byte : reserve(sizeof(T))) {
            byte = static_cast<uint8_t>(value);
            value = static_cast<T>(uint64_t{value} >> 8);
        }
    }
    void put(Text value) {
        good_ = good_ && value.size() <= UINT16_MAX;
        put(static_cast<uint16_t>(value.size()));
        put_bytes(value.data(), value.size());
    }
    void put(Data value) {
        put(static_cast<uint32_t>(value.size()));
        put_bytes(value.data(), value.size());
    }
    void put(const Qid& value) {
        put(value.type);
        put(value.version);
        put(value.path);
    }
    template <class T>
    void put(const std::vector<T>& values) {
        good_ = good_ && values.size() <= UINT16_MAX;
        put(static_cast<uint16_t>(values.size()));
        for (const T& value : values) {
            put(value);
        }
    }

  private:
    std::span<uint8_t> reserve(size_t count) {
        good_ = good_ && count <= room_.size() - size_;
        if (!good_) {
            return {};
        }
        size_ += count;
        return room_.subspan(size_ - count, count);
    }
    void put_bytes(const void* bytes, size_t count) {
        const std::span<uint8_t> to = reserve(count);
        if (!to.empty()) {
            std::memcpy(to.data(), bytes, count);
        }
    }

    std::span<uint8_t> room_;
    size_t size_ = 0;
    bool good_ = true;
};

template <class Message>
Message read_fields(FieldReader& reader) {
    Message message{};
    std::apply([&](const auto&... field) { (reader.take(message.*field.member), ...); }, Message::kFields);
    return message;
}

template <class Message>
void write_fields(FieldWriter& writer, const Message& message) {
    std::apply([&](const auto&... field) { (writer.put(message.*field.member), ...); }, Message::kFields);
}

// The header of a message of `size` bytes in all, put at the front of `room`.
inline void write_header(std::span<uint8_t> room, size_t size, uint8_t number, uint16_t tag) {
    FieldWriter writer(room);
    writer.put(static_cast<uint32_t>(size));
    writer.put(number);
    writer.put(tag);
}

// All of a message; 0: it does not fit.
template <class Message>
size_t write_message(std::span<uint8_t> room, uint16_t tag, const Message& message) {
    FieldWriter writer(room);
    writer.put(uint32_t{0});
    writer.put(Message::kNumber);
    writer.put(tag);
    write_fields(writer, message);
    if (!writer.good()) {
        return 0;
    }
    write_header(room, writer.size(), Message::kNumber, tag);
    return writer.size();
}

}  // namespace weft::hw::p9
