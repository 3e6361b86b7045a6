#include "accel/tcg/topology_change.h"

#include <atomic>
#include <cstdint>
#include <memory>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// Every vCPU forgets host addresses, in a first round of work items. What vCPUs asked of each other before they forgot
// (the comparison of provisional TBs, which reads guest RAM) was queued before a second round, so that nobody reads the
// memory that went when that is over.
struct TopologyChange {
    EpochDomain& epochs;
    const CodeUsers& vcpus;
    void (*done)(void* opaque);
    void* opaque;
    bool second = false;  // by whoever starts the round, before its items are posted
    // Items of this round, and one for who posts them; sequentially consistent.
    std::atomic<uint32_t> left{0};
    // An item a vCPU, by index, for one round after the other: a change that has begun comes to its end without memory.
    std::unique_ptr<WorkItem[]> items = std::make_unique<WorkItem[]>(vcpus.capacity());

    static void forget(void* change, void* state) {
        state_header(state).vcpu->forget_memory();
        static_cast<TopologyChange*>(change)->one_done();
    }
    static void nothing(void* change, void*) { static_cast<TopologyChange*>(change)->one_done(); }

    void round(void (*item)(void* opaque, void* state)) {
        EpochDomain::Reader reader(epochs);
        reader.go_online();
        left.store(1);
        vcpus.for_each([&](CodeUser& user) {
            left.fetch_add(1);
            Vcpu& vcpu = vcpu_of(user);
            items[vcpu.index] = {.kind = VcpuWork::async, .run = item, .opaque = this};
            vcpu.thread().post(vcpu, items[vcpu.index]);
        });
        one_done();
    }

    void one_done() {
        if (left.fetch_sub(1) != 1) {
            return;
        }
        if (!second) {
            second = true;
            round(&nothing);
        } else {
            done(opaque);
            delete this;
        }
    }
};

}  // namespace

void change_topology(EpochDomain& epochs, const CodeUsers& vcpus, void (*done)(void* opaque), void* opaque) {
    auto* change = new TopologyChange{.epochs = epochs, .vcpus = vcpus, .done = done, .opaque = opaque};
    change->round(&TopologyChange::forget);
}

}  // namespace weft::accel
