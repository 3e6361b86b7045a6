#include "tests/accel/walker.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace toy {

using namespace weft;
using namespace weft::accel;
using tcg::OutgoingJump;
using tcg::TranslationBlock;

namespace {

constexpr size_t kMaxProblems = 20;

class Walk {
  public:
    explicit Walk(const std::vector<Vcpu*>& vcpus) : vcpus_(vcpus), cache_(vcpus.front()->cache) {}

    std::vector<std::string> run() {
        collect_trees();
        check_descriptors();
        check_hash_table();
        collect_pages();
        for (const auto& [tb, live] : blocks_) {
            check_block(*tb, live);
        }
        check_linked();
        for (Vcpu* vcpu : vcpus_) {
            check_jump_cache(*vcpu);
        }
        return problems_;
    }

  private:
    template <class... Args>
    void problem(fmt::format_string<Args...> format, Args&&... args) {
        if (problems_.size() < kMaxProblems) {
            problems_.push_back(fmt::format(format, std::forward<Args>(args)...));
        }
    }

    static std::string name(const TranslationBlock& tb) {
        return fmt::format("TB {:#x} (unit {:#x}, state {:#x})", tb.key.start, tb.unit_index,
                           tb.state.load(std::memory_order_relaxed));
    }
    bool live(const TranslationBlock* tb) const {
        const auto found = blocks_.find(const_cast<TranslationBlock*>(tb));
        return found != blocks_.end() && found->second;
    }

    // ---- trees and descriptors ----

    void collect_trees() {
        const tcg::RegionLayout& layout = cache_.regions().layout();
        for (tcg::RegionId region = 0; region < layout.count; ++region) {
            uintptr_t end = 0;
            cache_.regions().trees().visit_region(region, [&](TranslationBlock& tb) {
                const uint32_t state = tb.state.load(std::memory_order_relaxed);
                const bool invalid = (state & tcg::kTbInvalid) != 0;
                if (tb.region != region || layout.region_of(cache_.offset_of(tb)) != region) {
                    problem("{} is in the tree of region {}", name(tb), region);
                }
                if (tb.code.value() < end) {
                    problem("{} overlaps the one before it", name(tb));
                }
                end = tb.code.value() + tb.code_size;
                if (invalid && (state & tcg::kTbWithdrawn) == 0) {
                    problem("{} is half invalidated", name(tb));
                }
                if (!invalid && !cache_.regions().current(tb)) {
                    problem("{} is valid in a region that was retired", name(tb));
                }
                blocks_.emplace(&tb, !invalid);
            });
        }
    }

    void check_descriptors() {
        const tcg::UnitIndexLayout indices = cache_.regions().unit_indices();
        for (tcg::RegionId region = 0; region < cache_.regions().layout().count; ++region) {
            for (uint32_t i = 0; i < cache_.regions().block_count(region); ++i) {
                const TranslationBlock* tb = cache_.regions().block(indices.make(region, i));
                if (tb == nullptr || tb->unit_index != indices.make(region, i)) {
                    problem("descriptor {} of region {} has another's number", i, region);
                } else if (!blocks_.contains(const_cast<TranslationBlock*>(tb))) {
                    problem("{} is in no tree", name(*tb));
                } else if (cache_.regions().trees().find(tb->code.value() + tb->code_size - 1) != tb) {
                    problem("{} is not found by its code", name(*tb));
                }
            }
        }
    }

    // ---- hash table and pages ----

    void check_hash_table() {
        cache_.blocks().for_each([this](TranslationBlock& tb) {
            if (!hashed_.insert(&tb).second) {
                problem("{} is in the hash table twice", name(tb));
            }
            if (!live(&tb)) {
                problem("the hash table has {}, which is not alive", name(tb));
            }
        });
    }

    void collect_pages() {
        cache_.pages().for_each([this](CodePage& page) {
            SpinLockGuard guard(page.lock);
            std::unordered_set<const TranslationBlock*>& listed = pages_[page.ram_offset];
            tcg::PageLink* const* previous_next = &page.blocks;
            for (tcg::PageLink* link = page.blocks; link != nullptr; link = link->next) {
                if (link->previous_next != previous_next) {
                    problem("the list of page {:#x} is broken", page.ram_offset);
                    break;
                }
                previous_next = &link->next;
                if (!live(link->tb)) {
                    problem("page {:#x} lists a TB that is not alive", page.ram_offset);
                    continue;
                }
                if (link->tb->key.page0() != page.ram_offset && link->tb->key.page1 != page.ram_offset) {
                    problem("page {:#x} lists {}", page.ram_offset, name(*link->tb));
                }
                if (!listed.insert(link->tb).second) {
                    problem("page {:#x} lists {} twice", page.ram_offset, name(*link->tb));
                }
                check_lines(page, *link->tb);
            }
            const bool marked = page.has_code.load(std::memory_order_relaxed) != 0;
            if (marked != (page.blocks != nullptr)) {
                problem("page {:#x} is {}marked", page.ram_offset, marked ? "" : "not ");
            }
            if (page.readers != 0 || page.protections.load(std::memory_order_relaxed) != 0) {
                problem("page {:#x} has {} readers and {} protections left", page.ram_offset, page.readers,
                        page.protections.load(std::memory_order_relaxed));
            }
        });
        if (cache_.pages().any_exposed()) {
            problem("protections are left");
        }
    }

