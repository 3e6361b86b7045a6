#include "emulator/linux-user/memory/fragments.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/host_info.h"

namespace weft::user {

namespace {

uint64_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

class MappedView : public FileView {
  public:
    MappedView(const HostMemory& host, uint64_t address, uint64_t size, uint64_t offset)
        : host_(host), address_(address), size_(size), offset_(offset) {}
    ~MappedView() override { host_.unmap(address_, size_); }

    bool read(uint64_t offset, void* to, uint64_t size) const override {
        // Page by page: where the file ends, the rest of the host's copy is missing.
        for (uint64_t done = 0; done < size; done += kGuestPage) {
            const uint64_t piece = std::min(kGuestPage, size - done);
            auto* target = static_cast<uint8_t*>(to) + done;
            const int64_t got = host_.copy(address_of(target), address_ + (offset + done - offset_), piece);
            if (got < 0 && got != -EFAULT) {
                return false;
            }
            const uint64_t there = got < 0 ? 0 : static_cast<uint64_t>(got);
            std::memset(target + there, 0, piece - there);
        }
        return true;
    }

  private:
    const HostMemory& host_;
    const uint64_t address_;
    const uint64_t size_;
    const uint64_t offset_;
};

}  // namespace

SysResult read_completely(const HostMemory& host, int fd, void* to, uint64_t size, uint64_t offset) {
    auto* target = static_cast<uint8_t*>(to);
    uint64_t done = 0;
    while (done < size) {
        const int64_t got = host.read_file(fd, target + done, size - done, offset + done);
        if (got == -EINTR) {
            continue;
        }
        if (got < 0) {
            return got;
        }
        if (got == 0) {
            break;
        }
        done += static_cast<uint64_t>(got);
    }
    std::memset(target + done, 0, size - done);
    return 0;
}

std::shared_ptr<const FileView> view_file(const HostMemory& host, int fd, uint64_t offset, uint64_t size,
                                          SysResult& error) {
    const uint64_t start = round_down(offset, host_page_size());
    const uint64_t length = round_up(offset + size - start, host_page_size());
    const int64_t got = host.map(0, length, PROT_READ, MAP_SHARED, fd, start);
    if (got < 0) {
        error = got;
        return nullptr;
    }
    try {
        return std::make_shared<MappedView>(host, static_cast<uint64_t>(got), length, start);
    } catch (const std::bad_alloc&) {
        host.unmap(static_cast<uint64_t>(got), length);
        error = -ENOMEM;
        return nullptr;
    }
}

Split::Split(const MemoryCore& core, IntervalTree tree, uint64_t from, uint64_t to)
    : start(core.down(from)), end(core.up(to)) {
    const bool first = !tree.empty(start, from);
    const bool last = !tree.empty(to, end);
    const uint64_t page = core.host_page();
    if (end - start == page) {
        if (first || last) {
            edges.push_back({.page = start, .from = from, .to = to});
            end = start;
        }
        return;
    }
    if (first) {
        edges.push_back({.page = start, .from = from, .to = start + page});
        start += page;
    }
    if (last) {
        end -= page;
        edges.push_back({.page = end, .from = end, .to = to});
    }
}

SysResult EdgeChange::open_edge(Edge& edge, IntervalTree before, IntervalTree after) {
    const uint64_t end = edge.page + core_.host_page();
    // Writes to what others have code in, by this call and, while it lasts, by anyone.
    if (const SysResult failed = core_.unprotect_code(edge.page, end, MemoryCore::CodeEnd::written);
        failed < 0) {
        return failed;
    }
    const int old = core_.page_protection(before, edge.page);
    int wanted = old | core_.page_protection(after, edge.page);
    edge.protection = edge.bytes.empty() ? wanted : PROT_READ | PROT_WRITE;
    if (!edge.bytes.empty()) {
        wanted = PROT_READ | PROT_WRITE;
        uint8_t byte;
        const bool readable = core_.protect_pages(edge.page, end, wanted) == 0;
        if (readable && core_.host().copy(address_of(&byte), core_.host_address(edge.from), 1) == -EFAULT) {
            // The whole host page lies behind the end of a file: nobody has bytes in it.
            return core_.place(edge.page, end, wanted, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        }
        return readable ? 0 : -ENOMEM;
    }
    return wanted == old ? 0 : core_.protect_pages(edge.page, end, wanted);
}

SysResult EdgeChange::open(IntervalTree before, IntervalTree after) {
    for (opened_ = 0; opened_ < edges_.size(); opened_++) {
        if (const SysResult failed = open_edge(edges_[opened_], before, after); failed < 0) {
            undo(before);
            return failed;
        }
    }
    return 0;
}

void EdgeChange::undo(IntervalTree before) {
    for (std::size_t i = 0; i < std::min(opened_ + 1, edges_.size()); i++) {
        const uint64_t page = edges_[i].page;
        core_.protect_pages(page, page + core_.host_page(), core_.page_protection(before, page));
    }
}

void EdgeChange::close(IntervalTree after) {
    for (const Edge& edge : edges_) {
        if (!edge.bytes.empty()) {
            core_.host().copy(core_.host_address(edge.from), address_of(edge.bytes.data()),
                              edge.bytes.size());
        }
        // Narrowing fails only if the host has no room for one mapping more: wild accesses succeed then, which is what
        // an edge allows anyway.
        if (const int narrow = core_.page_protection(after, edge.page); narrow != edge.protection) {
            core_.protect_pages(edge.page, edge.page + core_.host_page(), narrow);
        }
    }
}

SysResult can_share_page(const MemoryCore& core, IntervalTree tree, const Edge& edge) {
    SysResult outcome = 0;
    tree.visit(edge.page, edge.page + core.host_page(), [&](const Interval& interval) {
        if (interval.attributes.kind == Kind::foreign) {
            outcome = -ENOMEM;
        } else if (interval.attributes.shared && !interval.attributes.copied) {
            outcome = -EINVAL;
        }
        return outcome == 0;
    });
    return outcome;
}

SysResult discard_part(MemoryCore& core, IntervalTree tree, const Interval& part) {
    const HostMemory& host = core.host();
    const uint64_t page = core.down(part.start);
    const uint64_t end = page + core.host_page();
    const Attributes& attributes = part.attributes;
    std::vector<uint8_t> bytes(core.host_page());
    if (const SysResult failed = core.unprotect_code(page, end, MemoryCore::CodeEnd::written); failed < 0) {
        return failed;
    }
    const int protection = core.page_protection(tree, page);
    const uint64_t at = core.host_address(page);
    if (attributes.kind == Kind::file && !attributes.copied) {
        // The host reads the file again for the whole page; the others' bytes come back from a copy.
        if (const SysResult failed = core.protect_pages(page, end, PROT_READ | PROT_WRITE); failed < 0) {
            return failed;
        }
        const bool whole =
            host.copy(address_of(bytes.data()), at, bytes.size()) == static_cast<int64_t>(bytes.size());
        const SysResult outcome = host.advise(at, core.host_page(), MADV_DONTNEED);
        if (outcome == 0 && whole) {
            host.copy(at, address_of(bytes.data()), part.start - page);
            host.copy(core.host_address(part.end), address_of(bytes.data()) + (part.end - page),
                      end - part.end);
        }
        core.protect_pages(page, end, protection);
        return outcome;
    }
    if (attributes.backing != nullptr) {
        const FileView* view = attributes.backing->view.get();
        if (view == nullptr) {
            return 0;  // moved by copying: there is nothing to read it from again
        }
        if (!view->read(attributes.offset, bytes.data(), part.size())) {
            return -EIO;
        }
    }
    if (const SysResult failed = core.protect_pages(page, end, PROT_READ | PROT_WRITE); failed < 0) {
        return failed;
    }
    host.copy(core.host_address(part.start), address_of(bytes.data()), part.size());
    core.protect_pages(page, end, protection);
    return 0;
}

}  // namespace weft::user
