// What all memory calls of a guest share: the map with its layout and limits, the host's side of a range, and the frame of one
// call.
//
// A call makes the next version of the map in its edit, then asks the host, then publishes: only the host can fail once it
// was asked, and what it did is then undone. So each call is all or nothing (rule C4).
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "emulator/linux-user/memory/address_space.h"
#include "emulator/linux-user/memory/host_memory.h"
#include "emulator/linux-user/memory/layout.h"
#include "emulator/linux-user/memory/protected_pages.h"

namespace weft::user {

// Who keeps what was made of the guest's code: the accelerator. Rules X6 and X7.
class CodeListener {
  public:
    virtual ~CodeListener() = default;
    // The bytes of [start, end), or the right to execute them, are gone; the map says so already. Called under the map's lock:
    // it marks and does not wait. Of pages that lose their protection with the call it is told before the map says so as well: whoever
    // wants to translate from them anew waits for the lock in UserMemoryOps::protect.
    virtual void code_gone(uint64_t start, uint64_t end) = 0;
    // The guest, or the kernel for it, is about to write to [start, end), whole host pages that were protected. Called under the
    // map's lock, before they may be written to: it marks and does not wait.
    virtual void code_written(uint64_t start, uint64_t end) = 0;
    // Once for each call that had code gone, before it returns, without the lock: waits until no thread runs such code.
    virtual void code_settle() = 0;
};

struct MemoryConfig {
    uint64_t host_page = kGuestPage;  // bytes; at least the guest's and the host's own
    uint64_t base = 0;                // host address of the guest's address 0
    uint64_t limit = uint64_t{1} << 46;
    uint64_t minimum = 65536;  // the host's mmap_min_addr
    bool reserve = false;      // the whole space is kept from the host's other mappings (-R)
    uint64_t stack_limit = 8 * 1024 * 1024;
};

// RLIMIT_AS and RLIMIT_DATA of the guest, bytes; weft keeps them, the host's are its own.
struct MemoryLimits {
    uint64_t space = ~uint64_t{0};
    uint64_t data = ~uint64_t{0};
};

class MemoryCore {
  public:
    class Call;

    // Reserves the space if that is asked. `listener` may be null. Both outlive the core. Errors: a page, base or limit
    // that cannot be.
    static Result<std::unique_ptr<MemoryCore>> create(const MemoryConfig& config, const HostMemory& host,
                                                      CodeListener* listener);
    // Unmaps what is the guest's. No call is under way.
    ~MemoryCore();
    MemoryCore(const MemoryCore&) = delete;
    MemoryCore& operator=(const MemoryCore&) = delete;

    const MemoryConfig& config() const { return config_; }
    const HostMemory& host() const { return host_; }
    const Layout& layout() const { return layout_; }
    AddressSpace& space() { return space_; }
    uint64_t host_page() const { return config_.host_page; }
    uint64_t host_address(uint64_t guest) const { return guest + config_.base; }
    uint64_t down(uint64_t address) const { return round_down(address, config_.host_page); }
    uint64_t up(uint64_t address) const { return round_up(address, config_.host_page); }

    // Any thread; each call reads them once.
    void set_limits(const MemoryLimits& limits);
    MemoryLimits limits() const;
    // -ENOMEM if `added` bytes more would pass RLIMIT_AS, or RLIMIT_DATA where they are private and writable; `tree` is without
    // what they replace.
    SysResult check_limits(IntervalTree tree, uint64_t added, const Attributes& attributes) const;

    // What the host is told for accesses the guest asked for (rules T2 to T5): never execution.
    static int host_protection(uint8_t protection);
    // Of one host page: the union over its guest pages.
    int page_protection(IntervalTree tree, uint64_t page) const;

    // Host pages that stay without W because code was made of them: what is in the set has no W from the host (the converse need not
    // hold: UserOps::fault gives W where the map allows it). Under the lock, as the functions below.
    ProtectedPages& protected_pages() { return protected_; }
    // Takes W from the host page of `page`, and remembers it. False: the host or weft's memory does not allow that. The map has it
    // as private code.
    bool protect_code(uint64_t page);
    // Ends the protection of host pages in [start, end): tells of the code in them, then gives W where the map says so.
    enum class CodeEnd : uint8_t {
        written,  // code_written; what the host refuses stays protected, and the rest of the range: the negated errno. The host may be
                  // asked for protected pages around as well, where it has no room for one mapping more
        gone,     // code_gone; nothing stays protected
    };
    SysResult unprotect_code(uint64_t start, uint64_t end, CodeEnd how);
    // Differs from any earlier value once a call began or a page's protection for code began or ended.
    uint64_t steps() const { return steps_; }

