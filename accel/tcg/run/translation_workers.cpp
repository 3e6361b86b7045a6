#include "accel/tcg/run/translation_workers.h"

#include <chrono>
#include <new>
#include <utility>

#include "accel/tcg/translate/translate_at.h"
#include "accel/tcg/vcpu/block_at_pc.h"

namespace weft::accel {

class TranslationWorkers::Worker {
  public:
    Worker(TranslationWorkers& all, std::unique_ptr<Translator> translator)
        : cache_(all.cache_),
          queue_(all.queue_),
          gate_(all.gate_),
          translator_(std::move(translator)),
          reader_(cache_.epochs()),
          member_(gate_, [](void*) {}, nullptr) {}
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    Result<> start() {
        if (thread_.joinable()) {
            return {};
        }
        auto started =
            Thread::start("translator", [](void* worker) { static_cast<Worker*>(worker)->run(); }, this);
        if (!started) {
            return std::unexpected(started.error());
        }
        thread_ = std::move(*started);
        return {};
    }
    void join() { thread_.join(); }
    const VcpuCounters& counters() const { return counters_; }

  private:
    void run() {
        while (queue_.wait()) {
            reader_.go_online();
            {
                const InsideGate inside(member_, reader_);
                // Whoever asks for exclusivity waits for one translation at most.
                while (!gate_.requested()) {
                    TranslationQueue::Slot* const slot = queue_.take();
                    if (slot == nullptr) {
                        break;
                    }
                    translate_or_drop(*slot);
                    queue_.give_back(*slot);
                    reader_.quiescent();
                }
            }
            reader_.go_offline();
        }
    }

    // Without memory there is no translation, which its vCPU will find out if it has none either.
    void translate_or_drop(TranslationQueue::Slot& slot) {
        try {
            translate(slot);
        } catch (const std::bad_alloc&) {
        }
    }

    void translate(TranslationQueue::Slot& slot) {
        const UnitSource& source = *slot.source;
        if (cache_.blocks().find(key_of(source.first(), source.pc(), slot.tb_flags)) != nullptr) {
            return;
        }
        const auto start = std::chrono::steady_clock::now();
        cache_.upkeep(nullptr);
        const TranslationJob job{slot.tb_flags, counters_, *slot.source, *slot.claim, JobOf::worker};
        tcg::TranslationBlock* tb = nullptr;
        translator_->translate(job, &tb);
        const auto took = std::chrono::steady_clock::now() - start;
        counters_.translate_ns.add(
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
    }

    TranslationCache& cache_;
    TranslationQueue& queue_;
    ExclusiveGate& gate_;
    const std::unique_ptr<Translator> translator_;
    VcpuCounters counters_;
    EpochDomain::Reader reader_;
    ExclusiveGate::Member member_;
    Thread thread_;  // last: it ends before what it uses
};

TranslationWorkers::TranslationWorkers(TranslationCache& cache, ExclusiveGate& gate, bool stored)
    : cache_(cache), gate_(gate), queue_(stored) {}

TranslationWorkers::~TranslationWorkers() { stop(); }

Result<std::unique_ptr<TranslationWorkers>> TranslationWorkers::create(TranslationCache& cache,
                                                                       TranslationStore* store,
                                                                       ExclusiveGate& gate,
                                                                       unsigned threads) {
    std::unique_ptr<TranslationWorkers> made(new TranslationWorkers(cache, gate, store != nullptr));
    for (unsigned i = 0; i < threads; ++i) {
        auto translator = Translator::create(cache, store);
        if (!translator) {
            return std::unexpected(translator.error());
        }
        made->workers_.push_back(std::make_unique<Worker>(*made, std::move(*translator)));
    }
    return made;
}

Result<> TranslationWorkers::start() {
    for (const auto& worker : workers_) {
        if (Result<> started = worker->start(); !started) {
            return started;
        }
    }
    return {};
}

void TranslationWorkers::stop() {
    queue_.close();
    for (const auto& worker : workers_) {
        worker->join();
    }
}

void TranslationWorkers::add_counters(VcpuCounters& sum) const {
    for (const auto& worker : workers_) {
        sum.add(worker->counters());
    }
}

}  // namespace weft::accel
