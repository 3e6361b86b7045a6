// Reports on the software TLBs.
#include <fmt/format.h>

#include <charconv>
#include <span>

#include "accel/tcg/accelerator.h"
#include "accel/tcg/report.h"

namespace weft::accel {

namespace {

std::string entry_text(const tcg::TlbEntry& entry) {
    // Of the two tags one may be unused; both have the page's address where they are.
    const uint64_t tag = (entry.read & tcg::kTlbInvalid) == 0 ? entry.read : entry.write;
    const bool device = (tag & tcg::kTlbDevice) != 0;
    return fmt::format("      {:016x} {} {:012x} {}{}{}\n", tag & ~uint64_t{tcg::kTlbFlagMask}, device ? "device" : "ram   ",
                       entry.page, (entry.read & tcg::kTlbInvalid) == 0 ? "r" : "-",
                       (entry.write & tcg::kTlbInvalid) == 0 ? "w" : "-",
                       (entry.write & tcg::kTlbNotDirty) != 0 && (entry.write & tcg::kTlbInvalid) == 0
                           ? " stores are looked at"
                           : "");
}

bool in_use(const tcg::TlbEntry& entry) {
    return (entry.read & tcg::kTlbInvalid) == 0 || (entry.write & tcg::kTlbInvalid) == 0;
}

struct Request {
    bool entries;
    std::string text;
};

// On the vCPU's thread, to which its TLBs belong.
void describe(void* opaque, void* state) {
    auto& request = *static_cast<Request*>(opaque);
    const Vcpu& vcpu = *state_header(state).vcpu;
    const VcpuCounters& counters = vcpu.counters;
    request.text += fmt::format(
        "CPU {}: {} fills ({} by loads, {} by stores), {} from victims, {} walks for code, {} walks that faulted\n"
        "  flushes: {} of everything, {} of an address space, {} of an address; {} tables resized\n",
        vcpu.index, counters.tlb_fills.get(), counters.tlb_fills_load.get(), counters.tlb_fills_store.get(),
        counters.tlb_victim_hits.get(), counters.fetch_walks.get(), counters.walk_faults.get(),
        counters.tlb_flushes.get(), counters.tlb_asid_flushes.get(), counters.tlb_page_flushes.get(),
        counters.tlb_resizes.get());
    vcpu.mmu.for_each_tlb([&request](const AddressSpaceKey* space, unsigned mode, const Tlb& tlb, bool current) {
        if (tlb.empty() && !current) {
            return;
        }
        const std::string where =
            space == nullptr ? "all address spaces" : fmt::format("root {:016x} asid {}", space->root, space->asid);
        request.text += fmt::format("  mode {}, {}: {} of {} entries used{}\n", mode, where, tlb.used(), tlb.size(),
                                    space != nullptr && current ? " (current)" : "");
        for (const tcg::TlbEntry& entry : tlb.entries()) {
            if (request.entries && in_use(entry)) {
                request.text += entry_text(entry);
            }
        }
    });
}

}  // namespace

std::string tlb_report(Accelerator& accelerator, std::string_view arguments) {
    uint32_t only = 0;
    const bool all = arguments.empty();
    if (!all) {
        const char* const end = arguments.data() + arguments.size();
        const auto [stop, error] = std::from_chars(arguments.data(), end, only);
        if (error != std::errc{} || stop != end || accelerator.vcpus().at(only) == nullptr) {
            return fmt::format("there is no CPU '{}'\n", arguments);
        }
    }
    Request request{!all, {}};
    accelerator.vcpus().for_each([&](Vcpu& vcpu) {
        if (all || vcpu.index == only) {
            accelerator.run_on(vcpu, VcpuWork::sync, &describe, &request);
        }
    });
    return request.text;
}

}  // namespace weft::accel
