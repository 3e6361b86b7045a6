// What is told of generated code, made together: listings for profilers, counters of entries, the debugger's entry.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "accel/tcg/blocks/code_observer.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/observe/code_listing.h"
#include "accel/tcg/observe/gdb_jit.h"
#include "accel/tcg/observe/profile.h"
#include "base/error.h"

namespace weft::accel {

class Observers final : public CodeObserver {
  public:
    // As the cache's settings say; its observer from now on. The cache outlives it, and nothing is translated after its end.
    // Errors: a file cannot be made, there is no memory for counters.
    static Result<std::unique_ptr<Observers>> create(TranslationCache& cache);
    ~Observers();
    Observers(const Observers&) = delete;
    Observers& operator=(const Observers&) = delete;

    // With profile=on, else null.
    const Profile* profile() const { return profile_ ? &*profile_ : nullptr; }

    void made(const tcg::TranslationBlock& tb) override;
    void kept(const tcg::TranslationBlock& tb) override;

  private:
    explicit Observers(TranslationCache& cache) : cache_(cache) {}

    TranslationCache& cache_;
    std::optional<Profile> profile_;
    std::unique_ptr<CodeListing> listing_;
    std::unique_ptr<DebuggerEntry> debugger_entry_;
};

}  // namespace weft::accel
