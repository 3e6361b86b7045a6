// TBs of a real backend that no vCPU runs, for linking and invalidating step by step.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "tcg/ir/unit_storage.h"

namespace toy {

class HookedBackend;

// A page of TBs with one jump each. The backend is WEFT_TEST_BACKEND's. All functions but link() and invalidate() are the
// main thread's.
class Stage {
  public:
    Stage();
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    // A TB at page offset `from` that jumps to the one at `to`.
    weft::tcg::TranslationBlock& make(uint32_t from, uint32_t to);

    // BlockTable's, on an online reader. Any thread.
    bool link(weft::tcg::TranslationBlock& source, weft::tcg::TranslationBlock& destination);
    void invalidate(weft::tcg::TranslationBlock& tb);

    // `hook` runs once, on the thread that is about to patch the next jump.
    void before_patch(std::function<void()> hook);
    // A thread, until join().
    void start(std::function<void()> body) { threads_.emplace_back(std::move(body)); }
    void join();

    // Where the TB's jump leads: away from its stub, and where to.
    bool linked(const weft::tcg::TranslationBlock& source) const;
    bool leads_to(const weft::tcg::TranslationBlock& source,
                  const weft::tcg::TranslationBlock& destination) const;

  private:
    weft::tcg::RwAddress target_of(const weft::tcg::TranslationBlock& source) const;

    const weft::accel::CodeUsers vcpus_{1};
    std::unique_ptr<weft::accel::TranslationCache> cache_;
    std::unique_ptr<HookedBackend> backend_;
    std::unique_ptr<weft::accel::BlockTable> blocks_;
    std::unique_ptr<weft::tcg::CodeContext> context_;
    std::unique_ptr<weft::tcg::Compiler> compiler_;
    weft::tcg::UnitMemory memory_;
    std::vector<std::thread> threads_;
};

}  // namespace toy