    // A write to the TB's bytes finds it.
    void check_lines(const CodePage& page, const TranslationBlock& tb) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        for (uint64_t i = 0; i < tb.guest_size; ++i) {
            const uint64_t at = tb.key.page_offset() + i;
            const uint64_t owner = at < kPageSize ? tb.key.page0() : tb.key.page1;
            if (owner == page.ram_offset && (page.lines >> (at % kPageSize / 64) & 1) == 0) {
                problem("a write to byte {} of {} would not be noticed", i, name(tb));
                return;
            }
        }
    }

    // ---- a TB ----

    void check_block(TranslationBlock& tb, bool live) {
        if (live) {
            if (!hashed_.contains(&tb) || cache_.blocks().find(tb.key) != &tb) {
                problem("{} is not found by its key", name(tb));
            }
            if (!pages_[tb.key.page0()].contains(&tb) ||
                (tb.key.page1 != tcg::kNoPage && !pages_[tb.key.page1].contains(&tb))) {
                problem("{} is not in its pages' lists", name(tb));
            }
            if ((tb.state.load(std::memory_order_relaxed) & (tcg::kTbProvisional | tcg::kTbUnhashed)) != 0) {
                problem("{} should be settled", name(tb));
            }
        }
        check_incoming(tb, live);
        for (OutgoingJump& jump : tb.jump_span()) {
            check_jump(tb, jump, live);
        }
    }

    void check_incoming(TranslationBlock& tb, bool live) {
        SpinLockGuard guard(tb.jump_lock);
        OutgoingJump* const* previous_next = &tb.incoming;
        for (OutgoingJump* jump = tb.incoming; jump != nullptr; jump = jump->next) {
            if (jump->previous_next != previous_next) {
                problem("the list of jumps to {} is broken", name(tb));
                return;
            }
            previous_next = &jump->next;
            if (!live || !this->live(jump->source)) {
                problem("a jump of a TB that is not alive, or to one, is listed by {}", name(tb));
                return;
            }
            if (jump->destination.load(std::memory_order_relaxed) != reinterpret_cast<uintptr_t>(&tb)) {
                problem("{} lists a jump of {} that leads elsewhere", name(tb), name(*jump->source));
            }
            if (!incoming_.insert(jump).second) {
                problem("a jump of {} is listed twice", name(*jump->source));
            }
        }
    }

    void check_jump(TranslationBlock& tb, OutgoingJump& jump, bool live) {
        const uintptr_t word = jump.destination.load(std::memory_order_relaxed);
        const bool closed = (word & OutgoingJump::kClosed) != 0;
        auto* destination = reinterpret_cast<TranslationBlock*>(word & ~OutgoingJump::kClosed);
        const tcg::RwAddress code = cache_.buffer().to_rw(tb.code);
        const tcg::RwAddress target = cache_.backend().jump_target(code, jump.site);
        if (jump.source != &tb || closed == live) {
            problem("a jump of {} is {}", name(tb), closed ? "closed" : "open");
        }
        if (destination == nullptr) {
            if (target != code + jump.site.stub_offset) {
                problem("a jump of {} that is not linked does not lead to its stub", name(tb));
            }
            return;
        }
        if (!live || !this->live(destination)) {
            problem("{} is linked to what is not alive", name(tb));
            return;
        }
        linked_.push_back(&jump);
        if (target != cache_.buffer().to_rw(destination->code)) {
            problem("a jump of {} does not lead to {}, which it is linked to", name(tb), name(*destination));
        }
        if (destination->key.page1 != tcg::kNoPage || destination->key.tb_flags != tb.key.tb_flags ||
            destination->key.start != tb.key.page0() + static_cast<uint64_t>(int64_t{jump.site.pc_offset})) {
            problem("{} may not be linked to {}", name(tb), name(*destination));
        }
    }

    // ---- jump caches ----

    void check_jump_cache(Vcpu& vcpu) {
        vcpu.jump_cache.process_drops();
        const tcg::JumpCacheEntry* const entries = vcpu.jump_cache.entries();
        for (size_t i = 0; i < vcpu.jump_cache.size(); ++i) {
            if (entries[i].context_id == 0) {
                continue;
            }
            const tcg::RxAddress code = cache_.code_at(entries[i].code_offset);
            const TranslationBlock* tb = cache_.regions().trees().find(code.value());
            if (!live(tb) || tb->code != code) {
                problem("the jump cache of vCPU {} has no live TB for pc {:#x}", vcpu.index, entries[i].pc);
            } else if (tb->key.page_offset() != entries[i].pc % kPageSize) {
                problem("the jump cache of vCPU {} has {} for pc {:#x}", vcpu.index, name(*tb),
                        entries[i].pc);
            }
        }
    }

    // Every linked jump is listed by its destination, and no other is.
    void check_linked() {
        for (const OutgoingJump* jump : linked_) {
            if (!incoming_.contains(jump)) {
                problem("a linked jump of {} is not listed by its destination", name(*jump->source));
            }
        }
        if (linked_.size() != incoming_.size()) {
            problem("{} jumps are linked and {} are listed", linked_.size(), incoming_.size());
        }
    }

    const std::vector<Vcpu*>& vcpus_;
    TranslationCache& cache_;
    std::vector<std::string> problems_;
    std::unordered_map<TranslationBlock*, bool> blocks_;  // of all trees; true: alive
    std::unordered_set<const TranslationBlock*> hashed_;
    std::unordered_map<uint64_t, std::unordered_set<const TranslationBlock*>> pages_;
    std::vector<const OutgoingJump*> linked_;
    std::unordered_set<const OutgoingJump*> incoming_;
};

}  // namespace

std::vector<std::string> walk(const std::vector<Vcpu*>& vcpus) { return Walk(vcpus).run(); }

}  // namespace toy
