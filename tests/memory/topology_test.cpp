#include "emulator/memory/topology.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "emulator/memory/reader.h"
#include "tests/support/random.h"
#include "tests/support/wait.h"

namespace weft::mem {
namespace {

const MemoryRegionOps kSilent = {
    .read =
        [](void* opaque, uint64_t, unsigned, uint64_t* value) {
            *value = static_cast<std::atomic<uint64_t>*>(opaque)->fetch_add(1);
            return DeviceStatus::ok;
        },
    .write = [](void*, uint64_t, unsigned, uint64_t) { return DeviceStatus::ok; },
    .valid = {},
    .impl = {},
};

// Collects what it is asked to acknowledge.
struct Listener : TopologyListener {
    struct Pending {
        void (*done)(void*);
        void* opaque;
    };
    std::vector<Pending> pending;
    void topology_changed(void (*done)(void* opaque), void* opaque) override {
        pending.push_back({done, opaque});
    }
    void acknowledge() {
        for (const Pending& one : std::exchange(pending, {})) {
            one.done(one.opaque);
        }
    }
};

PageKind kind_at(Reader& reader, uint64_t paddr) {
    PageTarget target;
    reader.lookup(paddr, &target);
    return target.kind;
}

TEST_CASE("address spaces with the same effective root share one view") {
    Topology topology;
    std::atomic<uint64_t> counter{0};
    const RegionPtr system = topology.container("system", kEntireSpace);
    system->add_subregion(0x1000, topology.io("a", 0x1000, kSilent, &counter, nullptr));
    system->add_subregion(0x4000, topology.io("b", 0x1000, kSilent, &counter, nullptr));
    AddressSpace cpu(topology, "cpu", system);
    CHECK(topology.view_count() == 1);

    // Twenty bus masters behind wrappers of their own, as behind a bus bridge.
    std::vector<RegionPtr> masters;
    std::vector<std::unique_ptr<AddressSpace>> spaces;
    for (int i = 0; i < 20; ++i) {
        const RegionPtr wrapper = topology.container("master", kEntireSpace);
        const RegionPtr window = topology.alias("window", system, 0, kEntireSpace);
        wrapper->add_subregion(0, window);
        masters.push_back(window);
        spaces.push_back(std::make_unique<AddressSpace>(topology, "device", wrapper));
    }
    CHECK(topology.view_count() == 1);
    CHECK(&spaces[3]->view() == &cpu.view());

    // Those switched off share the empty view, with one that has no root at all.
    masters[3]->set_enabled(false);
    masters[4]->set_enabled(false);
    AddressSpace nothing(topology, "nothing", nullptr);
    CHECK(topology.view_count() == 2);
    CHECK(&spaces[3]->view() == &nothing.view());
    CHECK(&spaces[4]->view() == &nothing.view());
    CHECK(spaces[3]->view().ranges().empty());
    masters[3]->set_enabled(true);
    CHECK(&spaces[3]->view() == &cpu.view());

    // A window that starts elsewhere is a view of its own.
    masters[5]->set_target_offset(0x1000);
    CHECK(topology.view_count() == 3);
    spaces[5]->set_root(system);
    CHECK(topology.view_count() == 2);
}

TEST_CASE("what an exception ends is not published before the next transaction") {
    Topology topology;
    std::atomic<uint64_t> counter{0};
    const RegionPtr root = topology.container("root", kEntireSpace);
    AddressSpace space(topology, "cpu", root);
    Reader reader(space);
    try {
        Transaction outer(topology);
        root->add_subregion(0, topology.io("a", 0x1000, kSilent, &counter, nullptr));
        throw std::bad_alloc();
    } catch (const std::bad_alloc&) {
        CHECK(kind_at(reader, 0) == PageKind::unassigned);
    }
    root->add_subregion(0x1000, topology.io("b", 0x1000, kSilent, &counter, nullptr));
    CHECK(kind_at(reader, 0) == PageKind::device);
    CHECK(kind_at(reader, 0x1000) == PageKind::device);
}

TEST_CASE("only the outermost transaction commits") {
    Topology topology;
    std::atomic<uint64_t> counter{0};
    const RegionPtr root = topology.container("root", kEntireSpace);
    AddressSpace space(topology, "cpu", root);
    Reader reader(space);
    Listener listener;
    topology.add_listener(listener);
    {
        Transaction outer(topology);
        root->add_subregion(0, topology.io("a", 0x1000, kSilent, &counter, nullptr));
        {
            Transaction inner(topology);
            root->add_subregion(0x1000, topology.io("b", 0x1000, kSilent, &counter, nullptr));
        }
        CHECK(kind_at(reader, 0) == PageKind::unassigned);
        CHECK(kind_at(reader, 0x1000) == PageKind::unassigned);
        CHECK(listener.pending.empty());
    }
    CHECK(kind_at(reader, 0) == PageKind::device);
    CHECK(kind_at(reader, 0x1000) == PageKind::device);
    CHECK(listener.pending.size() == 1);
    listener.acknowledge();

    // Nothing seen differently, nobody told, and the view is the same one.
    const FlatView* const before = &space.view();
    const RegionPtr hidden = topology.io("hidden", 0x1000, kSilent, &counter, nullptr);
    root->add_subregion(0, hidden, -1);
    root->remove_subregion(*hidden);
    CHECK(&space.view() == before);
    CHECK(listener.pending.empty());
    topology.remove_listener(listener);
}

TEST_CASE("RAM stays mapped until the listeners have acknowledged that it went") {
    Topology topology;
    const RegionPtr root = topology.container("root", kEntireSpace);
    AddressSpace space(topology, "cpu", root);
    Reader reader(space);
    Listener first, second;
    topology.add_listener(first);
    topology.add_listener(second);
    auto block = topology.allocate_ram("hotplug", 0x1000).value();
    const std::weak_ptr<RamBlock> watch = block;
    RegionPtr region = topology.ram(std::move(block));
    root->add_subregion(0, region);
    first.acknowledge();
    second.acknowledge();

    root->remove_subregion(*region);
    region.reset();
    CHECK(kind_at(reader, 0) == PageKind::unassigned);
    CHECK(!watch.expired());
    first.acknowledge();
    kind_at(reader, 0);
    CHECK(!watch.expired());
    second.acknowledge();
    // The next read section that ends reclaims.
    kind_at(reader, 0);
    CHECK(watch.expired());
    CHECK(topology.ram_space().size() == 0);
    topology.remove_listener(first);
    topology.remove_listener(second);
}

TEST_CASE("a view goes when its readers have left it, and takes what it kept alive along") {
    struct Remapper {
        Topology* topology;
        RegionPtr root, region;
        std::weak_ptr<int>* watch;
        bool alive_inside = false;
        static DeviceStatus read(void* opaque, uint64_t, unsigned, uint64_t* value) {
            auto& self = *static_cast<Remapper*>(opaque);
            // The region goes while one of its own functions runs.
            self.root->remove_subregion(*self.region);
            self.region.reset();
            self.alive_inside = !self.watch->expired();
            *value = 0;
            return DeviceStatus::ok;
        }
    };
    static constexpr MemoryRegionOps kOps = {Remapper::read, nullptr, {}, {}};
    Topology topology;
    const RegionPtr root = topology.container("root", kEntireSpace);
    AddressSpace space(topology, "cpu", root);
    Reader reader(space);
    auto owner = std::make_shared<int>(1);
    std::weak_ptr<int> watch = owner;
    Remapper remapper{&topology, root, nullptr, &watch};
    remapper.region = topology.io("device", 0x1000, kOps, &remapper, nullptr, std::move(owner));
    root->add_subregion(0, remapper.region);
    uint64_t value = 1;
    CHECK(reader.device_read(0, 4, &value) == DeviceStatus::ok);
    CHECK(remapper.alive_inside);
    CHECK(watch.expired());
}

TEST_CASE("readers and writers at once: every access sees one whole state") {
    // The device is at one of two places; both are changed in one transaction, with RAM that comes and goes.
    Topology topology;
    std::atomic<uint64_t> counter{0};
    const RegionPtr root = topology.container("root", kEntireSpace);
    const RegionPtr left = topology.io("left", 0x1000, kSilent, &counter, nullptr);
    const RegionPtr right = topology.io("right", 0x1000, kSilent, &counter, nullptr);
    root->add_subregion(0, left);
    root->add_subregion(0x1000, right);
    right->set_enabled(false);
    AddressSpace space(topology, "cpu", root);
    AddressSpace dma(topology, "dma", root);

    constexpr int kReaders = 3;
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> wrong{0};
    std::atomic<int> started{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kReaders; ++i) {
        threads.emplace_back([&, i] {
            Reader reader(i == 0 ? dma : space);
            test::Random random(test::test_seed() + static_cast<uint64_t>(i));
            started.fetch_add(1);
            while (!stop.load()) {
                const uint64_t address = random.below(0x2000) & ~uint64_t{7};
                // Eight bytes over the border: one half answers, never both, never none.
                uint64_t value = 0;
                const DeviceStatus border = reader.device_read(0xffc, 8, &value);
                PageTarget target;
                reader.lookup(address, &target);
                reader.device_read(address, 8, &value);
                std::array<uint8_t, 64> bytes;
                const DeviceStatus ram = reader.read(0x10000, bytes);
                if (border != DeviceStatus::unassigned || ram == DeviceStatus::bus_error ||
                    target.kind == PageKind::ram) {
                    wrong.fetch_add(1);
                }
            }
        });
    }
    test::wait_until([&] { return started.load() == kReaders; });
    for (int round = 0; round < 400; ++round) {
        RegionPtr ram;
        {
            Transaction transaction(topology);
            left->set_enabled(round % 2 != 0);
            right->set_enabled(round % 2 == 0);
            ram = topology.ram(topology.allocate_ram("ram", 0x1000).value());
            root->add_subregion(0x10000, ram);
        }
        std::this_thread::yield();
        root->remove_subregion(*ram);
    }
    stop.store(true);
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong.load() == 0);
    topology.epochs().poll();
    CHECK(topology.epochs().waiting() == 0);
    CHECK(topology.ram_space().size() == 0);
}

TEST_CASE("views as text") {
    Topology topology;
    std::atomic<uint64_t> counter{0};
    const RegionPtr root = topology.container("system", kEntireSpace);
    const auto ram = topology.allocate_ram("riscv.ram", 0x4000).value();
    root->add_subregion(0x80000000, topology.ram(ram));
    root->add_subregion(0x80001000, topology.io("patch", 0x1000, kSilent, &counter, nullptr), 1);
    AddressSpace cpu(topology, "cpu", root);
    AddressSpace other(topology, "dma", topology.alias("window", root, 0, kEntireSpace));
    AddressSpace nothing(topology, "none", nullptr);
    CHECK(topology.describe_views() ==
          "FlatView #0\n"
          "  address space \"cpu\", root \"system\"\n"
          "  address space \"dma\", root \"window\"\n"
          "  0000000080000000-0000000080000fff ram riscv.ram\n"
          "  0000000080001000-0000000080001fff i/o patch\n"
          "  0000000080002000-0000000080003fff ram riscv.ram @0000000000002000\n"
          "FlatView #1\n"
          "  address space \"none\", root \"\"\n"
          "  nothing\n");
}

TEST_CASE("regions as text") {
    Topology topology;
    std::atomic<uint64_t> counter{0};
    const RegionPtr root = topology.container("system", kEntireSpace);
    const auto ram = topology.allocate_ram("riscv.ram", 0x4000).value();
    const RegionPtr ram_region = topology.ram(ram);
    const RegionPtr box = topology.container("box", 0x10000);
    root->add_subregion(0x80000000, box, 2);
    box->add_subregion(0x2000, ram_region);
    // By address, not in the order of priorities or of adding; priorities decide what is seen, not where it stands.
    const RegionPtr patch = topology.io("patch", 0x1000, kSilent, &counter, nullptr);
    box->add_subregion(0x1000, patch, -1);
    patch->set_enabled(false);
    root->add_subregion(0x10000000, topology.alias("window", ram_region, 0x1000, 0x2000), 1);
    AddressSpace cpu(topology, "cpu", root);
    AddressSpace dma(topology, "dma", root);
    AddressSpace other(topology, "other", box);
    AddressSpace nothing(topology, "none", nullptr);
    CHECK(topology.describe_regions() ==
          "address space \"cpu\"\n"
          "address space \"dma\"\n"
          "  0000000000000000-ffffffffffffffff (prio 0, container): system\n"
          "    0000000010000000-0000000010001fff (prio 1, alias): window @riscv.ram "
          "0000000000001000-0000000000002fff\n"
          "    0000000080000000-000000008000ffff (prio 2, container): box\n"
          "      0000000080001000-0000000080001fff (prio -1, i/o): patch [disabled]\n"
          "      0000000080002000-0000000080005fff (prio 0, ram): riscv.ram\n"
          "address space \"other\"\n"
          "  0000000000000000-000000000000ffff (prio 0, container): box\n"
          "    0000000000001000-0000000000001fff (prio -1, i/o): patch [disabled]\n"
          "    0000000000002000-0000000000005fff (prio 0, ram): riscv.ram\n");
}

}  // namespace
}  // namespace weft::mem
