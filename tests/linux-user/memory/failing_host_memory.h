// Hosts that count, fail and play tricks.
#pragma once

#include <climits>

#include "emulator/linux-user/memory/host_memory.h"

namespace weft::test {

// Counts the calls that change memory or read files, and makes number `fail_at` (from 0) fail, with `onwards` all later ones too.
// Unmapping is counted and failed only if `fail_unmap`: it is how the others are undone.
class FailingHostMemory : public user::HostMemory {
  public:
    mutable int calls = 0;
    mutable int protects = 0;
    int fail_at = INT_MAX;
    bool onwards = false;
    bool fail_unmap = false;
    bool old_kernel = false;            // takes MAP_FIXED_NOREPLACE for a hint (before Linux 4.17)
    uint64_t most_read = ~uint64_t{0};  // bytes that a read gives at once

    int64_t map(uint64_t a, uint64_t n, int p, int f, int fd, uint64_t o) const override {
        constexpr int kNoReplace = 0x100000;
        return fails() ? -12 : HostMemory::map(a, n, p, old_kernel ? f & ~kNoReplace : f, fd, o);
    }
    int64_t unmap(uint64_t a, uint64_t n) const override {
        return fail_unmap && fails() ? -12 : HostMemory::unmap(a, n);
    }
    int64_t protect(uint64_t a, uint64_t n, int p) const override {
        protects++;
        return fails() ? -12 : HostMemory::protect(a, n, p);
    }
    int64_t remap(uint64_t a, uint64_t n, uint64_t m, int f, uint64_t t) const override {
        return fails() ? -12 : HostMemory::remap(a, n, m, f, t);
    }
    int64_t advise(uint64_t a, uint64_t n, int advice) const override {
        return fails() ? -12 : HostMemory::advise(a, n, advice);
    }
    int64_t lock(uint64_t a, uint64_t n, unsigned f) const override {
        return fails() ? -12 : HostMemory::lock(a, n, f);
    }
    int64_t unlock(uint64_t a, uint64_t n) const override { return fails() ? -12 : HostMemory::unlock(a, n); }
    int64_t read_file(int fd, void* to, uint64_t n, uint64_t o) const override {
        return fails() ? -5 : HostMemory::read_file(fd, to, n < most_read ? n : most_read, o);
    }
    int64_t attach(int id, uint64_t a, int f) const override {
        return fails() ? -12 : HostMemory::attach(id, a, f);
    }

  private:
    bool fails() const {
        const int call = calls++;
        return call == fail_at || (onwards && call > fail_at);
    }
};

// A host whose memory is all talk: for counts of intervals beyond any real host's.
class NoHostMemory : public user::HostMemory {
  public:
    int64_t map(uint64_t a, uint64_t, int, int, int, uint64_t) const override {
        return static_cast<int64_t>(a);
    }
    int64_t unmap(uint64_t, uint64_t) const override { return 0; }
    int64_t protect(uint64_t, uint64_t, int) const override { return 0; }
    int64_t remap(uint64_t, uint64_t, uint64_t, int, uint64_t t) const override {
        return static_cast<int64_t>(t);
    }
    int64_t advise(uint64_t, uint64_t, int) const override { return 0; }
    int64_t resident(uint64_t, uint64_t, unsigned char*) const override { return -12; }
};

}  // namespace weft::test
