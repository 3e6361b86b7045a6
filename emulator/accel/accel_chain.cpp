#include "emulator/accel/accel_chain.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/text_values.h"
#include "emulator/accel/text_sinks.h"

namespace weft::loader {

AccelChain::AccelChain(std::span<const AccelChoice> choices, AccelSources sources, Note note)
    : choices_(choices), sources_(std::move(sources)), note_(std::move(note)) {
    WEFT_ASSERT(!choices_.empty());
}

Result<> AccelChain::advance(std::optional<Error> error) {
    while (true) {
        if (error) {
            if (next_ == choices_.size()) {
                return std::unexpected(*error);
            }
            note_(error->message());
            note_(fmt::format("falling back to {}", choices_[next_].name));
        }
        const AccelChoice& choice = choices_[next_++];
        const Result<const AccelDescriptor*> loaded = load_accelerator(sources_, choice.name);
        if (!loaded) {
            error = loaded.error();
            continue;
        }
        Result<AccelProperties> properties = AccelProperties::parse(**loaded, choice.properties);
        if (!properties) {
            return std::unexpected(properties.error());
        }
        descriptor_ = *loaded;
        properties_ = std::move(*properties);
        return {};
    }
}

Result<AccelInstance*> AccelChain::create(AccelConfig& config) {
    while (true) {
        config.properties = properties_->data();
        ErrorCollector errors;
        AccelInstance* instance = descriptor_->create(&config, errors.sink());
        if (instance != nullptr) {
            return instance;
        }
        Error error(fmt::format("accelerator {}: {}", in_quotes(descriptor_->name),
                                errors.message("it cannot be used here and does not say why")));
        if (Result<> advanced = advance(std::move(error)); !advanced) {
            return std::unexpected(advanced.error());
        }
    }
}

}  // namespace weft::loader
