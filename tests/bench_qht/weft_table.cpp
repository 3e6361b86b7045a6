#include <bit>

#include "tests/bench_qht/tables.h"

namespace weft::bench {

// Half of the places in head buckets are taken in the beginning: between what is left after growing, and what makes it
// grow.
WeftTable::WeftTable(std::uint64_t entries) {
    auto table = QhtOf<Traits>::create(epochs_, std::bit_ceil(entries) / (Qht::kEntries / 2));
    WEFT_ASSERT(table);
    table_ = std::make_unique<QhtOf<Traits>>(std::move(*table));
}

WeftTable::~WeftTable() {
    table_->for_each([](Object& object) { delete &object; });
}

WeftTable::Thread::~Thread() { self_.domain().synchronize(&self_); }

bool WeftTable::insert(Thread& thread, std::uint64_t key) {
    if (thread.spare_ == nullptr) {
        thread.spare_ = std::make_unique<Object>();
    }
    thread.spare_->key = key;
    if (table_->insert(*thread.spare_) != nullptr) {
        return false;
    }
    (void)thread.spare_.release();
    return true;
}

bool WeftTable::remove(Thread& thread, std::uint64_t key) {
    Object* const object = table_->find(key);
    if (object == nullptr || !table_->remove(*object)) {
        return false;
    }
    thread.removed_.emplace_back(object);
    return true;
}

void WeftTable::quiescent(Thread& thread) {
    thread.self_.quiescent();
    if (thread.removed_.size() >= kBatch) {
        epochs_.synchronize(&thread.self_);
        thread.removed_.clear();
    }
}

}  // namespace weft::bench
