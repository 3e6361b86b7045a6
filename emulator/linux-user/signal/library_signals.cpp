#include "emulator/linux-user/signal/library_signals.h"

#include <pthread.h>

#include <cstddef>
#include <cstdint>

#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

namespace {

constexpr int kCancel = 32;
constexpr int kSetAllIds = 33;

// Larger than any space of addresses: no thread comes of it, so that the process is one of a single thread throughout. What the first
// call does, it does before it looks for a stack.
constexpr size_t kNoStack = size_t{1} << 62;

void* no_thread(void* argument) { return argument; }

}  // namespace

void settle_library_signals() {
    const uint64_t mask = host_mask();
    abi::HostSigaction cancel{};
    abi::HostSigaction set_all_ids{};
    host_sigaction(kCancel, nullptr, &cancel);
    host_sigaction(kSetAllIds, nullptr, &set_all_ids);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kNoStack);
    pthread_t thread{};
    if (pthread_create(&thread, &attributes, no_thread, nullptr) == 0) {
        pthread_join(thread, nullptr);
    }
    pthread_attr_destroy(&attributes);
    host_sigaction(kCancel, &cancel, nullptr);
    host_sigaction(kSetAllIds, &set_all_ids, nullptr);
    set_host_mask(mask);
}

}  // namespace weft::user
