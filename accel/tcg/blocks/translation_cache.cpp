#include "accel/tcg/blocks/translation_cache.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "accel/tcg/observe/debug_elf.h"
#include "accel/tcg/vcpu/runtime_hooks.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/host_info.h"
#include "base/log.h"
#include "tcg/code/sizing.h"

namespace weft::accel {

namespace {

std::unique_ptr<tcg::Backend> make_backend(const TranslationCacheConfig& config) {
    const tcg::BackendConfig backend{config.guest, runtime_hooks(), config.settings.clock == ClockKind::insn,
                                     config.settings.profile};
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
      vcpus_(*config.vcpus),
      epochs_(std::move(epochs)),
      buffer_(std::move(buffer)),
      backend_(std::move(backend)),
      pages_(*config.vcpus),
      blocks_(*epochs_, std::move(table), *backend_, buffer_, *config.vcpus),
      core_sync_(backend_->executes(), *config.calls) {
    pages_.attach(blocks_);
}

Result<std::unique_ptr<TranslationCache>> TranslationCache::create(const TranslationCacheConfig& config) {
    std::unique_ptr<tcg::Backend> backend = make_backend(config);
    tcg::BufferSizeRequest request;
    request.requested_mib = config.settings.tb_size_mib;
    request.memory_available = available_memory();
    request.contexts = config.contexts;
    request.page_size = host_page_size();
    const tcg::BufferSize size = tcg::choose_buffer_size(request);
    if (size.warning) {
        config.host->warn(config.host->opaque, size.warning->c_str());
    }
    auto buffer =
        tcg::CodeBuffer::create(size.size, config.settings.split_wx, backend->executes(), *config.calls);
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
    layout.vcpus = vcpus_.capacity();
    layout.contexts = config.contexts;
    layout.evict = config.settings.evict;
    layout.page_size = host_page_size();
    auto regions = tcg::RegionAllocator::create(buffer_, layout, *config.calls);
    if (!regions) {
        return std::unexpected(regions.error());
    }
    regions_ = std::move(*regions);
    tcg::CodeWindow window = regions_->runtime_window();
    window.size = std::min(window.size, kMaxWindow);
    auto used = backend_->emit_runtime(window);
    if (!used) {
        return std::unexpected(used.error());
    }
    regions_->runtime_emitted(*used);
    evictor_ =
        std::make_unique<RegionEvictor>(*regions_, pages_, *epochs_, vcpus_, core_sync_, config.contexts);
    if (settings_.profile) {
        auto profile = Profile::create(buffer_.size());
        if (!profile) {
            return std::unexpected(profile.error());
        }
        profile_.emplace(std::move(*profile));
    }
    const tcg::RuntimeMap* const map = backend_->runtime_map();
    auto listing = CodeListing::create(settings_, host_, buffer_, map);
    if (!listing) {
        return std::unexpected(listing.error());
    }
    listing_ = std::move(*listing);
    if (map != nullptr) {
        debugger_entry_ =
            std::make_unique<DebuggerEntry>(make_debug_elf(*map, buffer_.rx().value(), buffer_.size()));
    }
    return {};
}

void TranslationCache::flush(uint64_t full_at) {
    if (flush_count() != full_at) {
        return;
    }
    evictor_->forget();
    pages_.clear();
    blocks_.reset();
    core_sync_.before_reuse();
    regions_->reset_all();
    vcpus_.for_each([this](Vcpu& vcpu) {
        vcpu.jump_cache.process_drops();
        vcpu.jump_cache.clear();
        if (core_sync_.by_themselves()) {
            vcpu.jump_cache.request_drop_range(0, UINT32_MAX, true);
        }
    });
    // release; pairs with the acquire in flush_count().
    flushes_.fetch_add(1, std::memory_order_release);
}

bool TranslationCache::make_room(EpochDomain::Reader& reader) {
    if (evictor_->waiting() == 0) {
        return regions_->spare_regions() != 0;
    }
    room_waits_.fetch_add(1, std::memory_order_relaxed);
    epochs_->synchronize(&reader, &RegionEvictor::kick);
    return true;
}

}  // namespace weft::accel
