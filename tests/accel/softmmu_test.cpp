// The software MMU as a whole, against page tables that change: whatever is accessed in whatever order, what a vCPU sees of
// a mapping is gone after a flush that covers it, in TLBs, among victims, in what was fetched and in the jump cache.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/toy_machine.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::accel;
using test::Random;
using test::test_seed;

namespace {

constexpr uint64_t kPhysPages = toy::kRamSize / kPageSize;

struct Mapping {
    uint64_t base = 0;
    unsigned shift = 0;
    uint64_t paddr = 0;
    uint8_t prot = 0;
    bool global = false;
    bool once = false;   // valid for one access each
    bool clean = false;  // only a store finds that it may be written

    bool covers(uint64_t vaddr) const { return (vaddr ^ base) >> shift == 0; }
    uint64_t to_phys(uint64_t vaddr) const { return paddr + (vaddr - base); }
};

constexpr uint8_t needed(Access access) {
    return access == Access::load ? kProtRead : access == Access::store ? kProtWrite : kProtExec;
}

// Mappings, and those that were replaced and that nobody has flushed since.
class Table {
  public:
    const Mapping* find(uint64_t vaddr) const {
        const auto found =
            std::find_if(now_.begin(), now_.end(), [&](const Mapping& m) { return m.covers(vaddr); });
        return found == now_.end() ? nullptr : &*found;
    }
    void put(const Mapping& mapping) { now_.push_back(mapping); }
    // Removes what overlaps with 2^shift bytes from `base`.
    void remove(uint64_t base, unsigned shift) {
        std::erase_if(now_, [&](const Mapping& m) {
            if ((m.base ^ base) >> std::max(shift, m.shift) != 0) {
                return false;
            }
            if (!m.once) {
                stale_.push_back(m);
            }
            return true;
        });
    }
    void flush() { stale_.clear(); }
    void flush(uint64_t vaddr) {
        std::erase_if(stale_, [&](const Mapping& m) { return m.covers(vaddr); });
    }
    // Physical addresses that an access may reach.
    void may_reach(uint64_t vaddr, Access access, std::vector<uint64_t>* result) const {
        for (const std::vector<Mapping>* list : {&now_, &stale_}) {
            for (const Mapping& m : *list) {
                if (m.covers(vaddr) && (m.prot & needed(access)) != 0) {
                    result->push_back(m.to_phys(vaddr));
                }
            }
        }
    }

  private:
    std::vector<Mapping> now_;
    std::vector<Mapping> stale_;
};

// Address spaces of one vCPU, which nobody runs, and everything that is done to them.
class World {
  public:
    explicit World(uint64_t seed) : random_(seed), rarity_(4u << random_.below(8)), machine_(1) {
        machine_.add(0);
        machine_.cpu(0).walk = [this](const WalkRequest& request, WalkResult* result) {
            return walk(request, result);
        };
        for (uint64_t page = 0; page < kPhysPages; ++page) {
            std::vector<uint8_t> bytes(kPageSize);
            for (uint64_t at = 0; at < kPageSize; at += 8) {
                bytes[at] = static_cast<uint8_t>(page);
                bytes[at + 1] = static_cast<uint8_t>(page >> 8);
            }
            machine_.poke(page * kPageSize, bytes);
        }
        for (unsigned i = 0; i < kSpaces; ++i) {
            // The last two share an ASID.
            spaces_[i].key = {i + 1, std::min(i + 1, kSpaces - 1)};
            for (unsigned area = 0; area < kAreas; ++area) {
                remap(spaces_[i], area);
            }
        }
        switch_space();
    }

    void step() {
        if (random_.below(40) == 0) {
            switch_space();
        }
        if (random_.below(rarity_) == 0) {
            remap();
        }
        if (random_.below(4 * rarity_) == 0) {
            flush();
        }
        access();
    }

    uint64_t accesses = 0;
    uint64_t walks = 0;
    uint64_t old_seen = 0;      // accesses that came to where a mapping led before
    uint64_t jump_hits = 0;     // fetches that the jump cache answered
    size_t largest = 0;         // TLB
    uint64_t probe_hits = 0;    // accesses that generated code would have made by itself
    uint64_t carried_hits = 0;  // ... without a probe

