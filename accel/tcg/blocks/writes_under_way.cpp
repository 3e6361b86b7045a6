#include "accel/tcg/blocks/writes_under_way.h"

namespace weft::accel {

WritesUnderWay::WritesUnderWay(uint32_t vcpus) : vcpus_(vcpus), stores_(std::make_unique<Place[]>(vcpus)) {}

void WritesUnderWay::begin(RamWrite& write) {
    SpinLockGuard guard(lock_);
    count_.fetch_add(1, std::memory_order_seq_cst);
    write.number = ++last_number_;
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

size_t WritesUnderWay::part_of_list(uint64_t* before, std::array<Bytes, kPart>& part) const {
    size_t count = 0;
    SpinLockGuard guard(lock_);
    for (const RamWrite* write = writes_; write != nullptr && count < kPart; write = write->next) {
        if (write->number < *before) {
            *before = write->number;
            part[count++] = {write->ram_offset, write->size};
        }
    }
    return count;
}

}  // namespace weft::accel
