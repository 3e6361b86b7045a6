// The vCPUs of a machine, by index.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// A place is written by the machine's control calls and read by anybody who is an online reader of the accelerator's
// epochs, or a control call: a vCPU that was taken out is destroyed a grace period later. Sequentially consistent: who
// ends TBs and then asks all vCPUs to drop them either finds a new vCPU here, or that one finds the TBs ended.
class VcpuList {
  public:
    explicit VcpuList(uint32_t capacity)
        : places_(std::make_unique<std::atomic<Vcpu*>[]>(capacity)), capacity_(capacity) {}

    uint32_t capacity() const { return capacity_; }
    Vcpu* at(uint32_t index) const {
        return index < capacity_ ? places_[index].load(std::memory_order_seq_cst) : nullptr;
    }
    void set(uint32_t index, Vcpu* vcpu) { places_[index].store(vcpu, std::memory_order_seq_cst); }

    template <class Fn>
    void for_each(Fn&& fn) const {
        for (uint32_t i = 0; i < capacity_; ++i) {
            if (Vcpu* vcpu = at(i)) {
                fn(*vcpu);
            }
        }
    }

  private:
    const std::unique_ptr<std::atomic<Vcpu*>[]> places_;
    const uint32_t capacity_;
};

}  // namespace weft::accel
