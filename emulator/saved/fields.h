// The fields of one section: written one behind the other, each with its name, and read back in the same order.
//
// A field is a byte for its kind, a byte for the length of its name, the name, and the value. All numbers are little-endian.
//   1, 2, 4, 8   a number of so many bytes
//   0x10 + size  numbers: how many (32 bits), then each, of `size` bytes
//   0x20         bytes: how many (32 bits), then those
//   0x30         a list: how many elements (32 bits); what they are made of follows as fields
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/state_visitor.h"

namespace weft::saved {

class FieldWriter final : public StateVisitor {
  public:
    FieldWriter() : StateVisitor(Purpose::save) {}
    // After the visit. Fails where a value could not be loaded again.
    Result<std::vector<uint8_t>> take();

  private:
    uint64_t visit_number(const char* name, uint64_t present, unsigned size, uint64_t most) override;
    uint64_t visit_element(const char* name, uint64_t present, unsigned size, uint64_t most) override;
    uint32_t visit_count(const char* name, uint32_t present, uint32_t most, unsigned size) override;
    void visit_bytes(const char* name, std::span<uint8_t> field) override;

    bool in_range(const char* name, uint64_t value, uint64_t most);
    void begin(const char* name, uint8_t kind);
    void put(uint64_t value, unsigned size);

    std::vector<uint8_t> bytes_;
};

// Reads fields that a FieldWriter may have written, or anybody.
class FieldReader final : public StateVisitor {
  public:
    // `purpose` is check or load; `bytes` outlive it.
    FieldReader(Purpose purpose, std::span<const uint8_t> bytes) : StateVisitor(purpose), bytes_(bytes) {}

    // After the visit: what did not fit, or that there is more than was visited.
    Result<> finish();

  private:
    uint64_t visit_number(const char* name, uint64_t present, unsigned size, uint64_t most) override;
    uint64_t visit_element(const char* name, uint64_t present, unsigned size, uint64_t most) override;
    uint32_t visit_count(const char* name, uint32_t present, uint32_t most, unsigned size) override;
    void visit_bytes(const char* name, std::span<uint8_t> field) override;

    bool begin(const char* name, uint8_t kind);
    bool take(uint64_t& value, unsigned size);

    std::span<const uint8_t> bytes_;
};

}  // namespace weft::saved
