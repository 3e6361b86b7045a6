#include "accel/tcg/process_accelerator.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "accel/tcg/vcpu/runtime_hooks.h"
#include "base/host_info.h"

namespace weft::accel {

namespace {

constexpr size_t kHashBuckets = 256;

// Threads that translate at a time: more would rather wait for each other's memory.
size_t most_translators() { return std::clamp<size_t>(size_t{2} * host_usable_cpus(), 1, 64); }

Result<> check(const AccelConfig& config) {
    const GuestArch& guest = *config.guest;
    const UserMemoryOps& user = *config.user;
    if (guest.abi_version != kGuestAbiVersion || guest.ir_version != ir::kIrVersion ||
        user.abi_version != kUserMemoryAbiVersion) {
        return fail(fmt::format("guest '{}' and accelerator were built for different versions of each other",
                                guest.name));
    }
    if (guest.memory_fault == nullptr) {
        return fail(fmt::format("guest '{}' has no process mode", guest.name));
    }
    if (user.bounds && !std::has_single_bit(user.limit)) {
        return fail(fmt::format(
            "bounds are checked for address spaces whose size is a power of two: not {:#x}", user.limit));
    }
    return {};
}

Result<Settings> settings_of(const AccelConfig& config) {
    Result<Settings> settings = read_settings(config.properties);
    if (!settings) {
        return settings;
    }
    if (settings->thread == ThreadMode::single) {
        return fail("thread=single: a process's threads run by themselves");
    }
    if (settings->translate_threads.value_or(0) != 0) {
        return fail("translate-threads: a process has no threads but its own");
    }
    if (settings->split_wx == tcg::SplitWx::automatic) {
        // Two views are of a memory file, which processes share after a fork.
        settings->split_wx = tcg::SplitWx::off;
    }
    if (settings->hash_buckets == Qht::kDefaultBuckets) {
        // Most programs are short: a table for a machine's code would be most of what they touch. It grows.
        settings->hash_buckets = kHashBuckets;
    }
    return settings;
}

}  // namespace

ProcessAccelerator::ProcessAccelerator(const AccelConfig& config, const Settings& settings)
    : config_(config), settings_(settings), vcpus_(config.max_vcpus), timer_(clock_) {}

Result<std::unique_ptr<ProcessAccelerator>> ProcessAccelerator::create(const AccelConfig& config) {
    if (Result<> done = check(config); !done) {
        return std::unexpected(done.error());
    }
    const Result<Settings> settings = settings_of(config);
    if (!settings) {
        return std::unexpected(settings.error());
    }
    std::unique_ptr<ProcessAccelerator> made(new ProcessAccelerator(config, *settings));
    auto cache = TranslationCache::create({.guest = config.guest,
                                           .host = config.host,
                                           .users = &made->vcpus_,
                                           .user = config.user,
                                           .settings = *settings,
                                           .contexts = static_cast<unsigned>(most_translators()),
                                           .hooks = runtime_hooks(settings->stay_in_code),
                                           .request_quiescence = &AttachedThread::request_quiescence});
    if (!cache) {
        return std::unexpected(cache.error());
    }
    made->cache_ = std::move(*cache);
    if (Result<> done = made->cache_->backend().prepare_thread(); !done) {
        return std::unexpected(done.error());
    }
    auto observers = Observers::create(*made->cache_);
    if (!observers) {
        return std::unexpected(observers.error());
    }
    made->observers_ = std::move(*observers);
    made->store_ =
        TranslationStore::open(*settings, made->cache_->backend(), *config.guest, *config.host, true);
    auto translators = TranslatorPool::create(*made->cache_, made->store_.get(), most_translators());
    if (!translators) {
        return std::unexpected(translators.error());
    }
    made->translators_ = std::move(*translators);
    return made;
}

ProcessAccelerator::~ProcessAccelerator() {
    if (cache_ != nullptr) {
        cache_->epochs().synchronize(nullptr);
    }
    keep_translations();
    if (!settings_.stats_file.empty() && observers_ != nullptr) {
        if (const Result<> written = write_stats(); !written) {
            config_.host->warn(config_.host->opaque, written.error().message().c_str());
        }
    }
}

// ---- vCPUs ----

Result<Vcpu*> ProcessAccelerator::attach(void* guest) {
    MutexLock lock(mutex_);
    if (free_.empty()) {
        if (next_ == vcpus_.capacity()) {
            return fail(fmt::format("there are {} threads, as many as there may be", vcpus_.capacity()));
        }
        // detach() has space for it.
        free_.reserve(size_t{next_} + 1);
        free_.push_back(next_++);
    }
    const uint32_t index = free_.back();
    vcpus_.set(index, nullptr);
    VcpuArrays arrays = take_arrays(index);
    const Profile* const profile = observers_->profile();
    auto thread = std::make_unique<AttachedThread>(
        AttachedThreadParts{std::move(arrays), spare_, config_, *cache_, *translators_, gate_, timer_, clock_,
                            profile != nullptr ? profile->counters() : nullptr},
        index, guest);
    free_.pop_back();
    Vcpu& vcpu = thread.release()->vcpu();
    vcpus_.set(index, &vcpu);
    return &vcpu;
}

// Most processes have one thread, which fills its arrays soon; those that it makes may be hundreds, and short.
VcpuArrays ProcessAccelerator::take_arrays(uint32_t index) {
    if (const std::unique_ptr<VcpuArrays> spare = spare_.take()) {
        spare->clear();
        return std::move(*spare);
    }
    return VcpuArrays::make(settings_.translate_after,
                            index == 0 ? PagesMade::at_once : PagesMade::on_demand);
}

void ProcessAccelerator::detach(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    vcpus_.set(vcpu.index, nullptr);
    departed_.add(vcpu.counters);
    free_.push_back(vcpu.index);
    thread_of(vcpu).retire();
}

// ---- code ----

void ProcessAccelerator::code_gone(uint64_t start, uint64_t end) {
    EpochDomain::Reader visitor(cache_->epochs());
    visitor.go_online();
    if (!cache_->pages().gone(start, end)) {
        return;
    }
    const uint64_t period = cache_->epochs().begin_grace_period();
    // The latest of those of several threads.
    uint64_t known = gone_period_.load(std::memory_order_seq_cst);
    while (known < period && !gone_period_.compare_exchange_weak(known, period, std::memory_order_seq_cst)) {
    }
}

void ProcessAccelerator::code_settle() {
    const uint64_t period = gone_period_.load(std::memory_order_seq_cst);
    if (period != 0 && !cache_->epochs().grace_period_over(period)) {
        cache_->epochs().synchronize(nullptr, &AttachedThread::request_quiescence);
    }
}

void ProcessAccelerator::code_written(uint64_t start, uint64_t end) {
    for (uint64_t page = start; page < end; page += kPageSize) {
        if (cache_->pages().has_code(page)) {
            cache_->pages().written(page, kPageSize, nullptr);
        }
    }
}

void ProcessAccelerator::code_sync(uint64_t start, uint64_t end, bool all) {
    {
        MutexLock lock(mutex_);
        EpochDomain::Reader visitor(cache_->epochs());
        visitor.go_online();
        cache_->pages().recheck(start & ~(kPageSize - 1), end);
    }
    if (all) {
        cache_->epochs().synchronize(nullptr, &AttachedThread::request_quiescence);
    }
}

// ---- fork ----

void ProcessAccelerator::fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.lock();
    gate_.fork_prepare();
    cache_->epochs().fork_prepare();
    timer_.fork_prepare();
    if (store_ != nullptr) {
        store_->fork_prepare();
    }
}

