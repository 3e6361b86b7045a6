// A vCPU as accel/tcg/blocks knows it, which never runs.
#pragma once

#include "accel/tcg/blocks/code_users.h"

namespace toy {

class IdleUser final : public weft::accel::CodeUser {
  public:
    explicit IdleUser(uint32_t number)
        : CodeUser(number, weft::accel::JumpCache::make_entries(weft::PagesMade::on_demand)) {}

    bool same_thread(const CodeUser& other) const override { return &other == this; }
    void write_protect(uint64_t ram_offset) override { last_protected = ram_offset; }
    void ask_to_write_protect() override { ++asked; }

    uint64_t last_protected = ~uint64_t{0};
    unsigned asked = 0;
};

}  // namespace toy
