// What the guest has mapped: an interval of whole guest pages that are alike.
#pragma once

#include <cstdint>
#include <memory>

namespace weft::user {

// The guest's page (riscv64 Linux). Hosts may have larger ones.
inline constexpr uint64_t kGuestPage = 4096;

constexpr uint64_t round_down(uint64_t value, uint64_t unit) { return value & ~(unit - 1); }
// Wraps to a small number near 2^64: callers check first.
constexpr uint64_t round_up(uint64_t value, uint64_t unit) { return round_down(value + unit - 1, unit); }

// The result of a call as the guest gets it in a0: at least 0, or the negated errno of Linux.
using SysResult = int64_t;

// Protections as the guest asked; the values of PROT_READ, PROT_WRITE, PROT_EXEC.
inline constexpr uint8_t kRead = 1;
inline constexpr uint8_t kWrite = 2;
inline constexpr uint8_t kExecute = 4;
inline constexpr uint8_t kAllAccess = kRead | kWrite | kExecute;

// A view of a file, kept outside the guest's space, from which pages that were filled by reading are read again.
// Immutable; unmapped with its last owner.
class FileView {
  public:
    virtual ~FileView() = default;
    // Reads `size` bytes of the file from `offset`; what lies behind its end gives zeros. False: the host refused.
    virtual bool read(uint64_t offset, void* to, uint64_t size) const = 0;
};

// The object whose bytes an interval shows. Immutable: shared by all intervals of one mapping and by all versions of the map.
struct Backing {
    // A file's device and inode; a shared anonymous object or an attachment of System V memory has device kNoDevice
    // and a number of its own, so that two of them never merge.
    static constexpr uint64_t kNoDevice = ~uint64_t{0};
    uint64_t device = kNoDevice;
    uint64_t number = 0;
    // What mprotect may ask later (VM_MAYWRITE, VM_MAYEXEC).
    bool may_write = true;
    bool may_execute = true;
    uint64_t size = 0;  // of System V memory: the segment's, in whole guest pages
    std::shared_ptr<const FileView> view = nullptr;  // of copied pages of a file

    bool operator==(const Backing& other) const {
        return device == other.device && number == other.number && may_write == other.may_write &&
               may_execute == other.may_execute && size == other.size && view == other.view;
    }
};

enum class Kind : uint8_t {
    anonymous,  // private: no backing. Shared: an object of its own
    file,
    shm,      // System V shared memory
    foreign,  // the host's own: no guest call may touch it
};

struct Attributes {
    uint8_t protection = 0;
    Kind kind = Kind::anonymous;
    bool shared = false;
    bool growing = false;  // MAP_GROWSDOWN: the host lowers its start, see stack.h
    bool locked = false;
    bool dont_fork = false;
    bool wipe_on_fork = false;
    bool sealed = false;
    bool copied = false;     // filled by reading the file: the host knows nothing of it
    uint8_t huge_shift = 0;  // of MAP_HUGETLB: the logarithm of its page
    uint64_t offset = 0;     // of the interval's start in its backing, bytes
    std::shared_ptr<const Backing> backing = nullptr;

    bool is_private_anonymous() const { return kind == Kind::anonymous && !shared; }
    // By RLIMIT_DATA (Linux's is_data_mapping).
    bool counts_as_data() const {
        return kind != Kind::foreign && !shared && !growing && (protection & kWrite) != 0;
    }
    // Code that no other mapping shows: writes to it can be found out by taking W from the host's page.
    bool is_private_code() const { return kind != Kind::foreign && !shared && (protection & kExecute) != 0; }
    // Whether an interval with `next` that starts `distance` bytes further on goes on with this one.
    bool continues(const Attributes& next, uint64_t distance) const;
};

struct Interval {
    uint64_t start = 0;
    uint64_t end = 0;  // exclusive
    Attributes attributes;

    uint64_t size() const { return end - start; }
    // The part of it in [from, to), which lies within.
    Interval part(uint64_t from, uint64_t to) const;
};

}  // namespace weft::user
