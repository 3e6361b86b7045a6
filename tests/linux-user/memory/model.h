// A guest's memory as an array of pages, with the rules written down a second time: the oracle of the random test.
#pragma once

#include <array>

#include "tests/linux-user/memory/guest_space.h"

namespace weft::test {

inline constexpr uint64_t kModelPages = 64;

enum class Object { none, zero, file, file_read_only };  // private; shared anonymous; files

struct ModelPage {
    bool mapped = false;
    int protection = 0;
    bool shared = false;
    bool from_file = false;
    bool copied = false;
    bool may_write = true;
    int shared_object = -1;  // of shared pages that are not copied: whose bytes these are
    uint64_t object_page = 0;
    uint8_t byte = 0;        // of all others
    bool lost_file = false;  // copied by a move: there is nothing to read it from again
    int origin = 0;          // of copied pages: the call that read them
};

class Model {
  public:
    explicit Model(uint64_t host_page) : host_page_(host_page / kGuestPage) {}

    struct MapCall {
        uint64_t first, count;
        int protection;
        bool shared, file, writable, no_replace;
        uint64_t offset;  // pages
    };

    // Bytes of shared objects: object 0 is the file that is mapped shared, each anonymous one has its own.
    std::vector<std::array<uint8_t, kModelPages>> objects{1};
    // Bytes of the file that is mapped private: never written.
    std::array<uint8_t, 2 * kModelPages> file{};
    std::array<ModelPage, kModelPages> page;

    SysResult map(const MapCall& call) {
        std::array<ModelPage, kModelPages> next = page;
        for (uint64_t i = call.first; i < call.first + call.count; i++) {
            if (call.no_replace && page[i].mapped) {
                return -EEXIST;
            }
            next[i] = {};
        }
        const bool write = (call.protection & PROT_WRITE) != 0;
        if (call.file && call.shared && write && !call.writable) {
            return -EACCES;
        }
        const bool apart = call.file && call.first % host_page_ != call.offset % host_page_;
        bool edges = apart;
        for (uint64_t i = call.first; i < call.first + call.count; i++) {
            edges |= is_edge(next, i, call.first, call.count);
        }
        if (edges) {
            if (call.shared && (write || !call.file)) {
                return -EINVAL;
            }
            for (uint64_t i = call.first; i < call.first + call.count; i++) {
                for (uint64_t other = down(i); other < down(i) + host_page_; other++) {
                    if (next[other].mapped && next[other].shared && !next[other].copied) {
                        return -EINVAL;
                    }
                }
            }
        }
        calls_++;
        if (call.shared && !call.file) {
            objects.emplace_back();
        }
        for (uint64_t i = call.first; i < call.first + call.count; i++) {
            ModelPage& made = next[i];
            made.mapped = true;
            made.protection = call.protection;
            made.shared = call.shared;
            made.from_file = call.file;
            made.object_page = call.file ? call.offset + (i - call.first) : i - call.first;
            made.copied =
                call.file && (apart || is_edge(next_without(next, call), i, call.first, call.count));
            made.origin = made.copied ? calls_ : 0;
            made.may_write = !call.file || !call.shared || (call.writable && !made.copied);
            if (call.shared && !made.copied) {
                made.shared_object = call.file ? 0 : static_cast<int>(objects.size() - 1);
            } else if (call.shared) {
                made.byte = objects[0][made.object_page];
            } else {
                made.byte = call.file ? file[made.object_page] : 0;
            }
        }
        page = next;
        return static_cast<SysResult>(kArena + pages(call.first));
    }

    SysResult unmap(uint64_t first, uint64_t count) {
        for (uint64_t i = first; i < first + count; i++) {
            page[i] = {};
        }
        return 0;
    }

    SysResult protect(uint64_t first, uint64_t count, int protection) {
        for (uint64_t i = first; i < first + count; i++) {
            if (!page[i].mapped) {
                return -ENOMEM;
            }
            if ((protection & PROT_WRITE) != 0 && !page[i].may_write) {
                return -EACCES;
            }
            page[i].protection = protection;
        }
        return 0;
    }

    SysResult discard(uint64_t first, uint64_t count) {
        SysResult outcome = 0;
        for (uint64_t i = first; i < first + count; i++) {
            if (!page[i].mapped) {
                outcome = -ENOMEM;
            } else if (page[i].lost_file) {
            } else if (!page[i].shared) {
                page[i].byte = page[i].from_file ? file[page[i].object_page] : 0;
            } else if (page[i].copied) {
                page[i].byte = objects[0][page[i].object_page];
            }
        }
        return outcome;
    }

    // The end of the mapping that holds page `i`: as far as pages go on alike.
    uint64_t mapping_end(uint64_t i) const {
        uint64_t end = i + 1;
        while (end < kModelPages && goes_on(page[end - 1], page[end])) {
            end++;
        }
        return end;
    }

    // Without MREMAP_MAYMOVE.
    SysResult resize(uint64_t first, uint64_t count, uint64_t new_count) {
        if (!page[first].mapped) {
            return -EFAULT;
        }
        if (new_count <= count) {
            unmap(first + new_count, count - new_count);
            return static_cast<SysResult>(kArena + pages(first));
        }
        const uint64_t end = first + count;
        if (end > mapping_end(first)) {
            return -EFAULT;
        }
        const uint64_t clear = std::min(kModelPages, up(first + new_count));
        for (uint64_t i = end; i < clear; i++) {
            if (page[i].mapped && (i < first + new_count || i >= up(end))) {
                return -ENOMEM;
            }
        }
        if (page[end - 1].copied) {
            return -ENOMEM;
        }
        extend(page, end, first + new_count);
        return static_cast<SysResult>(kArena + pages(first));
    }

