#include "accel/tcg/blocks/page_map.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

#include "accel/tcg/blocks/page_blocks.h"
#include "base/assert.h"
#include "base/faulting_access.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using tcg::kTbProvisional;
using tcg::TranslationBlock;

PageMap::PageMap(const CodeUsers& users, const UserMemoryOps* user)
    : users_(users),
      user_(user),
      states_(user == nullptr ? users.capacity() : 0),
      under_way_(user == nullptr ? users.capacity() : 0) {
    WEFT_ASSERT(user != nullptr || users.capacity() <= kMaxVcpus);
}

CodePage& PageMap::begin_reading(uint64_t ram_offset, const uint8_t* host, CodeUser& reader) {
    CodePage& page = states_.page(ram_offset);
    const std::span<std::atomic<uint64_t>> words = states_.direct_writers(ram_offset);

    std::array<uint64_t, kMaxVcpus / 64> writers{};
    bool any = false;
    {
        SpinLockGuard guard(page.lock);
        ++page.readers;
        page.host.store(host, std::memory_order_relaxed);
        page.has_code.exchange(1, std::memory_order_seq_cst);
        for (size_t i = 0; i < words.size(); ++i) {
            // Who was asked before protects what it has installed since as well.
            writers[i] = words[i].exchange(0, std::memory_order_seq_cst) & ~page.asked[i];
            page.asked[i] |= writers[i];
            for (uint64_t bits = writers[i]; bits != 0; bits &= bits - 1) {
                // Counted before the lock is given up: the next reader must not take the page for protected.
                page.protections.fetch_add(1, std::memory_order_seq_cst);
                exposed_.add(page);
                any = true;
            }
        }
    }
    if (!any) {
        return page;
    }
    for (size_t i = 0; i < words.size(); ++i) {
        for (uint64_t bits = writers[i]; bits != 0; bits &= bits - 1) {
            const auto index = static_cast<uint32_t>(i * 64 + static_cast<size_t>(std::countr_zero(bits)));
            CodeUser* const user = users_.at(index);
            if (user == nullptr) {
                write_protected(page, index);
            } else if (user->same_thread(reader)) {
                user->write_protect(page.ram_offset);
                write_protected(page, index);
            } else {
                user->ask_to_write_protect();
            }
        }
    }
    return page;
}

void PageMap::write_protect_for(CodeUser& user) {
    const uint64_t bit = uint64_t{1} << user.index % 64;
    for (CodePage* page = exposed_.first(); page != nullptr; page = exposed_.next(*page)) {
        bool asked = false;
        {
            SpinLockGuard guard(page->lock);
            asked = (page->asked[user.index / 64] & bit) != 0;
        }
        if (asked) {
            user.write_protect(page->ram_offset);
            write_protected(*page, user.index);
        }
    }
}

// A vCPU has write-protected the page, which begin_reading() asked it for. Its thread, or any where there is no such vCPU.
void PageMap::write_protected(CodePage& page, uint32_t vcpu_index) {
    OtherPages others;
    bool counted = false;
    bool done = false;
    while (!done) {
        {
            SpinLockGuard guard(page.lock);
            if (!counted) {
                page.asked[vcpu_index / 64] &= ~(uint64_t{1} << vcpu_index % 64);
                page.protections.fetch_sub(1, std::memory_order_seq_cst);
                counted = true;
            }
            // Else another one is the last.
            done = page.protections.load(std::memory_order_seq_cst) != 0 ||
                   deal_with_blocks(page, others, [&](TranslationBlock& tb) WEFT_NO_THREAD_SAFETY_ANALYSIS {
                       if ((tb.state.load(std::memory_order_relaxed) & kTbProvisional) == 0) {
                           return;
                       }
                       if (still_right(tb)) {
                           tb.state.fetch_and(~uint32_t{kTbProvisional}, std::memory_order_seq_cst);
                       } else {
                           invalidate(page, tb, others);
                       }
                   });
            release_mark(page);
        }
        unlist(others);
    }
    exposed_.remove(page);
}

