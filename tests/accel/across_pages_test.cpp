// Accesses that cross a page's end are two, one in each page: both are looked up, each as a whole, before anything happens. And
// loads that reserve.
#include <catch2/catch.hpp>

#include <functional>
#include <vector>

#include "accel/tcg/vcpu/vcpu.h"
#include "tests/accel/toy_machine.h"

using namespace weft;
using weft::accel::SoftMmu;

namespace {

constexpr uint64_t kEnd = 0x3000;  // of a page
constexpr uint64_t kLow = 0x1122334455667788;
constexpr uint64_t kHigh = 0x99aabbccddeeff00;
constexpr uint8_t kAllRights = kProtRead | kProtWrite | kProtExec;
constexpr unsigned kMode = 1;

// One vCPU, whose mode 1 is mapped one to one. What is mapped there is looked up each time.
class World {
  public:
    World() : machine(1) {
        machine.add(0);
        machine.cpu(0).walk = [this](const WalkRequest& request, WalkResult* result) {
            requests.push_back(request);
            *result = {request.vaddr, kAllRights, kPageBits, false, true};
            return !refuses || !refuses(request);
        };
        put(kEnd - 8, kLow);
        put(kEnd, kHigh);
    }

    SoftMmu& mmu() { return machine.vcpu(0)->softmmu(); }
    void put(uint64_t address, uint64_t value) {
        std::vector<uint8_t> bytes;
        for (unsigned i = 0; i < 8; ++i) {
            bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
        }
        machine.poke(address, bytes);
    }
    bool unchanged() const { return machine.peek(kEnd - 8) == kLow && machine.peek(kEnd) == kHigh; }
    // Makes the access with part `refused` (0 or 1; 2: none) refused.
    bool access(bool store, uint64_t address, unsigned size_log2, unsigned refused, uint64_t* value) {
        requests.clear();
        refuses = [=](const WalkRequest& request) { return (request.vaddr >= kEnd ? 1u : 0u) == refused; };
        const uint32_t memop = ir::MemOp(size_log2, kMode).bits();
        return store ? mmu().store(address, memop, *value) : mmu().load(address, memop, value);
    }

    toy::Machine machine;
    std::vector<WalkRequest> requests;
    std::function<bool(const WalkRequest&)> refuses;
};

}  // namespace

TEST_CASE("an access across pages has the rights to all of each part, or no effect", "[softmmu]") {
    World world;
    for (unsigned size_log2 = 1; size_log2 <= 3; ++size_log2) {
        const unsigned size = 1u << size_log2;
        for (unsigned first = 1; first < size; ++first) {
            for (const bool store : {false, true}) {
                for (unsigned refused = 0; refused < 2; ++refused) {
                    CAPTURE(size, first, store, refused);
                    uint64_t value = 0;
                    REQUIRE_FALSE(world.access(store, kEnd - first, size_log2, refused, &value));
                    REQUIRE(world.unchanged());
                    REQUIRE(world.requests.size() == refused + 1);
                    const Access access = store ? Access::store : Access::load;
                    CHECK(world.requests[0].vaddr == kEnd - first);
                    CHECK(world.requests[0].size == first);
                    CHECK(world.requests[0].access == access);
                    if (refused == 1) {
                        CHECK(world.requests[1].vaddr == kEnd);
                        CHECK(world.requests[1].size == size - first);
                        CHECK(world.requests[1].access == access);
                    }
                }
            }
        }
    }
}

TEST_CASE("an access across pages accesses all of its bytes", "[softmmu]") {
    World world;
    constexpr unsigned kNone = 2;
    for (unsigned size_log2 = 1; size_log2 <= 3; ++size_log2) {
        const unsigned size = 1u << size_log2;
        const uint64_t mask = size == 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * size) - 1;
        for (unsigned first = 1; first < size; ++first) {
            CAPTURE(size, first);
            world.put(kEnd - 8, kLow);
            world.put(kEnd, kHigh);
            const auto expected = [&] { return (kLow >> (64 - 8 * first) | kHigh << 8 * first) & mask; };
            uint64_t value = 0;
            REQUIRE(world.access(false, kEnd - first, size_log2, kNone, &value));
            CHECK(value == expected());
            uint64_t stored = 0xa1a2a3a4a5a6a7a8 & mask;
            REQUIRE(world.access(true, kEnd - first, size_log2, kNone, &stored));
            const uint64_t low_mask = ~uint64_t{0} << (64 - 8 * first);
            const uint64_t high_mask = mask >> 8 * first;
            CHECK(world.machine.peek(kEnd - 8) == ((kLow & ~low_mask) | stored << (64 - 8 * first)));
            CHECK(world.machine.peek(kEnd) == ((kHigh & ~high_mask) | stored >> 8 * first));
        }
    }
}

TEST_CASE("a load that reserves faults on a device, which does not notice", "[softmmu]") {
    toy::Machine machine(1);
    machine.add(0);
    SoftMmu& mmu = machine.vcpu(0)->softmmu();
    toy::State& state = toy::state_of(machine.state(0));
    uint64_t value = 1;
    const uint32_t memop = ir::MemOp(3, 0, ir::MemOp::kAligned | ir::MemOp::kReserve).bits();
    // Whether or not a load before left the page in the TLB.
    for (unsigned i = 0; i < 2; ++i) {
        state.exception_cause = 0;
        CHECK_FALSE(mmu.load(toy::kDevice, memop, &value));
        CHECK(state.exception_cause == toy::kLoadFault);
        CHECK(state.exception_tval == toy::kDevice);
        CHECK(value == 1);
        uint64_t plain = 1;
        CHECK(mmu.load(toy::kDevice, ir::MemOp(3, 0).bits(), &plain));
        CHECK(plain == 0);
    }
    machine.poke(0x2000, {7, 0, 0, 0, 0, 0, 0, 0});
    CHECK(mmu.load(0x2000, memop, &value));
    CHECK(value == 7);
}
