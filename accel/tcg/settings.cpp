#include "accel/tcg/settings.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/bits.h"

namespace weft::accel {

namespace {

// In the order of kProperties.
enum Property : unsigned {
    kThread,
    kTbSize,
    kSplitWx,
    kOneInsnPerTb,
    kBackend,
    kEvict,
    kClock,
    kInsnShift,
    kInsnSleep,
    kStats,
    kDisable,
    kHashBuckets,
    kTranslateAfter,
    kTranslateThreads,
    kMaxThreads,
    kProfile,
    kPerfMap,
    kJitDump,
    kCache,
    kCacheSize,
    kPropertyCount,
};

#if WEFT_HAVE_X86_64_BACKEND
constexpr std::array kBackends = {BackendKind::native, BackendKind::interp};
constexpr const char* kBackendWords = "native|interp";
constexpr const char* kDefaultBackend = "native";
#else
constexpr std::array kBackends = {BackendKind::interp};
constexpr const char* kBackendWords = "interp";
constexpr const char* kDefaultBackend = "interp";
#endif

// In the order of shifts; `auto` is behind the last one.
constexpr const char* kShiftWords = "0|1|2|3|4|5|6|7|8|9|10|auto";

// In the order of Property.
constexpr std::array<PropertyDesc, kPropertyCount> kProperties = {{
    {"thread", PropertyType::choice, "multi", 0, 0, "single|multi",
     "one host thread a vCPU (see max-threads), or one that takes all vCPUs in turn"},
    {"tb-size", PropertyType::uint, "0", 0, UINT32_MAX, nullptr,
     "memory for translated code in MiB; 0 chooses by the host's memory"},
    {"split-wx", PropertyType::boolean, nullptr, 0, 0, nullptr,
     "map code twice, so that no memory is both writable and executable; unset tries and carries on without"},
    {"one-insn-per-tb", PropertyType::boolean, "off", 0, 0, nullptr,
     "translate every guest instruction on its own, for debugging"},
    {"backend", PropertyType::choice, kDefaultBackend, 0, 0, kBackendWords,
     "what translations become: host instructions, or data for an interpreter"},
    {"evict", PropertyType::choice, "region", 0, 0, "flush|region",
     "what goes when the memory for code is full: all of it while every vCPU waits, or its oldest part"},
    {"clock", PropertyType::choice, "host", 0, 0, "host|insn",
     "what guest time follows: the host's clock, or executed instructions (with thread=single), so that runs "
     "are equal"},
    {"insn-shift", PropertyType::choice, "0", 0, 0, kShiftWords,
     "with clock=insn: an instruction takes 2^N nanoseconds; auto follows the host's clock, and runs are not "
     "equal"},
    {"insn-sleep", PropertyType::boolean, "off", 0, 0, nullptr,
     "with clock=insn: while all vCPUs wait, time goes on as the host's does, instead of jumping on"},
    {"stats", PropertyType::string, nullptr, 0, 0, nullptr,
     "write the counters to this file as JSON: at the end, and when the monitor is told 'stats'"},
    {"disable", PropertyType::string, nullptr, 0, 0, nullptr,
     "optimisations to leave out, with ':' between them, for measuring; 'help' names them"},
    {"hash-buckets", PropertyType::uint, "32768", 1, uint64_t{1} << 24, nullptr,
     "buckets of the table of translations in the beginning, a power of two, for measuring"},
    {"translate-after", PropertyType::uint, nullptr, 0, UINT8_MAX, nullptr,
     "times that code runs one instruction after another before it is translated; 0 translates at once; "
     "unset: 4, and 32 for what a process runs first"},
    {"translate-threads", PropertyType::uint, nullptr, 0, 16, nullptr,
     "of a machine: threads that translate while vCPUs go on interpreting; 0: vCPUs make all translations "
     "themselves; unset: 1 where the host has processors to spare"},
    {"max-threads", PropertyType::uint, "0", 0, UINT32_MAX, nullptr,
     "with thread=multi: run vCPUs on at most so many threads, in turn where there are more; 0 means as many "
     "as "
     "there are host processors"},
    {"profile", PropertyType::boolean, "off", 0, 0, nullptr,
     "count how often each translation is entered and what the jump cache yields, for 'info tb-list'"},
    {"perfmap", PropertyType::boolean, "off", 0, 0, nullptr, "list the code for perf in /tmp/perf-PID.map"},
    {"jitdump", PropertyType::boolean, "off", 0, 0, nullptr,
     "write the code with its times to jit-PID.dump, for 'perf inject --jit'"},
    {"cache", PropertyType::string, nullptr, 0, 0, nullptr,
     "keep translations in this folder, for the next process that executes the same code"},
    {"cache-size", PropertyType::uint, "256", 4, 4096, nullptr,
     "most memory that the files of 'cache' take, in MiB"},
}};

struct Switch {
    std::string_view name;
    bool tcg::NativeOptions::* native;
    bool tcg::OptimizeOptions::* optimize;
    bool Settings::* own = nullptr;
};

// Where `translate-after` is not given; the second of what a process runs first (vcpu/visits.h).
constexpr uint8_t kTranslateAfterDefault = 4;
constexpr uint8_t kTranslateAfterFirst = 32;

constexpr std::array kSwitches = {
    Switch{"pin-registers", &tcg::NativeOptions::pin_registers, nullptr},
    Switch{"own-probes", &tcg::NativeOptions::own_probes, nullptr},
    Switch{"direct-side-exits", &tcg::NativeOptions::direct_side_exits, nullptr},
    Switch{"share-tlb-probes", &tcg::NativeOptions::share_tlb_probes, nullptr},
    Switch{"carry-pages", &tcg::NativeOptions::carry_pages, nullptr},
    Switch{"loop-registers", &tcg::NativeOptions::loop_registers, nullptr},
    Switch{"fold-loads", &tcg::NativeOptions::fold_loads, nullptr},
    Switch{"inline-fp-flags", &tcg::NativeOptions::inline_fp_flags, nullptr},
    Switch{"fences", &tcg::NativeOptions::fences, nullptr},
    Switch{"atomic-additions", &tcg::NativeOptions::atomic_additions, nullptr},
    Switch{"propagate-copies", nullptr, &tcg::OptimizeOptions::propagate_copies},
    Switch{"fold-constants", nullptr, &tcg::OptimizeOptions::fold_constants},
    Switch{"simplify", nullptr, &tcg::OptimizeOptions::simplify},
    Switch{"known-bits", nullptr, &tcg::OptimizeOptions::known_bits},
    Switch{"combine", nullptr, &tcg::OptimizeOptions::combine},
    Switch{"unbox", nullptr, &tcg::OptimizeOptions::unbox},
    Switch{"coalesce", nullptr, &tcg::OptimizeOptions::coalesce},
    Switch{"unreachable", nullptr, &tcg::OptimizeOptions::unreachable},
    Switch{"remember-insns", nullptr, nullptr, &Settings::remember_insns},
    Switch{"grow-jump-cache", nullptr, nullptr, &Settings::grow_jump_cache},
    Switch{"contexts-apart", nullptr, nullptr, &Settings::contexts_apart},
    Switch{"link-pages", nullptr, nullptr, &Settings::link_pages},
    Switch{"return-stack", nullptr, nullptr, &Settings::return_stack},
    Switch{"inline-csrs", nullptr, nullptr, &Settings::inline_csrs},
    Switch{"inner-branches", nullptr, nullptr, &Settings::inner_branches},
    Switch{"carry-where-hot", nullptr, nullptr, &Settings::carry_where_hot},
    Switch{"young-processes", nullptr, nullptr, &Settings::young_processes},
    Switch{"stay-in-code", nullptr, nullptr, &Settings::stay_in_code},
    Switch{"small-first", nullptr, nullptr, &Settings::small_first},
    Switch{"pages-ahead", nullptr, nullptr, &Settings::pages_ahead},
};

Result<> disable(Settings& settings, std::string_view names) {
    while (!names.empty()) {
        const size_t end = std::min(names.find(':'), names.size());
        const std::string_view name = names.substr(0, end);
        names.remove_prefix(std::min(end + 1, names.size()));
        const auto found = std::ranges::find(kSwitches, name, &Switch::name);
        if (found == kSwitches.end()) {
            std::string known;
            for (const Switch& each : kSwitches) {
                known += known.empty() ? "" : ", ";
                known += each.name;
            }
            return fail("property 'disable': there is no optimisation '" + std::string(name) +
                        "' (there are: " + known + ")");
        }
        if (found->own != nullptr) {
            settings.*(found->own) = false;
        } else if (found->native != nullptr) {
            settings.native.*(found->native) = false;
        } else {
            settings.optimize.*(found->optimize) = false;
        }
    }
    return {};
}

}  // namespace

std::span<const PropertyDesc> property_table() { return kProperties; }

Result<Settings> read_settings(const PropertyValue* values) {
    Settings settings;
    settings.thread = values[kThread].number == 0 ? ThreadMode::single : ThreadMode::multi;
    settings.tb_size_mib = values[kTbSize].number;
    if (values[kSplitWx].set) {
        settings.split_wx = values[kSplitWx].number != 0 ? tcg::SplitWx::on : tcg::SplitWx::off;
    }
    settings.one_insn_per_tb = values[kOneInsnPerTb].number != 0;
    settings.clock = values[kClock].number == 0 ? ClockKind::host : ClockKind::insn;
    if (settings.clock == ClockKind::insn && settings.thread != ThreadMode::single) {
        return fail("clock=insn needs thread=single");
    }
    const uint64_t shift = values[kInsnShift].number;
    const bool sleeps = values[kInsnSleep].number != 0;
    if (settings.clock != ClockKind::insn && (shift != 0 || sleeps)) {
        return fail("insn-shift and insn-sleep need clock=insn");
    }
    if (shift > InsnRate::kMaxShift && !sleeps) {
        return fail("insn-shift=auto needs insn-sleep=on");
    }
    settings.insn_rate =
        shift > InsnRate::kMaxShift ? InsnRate::automatic() : InsnRate(static_cast<unsigned>(shift), sleeps);
    settings.backend = kBackends[values[kBackend].number];
    settings.evict = values[kEvict].number == 0 ? tcg::EvictMode::flush : tcg::EvictMode::region;
    if (values[kDisable].set) {
        if (Result<> done = disable(settings, values[kDisable].text); !done) {
            return std::unexpected(done.error());
        }
    }
    settings.hash_buckets = values[kHashBuckets].number;
    if (!is_power_of_two(settings.hash_buckets)) {
        return fail("property 'hash-buckets': " + std::to_string(settings.hash_buckets) +
                    " is not a power of two");
    }
    const PropertyValue& after = values[kTranslateAfter];
    settings.translate_after = after.set ? static_cast<uint8_t>(after.number) : kTranslateAfterDefault;
    settings.translate_after_first = after.set ? settings.translate_after : kTranslateAfterFirst;
    if (const PropertyValue& threads = values[kTranslateThreads]; threads.set) {
        settings.translate_threads = static_cast<uint32_t>(threads.number);
    }
    settings.max_threads = static_cast<uint32_t>(values[kMaxThreads].number);
    settings.profile = values[kProfile].number != 0;
    settings.perf_map = values[kPerfMap].number != 0;
    settings.jitdump = values[kJitDump].number != 0;
    if (settings.perf_map && !values[kSplitWx].set) {
        // perf takes its map for anonymous memory alone, and two views are mapped from a memory file.
        settings.split_wx = tcg::SplitWx::off;
    }
    if (values[kCache].set) {
        settings.cache_folder = values[kCache].text;
        if (settings.backend != BackendKind::native || settings.clock == ClockKind::insn ||
            settings.profile) {
            return fail("property 'cache' needs backend=native, and neither clock=insn nor profile=on");
        }
    }
    settings.cache_mib = values[kCacheSize].number;
    if (values[kStats].set) {
        settings.stats_file = values[kStats].text;
    }
    return settings;
}

}  // namespace weft::accel
