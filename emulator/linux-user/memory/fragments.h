// Host pages that belong to several mappings, or to one and nothing: what happens at the edges of a range where the host's pages
// are larger than the guest's.
//
// A host page has one mapping of the host's below it. It is shared (then all guest pages in it are of that mapping), or
// private: then it may hold guest pages of any private mappings, whose bytes were zeroed or copied in, and of files read
// ("copied"). So what is not copied has its own file below it.
#pragma once

#include <memory>
#include <vector>

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

// Reads a file completely into memory of weft's: short reads go on, its end gives zeros. 0 or the negated errno.
SysResult read_completely(const HostMemory& host, int fd, void* to, uint64_t size, uint64_t offset);

// A view of the file's bytes [offset, offset + size); a null view and its negated errno where the host refuses one.
std::shared_ptr<const FileView> view_file(const HostMemory& host, int fd, uint64_t offset, uint64_t size,
                                          SysResult& error);

// The guest part [from, to) of the host page `page`, other parts of which are someone else's.
struct Edge {
    uint64_t page = 0;
    uint64_t from = 0;
    uint64_t to = 0;
    std::vector<uint8_t> bytes = {};  // what is written into the part; none: it stays
    int protection = 0;               // what the host's page has now, between open() and close()
};

// How a range of guest pages falls into host pages, judged by a tree: whole ones (with those that nobody else is in), and edges.
struct Split {
    uint64_t start = 0;  // of the whole host pages
    uint64_t end = 0;
    std::vector<Edge> edges;

    Split(const MemoryCore& core, IntervalTree tree, uint64_t from, uint64_t to);
};

// A change of edges in steps: open() may fail and is undone by undo(); close() cannot fail. Between them all accesses of the
// others go on: protections are widened first and narrowed last.
class EdgeChange {
  public:
    EdgeChange(MemoryCore& core, std::vector<Edge> edges) : core_(core), edges_(std::move(edges)) {}

    // Lets the bytes be written, and the accesses of `after` happen.
    SysResult open(IntervalTree before, IntervalTree after);
    void undo(IntervalTree before);
    void close(IntervalTree after);

  private:
    SysResult open_edge(Edge& edge, IntervalTree before, IntervalTree after);

    MemoryCore& core_;
    std::vector<Edge> edges_;
    std::size_t opened_ = 0;
};

// Whether the others in an edge's page allow a private part beside them: 0, or -EINVAL if its page is of a shared mapping.
SysResult can_share_page(const MemoryCore& core, IntervalTree tree, const Edge& edge);

// Makes the guest part [from, to) of a private mapping what it was at first: zero, or the file's bytes (rule D2).
SysResult discard_part(MemoryCore& core, IntervalTree tree, const Interval& part);

}  // namespace weft::user
