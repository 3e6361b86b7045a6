#include "accel/tcg/accelerator.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "accel/tcg/blocks/insn_at_host_pc.h"
#include "accel/tcg/topology_change.h"
#include "accel/tcg/vcpu/runtime_hooks.h"
#include "base/assert.h"
#include "base/host_info.h"

namespace weft::accel {

namespace {

uint32_t most_threads(const Settings& settings) {
    if (settings.thread == ThreadMode::single) {
        return 1;
    }
    return settings.max_threads != 0 ? settings.max_threads : host_usable_cpus();
}

// A work item that another thread waits for.
struct Completion {
    Completion(void (*work)(void* opaque, void* state), void* context) : fn(work), opaque(context) {}

    void (*fn)(void* opaque, void* state);
    void* opaque;
    WorkItem item{VcpuWork::sync, &Completion::run, this};
    Mutex mutex;
    CondVar changed;
    bool done WEFT_GUARDED_BY(mutex) = false;

    static void run(void* self, void* state) {
        const Finisher finisher{*static_cast<Completion*>(self)};
        finisher.completion.fn(finisher.completion.opaque, state);
    }
    // However the function ends.
    struct Finisher {
        Completion& completion;
        ~Finisher() {
            // Notified under the lock: the waiter destroys this as soon as it has the lock.
            MutexLock lock(completion.mutex);
            completion.done = true;
            completion.changed.notify_one();
        }
    };
    void wait() WEFT_EXCLUDES(mutex) {
        MutexLock lock(mutex);
        while (!done) {
            changed.wait(mutex);
        }
    }
};

// Threads that translate beside `vcpu_threads`.
uint32_t translation_workers(const GuestArch& guest, const Settings& settings, uint32_t vcpu_threads) {
    if (guest.run == nullptr || settings.translate_after == 0 || settings.one_insn_per_tb ||
        settings.clock == ClockKind::insn) {
        return 0;  // nothing is interpreted meanwhile
    }
    return settings.translate_threads.value_or(host_usable_cpus() > vcpu_threads ? 1 : 0);
}

}  // namespace

// ---- life ----

Accelerator::Accelerator(const AccelConfig& config, const Settings& settings)
    : config_(config),
      settings_(settings),
      max_threads_(most_threads(settings)),
      vcpus_(config.max_vcpus),
      timer_(clock_),
      final_state_(config.max_vcpus) {}

Result<std::unique_ptr<Accelerator>> Accelerator::create(const AccelConfig& config) {
    if (config.max_vcpus < 1 || config.max_vcpus > PageMap::kMaxVcpus) {
        return fail(fmt::format("{} vCPUs: there may be 1 to {}", config.max_vcpus, PageMap::kMaxVcpus));
    }
    if (config.guest->abi_version != kGuestAbiVersion || config.guest->ir_version != ir::kIrVersion ||
        config.memory->abi_version != kMemoryAbiVersion) {
        return fail(fmt::format("guest '{}' and accelerator were built for different versions of each other",
                                config.guest->name));
    }
    const Result<Settings> settings = read_settings(config.properties);
    if (!settings) {
        return std::unexpected(settings.error());
    }
    std::unique_ptr<Accelerator> accelerator(new Accelerator(config, *settings));
    const uint32_t threads = std::min(accelerator->max_threads_, config.max_vcpus);
    const uint32_t workers = translation_workers(*config.guest, *settings, threads);
    auto cache = TranslationCache::create({.guest = config.guest,
                                           .host = config.host,
                                           .users = &accelerator->vcpus_,
                                           .user = nullptr,
                                           .settings = *settings,
                                           .contexts = threads + workers,
                                           .hooks = runtime_hooks(settings->stay_in_code),
                                           .request_quiescence = &CpuThread::request_quiescence});
    if (!cache) {
        return std::unexpected(cache.error());
    }
    accelerator->cache_ = std::move(*cache);
    auto observers = Observers::create(*accelerator->cache_);
    if (!observers) {
        return std::unexpected(observers.error());
    }
    accelerator->observers_ = std::move(*observers);
    accelerator->store_ =
        TranslationStore::open(*settings, accelerator->cache_->backend(), *config.guest, *config.host, false);
    if (workers != 0) {
        auto made = TranslationWorkers::create(*accelerator->cache_, accelerator->store_.get(),
                                               accelerator->gate_, workers);
        if (!made) {
            return std::unexpected(made.error());
        }
        accelerator->workers_ = std::move(*made);
    }
    if (settings->clock == ClockKind::insn) {
        accelerator->insn_clock_ = std::make_unique<InsnClock>(
            [](void* context, uint64_t host_pc, const tcg::TranslationBlock* single_use) {
                return insn_at_host_pc(*static_cast<TranslationCache*>(context), host_pc, single_use, true)
                    .index;
            },
            accelerator->cache_.get(), settings->insn_rate);
    }
    return accelerator;
}

Accelerator::~Accelerator() {
    MutexLock lock(control_);
    // Twice: a thread that is still there may leave work for one that has ended.
    for (int round = 0; round < 2; ++round) {
        for (const std::unique_ptr<CpuThread>& thread : threads_) {
            thread->stop();
        }
    }
    if (workers_ != nullptr) {
        workers_->stop();
    }
    vcpus_.for_each([this](CodeUser& user) { vcpus_.set(user.index, nullptr); });
    for (const std::unique_ptr<Vcpu>& vcpu : owned_) {
        depart(*vcpu);
    }
    owned_.clear();
    threads_.clear();
    if (store_ != nullptr) {
        store_->write();
    }
    if (!settings_.stats_file.empty()) {
        leave_stats();
    }
}

// However little memory there is: the machine ends.
void Accelerator::leave_stats() noexcept {
    try {
        const auto hash = insn_clock_ != nullptr
                              ? final_state_.hash(config_.host->hash_ram(config_.host->opaque))
                              : std::optional<uint64_t>();
        const Result<> written = write_stats(hash);
        if (!written) {
            config_.host->warn(config_.host->opaque, written.error().message().c_str());
        }
    } catch (const std::bad_alloc&) {
        config_.host->warn(config_.host->opaque, "stats: there is no memory to write the file");
    }
}

// Of interest with the instruction clock only, and for the file of counters.
void Accelerator::depart(Vcpu& vcpu) noexcept {
    departed_.add(vcpu.counters);
    if (insn_clock_ != nullptr && !settings_.stats_file.empty()) {
        final_state_.note(vcpu);
    }
}

Result<> Accelerator::write_stats(std::optional<uint64_t> state_hash) {
    return write_stats_file(*this, state_hash);
}

// ---- vCPUs ----

// The thread for a new vCPU: a new one, or, paused, the one with the fewest vCPUs.
Result<CpuThread*> Accelerator::thread_for(uint32_t index) {
    if (threads_.size() == max_threads_) {
        pause_all();
        return std::ranges::min_element(threads_, {}, [](const auto& thread) { return thread->vcpu_count(); })
            ->get();
    }
    const bool single = settings_.thread == ThreadMode::single;
    const auto number = static_cast<uint32_t>(threads_.size());
    auto thread = CpuThread::create(
        {.name = single ? "ALL CPUs/TCG" : fmt::format("CPU {}/TCG", shares_threads() ? number : index),
         .cache = *cache_,
         .store = store_.get(),
         .workers = workers_.get(),
         .gate = gate_,
         .timer = timer_,
         .clock = clock_,
         .insn_clock = insn_clock_.get(),
         .capacity = shares_threads() ? config_.max_vcpus : 1,
         .shared = shares_threads() && max_threads_ > 1 ? &shared_vcpus_ : nullptr});
    if (!thread) {
        return std::unexpected(thread.error());
    }
    threads_.push_back(std::move(*thread));
    return threads_.back().get();
}

class Accelerator::ResumeAfter {
  public:
    explicit ResumeAfter(Accelerator& accelerator) WEFT_REQUIRES(accelerator.control_)
        : accelerator_(accelerator), wanted_(accelerator.running_ && accelerator.shares_threads()) {}
    ~ResumeAfter() WEFT_NO_THREAD_SAFETY_ANALYSIS {
        if (wanted_) {
            accelerator_.resume_all();
        }
    }
    ResumeAfter(const ResumeAfter&) = delete;
    ResumeAfter& operator=(const ResumeAfter&) = delete;

