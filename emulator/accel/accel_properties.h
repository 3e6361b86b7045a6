// An accelerator's properties as the user gives them, against the table its module exports.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text_values.h"
#include "weft/accel.h"

namespace weft::loader {

// The values for AccelConfig::properties, with the strings they point to.
class AccelProperties {
  public:
    // Defaults first, then `items` in order: the last of several wins. Errors name accelerator, property, value and
    // what is allowed.
    static Result<AccelProperties> parse(const AccelDescriptor& descriptor, std::span<const KeyValue> items);

    const PropertyValue* data() const { return values_.data(); }
    std::span<const PropertyValue> values() const { return values_; }

  private:
    Result<> set(const PropertyDesc& property, size_t index, const std::string& text);

    std::vector<PropertyValue> values_;
    // Each string has a home of its own: values_ keeps pointers into them.
    std::vector<std::unique_ptr<std::string>> texts_;
};

// The text of "-accel NAME,help".
std::string properties_text(const AccelDescriptor& descriptor);

}  // namespace weft::loader
