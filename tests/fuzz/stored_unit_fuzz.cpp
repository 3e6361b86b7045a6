// Records of stored units: what is read of any bytes lies within them, and can be used as weft uses it. The checksum is made right
// first, as by whoever can write the file.
#include <algorithm>
#include <cstring>
#include <vector>

#include "accel/tcg/store/stored_unit.h"
#include "base/assert.h"
#include "entry.h"
#include "tcg/code/insn_table.h"

using namespace weft;
using namespace weft::accel;

namespace {

bool within(std::span<const uint8_t> piece, std::span<const uint8_t> whole) {
    return piece.empty() ||
           (piece.data() >= whole.data() && piece.data() + piece.size() <= whole.data() + whole.size());
}

void check(std::span<const uint8_t> record) {
    const auto read = read_record(record);
    if (!read) {
        return;
    }
    const StoredUnit* const unit = &read->unit;
    const tcg::CompiledUnit& compiled = unit->compiled;
    const std::span<const uint8_t> outside(reinterpret_cast<const uint8_t*>(compiled.outside.data()),
                                           compiled.outside.size_bytes());
    WEFT_ASSERT(within(unit->code, record) && within(compiled.encoded_insns, record) &&
                within(outside, record));
    WEFT_ASSERT(within(read->guest, record) && read->guest.size() == unit->guest_size);
    WEFT_ASSERT(unit->guest_size != 0 && unit->guest_size <= read->read);
    // What Backend::move and link change.
    std::vector<uint8_t> code(unit->code.begin(), unit->code.end());
    for (const uint16_t field : compiled.outside) {
        WEFT_ASSERT(field + size_t{4} <= code.size());
        std::memset(code.data() + field, 0, 4);
    }
    for (unsigned i = 0; i < compiled.jump_count; ++i) {
        const tcg::JumpSite& jump = compiled.jumps[i];
        WEFT_ASSERT(jump.stub_offset == 0 || (uint64_t{jump.site_offset} + 4 <= code.size() &&
                                              uint64_t{jump.stub_offset} + 9 <= code.size()));
    }
    tcg::InsnTableReader rows(compiled.encoded_insns);
    while (const auto row = rows.next()) {
        WEFT_ASSERT(row->host_end <= code.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<uint8_t> record(data, data + size);
    record.resize(std::max<size_t>(kRecordPrefix, size / kRecordAlignment * kRecordAlignment));
    seal_record(record);
    check(record);
    return 0;
}
