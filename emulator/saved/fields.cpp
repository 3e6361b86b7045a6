#include "emulator/saved/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "base/text_values.h"

namespace weft::saved {

namespace {

constexpr uint8_t kNumbers = 0x10;
constexpr uint8_t kBytes = 0x20;
constexpr uint8_t kList = 0x30;
constexpr unsigned kCountSize = 4;

uint8_t kind_of_count(unsigned size) { return size == 0 ? kList : static_cast<uint8_t>(kNumbers + size); }

}  // namespace

// ---- writing ----

void FieldWriter::put(uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
        bytes_.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
}

void FieldWriter::begin(const char* name, uint8_t kind) {
    const std::string_view text = name;
    WEFT_ASSERT(!text.empty() && text.size() <= UINT8_MAX);
    bytes_.push_back(kind);
    bytes_.push_back(static_cast<uint8_t>(text.size()));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
}

// What could not be loaded is not saved.
bool FieldWriter::in_range(const char* name, uint64_t value, uint64_t most) {
    if (value > most) {
        refuse(fmt::format("field '{}' is {:#x}, which is above {:#x}", name, value, most));
    }
    return value <= most;
}

uint64_t FieldWriter::visit_number(const char* name, uint64_t present, unsigned size, uint64_t most) {
    begin(name, static_cast<uint8_t>(size));
    return visit_element(name, present, size, most);
}

uint64_t FieldWriter::visit_element(const char* name, uint64_t present, unsigned size, uint64_t most) {
    if (in_range(name, present, most)) {
        put(present, size);
    }
    return present;
}

uint32_t FieldWriter::visit_count(const char* name, uint32_t present, uint32_t most, unsigned size) {
    if (!in_range(name, present, most)) {
        return 0;
    }
    begin(name, kind_of_count(size));
    put(present, kCountSize);
    return present;
}

void FieldWriter::visit_bytes(const char* name, std::span<uint8_t> field) {
    begin(name, kBytes);
    put(field.size(), kCountSize);
    bytes_.insert(bytes_.end(), field.begin(), field.end());
}

Result<std::vector<uint8_t>> FieldWriter::take() {
    if (error()) {
        return std::unexpected(*error());
    }
    return std::move(bytes_);
}

// ---- reading ----

bool FieldReader::take(uint64_t& value, unsigned size) {
    if (bytes_.size() < size) {
        refuse("its fields end early");
        return false;
    }
    value = 0;
    std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return true;
}

bool FieldReader::begin(const char* name, uint8_t kind) {
    if (error()) {
        return false;
    }
    uint64_t found_kind = 0;
    uint64_t length = 0;
    if (!take(found_kind, 1) || !take(length, 1)) {
        return false;
    }
    if (bytes_.size() < length) {
        refuse("its fields end early");
        return false;
    }
    const std::string_view found(reinterpret_cast<const char*>(bytes_.data()), length);
    if (found != name) {
        refuse(fmt::format("it has field {} where '{}' is expected", in_quotes(found), name));
        return false;
    }
    if (found_kind != kind) {
        refuse(fmt::format("field '{}' is of kind {:#x}, not {:#x}", name, found_kind, kind));
        return false;
    }
    bytes_ = bytes_.subspan(length);
    return true;
}

uint64_t FieldReader::visit_number(const char* name, uint64_t present, unsigned size, uint64_t most) {
    return begin(name, static_cast<uint8_t>(size)) ? visit_element(name, present, size, most) : present;
}

uint64_t FieldReader::visit_element(const char* name, uint64_t present, unsigned size, uint64_t most) {
    uint64_t value = 0;
    if (error() || !take(value, size)) {
        return present;
    }
    if (value > most) {
        refuse(fmt::format("field '{}' is {:#x}, which is above {:#x}", name, value, most));
        return present;
    }
    return value;
}

uint32_t FieldReader::visit_count(const char* name, uint32_t, uint32_t most, unsigned size) {
    uint64_t count = 0;
    if (!begin(name, kind_of_count(size)) || !take(count, kCountSize)) {
        return 0;
    }
    if (count > most) {
        refuse(fmt::format("field '{}' has {} elements, which is more than {}", name, count, most));
        return 0;
    }
    return static_cast<uint32_t>(count);
}

void FieldReader::visit_bytes(const char* name, std::span<uint8_t> field) {
    uint64_t count = 0;
    if (!begin(name, kBytes) || !take(count, kCountSize)) {
        return;
    }
    if (count != field.size()) {
        refuse(fmt::format("field '{}' has {} bytes, not {}", name, count, field.size()));
    } else if (bytes_.size() < count) {
        refuse("its fields end early");
    } else {
        if (loads()) {
            std::copy_n(bytes_.begin(), count, field.begin());
        }
        bytes_ = bytes_.subspan(count);
    }
}

Result<> FieldReader::finish() {
    if (!error() && !bytes_.empty()) {
        refuse(fmt::format("{} bytes are left of its fields", bytes_.size()));
    }
    return error() ? std::unexpected(*error()) : Result<>();
}

}  // namespace weft::saved
