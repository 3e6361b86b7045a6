// Places in an EpochDomain for readers that have none of their own: functions that any thread may call, with no object of
// its to keep one in.
//
// A place is taken for one read section. Who reads and writes a place's Reader: the thread that took it; what orders one after the
// other: `taken`. Taking one is an atomic exchange; only when all are taken at once, a reader is registered for the section, which
// takes the domain's own mutex, a leaf.
#pragma once

#include <atomic>
#include <deque>
#include <optional>

#include "base/cache_line.h"
#include "base/epoch.h"

namespace weft::user {

class ReaderPool {
  public:
    class Loan;

    explicit ReaderPool(EpochDomain& domain) : domain_(domain) {
        for (unsigned i = 0; i < kPlaces; i++) {
            places_.emplace_back(domain);
        }
    }
    // In a forked process, on its only thread, which has none: what other threads had borrowed is here again.
    void fork_child() {
        for (Place& place : places_) {
            if (place.taken.exchange(false, std::memory_order_acquire) && place.reader.online()) {
                place.reader.go_offline();
            }
        }
    }
    ReaderPool(const ReaderPool&) = delete;
    ReaderPool& operator=(const ReaderPool&) = delete;

  private:
    // Sections last for a search in a tree. Each place costs every publisher a look.
    static constexpr unsigned kPlaces = 16;

    struct alignas(kCacheLine) Place {
        explicit Place(EpochDomain& domain) : reader(domain) {}
        std::atomic<bool> taken{false};
        EpochDomain::Reader reader;
    };

    EpochDomain& domain_;
    std::deque<Place> places_;
};

// A reader for a scope, offline at its begin and end. The calling thread's.
class ReaderPool::Loan {
  public:
    explicit Loan(ReaderPool& pool) {
        for (Place& place : pool.places_) {
            // Acquire; pairs with the release below.
            if (!place.taken.load(std::memory_order_relaxed) &&
                !place.taken.exchange(true, std::memory_order_acquire)) {
                place_ = &place;
                return;
            }
        }
        own_.emplace(pool.domain_);
    }
    ~Loan() {
        if (place_ != nullptr) {
            place_->taken.store(false, std::memory_order_release);
        }
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    EpochDomain::Reader& operator*() { return place_ != nullptr ? place_->reader : *own_; }

  private:
    Place* place_ = nullptr;
    std::optional<EpochDomain::Reader> own_;
};

}  // namespace weft::user
