// Everything that holds translated code: the buffer and its regions, the backend, the TBs, the pages of code.
//
// The room blocks/ owns where a TB is found, linked and thrown away. It knows the code generator (tcg), the epochs, and of vCPUs
// what CodeUser says; nothing of threads, of how guest addresses are translated, or of who makes TBs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "accel/tcg/blocks/block_table.h"
#include "accel/tcg/blocks/code_observer.h"
#include "accel/tcg/blocks/code_set.h"
#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/core_sync.h"
#include "accel/tcg/blocks/page_map.h"
#include "accel/tcg/blocks/region_evictor.h"
#include "accel/tcg/blocks/uncarried_code.h"
#include "accel/tcg/settings.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/host_calls.h"
#include "tcg/backend.h"
#include "tcg/code/code_buffer.h"
#include "tcg/code/regions.h"

namespace weft::accel {

// No unit and no runtime code is larger: what backends are given to write into.
inline constexpr size_t kMaxWindow = size_t{16} << 20;

struct TranslationCacheConfig {
    const GuestArch* guest;
    const HostServices* host;
    const CodeUsers* users;     // outlives the cache
    const UserMemoryOps* user;  // null in a machine; outlives the cache
    Settings settings;
    unsigned contexts;  // translating threads there will be at most
    tcg::RuntimeHooks hooks;
    // Has the thread of a lagging reader of the epochs come to its next quiescent point. The context is upkeep()'s `self`, or
    // null.
    EpochDomain::QuiescenceRequest request_quiescence;
    const HostCalls* calls = &HostCalls::real();
};

class TranslationCache {
  public:
    static Result<std::unique_ptr<TranslationCache>> create(const TranslationCacheConfig& config);
    TranslationCache(const TranslationCache&) = delete;
    TranslationCache& operator=(const TranslationCache&) = delete;

    EpochDomain& epochs() { return *epochs_; }
    const tcg::Backend& backend() const { return *backend_; }
    const tcg::CodeBuffer& buffer() const { return buffer_; }
    tcg::RegionAllocator& regions() { return *regions_; }
    const tcg::RegionAllocator& regions() const { return *regions_; }
    PageMap& pages() { return pages_; }
    BlockTable& blocks() { return blocks_; }
    // Units whose shared TLB probes do not pay: their windows reach over the ends of pages again and again, and then every access of
    // the group takes the slow path (tcg/opt/access_groups.h). They have a probe for each access.
    CodeSet& ungrouped() { return ungrouped_; }
    // Units that run most of the time: their accesses carry pages.
    CodeSet& carrying() { return carrying_; }
    UncarriedCode& uncarried() { return uncarried_; }
    const RegionEvictor& evictor() const { return *evictor_; }
    // Told of all that is generated from now on; null: nobody is. Before anything is translated; outlives the cache's use.
    void set_observer(CodeObserver* observer) { observer_ = observer; }
    CodeObserver* observer() const { return observer_; }
    const CodeUsers& users() const { return users_; }
    const GuestArch& guest() const { return guest_; }
    const HostServices& host() const { return host_; }
    const Settings& settings() const { return settings_; }

    tcg::RxAddress code_at(uint32_t offset) const { return buffer_.rx() + offset; }
    uint32_t offset_of(const tcg::TranslationBlock& tb) const {
        return static_cast<uint32_t>(tb.code - buffer_.rx());
    }

    // How often the cache was emptied: who wants it emptied says which state of it was full. Any thread.
    uint64_t flush_count() const { return flushes_.load(std::memory_order_acquire); }
    // How often make_room() waited.
    uint64_t room_waits() const { return room_waits_.load(std::memory_order_relaxed); }
    // Before each translation, on the thread `self`: see RegionEvictor::upkeep().
    void upkeep(void* self) {
        if (settings_.evict == tcg::EvictMode::region) {
            evictor_->upkeep(self);
        }
    }
    // For a vCPU thread that found the cache full, outside the exclusive gate and holding nothing: true where it is worth
    // trying again, after regions on their way were waited for. False: it has to be emptied.
    bool make_room(EpochDomain::Reader& reader);

    // In a forked process, where its memory is shared with the parent's: gives it memory of its own, and empties the cache. In an
    // exclusive section, on the only thread. Error: there is no memory, and nothing may be executed.
    Result<> unshare();
    // Empties the cache: regions, trees, descriptors, hash table, jump caches. Does nothing where that was done since
    // flush_count() was `full_at`: several may find the cache full at once. In an exclusive section, on an online
    // reader's thread.
    void flush(uint64_t full_at);

  private:
    TranslationCache(const TranslationCacheConfig& config, tcg::CodeBuffer buffer,
                     std::unique_ptr<tcg::Backend> backend, std::unique_ptr<EpochDomain> epochs,
                     BlockHashTable table);

    Result<> set_up(const TranslationCacheConfig& config);

    const GuestArch& guest_;
    const HostServices& host_;
    const Settings settings_;
    const CodeUsers& users_;
    const EpochDomain::QuiescenceRequest request_quiescence_;
    // Counted up in exclusive sections (release), read by any thread.
    std::atomic<uint64_t> flushes_{0};

    const std::unique_ptr<EpochDomain> epochs_;  // outlives what retires to it
    const tcg::CodeBuffer buffer_;
    const std::unique_ptr<tcg::Backend> backend_;
    std::unique_ptr<tcg::RegionAllocator> regions_;
    PageMap pages_;
    BlockTable blocks_;
    CodeSet ungrouped_;
    CodeSet carrying_;
    UncarriedCode uncarried_;
    const CoreSync core_sync_;
    std::unique_ptr<RegionEvictor> evictor_;
    std::atomic<uint64_t> room_waits_{0};  // counted by any thread, relaxed
    CodeObserver* observer_ = nullptr;
};

}  // namespace weft::accel