    // MREMAP_MAYMOVE | MREMAP_FIXED.
    SysResult move(uint64_t first, uint64_t count, uint64_t new_count, uint64_t target) {
        if (first < target + new_count && target < first + count) {
            return -EINVAL;
        }
        if (!page[first].mapped) {
            return -EFAULT;
        }
        const uint64_t kept = std::min(count, new_count);
        if (count != new_count && first + kept > mapping_end(first)) {
            return -EFAULT;
        }
        unmap(target, new_count);
        unmap(first + kept, count - kept);
        std::array<ModelPage, kModelPages> without = page;
        for (uint64_t i = first; i < first + kept; i++) {
            without[i] = {};
        }
        bool by_host = first % host_page_ == target % host_page_ || host_page_ == 1;
        by_host &=
            host_page_ == 1 || down(first) >= up(target + new_count) || down(target) >= up(first + kept);
        for (uint64_t i = first; i < first + kept; i++) {
            by_host &= !is_edge(without, i, first, kept);
        }
        for (uint64_t i = target; i < target + new_count; i++) {
            by_host &= !is_edge(without, i, target, new_count);
        }
        if (new_count > count && page[first + kept - 1].copied) {
            return -EINVAL;
        }
        std::array<ModelPage, kModelPages> next = without;
        for (uint64_t i = 0; i < kept; i++) {
            ModelPage& moved = next[target + i];
            moved = page[first + i];
            if (by_host || !moved.mapped) {
                continue;
            }
            if (moved.shared || (new_count > count && moved.from_file)) {
                return -EINVAL;
            }
            moved.lost_file = moved.from_file && (!moved.copied || moved.lost_file);
            moved.copied = moved.from_file;
        }
        if (!by_host) {
            for (uint64_t i = target; i < target + new_count; i++) {
                for (uint64_t other = down(i); other < down(i) + host_page_; other++) {
                    const bool edge = is_edge(page, i, target, new_count);
                    if (edge && page[other].mapped && page[other].shared && !page[other].copied) {
                        return -EINVAL;
                    }
                }
            }
        }
        page = next;
        extend(page, target + kept, target + new_count);
        return static_cast<SysResult>(kArena + pages(target));
    }

    void write(uint64_t i, uint8_t byte) {
        if (page[i].shared_object >= 0) {
            objects[static_cast<size_t>(page[i].shared_object)][page[i].object_page] = byte;
        } else {
            page[i].byte = byte;
        }
    }
    uint8_t byte(uint64_t i) const {
        return page[i].shared_object >= 0
                   ? objects[static_cast<size_t>(page[i].shared_object)][page[i].object_page]
                   : page[i].byte;
    }
    // Of the host page that page `i` is in (rules T2 to T5): the union, without execution; -1: nothing is mapped there.
    int host_protection(uint64_t i) const {
        int together = -1;
        for (uint64_t other = down(i); other < down(i) + host_page_; other++) {
            if (page[other].mapped) {
                together = std::max(together, 0);
                const int asked = page[other].protection;
                together |= (asked & PROT_WRITE) != 0 ? PROT_READ | PROT_WRITE : asked != 0 ? PROT_READ : 0;
            }
        }
        return together;
    }
    uint64_t host_page() const { return host_page_; }

  private:
    uint64_t down(uint64_t i) const { return i / host_page_ * host_page_; }
    uint64_t up(uint64_t i) const { return down(i + host_page_ - 1); }
    bool goes_on(const ModelPage& a, const ModelPage& b) const {
        return a.mapped && b.mapped && a.protection == b.protection && a.shared == b.shared &&
               a.from_file == b.from_file && a.copied == b.copied && a.may_write == b.may_write &&
               a.lost_file == b.lost_file && a.origin == b.origin && a.shared_object == b.shared_object &&
               ((!a.from_file && !a.shared) || a.object_page + 1 == b.object_page);
    }
    // Pages from `from` on are new pages of the mapping before them.
    void extend(std::array<ModelPage, kModelPages>& all, uint64_t from, uint64_t to) const {
        for (uint64_t i = from; i < to; i++) {
            all[i] = all[i - 1];
            all[i].object_page++;
            all[i].byte = all[i].from_file && !all[i].shared ? file[all[i].object_page] : 0;
        }
    }
    std::array<ModelPage, kModelPages> next_without(std::array<ModelPage, kModelPages> all,
                                                    const MapCall& call) const {
        for (uint64_t i = call.first; i < call.first + call.count; i++) {
            all[i] = {};
        }
        return all;
    }
    // Whether somebody else is in the host page of page `i` of a range.
    bool is_edge(const std::array<ModelPage, kModelPages>& all, uint64_t i, uint64_t first,
                 uint64_t count) const {
        for (uint64_t other = down(i); other < down(i) + host_page_; other++) {
            if ((other < first || other >= first + count) && all[other].mapped) {
                return true;
            }
        }
        return false;
    }

    uint64_t host_page_;  // in guest pages
    int calls_ = 0;
};

}  // namespace weft::test
