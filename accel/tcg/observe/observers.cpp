#include "accel/tcg/observe/observers.h"

#include <utility>

#include "accel/tcg/observe/debug_elf.h"

namespace weft::accel {

Result<std::unique_ptr<Observers>> Observers::create(TranslationCache& cache) {
    std::unique_ptr<Observers> observers(new Observers(cache));
    if (cache.settings().profile) {
        auto profile = Profile::create(cache.buffer().size());
        if (!profile) {
            return std::unexpected(profile.error());
        }
        observers->profile_.emplace(std::move(*profile));
    }
    const tcg::RuntimeMap* const map = cache.backend().runtime_map();
    auto listing = CodeListing::create(cache.settings(), cache.host(), cache.buffer(), map);
    if (!listing) {
        return std::unexpected(listing.error());
    }
    observers->listing_ = std::move(*listing);
    if (map != nullptr) {
        observers->debugger_entry_ = std::make_unique<DebuggerEntry>(
            make_debug_elf(*map, cache.buffer().rx().value(), cache.buffer().size()));
    }
    cache.set_observer(observers.get());
    return observers;
}

Observers::~Observers() {
    if (cache_.observer() == this) {
        cache_.set_observer(nullptr);
    }
}

void Observers::made(const tcg::TranslationBlock& tb) {
    if (profile_) {
        profile_->begin_unit(cache_.offset_of(tb));
    }
    listing_->made(tb);
}

void Observers::kept(const tcg::TranslationBlock& tb) { listing_->kept(tb); }

}  // namespace weft::accel
