#include "accel/tcg/blocks/translation_cache.h"

#include <algorithm>
#include <bit>
#include <new>
#include <string>
#include <utility>

#include "base/host_info.h"
#include "base/log.h"
#include "tcg/code/sizing.h"
#include "tcg/interp/backend.h"

namespace weft::accel {

namespace {

std::unique_ptr<tcg::Backend> make_backend(const TranslationCacheConfig& config) {
    tcg::MemoryModel memory;
    if (config.user != nullptr) {
        memory.kind = tcg::MemoryModel::Kind::direct;
        memory.base = config.user->base;
        memory.bounds = config.user->bounds ? static_cast<uint8_t>(std::countr_zero(config.user->limit)) : 0;
    }
    const tcg::BackendConfig backend{config.guest, config.hooks, config.settings.clock == ClockKind::insn,
                                     config.settings.profile, memory};
#if WEFT_HAVE_X86_64_BACKEND
    if (config.settings.backend == BackendKind::native) {
        return tcg::make_x86_64_backend(backend, config.settings.native);
    }
#endif
    return tcg::make_interp_backend(backend);
}

void log_refusal(const HostServices& host, const std::string& refusal) {
    if (!refusal.empty() && host.log_enabled(host.opaque, static_cast<unsigned>(LogItem::out_asm))) {
        const std::string line = "code is writable and executable at once: " + refusal + "\n";
        host.log(host.opaque, line.data(), line.size());
    }
}

}  // namespace

TranslationCache::TranslationCache(const TranslationCacheConfig& config, tcg::CodeBuffer buffer,
                                   std::unique_ptr<tcg::Backend> backend, std::unique_ptr<EpochDomain> epochs,
                                   BlockHashTable table)
    : guest_(*config.guest),
      host_(*config.host),
      settings_(config.settings),
      users_(*config.users),
      request_quiescence_(config.request_quiescence),
      epochs_(std::move(epochs)),
      buffer_(std::move(buffer)),
      backend_(std::move(backend)),
      pages_(*config.users, config.user),
      blocks_(*epochs_, std::move(table), *backend_, buffer_, *config.users),
      core_sync_(backend_->executes(), *config.calls) {
    pages_.attach(blocks_);
}

Result<std::unique_ptr<TranslationCache>> TranslationCache::create(const TranslationCacheConfig& config) {
    std::unique_ptr<tcg::Backend> backend = make_backend(config);
    tcg::BufferSizeRequest request;
    request.requested_mib = config.settings.tb_size_mib;
    if (config.user == nullptr) {
        request.memory_available = available_memory();
    } else {
        // Memory that is not used costs nothing, and to ask what is available takes as long as to start a small program.
        request.default_size = tcg::kDefaultUserBufferSize;
    }
    request.contexts = config.contexts;
    request.page_size = host_page_size();
    const tcg::BufferSize size = tcg::choose_buffer_size(request);
    if (size.warning) {
        config.host->warn(config.host->opaque, size.warning->c_str());
    }
    // Only processes are many and short.
    const bool small_first = config.user != nullptr && config.settings.small_first;
    auto buffer = tcg::CodeBuffer::create(size.size, config.settings.split_wx, backend->executes(),
                                          *config.calls, small_first);
    if (!buffer) {
        return std::unexpected(buffer.error());
    }
    log_refusal(*config.host, buffer->split_refusal());
    auto epochs = std::make_unique<EpochDomain>();
    auto table = BlockHashTable::create(*epochs, config.settings.hash_buckets);
    if (!table) {
        return std::unexpected(table.error());
    }
    std::unique_ptr<TranslationCache> cache(new TranslationCache(
        config, std::move(*buffer), std::move(backend), std::move(epochs), std::move(*table)));
    if (Result<> done = cache->set_up(config); !done) {
        return std::unexpected(done.error());
    }
    return cache;
}

Result<> TranslationCache::set_up(const TranslationCacheConfig& config) {
    tcg::RegionLayoutRequest layout{};
    layout.vcpus = users_.capacity();
    layout.contexts = config.contexts;
    layout.evict = config.settings.evict;
    layout.page_size = host_page_size();
    auto regions = tcg::RegionAllocator::create(buffer_, layout, *config.calls, config.settings.pages_ahead);
    if (!regions) {
        return std::unexpected(regions.error());
    }
    regions_ = std::move(*regions);
    tcg::CodeWindow window = regions_->runtime_window();
    window.size = std::min(window.size, kMaxWindow);
    auto used = backend_->emit_runtime(window, buffer_.size());
    if (!used) {
        return std::unexpected(used.error());
    }
    regions_->runtime_emitted(*used);
    evictor_ = std::make_unique<RegionEvictor>(*regions_, pages_, *epochs_, users_, core_sync_,
                                               request_quiescence_, config.contexts);
    return {};
}

void TranslationCache::flush(uint64_t full_at) {
    if (flush_count() != full_at) {
        return;
    }
    evictor_->forget();
    pages_.clear();
    blocks_.reset();
    const bool by_themselves = core_sync_.by_themselves() || !core_sync_.before_reuse();
    regions_->reset_all();
    users_.for_each([by_themselves](CodeUser& user) {
        user.jump_cache.process_drops();
        user.jump_cache.clear();
        if (by_themselves) {
            user.jump_cache.request_drop_range(0, UINT32_MAX, true);
        }
    });
    // release; pairs with the acquire in flush_count().
    flushes_.fetch_add(1, std::memory_order_release);
}

Result<> TranslationCache::unshare() {
    if (!buffer_.split()) {
        return {};
    }
    if (Result<> done = regions_->unshare(); !done) {
        return done;
    }
    EpochDomain::Reader reader(*epochs_);
    reader.go_online();
    flush(flush_count());
    return {};
}

bool TranslationCache::make_room(EpochDomain::Reader& reader) {
    if (evictor_->waiting() == 0) {
        return regions_->spare_regions() != 0;
    }
    room_waits_.fetch_add(1, std::memory_order_relaxed);
    epochs_->synchronize(&reader, request_quiescence_);
    return true;
}

}  // namespace weft::accel
