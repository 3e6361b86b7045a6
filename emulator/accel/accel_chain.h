// The -accel options in the order to try them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text_values.h"
#include "emulator/accel/accel_loader.h"
#include "emulator/accel/accel_properties.h"

namespace weft::loader {

// One -accel: a module's name and the properties in the order they were written.
struct AccelChoice {
    std::string name;
    std::vector<KeyValue> properties;
};

// Stands at one choice at a time: an accelerator that loads, with properties that hold. What cannot be loaded or made is told
// through `note`, and the next choice is taken; properties that do not hold are the user's error and end the search.
class AccelChain {
  public:
    using Note = std::function<void(const std::string& message)>;

    AccelChain(std::span<const AccelChoice> choices, AccelSources sources, Note note);

    // Moves to the first usable choice, or from there to the next one. Fails with the last choice's error. From a choice
    // that could not be made, `error` says why.
    Result<> advance(std::optional<Error> error = std::nullopt);

    // The present choice; only after advance() succeeded.
    const AccelDescriptor& descriptor() const { return *descriptor_; }
    const AccelProperties& properties() const { return *properties_; }

    // Makes an instance of the present choice, or of a later one. `config` without its properties.
    Result<AccelInstance*> create(AccelConfig& config);

  private:
    const std::span<const AccelChoice> choices_;
    const AccelSources sources_;
    const Note note_;
    size_t next_ = 0;
    const AccelDescriptor* descriptor_ = nullptr;
    std::optional<AccelProperties> properties_;
};

}  // namespace weft::loader
