// System calls that fail on demand.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <climits>

#include "base/host_calls.h"

namespace weft::test {

// Makes the call number `fail_at` (from 0, over all kinds together) fail with `error`, and counts them all.
// Unmapping is neither counted nor failed: it is how the others are undone.
//
// To fail each call of an operation in turn: run it with fail_at = 0, 1, 2... until it succeeds.
class FailingHostCalls : public HostCalls {
  public:
    explicit FailingHostCalls(int fail_at = INT_MAX, int error = ENOMEM) : fail_at_(fail_at), error_(error) {}

    int calls() const { return calls_.load(); }
    bool failed() const { return calls() > fail_at_; }

    void* map(void* address, std::size_t size, int prot, int flags, int fd, off_t offset) const override {
        return fails() ? MAP_FAILED : HostCalls::map(address, size, prot, flags, fd, offset);
    }
    int protect(void* address, std::size_t size, int prot) const override {
        return fails() ? -1 : HostCalls::protect(address, size, prot);
    }
    int advise(void* address, std::size_t size, int advice) const override {
        return fails() ? -1 : HostCalls::advise(address, size, advice);
    }
    int create_memfd(const char* name, unsigned flags) const override {
        return fails() ? -1 : HostCalls::create_memfd(name, flags);
    }
    int truncate(int fd, off_t size) const override { return fails() ? -1 : HostCalls::truncate(fd, size); }
    int create_eventfd(unsigned initial, int flags) const override {
        return fails() ? -1 : HostCalls::create_eventfd(initial, flags);
    }
    int create_thread(pthread_t* thread, const pthread_attr_t* attributes, void* (*entry)(void*),
                      void* argument) const override {
        return fails() ? error_ : HostCalls::create_thread(thread, attributes, entry, argument);
    }

  private:
    bool fails() const {
        if (calls_.fetch_add(1) != fail_at_) {
            return false;
        }
        errno = error_;
        return true;
    }

    const int fail_at_;
    const int error_;
    mutable std::atomic<int> calls_{0};
};

}  // namespace weft::test