    // The host's side of whole host pages, guest addresses. Under the lock. Results: 0 or the negated errno.
    //
    // Takes what the tree says is free, without access, so that it may be mapped over. -EEXIST: something of the host's is there.
    SysResult claim(IntervalTree tree, uint64_t start, uint64_t end);
    // Gives back what claim() took by the same tree.
    void unclaim(IntervalTree tree, uint64_t start, uint64_t end);
    SysResult place(uint64_t start, uint64_t end, int protection, int flags, int fd, uint64_t offset);
    // Zeroed pages that go on from a private anonymous interval with these attributes.
    SysResult place_like(uint64_t start, uint64_t end, const Attributes& attributes);
    // To the host, or to the reservation.
    SysResult release(uint64_t start, uint64_t end);
    // But for W where pages are protected for code.
    SysResult protect_pages(uint64_t start, uint64_t end, int protection);
    // Enters the host's own mappings in [start, end), and in what is free around it, into the map. True if there were any that it did
    // not know. After learn_growth().
    bool learn_foreign(uint64_t start, uint64_t end);
    // Lowers the start of the growing mapping that begins in, or first behind, [start, end) to what the host made of it (rule S3).
    void learn_growth(uint64_t start, uint64_t end);

    bool is_reserved(uint64_t address) const {
        return config_.reserve && address >= reserved_start_ && address < reserved_end_;
    }
    // The part of [start, end) from `start` on that is all reserved or all not.
    uint64_t alike_until(uint64_t start, uint64_t end) const;
    // Identities of objects that have no file.
    uint64_t next_object() { return ++objects_; }

    // Around fork(2) (rule O1): the map's lock is held from fork_prepare() on. In the child, which has no other thread, it is
    // free, and the map without the ranges that MADV_DONTFORK left to the parent (rule D4).
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS;
    void fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS;
    void fork_child() WEFT_NO_THREAD_SAFETY_ANALYSIS;

    // Whether mlockall(MCL_FUTURE) is in force. Under the lock.
    bool lock_future = false;
    bool lock_future_on_fault = false;  // with MCL_ONFAULT: what comes is not made present

  private:
    MemoryCore(const MemoryConfig& config, const HostMemory& host, CodeListener* listener);
    void tell_of_code(uint64_t start, uint64_t end, CodeEnd how);
    SysResult give_back_write(uint64_t start, uint64_t end) WEFT_NO_THREAD_SAFETY_ANALYSIS;
    template <class Function>
    SysResult each_free(IntervalTree tree, uint64_t start, uint64_t end, Function function);

    const MemoryConfig config_;
    const HostMemory& host_;
    CodeListener* const listener_;
    const Layout layout_;
    AddressSpace space_;
    // Under the lock.
    ProtectedPages protected_;
    uint64_t steps_ = 0;
    uint64_t reserved_start_ = 0;
    uint64_t reserved_end_ = 0;
    uint64_t objects_ = 0;  // under the lock
    // Written by set_limits(), read by calls; each alone, relaxed: a limit orders nothing.
    std::atomic<uint64_t> space_limit_{~uint64_t{0}};
    std::atomic<uint64_t> data_limit_{~uint64_t{0}};
};

// One memory call: holds the map's lock, has the next version, and tells the listener. Throws std::bad_alloc.
class MemoryCore::Call {
  public:
    explicit Call(MemoryCore& core) WEFT_NO_THREAD_SAFETY_ANALYSIS;
    // Unlocks; settles if code went.
    ~Call() WEFT_NO_THREAD_SAFETY_ANALYSIS;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    IntervalTree tree() const WEFT_NO_THREAD_SAFETY_ANALYSIS { return core_.space_.tree(); }
    IntervalEdit& edit() { return **change_; }
    // Gives the edit up, and begins anew with the version that there is.
    void restart();
    // The same around learn_growth() and learn_foreign(), which change the map themselves. True if there was something of the host's.
    bool restart_knowing(uint64_t start, uint64_t end);
    // Notes that the code of [start, end) in the current version goes with the commit, and ends the protection of its host pages. Before
    // the host is asked to change them.
    void gone(uint64_t start, uint64_t end);
    // Publishes, then tells of the code.
    void commit() noexcept;
    // Ends the locked part: settles. What follows may sleep.
    void finish() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS;

  private:
    MemoryCore& core_;
    std::unique_ptr<AddressSpace::Change> change_;
    std::vector<std::pair<uint64_t, uint64_t>> gone_;
    bool locked_ = true;
    bool settle_ = false;
};

// Runs a call's body; memory of weft's own that is exhausted is -ENOMEM for the guest.
template <class Body>
SysResult or_no_memory(Body body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return -12;  // ENOMEM
    }
}

}  // namespace weft::user