  private:
    static constexpr unsigned kSpaces = 12;  // more than a vCPU keeps TLBs of
    static constexpr unsigned kAreas = 10;
    static constexpr unsigned kGlobalAreas = 4;  // the first ones; one lies where physical memory is

    struct Space {
        AddressSpaceKey key;
        Table table;
    };

    Vcpu& vcpu() { return *machine_.vcpu(0); }
    bool bare() const { return space_ == nullptr; }
    static constexpr bool is_global(unsigned area) { return area < kGlobalAreas; }
    // However large TLBs are, areas share entries, in twos.
    uint64_t any_page(unsigned area) {
        const uint64_t high = is_global(area) && area != 0 ? ~uint64_t{0} << 38 : 0;
        const uint64_t first =
            high | uint64_t{area} << (kPageBits + Tlb::kMaxBits) | area / 2 * 4 * kPageSize;
        return first + random_.below(random_.below(4) + 1) * kPageSize;
    }

    void switch_space() {
        // Some are more frequent than others.
        const uint64_t i = random_.below(2) != 0 ? random_.below(3) : random_.below(kSpaces + 1);
        space_ = i == kSpaces ? nullptr : &spaces_[i];
        vcpu().softmmu().set_space(bare() ? AddressSpaceKey{} : space_->key);
    }

    bool walk(const WalkRequest& request, WalkResult* result) {
        ++walks;
        if (bare()) {
            *result = {request.vaddr, kProtRead | kProtWrite | kProtExec, kPageBits, false, false};
            return request.vaddr < toy::kRamSize;
        }
        const Mapping* const mapping = mapped(request.vaddr);
        if (mapping == nullptr || (mapping->prot & needed(request.access)) == 0) {
            return false;
        }
        uint8_t prot = mapping->prot;
        if (mapping->clean && request.access != Access::store) {
            prot &= static_cast<uint8_t>(~kProtWrite);
        }
        *result = {mapping->to_phys(request.vaddr), prot, static_cast<uint8_t>(mapping->shift),
                   mapping->global, mapping->once};
        return true;
    }

    const Mapping* mapped(uint64_t vaddr) const {
        const Mapping* const own = space_->table.find(vaddr);
        return own != nullptr ? own : global_.find(vaddr);
    }

    Mapping any_mapping(unsigned area) {
        static constexpr std::array<unsigned, 6> kShifts = {12, 12, 12, 12, 16, 21};
        static constexpr uint8_t kAll = kProtRead | kProtWrite | kProtExec;
        static constexpr std::array<uint8_t, 8> kProts = {
            kProtRead, kProtRead | kProtWrite, kProtRead | kProtExec, kProtExec, kAll, kAll, kAll, kAll};
        Mapping m;
        m.shift = kShifts[random_.below(kShifts.size())];
        m.base = any_page(area) >> m.shift << m.shift;
        m.paddr = random_.below(toy::kRamSize >> m.shift) << m.shift;
        m.prot = kProts[random_.below(kProts.size())];
        m.global = is_global(area);
        m.once = random_.below(24) == 0;
        m.clean = random_.below(2) != 0;
        return m;
    }

    // A mapping takes the place of others, or goes; most often with the flush that is due.
    void remap() {
        // As kernels do, now and then also of a space that is not the current one.
        remap(bare() || random_.below(4) == 0 ? spaces_[random_.below(kSpaces)] : *space_,
              static_cast<unsigned>(random_.below(kAreas)));
    }
    void remap(Space& space, unsigned area) {
        Table& table = is_global(area) ? global_ : space.table;
        const Mapping mapping = any_mapping(area);
        table.remove(mapping.base, mapping.shift);
        if (random_.below(8) != 0) {
            table.put(mapping);
        }
        if (random_.below(4) != 0) {
            const uint64_t vaddr = mapping.base + random_.below(uint64_t{1} << mapping.shift);
            flush({false, is_global(area) || random_.below(2) != 0, vaddr, space.key.asid});
        }
    }

