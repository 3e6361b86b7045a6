#include "accel/tcg/observe/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <vector>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

struct Item {
    const char* name;
    uint64_t value;
};

uint64_t of(const std::vector<Item>& items, std::string_view name) {
    return std::ranges::find(items, name, &Item::name)->value;
}

// With profile=on: what came to the blocks neither from the loop nor by way of the jump cache came by a linked jump. The
// counters are read one after the other while vCPUs run, so the difference is only exact when they rest.
uint64_t linked_entries(const std::vector<Item>& items) {
    const uint64_t entries = of(items, "block_entries");
    const uint64_t others = of(items, "loop_entries") + of(items, "went_on") + of(items, "probe_hits") +
                            of(items, "lookup_generated");
    return entries > others ? entries - others : 0;
}

std::vector<Item> collect(ReportSource& source) {
    TranslationCache& cache = source.cache();
    // The lists are read as an online reader.
    EpochDomain::Reader reader(cache.epochs());
    reader.go_online();
    const QhtStatistics table = cache.blocks().statistics();
    const ExclusiveGate::Counts& exclusive = source.exclusive();
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
        {"exclusive_sections", exclusive.sections.get()},
        {"exclusive_wait_ns", exclusive.wait_ns.get()},
        {"exclusive_held_ns", exclusive.held_ns.get()},
        {"hash_buckets", table.head_buckets},
        {"hash_buckets_used", table.used_head_buckets},
        {"hash_overflow_buckets", table.overflow_buckets},
        {"hash_longest_chain", table.longest_chain},
        {"hash_growths", table.growths},
    };
    const size_t first = items.size();
    VcpuCounters others;
    source.add_others(others);
    for (const auto& [name, field] : kVcpuCounters) {
        items.push_back({name, (others.*field).get()});
    }
    source.vcpus().for_each([&](const CodeUser& user) {
        const Vcpu& vcpu = vcpu_of(user);
        for (size_t i = 0; i < kVcpuCounters.size(); ++i) {
            items[first + i].value += (vcpu.counters.*kVcpuCounters[i].second).get();
        }
        const tcg::ProfileState& profile = vcpu.exec().profile;
        const auto add = [&items](std::string_view name, const std::atomic<uint64_t>& count) {
            std::ranges::find(items, name, &Item::name)->value += count.load(std::memory_order_relaxed);
        };
        add("block_entries", profile.entries);
        add("probe_hits", profile.probe_hits);
        add("probe_misses", profile.probe_misses);
    });
    items.push_back({"linked_entries", linked_entries(items)});
    return items;
}

// What only generated code counts, and only with profile=on.
bool counted(ReportSource& source, const Item& item) {
    constexpr std::string_view kProfiled[] = {"block_entries", "probe_hits", "probe_misses",
                                              "linked_entries"};
    return source.settings().profile || std::ranges::find(kProfiled, item.name) == std::end(kProfiled);
}

const char* thread_word(ReportSource& source) {
    return source.settings().thread == ThreadMode::multi ? "multi" : "single";
}

std::string json(ReportSource& source, std::optional<uint64_t> state_hash) {
    const bool by_insns = source.settings().clock == ClockKind::insn;
    std::string text =
        fmt::format("{{\n  \"backend\": \"{}\",\n  \"thread\": \"{}\",\n  \"clock\": \"{}\"",
                    source.cache().backend().name(), thread_word(source), by_insns ? "insn" : "host");
    if (state_hash) {
        text += fmt::format(",\n  \"state_hash\": \"{:016x}\"", *state_hash);
    }
    if (by_insns) {
        text += fmt::format(",\n  \"time_ns\": {}", source.now_ns());
    }
    for (const Item& item : collect(source)) {
        if (counted(source, item)) {
            text += fmt::format(",\n  \"{}\": {}", item.name, item.value);
        }
    }
    text += ",\n  \"region\": [";
    const char* between = "\n";
    for (const tcg::RegionInfo& region : source.cache().regions().describe()) {
        text += fmt::format("{}    {{\"state\": \"{}\", \"code_size\": {}, \"code_capacity\": {}}}", between,
                            region.state, region.used, region.capacity);
        between = ",\n";
    }
    return text + "\n  ]\n}\n";
}

std::string text(ReportSource& source) {
    const TranslationCache& cache = source.cache();
    const auto on_off = [](bool on) { return on ? "on" : "off"; };
    std::string text =
        fmt::format("accelerator tcg\n  {:<22} {}\n  {:<22} {}\n  {:<22} {}\n  {:<22} {}\n  {:<22} {}\n",
                    "backend", cache.backend().name(), "threads", thread_word(source), "split-wx",
                    on_off(cache.buffer().split()), "one-insn-per-tb",
                    on_off(source.settings().one_insn_per_tb), "profile", on_off(source.settings().profile));
    for (const Item& item : collect(source)) {
        if (counted(source, item)) {
            text += fmt::format("  {:<22} {}\n", item.name, item.value);
        }
    }
    // One line for each run of regions in the same state with nothing in them.
    text += "regions (bytes of code, of bytes)\n";
    const std::vector<tcg::RegionInfo> regions = cache.regions().describe();
    for (size_t i = 0; i < regions.size();) {
        size_t end = i + 1;
        while (end < regions.size() && regions[i].used == 0 && regions[end].used == 0 &&
               regions[i].state == regions[end].state) {
            ++end;
        }
        const std::string numbers = end - i == 1 ? fmt::format("{}", i) : fmt::format("{}-{}", i, end - 1);
        text += fmt::format("  {:<10} {:<8} {} of {}{}\n", numbers, regions[i].state, regions[i].used,
                            regions[i].capacity, end - i == 1 ? "" : " each");
        i = end;
    }
    return text;
}

}  // namespace

std::string stats_report(ReportSource& source, std::optional<uint64_t> state_hash) {
    return json(source, state_hash);
}

Result<> write_stats_file(ReportSource& source, std::optional<uint64_t> state_hash) {
    const std::string& name = source.settings().stats_file;
    if (name.empty()) {
        return fail("no file was named (-accel tcg,stats=FILE)");
    }
    std::ofstream file(name);
    file << stats_report(source, state_hash);
    file.close();
    if (!file) {
        return fail(fmt::format("stats={}: the file cannot be written", name));
    }
    return {};
}

Result<std::string> make_report(ReportSource& source, std::string_view topic) {
    const size_t end = std::min(topic.find(' '), topic.size());
    const std::string_view word = topic.substr(0, end);
    const std::string_view arguments = topic.substr(std::min(end + 1, topic.size()));
    if (word == "stats") {
        return json(source, std::nullopt);
    }
    if (word == "jit") {
        return text(source);
    }
    if (word == "stats-file") {
        const Result<> written = source.write_stats({});
        return written ? fmt::format("counters written to {}\n", source.settings().stats_file)
                       : written.error().message() + "\n";
    }
    if (word == "cpu") {
        return cpu_report(source, arguments);
    }
    if (word == "tlb") {
        return tlb_report(source, arguments);
    }
    if (word == "tb-list") {
        return block_list_report(source, arguments);
    }
    if (word == "tb") {
        return block_report(source, arguments);
    }
    return fail(fmt::format("there is no report on '{}'", word));
}

}  // namespace weft::accel