void ProcessAccelerator::fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (store_ != nullptr) {
        store_->fork_parent();
    }
    timer_.fork_over();
    cache_->epochs().fork_parent();
    gate_.fork_parent();
    mutex_.unlock();
    gate_.end();
}

Result<> ProcessAccelerator::fork_child(Vcpu& survivor) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (store_ != nullptr) {
        store_->fork_child();
    }
    timer_.fork_over();
    cache_->epochs().fork_child();
    gate_.fork_child();
    vcpus_.for_each([&](CodeUser& user) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        Vcpu& vcpu = vcpu_of(user);
        if (&vcpu != &survivor) {
            vcpus_.set(vcpu.index, nullptr);
            free_.push_back(vcpu.index);
            // At once: nobody is left who could hold it.
            delete &thread_of(vcpu);
        }
    });
    gone_period_.store(0, std::memory_order_relaxed);
    if (settings_.young_processes && settings_.translate_after != 0) {
        survivor.youth.begin();
    }
    Result<> unshared = cache_->unshare();
    mutex_.unlock();
    gate_.end();
    return unshared;
}

void ProcessAccelerator::keep_translations() {
    if (store_ != nullptr) {
        store_->write();
    }
}

uint32_t ProcessAccelerator::descriptors(std::span<int> fds) const {
    const std::array<int, TranslationStore::kFiles> all =
        store_ != nullptr ? store_->descriptors() : std::array<int, TranslationStore::kFiles>{-1, -1};
    uint32_t count = 0;
    for (const int fd : all) {
        if (fd >= 0) {
            if (count < fds.size()) {
                fds[count] = fd;
            }
            ++count;
        }
    }
    return count;
}

// ---- reports ----

void ProcessAccelerator::run_on(Vcpu& vcpu, VcpuWork, void (*fn)(void* opaque, void* state), void* opaque) {
    const ExclusiveSection alone(gate_, nullptr);
    fn(opaque, vcpu.state());
}

Result<> ProcessAccelerator::write_stats(std::optional<uint64_t> state_hash) {
    return write_stats_file(*this, state_hash);
}

}  // namespace weft::accel
