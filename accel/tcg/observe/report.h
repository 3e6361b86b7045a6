// What the accelerator says of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::accel {

class Accelerator;

// The report on a topic, which are words separated by spaces. Any thread that is no vCPU's. Stops nobody but where said.
//   stats             the counters as JSON
//   jit               the same and the settings, for people
//   stats-file        writes the counters to the file of stats=FILE again
//   cpu N             what a vCPU does, in one line; it stops for it once
//   tlb [CPU]         the software TLBs, with a CPU's number its entries; each vCPU stops for it once
//   tb-list [N]       the N (10) translations that were entered most often; needs profile=on
//   tb-list -d [N]    with their instructions, the guest's and the host's
//   tb ADDRESS        the translations at a guest's virtual or a host's address, with their instructions
// What is asked for in vain is said in the report. Error: there is no such topic.
Result<std::string> make_report(Accelerator& accelerator, std::string_view topic);

// The report on "stats" with a hash of the machine's final state.
std::string stats_report(Accelerator& accelerator, std::optional<uint64_t> state_hash);
// vcpu_report.cpp, block_report.cpp: `arguments` are the words behind the topic.
std::string cpu_report(Accelerator& accelerator, std::string_view arguments);
std::string tlb_report(Accelerator& accelerator, std::string_view arguments);
std::string block_list_report(Accelerator& accelerator, std::string_view arguments);
std::string block_report(Accelerator& accelerator, std::string_view arguments);

}  // namespace weft::accel