    void flush() {
        const uint64_t kind = random_.below(40);
        const auto area = static_cast<unsigned>(random_.below(kAreas));
        const uint64_t vaddr = any_page(area) + random_.below(kPageSize);
        const uint32_t asid = spaces_[random_.below(kSpaces)].key.asid;
        flush({kind < 8, kind == 0 || kind > 24, vaddr, asid});
    }

    void flush(const TlbFlush& request) {
        vcpu().flush_translations(request);
        const auto apply = [&](Table& table) {
            if (request.all_addresses) {
                table.flush();
            } else {
                table.flush(request.vaddr);
            }
        };
        for (Space& space : spaces_) {
            if (request.all_asids || space.key.asid == request.asid) {
                apply(space.table);
            }
        }
        if (request.all_asids) {
            apply(global_);
        }
    }

    void access() {
        ++accesses;
        uint64_t vaddr = 0;
        if (bare()) {
            vaddr = random_.below(4) * kPageSize;
        } else {
            vaddr = any_page(static_cast<unsigned>(random_.below(kAreas)));
            if (random_.below(8) == 0) {
                vaddr ^= random_.below(512) * kPageSize;  // the far parts of large mappings
            }
        }
        // Two places in a page, so that the jump cache has them again.
        vaddr += random_.below(2) * 8;
        const auto mode = static_cast<uint8_t>(1 + random_.below(2));
        const auto kind = static_cast<Access>(random_.below(3));
        reach_.clear();
        if (bare()) {
            reach_.push_back(vaddr);
        } else {
            space_->table.may_reach(vaddr, kind, &reach_);
            global_.may_reach(vaddr, kind, &reach_);
        }
        INFO("access " << accesses << ": " << static_cast<int>(kind) << " of " << std::hex << vaddr
                       << " in mode " << int{mode});
        switch (kind) {
            case Access::load:
                came_to(vaddr, kind, load(vaddr, mode));
                break;
            case Access::store:
                came_to(vaddr, kind, store(vaddr, mode));
                break;
            case Access::fetch:
                came_to(vaddr, kind, fetch(vaddr, mode));
                break;
        }
        tables_known();
    }

    // Generated code probes the tables of the current address space.
    void tables_known() {
        vcpu().softmmu().for_each_tlb(
            [&](const AddressSpaceKey*, unsigned mode, const Tlb& tlb, bool current) {
                const tcg::TlbTable& table = vcpu().exec().tlb[mode];
                REQUIRE((!current || (table.entries == tlb.entries().data() &&
                                      table.mask == (tlb.entries().size() - 1) << tcg::kTlbEntryShift)));
                largest = std::max(largest, tlb.size());
            });
    }

    // Where the access ended, by physical page; no page: in a fault.
    void came_to(uint64_t vaddr, Access kind, std::optional<uint64_t> page) {
        const Mapping* const now = bare() ? nullptr : mapped(vaddr);
        const bool permitted = bare() || (now != nullptr && (now->prot & needed(kind)) != 0);
        if (!page) {
            REQUIRE_FALSE(permitted);  // it takes a walk to find that there is nothing
            return;
        }
        const bool known = std::any_of(reach_.begin(), reach_.end(),
                                       [&](uint64_t paddr) { return paddr / kPageSize == *page; });
        REQUIRE(known);
        old_seen += !bare() && (!permitted || now->to_phys(vaddr) / kPageSize != *page) ? 1 : 0;
    }

    // Where generated code would find the byte by itself, or null; see tcg::CarriedPages and tcg::TlbTable.
    uint8_t* found(uint64_t vaddr, uint8_t mode, bool is_store) {
        tcg::CarriedTable& carrying = vcpu().exec().carried[mode];
        tcg::CarriedPages& carried = is_store ? carrying.stores : carrying.loads;
        // Few places, so that they meet many pages, and one that keeps its page for long.
        const uint64_t place = random_.below(16) == 0 ? 77 : random_.below(5);
        const uint64_t page = vaddr & ~(kPageSize - 1);
        if (carried.pages[place] == page) {
            ++carried_hits;
            return reinterpret_cast<uint8_t*>(carried.addends[place] + vaddr);
        }
        const tcg::TlbTable& table = vcpu().exec().tlb[mode];
        const tcg::TlbEntry& entry =
            table.entries[(vaddr >> (kPageBits - tcg::kTlbEntryShift) & table.mask) >> tcg::kTlbEntryShift];
        if ((is_store ? entry.write : entry.read) != tcg::tlb_tag(vaddr)) {
            return nullptr;
        }
        ++probe_hits;
        carried.addends[place] = entry.addend;
        carried.pages[place] = page;
        carrying.noted[page / kPageSize % carrying.noted.size()] = 1;
        carrying.any = true;
        return reinterpret_cast<uint8_t*>(entry.addend + vaddr);
    }

