// Reports on vCPUs: what they do, and their software TLBs.
#include <fmt/format.h>

#include <charconv>
#include <span>

#include "accel/tcg/observe/report.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

std::string entry_text(const tcg::TlbEntry& entry) {
    // Of the two tags one may be unused; both have the page's address where they are.
    const uint64_t tag = (entry.read & tcg::kTlbInvalid) == 0 ? entry.read : entry.write;
    const bool device = (tag & tcg::kTlbDevice) != 0;
    return fmt::format("      {:016x} {} {:012x} {}{}{}\n", tag << kPageBits, device ? "device" : "ram   ",
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

// On the vCPU's thread, to which `halted` belongs.
void describe_activity(void* text, void* state) {
    const Vcpu& vcpu = *state_header(state).vcpu;
    const VcpuCounters& counters = vcpu.counters;
    const char* what = vcpu.failed ? "failed" : vcpu.halted ? "halted" : "running";
    *static_cast<std::string*>(text) =
        fmt::format("{}; {} interrupts, {} exceptions, {} halts\n", what, counters.interrupts.get(),
                    counters.exceptions.get(), counters.halts.get());
}

// On the vCPU's thread, to which its TLBs belong.
void describe(void* opaque, void* state) {
    auto& request = *static_cast<Request*>(opaque);
    const Vcpu& vcpu = *state_header(state).vcpu;
    const VcpuCounters& counters = vcpu.counters;
    request.text += fmt::format(
        "CPU {}: {} fills ({} by loads, {} by stores), {} from victims, {} walks for code, {} walks that "
        "faulted\n"
        "  flushes: {} of everything, {} of an address space, {} of an address; {} tables resized\n",
        vcpu.index, counters.tlb_fills.get(), counters.tlb_fills_load.get(), counters.tlb_fills_store.get(),
        counters.tlb_victim_hits.get(), counters.fetch_walks.get(), counters.walk_faults.get(),
        counters.tlb_flushes.get(), counters.tlb_asid_flushes.get(), counters.tlb_page_flushes.get(),
        counters.tlb_resizes.get());
    if (vcpu.machine_memory == nullptr) {
        return;
    }
    vcpu.softmmu().for_each_tlb(
        [&request](const AddressSpaceKey* space, unsigned mode, const Tlb& tlb, bool current) {
            if (tlb.empty() && !current) {
                return;
            }
            const std::string where = space == nullptr
                                          ? "all address spaces"
                                          : fmt::format("root {:016x} asid {}", space->root, space->asid);
            request.text += fmt::format("  mode {}, {}: {} of {} entries used{}\n", mode, where, tlb.used(),
                                        tlb.size(), space != nullptr && current ? " (current)" : "");
            for (const tcg::TlbEntry& entry : tlb.entries()) {
                if (request.entries && in_use(entry)) {
                    request.text += entry_text(entry);
                }
            }
        });
}

std::string no_such_cpu(std::string_view number) { return fmt::format("there is no CPU '{}'\n", number); }

// Null where there is none.
Vcpu* find_cpu(ReportSource& source, std::string_view number) {
    const char* const end = number.data() + number.size();
    uint32_t index = 0;
    const auto [stop, error] = std::from_chars(number.data(), end, index);
    CodeUser* const user = error == std::errc{} && stop == end ? source.vcpus().at(index) : nullptr;
    return user != nullptr ? &vcpu_of(*user) : nullptr;
}

}  // namespace

std::string cpu_report(ReportSource& source, std::string_view arguments) {
    Vcpu* const vcpu = find_cpu(source, arguments);
    if (vcpu == nullptr) {
        return no_such_cpu(arguments);
    }
    std::string text;
    source.run_on(*vcpu, VcpuWork::sync, &describe_activity, &text);
    return text;
}

std::string tlb_report(ReportSource& source, std::string_view arguments) {
    Request request{!arguments.empty(), {}};
    if (!arguments.empty()) {
        Vcpu* const vcpu = find_cpu(source, arguments);
        if (vcpu == nullptr) {
            return no_such_cpu(arguments);
        }
        source.run_on(*vcpu, VcpuWork::sync, &describe, &request);
        return request.text;
    }
    source.vcpus().for_each(
        [&](CodeUser& user) { source.run_on(vcpu_of(user), VcpuWork::sync, &describe, &request); });
    return request.text;
}

}  // namespace weft::accel
