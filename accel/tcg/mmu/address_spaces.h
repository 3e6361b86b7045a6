// The TLBs of one vCPU: a set for each of the address spaces it used lately, and one table for each MMU mode that does not
// depend on the address space. Generated code probes those of the current space, through ExecState::tlb.
//
// All of it belongs to the thread that runs the vCPU.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "accel/tcg/counters.h"
#include "accel/tcg/mmu/tlb.h"
#include "tcg/exec_state.h"
#include "weft/guest.h"

namespace weft::accel {

class AddressSpaces {
  public:
    // Sets up the tables of ExecState. The space without tables is current.
    AddressSpaces(const GuestArch& guest, tcg::ExecState& exec, VcpuCounters& counters);
    AddressSpaces(const AddressSpaces&) = delete;
    AddressSpaces& operator=(const AddressSpaces&) = delete;

    // Makes a space the current one. Cheap where it is.
    void enter(AddressSpaceKey key) {
        if (current_->key != key) {
            change_to(key);
        }
    }
    const AddressSpaceKey& key() const { return current_->key; }
    // Of the current space's tables and fetches: another number after each flush of the whole space. From 1.
    uint64_t id() const { return current_->id; }

    bool depends_on_space(unsigned mode) const { return (guest_.space_dependent_modes >> mode & 1) != 0; }
    // Whether addresses in `mode` are translated now by tables that other address spaces may share mappings with. (Going to
    // and from physical addresses takes effect at once, whatever was global: RISC-V privileged, 12.1.11.)
    bool shares_mappings(unsigned mode) const { return depends_on_space(mode) && current_->key.root != 0; }

    Tlb& tlb(unsigned mode) { return depends_on_space(mode) ? current_->modes[mode] : common_[mode]; }
    // Tells generated code of a mode's table, which may have moved.
    void publish(unsigned mode) { exec_.tlb[mode] = tlb(mode).table(); }

    // Forgets entries of the spaces that the flush names. Not for a flush of everything.
    void flush(const TlbFlush& flush);
    // Forgets all entries.
    void flush_all();
    // Gives the spaces of an address space identifier other ids.
    void renew_ids(uint32_t asid);
    // Entries for stores to the page at `ram_offset` get tcg::kTlbNotDirty.
    void write_protect(uint64_t ram_offset);

    // See SoftMmu::for_each_tlb.
    template <class Fn>
    void for_each_tlb(Fn&& fn) const {
        for (unsigned mode = 0; mode < guest_.mmu_mode_count; ++mode) {
            if (!depends_on_space(mode)) {
                fn(static_cast<const AddressSpaceKey*>(nullptr), mode, common_[mode], true);
            }
        }
        for (const std::unique_ptr<TlbSet>& set : sets_) {
            for (unsigned mode = 0; set != nullptr && mode < guest_.mmu_mode_count; ++mode) {
                if (depends_on_space(mode)) {
                    fn(&set->key, mode, set->modes[mode], set.get() == current_);
                }
            }
        }
    }

  private:
    static constexpr unsigned kSets = 8;  // address spaces whose TLBs are kept

    void change_to(const AddressSpaceKey& key);
    TlbSet& set_for(const AddressSpaceKey& key);
    void publish_all();
    // Pages that generated code carries (tcg::CarriedPages): all, or those of an aligned range of 2^shift bytes.
    void forget_carried();
    void forget_carried(uint64_t vaddr, unsigned shift);
    // Calls fn(tlb) for every table, of all spaces.
    template <class Fn>
    void for_each(Fn&& fn);

    const GuestArch& guest_;
    tcg::ExecState& exec_;
    VcpuCounters& counters_;
    std::array<std::unique_ptr<TlbSet>, kSets> sets_;
    TlbSet* current_ = nullptr;
    std::array<Tlb, tcg::kMmuModes> common_;  // of modes that do not depend on the address space
    uint64_t uses_ = 0;
    uint64_t set_ids_ = 0;
};

}  // namespace weft::accel
