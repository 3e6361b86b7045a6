#include "accel/tcg/blocks/writes_under_way.h"

namespace weft::accel {

WritesUnderWay::WritesUnderWay(uint32_t vcpus) : vcpus_(vcpus), stores_(std::make_unique<Place[]>(vcpus)) {}

void WritesUnderWay::begin(RamWrite& write) {
    SpinLockGuard guard(lock_);
    count_.fetch_add(1, std::memory_order_seq_cst);
    write.next = writes_;
    write.previous_next = &writes_;
    if (writes_ != nullptr) {
        writes_->previous_next = &write.next;
    }
    writes_ = &write;
}

void WritesUnderWay::end(RamWrite& write) {
    SpinLockGuard guard(lock_);
    *write.previous_next = write.next;
    if (write.next != nullptr) {
        write.next->previous_next = write.previous_next;
    }
    count_.fetch_sub(1, std::memory_order_seq_cst);
}

std::vector<WritesUnderWay::Bytes> WritesUnderWay::list() const {
    std::vector<Bytes> result;
    SpinLockGuard guard(lock_);
    for (const RamWrite* write = writes_; write != nullptr; write = write->next) {
        result.push_back({write->ram_offset, write->size});
    }
    return result;
}

}  // namespace weft::accel