    std::optional<uint64_t> load(uint64_t vaddr, uint8_t mode) {
        if (const uint8_t* const host = found(vaddr, mode, false)) {
            return *reinterpret_cast<const uint64_t*>(host);
        }
        uint64_t value = 0;
        if (!vcpu().softmmu().load(vaddr, ir::MemOp(3, mode).bits(), &value)) {
            return std::nullopt;
        }
        return value;
    }

    std::optional<uint64_t> store(uint64_t vaddr, uint8_t mode) {
        const uint64_t mark = uint64_t{1} << 32 | accesses;
        if (uint8_t* const host = found(vaddr, mode, true)) {
            *reinterpret_cast<uint64_t*>(host) = mark;
        } else if (!vcpu().softmmu().store(vaddr, ir::MemOp(3, mode).bits(), mark)) {
            return std::nullopt;
        }
        // Found at one of the places where it may be, and what was there put back.
        for (const uint64_t paddr : reach_) {
            if (machine_.peek(paddr) == mark) {
                const uint64_t page = paddr / kPageSize;
                machine_.poke(
                    paddr, {static_cast<uint8_t>(page), static_cast<uint8_t>(page >> 8), 0, 0, 0, 0, 0, 0});
                return page;
            }
        }
        return kPhysPages;  // nowhere that the test knows of
    }

    // As ExecLoop: what the jump cache has, else what is fetched, and that is remembered. Code at page n begins at n.
    std::optional<uint64_t> fetch(uint64_t pc, uint8_t mode) {
        bool wrapped = false;
        const uint32_t context = vcpu().contexts.id(mode, vcpu().softmmu().fetch_context(mode), &wrapped);
        if (const uint32_t code = vcpu().jump_cache.lookup_code(pc, context); code != JumpCache::kNone) {
            ++jump_hits;
            return code;
        }
        FetchPage page{};
        if (!vcpu().softmmu().fetch(pc, mode, &page)) {
            return std::nullopt;
        }
        const uint64_t number = page.paddr / kPageSize;
        if (!page.device) {
            REQUIRE(page.ram_offset == number * kPageSize);
            REQUIRE(machine_.peek(page.ram_offset) == *reinterpret_cast<const uint64_t*>(page.host));
            vcpu().jump_cache.put(pc, context, static_cast<uint32_t>(number));
        }
        return number;
    }

    Random random_;
    const uint64_t rarity_;  // accesses from one change to the next
    toy::Machine machine_;
    std::array<Space, kSpaces> spaces_;
    Table global_;
    Space* space_ = nullptr;  // null: addresses are physical
    std::vector<uint64_t> reach_;
};

}  // namespace

TEST_CASE("what was flushed is never seen again, in any address space", "[softmmu]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    uint64_t old_seen = 0;
    uint64_t jump_hits = 0;
    uint64_t probe_hits = 0;
    uint64_t carried_hits = 0;
    size_t largest = 0;
    constexpr uint64_t kRounds = 100;
    for (uint64_t round = 0; round < kRounds; ++round) {
        INFO("round " << round);
        World world(seed + 1000 * round);
        for (int i = 0; i < 20000; ++i) {
            world.step();
        }
        old_seen += world.old_seen;
        jump_hits += world.jump_hits;
        probe_hits += world.probe_hits;
        carried_hits += world.carried_hits;
        largest = std::max(largest, world.largest);
    }
    // Things are cached, or there would be nothing to see.
    CHECK(old_seen > 50 * kRounds);
    CHECK(jump_hits > 100 * kRounds);
    CHECK(largest > size_t{1} << Tlb::kMinBits);
    CHECK(probe_hits > 1000 * kRounds);
    CHECK(carried_hits > 100 * kRounds);
}