  private:
    Accelerator& accelerator_;
    const bool wanted_;
};

Result<Vcpu*> Accelerator::create_vcpu(const VcpuConfig& config) {
    MutexLock lock(control_);
    if (config.index >= vcpus_.capacity() || vcpus_.at(config.index) != nullptr) {
        return fail(fmt::format("vCPU {}: there is one already, or the machine has at most {}", config.index,
                                vcpus_.capacity()));
    }
    const ResumeAfter resume(*this);
    auto thread = thread_for(config.index);
    if (!thread) {
        return std::unexpected(thread.error());
    }
    const Profile* const profile = observers_->profile();
    vcpus_.set(config.index, nullptr);  // while it may fail for want of memory
    owned_.push_back(std::make_unique<Vcpu>(
        VcpuParts{VcpuArrays::make(settings_.translate_after, PagesMade::at_once), &config_, &config,
                  cache_.get(), *thread, &timer_, &clock_, insn_clock_.get(),
                  profile != nullptr ? profile->counters() : nullptr, &debug_points_}));
    Vcpu& vcpu = *owned_.back();
    (*thread)->add(vcpu);
    vcpus_.set(config.index, &vcpu);
    return &vcpu;
}

CpuThread& Accelerator::thread_of(Vcpu& vcpu) { return static_cast<CpuThread&>(vcpu.thread()); }

void Accelerator::destroy_vcpu(Vcpu& vcpu) {
    MutexLock lock(control_);
    // It runs no more before it is taken out: nobody tells it from then on that TBs are invalid or their memory goes. Where
    // threads share vCPUs, it goes to no other thread while all are parked.
    const ResumeAfter resume(*this);
    if (shares_threads()) {
        pause_all();
    }
    CpuThread& thread = thread_of(vcpu);
    thread.pause();
    thread.wait_until_parked();
    vcpus_.set(vcpu.index, nullptr);
    // Nobody who found the vCPU before still holds it.
    cache_->epochs().synchronize(nullptr, &CpuThread::request_quiescence);
    if (shares_threads()) {
        thread.remove(vcpu);
    } else {
        thread.stop();
    }
    const tcg::ProfileState& profile = vcpu.exec().profile;
    vcpu.counters.block_entries.add(profile.entries.load(std::memory_order_relaxed));
    vcpu.counters.probe_hits.add(profile.probe_hits.load(std::memory_order_relaxed));
    vcpu.counters.probe_misses.add(profile.probe_misses.load(std::memory_order_relaxed));
    depart(vcpu);
    std::erase_if(owned_, [&vcpu](const auto& each) { return each.get() == &vcpu; });
    if (!shares_threads()) {
        std::erase_if(threads_, [&thread](const auto& each) { return each.get() == &thread; });
    }
}

void Accelerator::add_others(VcpuCounters& sum) {
    sum.add(departed_);
    if (workers_ != nullptr) {
        workers_->add_counters(sum);
    }
}

// ---- control ----

Result<> Accelerator::resume() {
    MutexLock lock(control_);
    if (insn_clock_ != nullptr) {
        insn_clock_->set_held(false);
    } else if (!timer_.started()) {
        if (Result<> done = timer_.start(); !done) {
            return done;
        }
    }
    if (workers_ != nullptr) {
        if (Result<> done = workers_->start(); !done) {
            return done;
        }
    }
    for (const std::unique_ptr<CpuThread>& thread : threads_) {
        if (Result<> done = thread->start(); !done) {
            return done;
        }
    }
    resume_all();
    return {};
}

void Accelerator::resume_all() {
    for (const std::unique_ptr<CpuThread>& thread : threads_) {
        thread->resume();
    }
    running_ = true;
}

void Accelerator::pause_all() {
    for (const std::unique_ptr<CpuThread>& thread : threads_) {
        thread->pause();
    }
    for (const std::unique_ptr<CpuThread>& thread : threads_) {
        thread->wait_until_parked();
    }
    running_ = false;
}

void Accelerator::pause() {
    MutexLock lock(control_);
    pause_all();
}

void Accelerator::reset() {
    MutexLock lock(control_);
    WEFT_ASSERT(!running_);
    vcpus_.for_each([this](CodeUser& user) {
        run_on(
            vcpu_of(user), VcpuWork::sync, [](void*, void* state) { state_header(state).vcpu->reset(); },
            nullptr);
    });
}

// ---- for debuggers ----

// Each vCPU forgets what it found without regard to them.
void Accelerator::set_debug_points(std::span<const DebugPoint> points) {
    MutexLock lock(control_);
    WEFT_ASSERT(!running_);
    const auto forget = [this] {
        vcpus_.for_each([this](CodeUser& user) {
            run_on(
                vcpu_of(user), VcpuWork::sync,
                [](void*, void* state) {
                    Vcpu& vcpu = *state_header(state).vcpu;
                    vcpu.forget_memory();
                    vcpu.jump_cache.clear();
                },
                nullptr);
        });
    };
    try {
        debug_points_.set(points);
    } catch (const std::bad_alloc&) {
        forget();
        throw;
    }
    forget();
}

void Accelerator::set_debug_run(Vcpu& vcpu, DebugRun run) {
    MutexLock lock(control_);
    WEFT_ASSERT(!running_);
    vcpu.debug_run = run;
    // A step is made by a halted vCPU as well: WFI may be left for any reason (RISC-V privileged, "Wait for Interrupt").
    vcpu.halted = vcpu.halted && (run == DebugRun::run || run == DebugRun::stay);
}

bool Accelerator::halted(const Vcpu& vcpu) {
    MutexLock lock(control_);
    return vcpu.halted;
}

// ---- for saving ----

// A vCPU whose turn ended with the clock has not been told to stop, which collects them.
bool Accelerator::complete_state(Vcpu& vcpu) {
    MutexLock lock(control_);
    WEFT_ASSERT(!running_);
    run_on(
        vcpu, VcpuWork::sync,
        [](void*, void* state) { state_header(state).vcpu->cache.backend().collect_fp_flags(state); },
        nullptr);
    return vcpu.halted;
}

void Accelerator::state_replaced(Vcpu& vcpu, bool halted) {
    MutexLock lock(control_);
    WEFT_ASSERT(!running_);
    run_on(
        vcpu, VcpuWork::sync, [](void*, void* state) { state_header(state).vcpu->state_replaced(); },
        nullptr);
    vcpu.halted = halted;
}

void Accelerator::set_now_ns(uint64_t ns) {
    MutexLock lock(control_);
    WEFT_ASSERT(!running_);
    insn_clock_->set_now_ns(ns);
}

// ---- for any thread ----

void Accelerator::hold() {
    if (insn_clock_->on_thread()) {
        insn_clock_->set_held(true);
        insn_clock_->stop_soon();
    }
}

void Accelerator::topology_changed(void (*done)(void* opaque), void* opaque) {
    change_topology(cache_->epochs(), vcpus_, done, opaque);
}

void Accelerator::run_on(Vcpu& vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state), void* opaque) {
    if (kind != VcpuWork::sync) {
        vcpu.thread().post_copy(vcpu, {kind, fn, opaque});
        return;
    }
    // It would wait inside the gate, or for its own next item, and others for it.
    WEFT_ASSERT(!on_vcpu_thread());
    Completion completion(fn, opaque);
    vcpu.thread().post(vcpu, completion.item);
    completion.wait();
}

bool Accelerator::on_vcpu_thread() {
    EpochDomain::Reader reader(cache_->epochs());
    reader.go_online();
    bool found = false;
    vcpus_.for_each([&found](CodeUser& user) { found = found || vcpu_of(user).thread().is_current(); });
    return found;
}

void Accelerator::ram_write_begins(RamWrite& write) { cache_->pages().under_way().begin(write); }

void Accelerator::ram_written(RamWrite& write) {
    // When all is announced; also where there is no memory for that.
    struct End {
        WritesUnderWay& writes;
        RamWrite& write;
        ~End() { writes.end(write); }
    } const end{cache_->pages().under_way(), write};
    uint64_t ram_offset = write.ram_offset;
    uint64_t size = write.size;
    // The writes come before the marks are read, in the order of all sequentially consistent operations: a translator
    // that set its mark unseen has seen them.
    ram_writes_.fetch_add(1, std::memory_order_seq_cst);
    while (size != 0) {
        const uint64_t here = std::min(size, kPageSize - (ram_offset & (kPageSize - 1)));
        if (cache_->pages().has_code(ram_offset)) {
            cache_->pages().written(ram_offset, here, nullptr);
        }
        ram_offset += here;
        size -= here;
    }
}

}  // namespace weft::accel
