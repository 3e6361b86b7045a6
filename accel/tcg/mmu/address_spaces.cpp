#include "accel/tcg/mmu/address_spaces.h"

#include <algorithm>

namespace weft::accel {

using tcg::TlbEntry;

AddressSpaces::AddressSpaces(const GuestArch& guest, tcg::ExecState& exec, VcpuCounters& counters)
    : guest_(guest), exec_(exec), counters_(counters) {
    change_to(AddressSpaceKey{});
}

void AddressSpaces::change_to(const AddressSpaceKey& key) {
    current_ = &set_for(key);
    current_->last_use = ++uses_;
    forget_carried();
    publish_all();
}

TlbSet& AddressSpaces::set_for(const AddressSpaceKey& key) {
    std::unique_ptr<TlbSet>* oldest = &sets_[0];
    for (std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr) {
            set = std::make_unique<TlbSet>();
            oldest = &set;
            break;
        }
        if (set->key == key) {
            return *set;
        }
        if (set->last_use < (*oldest)->last_use) {
            oldest = &set;
        }
    }
    TlbSet& set = **oldest;
    for (Tlb& mode : set.modes) {
        mode.flush(counters_);
    }
    set.key = key;
    set.id = ++set_ids_;
    return set;
}

namespace {

void forget(tcg::CarriedTable& table) {
    table.loads.pages.fill(tcg::kNoCarriedPage);
    table.stores.pages.fill(tcg::kNoCarriedPage);
    table.noted.fill(0);
    table.any = false;
}

// Without branches: which pages there are is not to be foretold.
void forget(tcg::CarriedPages& carried, uint64_t vaddr, unsigned shift) {
    for (uint64_t& page : carried.pages) {
        const uint64_t gone = (page ^ vaddr) >> shift == 0 ? ~uint64_t{0} : 0;
        page = (page & ~gone) | (tcg::kNoCarriedPage & gone);
    }
}

}  // namespace

void AddressSpaces::forget_carried() {
    for (tcg::CarriedTable& table : exec_.carried) {
        if (table.any) {
            forget(table);
        }
    }
}

void AddressSpaces::forget_carried(uint64_t vaddr, unsigned shift) {
    for (tcg::CarriedTable& table : exec_.carried) {
        if (table.any &&
            (shift != kPageBits || table.noted[(vaddr >> kPageBits) % table.noted.size()] != 0)) {
            forget(table.loads, vaddr, shift);
            forget(table.stores, vaddr, shift);
        }
    }
}

void AddressSpaces::publish_all() {
    for (unsigned mode = 0; mode < guest_.mmu_mode_count; ++mode) {
        publish(mode);
    }
}

template <class Fn>
void AddressSpaces::for_each(Fn&& fn) {
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set != nullptr) {
            for (Tlb& mode : set->modes) {
                fn(mode);
            }
        }
    }
    for (Tlb& mode : common_) {
        fn(mode);
    }
}

void AddressSpaces::flush_all() {
    for_each([this](Tlb& tlb) { tlb.flush(counters_); });
    forget_carried();
    publish_all();
}

void AddressSpaces::flush(const TlbFlush& flush) {
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr || (!flush.all_asids && set->key.asid != flush.asid)) {
            continue;
        }
        unsigned shift = kPageBits;
        for (Tlb& mode : set->modes) {
            if (flush.all_addresses) {
                mode.flush_but_global(counters_);
            } else {
                shift = std::max(shift, mode.flush_page(flush.vaddr, flush.all_asids ? Tlb::Global::goes
                                                                                     : Tlb::Global::stays));
            }
        }
        if (set.get() == current_) {
            flush.all_addresses ? forget_carried() : forget_carried(flush.vaddr, shift);
        }
    }
    publish_all();
}

void AddressSpaces::renew_ids(uint32_t asid) {
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set != nullptr && set->key.asid == asid) {
            set->id = ++set_ids_;
        }
    }
}

void AddressSpaces::write_protect(uint64_t ram_offset) {
    forget_carried();
    const uint64_t page = ram_offset & ~(kPageSize - 1);
    for_each([page](Tlb& tlb) {
        tlb.for_each([page](TlbEntry& entry) {
            if (tcg::tlb_frame(entry) == page &&
                (entry.write & (tcg::kTlbFlagMask & ~tcg::kTlbWatched)) == 0) {
                entry.write |= tcg::kTlbNotDirty;
            }
        });
    });
}

}  // namespace weft::accel
