#include "accel/tcg/mmu/address_spaces.h"

namespace weft::accel {

using tcg::TlbEntry;

AddressSpaces::AddressSpaces(const GuestArch& guest, tcg::ExecState& exec, VcpuCounters& counters)
    : guest_(guest), exec_(exec), counters_(counters) {
    change_to(AddressSpaceKey{});
}

void AddressSpaces::change_to(const AddressSpaceKey& key) {
    current_ = &set_for(key);
    current_->last_use = ++uses_;
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
    publish_all();
}

void AddressSpaces::flush(const TlbFlush& flush) {
    for (const std::unique_ptr<TlbSet>& set : sets_) {
        if (set == nullptr || (!flush.all_asids && set->key.asid != flush.asid)) {
            continue;
        }
        for (Tlb& mode : set->modes) {
            if (flush.all_addresses) {
                mode.flush_but_global(counters_);
            } else {
                mode.flush_page(flush.vaddr, flush.all_asids ? Tlb::Global::goes : Tlb::Global::stays);
            }
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
    const uint64_t page = ram_offset & ~(kPageSize - 1);
    for_each([page](Tlb& tlb) {
        tlb.for_each([page](TlbEntry& entry) {
            if (tcg::tlb_frame(entry) == page && (entry.write & tcg::kTlbFlagMask) == 0) {
                entry.write |= tcg::kTlbNotDirty;
            }
        });
    });
}

}  // namespace weft::accel
