#include "accel/tcg/observe/code_listing.h"

#include <fmt/format.h>

#include <utility>

namespace weft::accel {

namespace {

std::string name_of(const tcg::TranslationBlock& tb) { return fmt::format("guest:{:#x}", tb.pc); }

}  // namespace

Result<std::unique_ptr<CodeListing>> CodeListing::create(const Settings& settings, const HostServices& host,
                                                         const tcg::CodeBuffer& buffer,
                                                         const tcg::RuntimeMap* map) {
    std::unique_ptr<CodeListing> listing(new CodeListing(host, buffer));
    if (!settings.perf_map && !settings.jitdump) {
        return listing;
    }
    if (map == nullptr) {
        host.warn(host.opaque,
                  "perfmap and jitdump: the interpreter's code is no code for perf, nothing is listed");
        return listing;
    }
    if (settings.perf_map) {
        if (buffer.split()) {
            host.warn(host.opaque,
                      "perfmap=on with split-wx=on: perf does not use its map for memory mapped twice; "
                      "jitdump=on is for both");
        }
        auto made = PerfMap::create();
        if (!made) {
            return std::unexpected(made.error());
        }
        listing->perf_map_.emplace(std::move(*made));
    }
    if (settings.jitdump) {
        auto made = JitDump::create(map->elf_machine);
        if (!made) {
            return std::unexpected(made.error());
        }
        listing->jitdump_ = std::move(*made);
    }
    listing->list_runtime(*map);
    return listing;
}

void CodeListing::list_runtime(const tcg::RuntimeMap& map) {
    for (const tcg::RuntimeSymbol& symbol : map.symbols) {
        const uintptr_t start = (buffer_.rx() + symbol.offset).value();
        if (perf_map_ && !perf_map_->add(start, symbol.size, symbol.name)) {
            failed(perf_map_->path());
        }
        if (jitdump_ != nullptr && !jitdump_->add(start, bytes(symbol.offset, symbol.size), symbol.name)) {
            failed(jitdump_->path());
        }
    }
}

std::string_view CodeListing::bytes(size_t offset, size_t size) const {
    return {(buffer_.rw() + offset).as<const char>(), size};
}

void CodeListing::dump(const tcg::TranslationBlock& tb) {
    const auto offset = static_cast<size_t>(tb.code - buffer_.rx());
    if (!jitdump_->add(tb.code.value(), bytes(offset, tb.code_size), name_of(tb))) {
        failed(jitdump_->path());
    }
}

void CodeListing::map(const tcg::TranslationBlock& tb) {
    if (!perf_map_->add(tb.code.value(), tb.code_size, name_of(tb))) {
        failed(perf_map_->path());
    }
}

void CodeListing::failed(const std::string& path) {
    if (!warned_.exchange(true, std::memory_order_relaxed)) {
        host_.warn(host_.opaque,
                   fmt::format("{} cannot be written: generated code is missing there", path).c_str());
    }
}

}  // namespace weft::accel
