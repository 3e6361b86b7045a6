#include "accel/tcg/report.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "accel/tcg/accelerator.h"

namespace weft::accel {

namespace {

struct Item {
    const char* name;
    uint64_t value;
};

std::vector<Item> collect(Accelerator& accelerator) {
    CodeCache& cache = accelerator.cache();
    // The lists are read as an online participant.
    EpochDomain::Participant participant(cache.epochs());
    participant.go_online();
    const QhtStatistics table = cache.blocks().statistics();
    std::vector<Item> items = {
        {"blocks", cache.regions().trees().count()},
        {"blocks_hashed", table.entries},
        {"code_size", cache.regions().code_size()},
        {"code_capacity", cache.regions().capacity()},
        {"regions", cache.regions().layout().count},
        {"regions_free", cache.regions().free_regions()},
        {"code_pages", cache.pages().count()},
        {"flushes", cache.flush_count()},
        {"evictions", cache.evictor().evictions()},
        {"evicted_blocks", cache.evictor().blocks()},
        {"eviction_waits", cache.room_waits()},
        {"invalidations", cache.blocks().counters().invalidations.load(std::memory_order_relaxed)},
        {"unlinks", cache.blocks().counters().unlinks.load(std::memory_order_relaxed)},
        {"hash_buckets", table.head_buckets},
        {"hash_buckets_used", table.used_head_buckets},
        {"hash_overflow_buckets", table.overflow_buckets},
        {"hash_longest_chain", table.longest_chain},
        {"hash_growths", table.growths},
    };
    for (const auto& [name, field] : kVcpuCounters) {
        uint64_t sum = (accelerator.departed().*field).get();
        accelerator.vcpus().for_each([&](const Vcpu& vcpu) { sum += (vcpu.counters.*field).get(); });
        items.push_back({name, sum});
    }
    return items;
}

std::string json(Accelerator& accelerator, std::optional<uint64_t> state_hash) {
    const bool counted = accelerator.settings().clock == ClockKind::insn;
    std::string text = fmt::format("{{\n  \"backend\": \"{}\",\n  \"thread\": \"{}\",\n  \"clock\": \"{}\"",
                                   accelerator.cache().backend().name(),
                                   accelerator.settings().thread == ThreadMode::multi ? "multi" : "single",
                                   counted ? "insn" : "host");
    if (state_hash) {
        text += fmt::format(",\n  \"state_hash\": \"{:016x}\"", *state_hash);
    }
    if (counted) {
        text += fmt::format(",\n  \"time_ns\": {}", accelerator.now_ns());
    }
    for (const Item& item : collect(accelerator)) {
        text += fmt::format(",\n  \"{}\": {}", item.name, item.value);
    }
    return text + "\n}\n";
}

std::string text(Accelerator& accelerator) {
    const CodeCache& cache = accelerator.cache();
    std::string text = fmt::format(
        "accelerator tcg\n  backend          {}\n  threads          {}\n  split-wx         {}\n  one-insn-per-tb  {}\n",
        cache.backend().name(), accelerator.settings().thread == ThreadMode::multi ? "multi" : "single",
        cache.buffer().split() ? "on" : "off", accelerator.settings().one_insn_per_tb ? "on" : "off");
    const std::vector<Item> items = collect(accelerator);
    for (const Item& item : items) {
        text += fmt::format("  {:<22} {}\n", item.name, item.value);
    }
    return text;
}

}  // namespace

std::string stats_report(Accelerator& accelerator, std::optional<uint64_t> state_hash) {
    return json(accelerator, state_hash);
}

Result<std::string> make_report(Accelerator& accelerator, std::string_view topic) {
    if (topic == "stats") {
        return json(accelerator, std::nullopt);
    }
    if (topic == "jit") {
        return text(accelerator);
    }
    return fail(fmt::format("there is no report on '{}' (there are: stats, jit)", topic));
}

}  // namespace weft::accel
