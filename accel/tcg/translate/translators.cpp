#include "accel/tcg/translate/translators.h"

#include <utility>

namespace weft::accel {

TranslatorPool::TranslatorPool(TranslationCache& cache, TranslationStore* store, size_t most)
    : cache_(cache), store_(store), most_(most) {
    MutexLock lock(mutex_);
    all_.reserve(most);
    free_.reserve(most);
}

Result<std::unique_ptr<TranslatorPool>> TranslatorPool::create(TranslationCache& cache,
                                                               TranslationStore* store, size_t most) {
    std::unique_ptr<TranslatorPool> pool(new TranslatorPool(cache, store, most));
    MutexLock lock(pool->mutex_);
    if (Result<> made = pool->make_one(); !made) {
        return std::unexpected(made.error());
    }
    return pool;
}

Result<> TranslatorPool::make_one() {
    auto made = Translator::create(cache_, store_);
    if (!made) {
        return std::unexpected(made.error());
    }
    all_.push_back(std::move(*made));
    free_.push_back(all_.back().get());
    return {};
}

Translator& TranslatorPool::take() {
    MutexLock lock(mutex_);
    // Where one more cannot be had, there are others to wait for.
    if (free_.empty() && all_.size() < most_) {
        (void)make_one();
    }
    while (free_.empty()) {
        freed_.wait(mutex_);
    }
    Translator& translator = *free_.back();
    free_.pop_back();
    return translator;
}

void TranslatorPool::give_back(Translator& translator) {
    MutexLock lock(mutex_);
    free_.push_back(&translator);
    freed_.notify_one();
}

}  // namespace weft::accel
