// Where a thread gets a translator from: one of its own, or one that is free.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "accel/tcg/translate/translator.h"
#include "base/error.h"
#include "base/mutex.h"

namespace weft::accel {

class Translators {
  public:
    // For one translation, until give_back(). May wait for the end of others'. A vCPU's thread, inside the exclusive gate.
    virtual Translator& take() = 0;
    virtual void give_back(Translator& translator) = 0;

  protected:
    ~Translators() = default;
};

class TranslatorLease {
  public:
    explicit TranslatorLease(Translators& translators)
        : translators_(translators), translator_(&translators.take()) {}
    ~TranslatorLease() {
        if (translator_ != nullptr) {
            translators_.give_back(*translator_);
        }
    }
    TranslatorLease(const TranslatorLease&) = delete;
    TranslatorLease& operator=(const TranslatorLease&) = delete;

    Translator& operator*() const { return *translator_; }
    Translator* operator->() const { return translator_; }
    // Who calls it gives it back.
    Translator* keep() { return std::exchange(translator_, nullptr); }

  private:
    Translators& translators_;
    Translator* translator_;
};

// A thread's own.
class OwnTranslator final : public Translators {
  public:
    explicit OwnTranslator(std::unique_ptr<Translator> translator) : translator_(std::move(translator)) {}

    Translator& take() override { return *translator_; }
    void give_back(Translator&) override {}

  private:
    const std::unique_ptr<Translator> translator_;
};

// Those of a process, whose threads are many and translate seldom.
//
// Who has one waits for nobody but the emulator's memory (UserMemoryOps), and may run one instruction of the guest's: so the wait
// for a free one, inside the gate and online, comes to an end.
class TranslatorPool final : public Translators {
  public:
    // One is made at once, more when they are needed, at most `most`, which is at least 1: each claims a place in the code buffer.
    static Result<std::unique_ptr<TranslatorPool>> create(TranslationCache& cache, TranslationStore* store,
                                                          size_t most);

    Translator& take() override WEFT_EXCLUDES(mutex_);
    void give_back(Translator& translator) override WEFT_EXCLUDES(mutex_);

  private:
    TranslatorPool(TranslationCache& cache, TranslationStore* store, size_t most);
    Result<> make_one() WEFT_REQUIRES(mutex_);

    TranslationCache& cache_;
    TranslationStore* const store_;
    const size_t most_;
    Mutex mutex_;
    CondVar freed_;
    std::vector<std::unique_ptr<Translator>> all_ WEFT_GUARDED_BY(mutex_);
    std::vector<Translator*> free_
        WEFT_GUARDED_BY(mutex_);  // never grows beyond all_, for which it has space
};

}  // namespace weft::accel
