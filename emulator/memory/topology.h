// The machine's memory as a whole: it makes regions and RAM, serialises changes of the region trees, renders the flat views
// of the address spaces and reclaims old ones.
//
// emulator/memory owns guest-physical memory: region trees, RAM, flat views. Boards and devices make regions and read through
// Readers, accelerators use memory_ops(); it knows only base and the public ABI.
//
// Who writes: threads inside a Transaction, one at a time (the topology's lock). Who reads: Readers (reader.h), without a
// lock, through each address space's atomic pointer to its current view. What orders them: a commit publishes the finished
// view with a release store, a reader loads it with acquire inside a read section. When views are reclaimed: after every
// listener has acknowledged the change (so that nobody holds host addresses that the view kept mapped) and then every read
// section that was open has been left.
#pragma once

#include <atomic>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/epoch.h"
#include "base/mutex.h"
#include "emulator/memory/flat_view.h"
#include "emulator/memory/ram.h"
#include "emulator/memory/region.h"
#include "weft/memory.h"

namespace weft::mem {

class Topology;

// Who keeps what readers told it (host addresses of RAM): the accelerator.
class TopologyListener {
  public:
    virtual ~TopologyListener() = default;
    // What address spaces show has changed. The listener calls done(opaque) once, on any thread and at once or later, when
    // nothing keeps an address that a reader gave out before. Called by the thread that committed, without the
    // topology's lock but perhaps inside a device access: the listener may neither wait nor change the topology.
    virtual void topology_changed(void (*done)(void* opaque), void* opaque) = 0;
};

// A guest-physical address space: the view of one root. Its address is VcpuConfig::address_space.
class AddressSpace {
  public:
    // The topology outlives it. Any thread.
    AddressSpace(Topology& topology, std::string name, RegionPtr root);
    ~AddressSpace();
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;

    const std::string& name() const { return name_; }
    Topology& topology() const { return topology_; }
    // Shows another root; like every change of the topology, this is seen when the outermost transaction commits.
    void set_root(RegionPtr root);

    // For readers inside a read section, and under the topology's lock. Acquire; pairs with the release in
    // Topology::publish().
    const FlatView& view() const { return *view_.load(std::memory_order_acquire); }

  private:
    friend class Topology;

    void leave() noexcept;

    Topology& topology_;
    const std::string name_;
    RegionPtr root_;  // guarded by the topology's lock
    std::atomic<const FlatView*> view_{nullptr};
};

class Topology {
  public:
    explicit Topology(const HostCalls& calls = HostCalls::real());
    // No address space, reader or listener is left, and no listener calls `done` any more.
    ~Topology();
    Topology(const Topology&) = delete;
    Topology& operator=(const Topology&) = delete;

    // Regions of a machine. `size` is in bytes, or kEntireSpace. They are kept alive by their parents, by aliases and by
    // views, and do not outlive the topology.
    RegionPtr container(std::string name, uint64_t size);
    RegionPtr alias(std::string name, RegionPtr target, uint64_t offset, uint64_t size);
    RegionPtr ram(std::shared_ptr<RamBlock> block);
    RegionPtr rom(std::shared_ptr<RamBlock> block);
    // Whose stores by CPUs are calls of ops.write, under `lock`; for the rest as io(). DMA still drops them.
    RegionPtr rom(std::shared_ptr<RamBlock> block, const MemoryRegionOps& ops, void* opaque, Mutex* lock);
    // `ops` outlives the region. `lock` is taken around every access; null: the functions need none. `opaque` is handed to
    // them and must live until no view names the region: `keepalive` may own it, otherwise its owner outlives all
    // readers.
    RegionPtr io(std::string name, uint64_t size, const MemoryRegionOps& ops, void* opaque, Mutex* lock,
                 std::shared_ptr<void> keepalive = nullptr);

    Result<std::shared_ptr<RamBlock>> allocate_ram(std::string name, uint64_t size) {
        return ram_space_->allocate(std::move(name), size);
    }
    RamSpace& ram_space() const { return *ram_space_; }

    void add_listener(TopologyListener& listener);
    // The listener has called `done` for all it was told of.
    void remove_listener(TopologyListener& listener);

    // See RamSpace.
    using WriteHooks = RamSpace::WriteHooks;
    void set_write_hooks(const WriteHooks& hooks) { ram_space_->set_write_hooks(hooks); }

    // A write of bytes of RAM by other than guest instructions, while the object lives.
    class Writing : public RamSpace::Writing {
      public:
        Writing(const Topology& topology, uint64_t ram_offset, uint64_t size)
            : RamSpace::Writing(*topology.ram_space_, ram_offset, size) {}
    };

    // Different views that address spaces show now.
    size_t view_count();
    // The trees of regions below the roots of address spaces, one line a region: `info mtree`.
    std::string describe_regions();
    // The flat views as text, one line a range: `info mtree -f`.
    std::string describe_views();

    EpochDomain& epochs() { return epochs_; }

  private:
    friend class Transaction;
    friend class MemoryRegion;
    friend class AddressSpace;

    // Old views on their way out: first past the listeners, then past the readers.
    struct Changeover {
        Topology* topology;
        std::vector<std::unique_ptr<const FlatView>> views;
        std::atomic<unsigned> waiting;  // listeners that have not called done, plus the committing thread
        std::list<std::unique_ptr<Changeover>>::iterator self;
    };

    void begin();
    void commit(bool publishes);
    void mark_changed() { changed_ = true; }
    void unlock();
    // Renders and publishes; returns the changeover to start, if any view went out of use or changed.
    Changeover* publish() WEFT_REQUIRES(mutex_);
    static void acknowledged(void* opaque);

    RegionPtr make(std::string name, RegionKind kind, uint64_t size);

    const std::shared_ptr<RamSpace> ram_space_;
    EpochDomain epochs_;

    Mutex mutex_;
    // The thread inside a transaction; equal to one's own id only if one holds mutex_. Relaxed: see begin().
    std::atomic<std::thread::id> owner_{};
    unsigned depth_ = 0;  // under mutex_, as are the next ones
    bool changed_ = false;
    std::vector<AddressSpace*> spaces_;
    std::vector<TopologyListener*> listeners_;
    // By effective root. The empty view is apart and never goes.
    std::map<const MemoryRegion*, std::unique_ptr<const FlatView>> views_;
    const FlatView empty_view_;

    // Changeovers that wait for listeners. A lock of its own, since `done` comes on any thread.
    Mutex changeover_mutex_;
    std::list<std::unique_ptr<Changeover>> changeovers_ WEFT_GUARDED_BY(changeover_mutex_);
};

// Holds the topology's lock; the outermost transaction of a thread commits at its end: views are rendered once for all
// changes inside. Lock order: a transaction may begin under a device's lock; no device's lock is taken inside one.
class Transaction {
  public:
    explicit Transaction(Topology& topology) : topology_(topology), exceptions_(std::uncaught_exceptions()) {
        topology_.begin();
    }
    // Throws std::bad_alloc where there is no memory for the new views; the old ones stay then. They stay, too, where an
    // exception ends the transaction. What was changed is published by the next one.
    ~Transaction() noexcept(false) { topology_.commit(std::uncaught_exceptions() == exceptions_); }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

  private:
    Topology& topology_;
    const int exceptions_;
};

}  // namespace weft::mem