void PageMap::end_reading(CodePage& page) {
    SpinLockGuard guard(page.lock);
    --page.readers;
    release_mark(page);
}

bool PageMap::bytes_match(const TranslationBlock& tb, const uint8_t* bytes) const {
    const uint32_t offset = tb.key.page_offset();
    const auto in_first = static_cast<uint32_t>(std::min<uint64_t>(tb.guest_size, kPageSize - offset));
    const auto same = [this](const CodePage& page, uint32_t from, uint32_t size, const uint8_t* expected) {
        std::array<uint8_t, kPageSize> now;
        if (user_ != nullptr) {
            const uint64_t start = page.ram_offset + from;
            faulting::Fault fault;
            if (faulting::copy_in(now.data(), user_->base + start, size, &fault) != size) {
                return false;
            }
            if (user_->overlay != nullptr) {
                user_->overlay(user_->opaque, start, now.data(), size);
            }
            return std::memcmp(now.data(), expected, size) == 0;
        }
        guest_ram::read(now.data(), page.host.load(std::memory_order_relaxed) + from, size);
        return std::memcmp(now.data(), expected, size) == 0;
    };
    return same(states_.known_page(tb.key.page0()), offset, in_first, bytes) &&
           (in_first == tb.guest_size ||
            same(states_.known_page(tb.key.page1), 0, tb.guest_size - in_first, bytes + in_first));
}

// Under the lock of one of its pages. A TB of two is not compared: the other one's memory may be about to go.
bool PageMap::still_right(const TranslationBlock& tb) const {
    return !has_two_pages(tb) && bytes_match(tb, tb.saved_bytes);
}

void PageMap::fence() {
    announce_under_way();
    recheck_provisional();
}

void PageMap::announce_under_way() {
    under_way_.for_each([this](uint64_t ram_offset, uint64_t size) {
        while (size != 0) {
            const uint64_t here = std::min(size, kPageSize - (ram_offset & (kPageSize - 1)));
            // Who sets the mark after this reads the page's bytes after it, and so those that the vCPU has read.
            if (states_.marked(ram_offset)) {
                changed(states_.known_page(ram_offset), ram_offset, here);
            }
            ram_offset += here;
            size -= here;
        }
    });
}

void PageMap::recheck_provisional() {
    if (!exposed_.any()) {
        return;
    }
    for (CodePage* page = exposed_.first(); page != nullptr; page = exposed_.next(*page)) {
        recheck(*page);
    }
}

void PageMap::recheck(CodePage& page) {
    OtherPages others;
    bool done = false;
    while (!done) {
        {
            SpinLockGuard guard(page.lock);
            done = deal_with_blocks(page, others, [&](TranslationBlock& tb) WEFT_NO_THREAD_SAFETY_ANALYSIS {
                // Somebody may be invalidating it under its other page's lock; then that is waited for.
                if ((tb.state.load(std::memory_order_relaxed) & kTbProvisional) != 0 && !still_right(tb)) {
                    invalidate(page, tb, others);
                }
            });
            release_mark(page);
        }
        unlist(others);
    }
}

void PageMap::enlist(TranslationBlock& tb, CodePage& first, CodePage* second) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    tb.page_links[0].link_into(&first.blocks);
    first.lines |= bytes_in(tb, first).lines();
    bool exposed = first.protections.load(std::memory_order_seq_cst) != 0;
    if (second != nullptr) {
        exposed = exposed || second->protections.load(std::memory_order_seq_cst) != 0;
        tb.page_links[1].link_into(&second->blocks);
        second->lines |= bytes_in(tb, *second).lines();
    }
    if (!exposed) {
        // If the TB is provisional, the last vCPU has write-protected while it was made, and it was compared since.
        tb.state.fetch_and(~uint32_t{kTbProvisional}, std::memory_order_seq_cst);
    }
}

}  // namespace weft::accel
