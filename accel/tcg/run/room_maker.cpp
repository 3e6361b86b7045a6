#include "accel/tcg/run/room_maker.h"

namespace weft::accel {

namespace {

// How often a thread that found no space for code waits for a region before it has everything emptied.
constexpr unsigned kMaxWaitsForRoom = 3;

}  // namespace

void RoomMaker::make_room(const Vcpu& vcpu, EpochDomain::Reader& reader, uint64_t full_at) {
    const uint64_t translated = vcpu.counters.translations.get();
    full_in_a_row_ = translated == translated_when_full_ ? full_in_a_row_ : 0;
    translated_when_full_ = translated;
    // Whoever waits in vain is outrun by other translators.
    if (++full_in_a_row_ <= kMaxWaitsForRoom && cache_.make_room(reader)) {
        return;
    }
    full_in_a_row_ = 0;
    const ExclusiveSection alone(gate_, &reader);
    cache_.flush(full_at);
}

}  // namespace weft::accel
