#include "accel/tcg/observe/profile.h"

#include <utility>

#include "base/host_info.h"
#include "tcg/exec_state.h"

namespace weft::accel {

Result<Profile> Profile::create(size_t buffer_size, const HostCalls& calls) {
    const size_t page = host_page_size();
    const size_t bytes = ((buffer_size >> tcg::kProfileShift) * sizeof(uint64_t) + page - 1) / page * page;
    auto mapping = Mapping::anonymous(bytes, PROT_READ | PROT_WRITE, MAP_NORESERVE, 0, calls);
    if (!mapping) {
        return std::unexpected(mapping.error().within("profile=on: counters"));
    }
    return Profile(std::move(*mapping));
}

uint64_t Profile::entries(size_t code_offset) const {
    return counters()[code_offset >> tcg::kProfileShift].load(std::memory_order_relaxed);
}

void Profile::begin_unit(size_t code_offset) const {
    counters()[code_offset >> tcg::kProfileShift].store(0, std::memory_order_relaxed);
}

}  // namespace weft::accel
