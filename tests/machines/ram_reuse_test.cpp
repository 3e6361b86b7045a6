// RAM that goes and comes again at the same offset: what was translated from the old block is not run in the new one. The
// memory is the emulator's, the vCPU the toy's.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/assert.h"
#include "emulator/memory/reader.h"
#include "emulator/memory/topology.h"
#include "tests/accel/toy_machine.h"
#include "tests/support/wait.h"
#include "weft/guest_ram.h"

namespace weft {
extern "C" const AccelDescriptor weft_accelerator;
}

using namespace toy;
using weft::test::wait_until;
namespace mem = weft::mem;

namespace {

constexpr uint64_t kMain = 0x1000;       // waits for interrupts
constexpr uint64_t kHandler = 0x2000;    // runs what is at kPlugged, and tells its number
constexpr uint64_t kPlugged = 0x200000;  // `li r1, N; jr r12`

// The last value that the guest stored, and how many there were.
struct Told {
    std::atomic<uint64_t> value{0};
    std::atomic<uint64_t> count{0};
};

const weft::mem::MemoryRegionOps kTell = {
    .read = [](void*, uint64_t, unsigned, uint64_t*) { return weft::DeviceStatus::ok; },
    .write =
        [](void* opaque, uint64_t, unsigned, uint64_t value) {
            auto& told = *static_cast<Told*>(opaque);
            told.value = value;
            ++told.count;
            return weft::DeviceStatus::ok;
        },
    .valid = {},
    .impl = {},
};

class Board : private mem::TopologyListener {
  public:
    explicit Board(const char* backend_name) {
        host_.warn = [](void*, const char*) {};
        host_.log_enabled = [](void*, unsigned) { return false; };
        host_.fatal = [](void*, const char*) { WEFT_ASSERT(false); };
        const auto main = topology.allocate_ram("main", 0x10000).value();
        root->add_subregion(0, topology.ram(main));
        root->add_subregion(kDevice, topology.io("device", 0x1000, kTell, &told, nullptr));
        write(*main, program());
        write(*main, handler());

        const Machine::Properties given{{"backend", backend_name}};
        const auto properties = property_values(given);
        config_ = {.guest = &guest_arch(),
                   .memory = &mem::memory_ops(),
                   .host = &host_,
                   .properties = properties.data(),
                   .max_vcpus = 1,
                   .user = nullptr};
        const weft::ErrorSink errors{[](void*, const char*) { WEFT_ASSERT(false); }, nullptr};
        instance_ = weft::weft_accelerator.create(&config_, &errors);
        REQUIRE(instance_ != nullptr);
        topology.set_write_hooks({[](void* self, weft::RamWrite* write) {
                                      ops().ram_write_begins(static_cast<Board*>(self)->instance_, write);
                                  },
                                  [](void* self, weft::RamWrite* write) {
                                      ops().ram_written(static_cast<Board*>(self)->instance_, write);
                                  },
                                  this});
        topology.add_listener(*this);
        cpu_.reset_pc = kMain;
        cpu_.vector = kHandler;
        const weft::VcpuConfig vcpu{.index = 0, .guest = &cpu_, .address_space = &space};
        REQUIRE(ops().vcpu_create(instance_, &vcpu, &vcpu_, &state_, &errors));
        REQUIRE(ops().resume(instance_, &errors));
    }
    ~Board() {
        ops().vcpu_destroy(instance_, vcpu_);
        topology.remove_listener(*this);
        topology.set_write_hooks({});
        ops().destroy(instance_);
    }

    // Plugs a block whose code gives `number`; where it lies in the space of offsets.
    uint64_t plug(int64_t number) {
        auto block = topology.allocate_ram("plugged", 0x1000).value();
        Assembler code(0);
        code.li(1, number);
        code.op(Opcode::jr, 12);
        write(*block, code);
        const uint64_t offset = block->ram_offset();
        watch_ = block;
        plugged_ = topology.ram(std::move(block));
        root->add_subregion(kPlugged, plugged_);
        return offset;
    }
    // Returns when the block is gone.
    void unplug() {
        root->remove_subregion(*plugged_);
        plugged_.reset();
        wait_until([this] {
            topology.epochs().poll();
            return watch_.expired();
        });
    }
    // What the plugged code gives.
    uint64_t run() {
        const uint64_t before = told.count;
        interrupt(state_);
        wait_until([&] { return told.count != before; });
        return told.value;
    }

  private:
    static const weft::AccelOps& ops() { return *weft::weft_accelerator.ops; }

    static Assembler program() {
        Assembler code(kMain);
        code.op(Opcode::ei);
        const uint64_t loop = code.pc();
        code.op(Opcode::halt);
        code.jmp(loop);
        return code;
    }
    static Assembler handler() {
        Assembler code(kHandler);
        code.li(8, static_cast<int64_t>(kPlugged));
        const auto back = code.li_later(12);
        code.op(Opcode::jr, 8);
        code.land(back);
        code.li(13, static_cast<int64_t>(kDevice));
        code.op(Opcode::st, 1, 13);
        code.op(Opcode::iret);
        return code;
    }
    static void write(const mem::RamBlock& block, const Assembler& code) {
        weft::guest_ram::write(block.host() + code.pc() - code.bytes().size(), code.bytes().data(),
                               code.bytes().size());
    }

    void topology_changed(void (*done)(void* opaque), void* opaque) override {
        ops().topology_changed(instance_, done, opaque);
    }

    Told told;
    mem::Topology topology;
    mem::RegionPtr root = topology.container("root", mem::kEntireSpace);
    mem::AddressSpace space{topology, "cpu", root};
    mem::RegionPtr plugged_;
    std::weak_ptr<mem::RamBlock> watch_;
    weft::HostServices host_{};
    weft::AccelConfig config_{};
    weft::AccelInstance* instance_ = nullptr;
    Cpu cpu_;
    weft::Vcpu* vcpu_ = nullptr;
    void* state_ = nullptr;
};

}  // namespace

namespace {

const char* backend() {
    const char* const name = std::getenv("WEFT_TEST_BACKEND");
    return name != nullptr ? name : "interp";
}

}  // namespace

TEST_CASE("code of a block that is gone is not run in another one at its offset") {
    Board board(backend());
    const uint64_t offset = board.plug(1);
    for (uint64_t number = 1; number < 20; ++number) {
        REQUIRE(board.run() == number);
        REQUIRE(board.run() == number);
        board.unplug();
        REQUIRE(board.plug(static_cast<int64_t>(number + 1)) == offset);
    }
    REQUIRE(board.run() == 20);
}
