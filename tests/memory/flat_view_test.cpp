#include "emulator/memory/flat_view.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "emulator/memory/reader.h"
#include "emulator/memory/topology.h"
#include "tests/support/random.h"

namespace weft::mem {
namespace {

const MemoryRegionOps kSilent = {
    .read = [](void*, uint64_t, unsigned, uint64_t*) { return DeviceStatus::ok; },
    .write = [](void*, uint64_t, unsigned, uint64_t) { return DeviceStatus::ok; },
    .valid = {},
    .impl = {},
};

struct Seen {
    uint64_t first, last;
    std::string name;
    uint64_t offset;
    bool operator==(const Seen&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << std::hex << seen.first << "-" << seen.last << " " << seen.name << "+" << seen.offset;
}

std::vector<Seen> seen(const RegionPtr& root) {
    std::vector<Seen> result;
    for (const FlatRange& range : FlatView::render(root)) {
        result.push_back(Seen{range.first, range.last, range.region->name(), range.offset});
    }
    return result;
}

struct Fixture {
    Topology topology;
    RegionPtr root = topology.container("root", kEntireSpace);

    RegionPtr io(const char* name, uint64_t size) {
        return topology.io(name, size, kSilent, nullptr, nullptr);
    }
};

TEST_CASE_METHOD(Fixture, "an empty or disabled tree shows nothing") {
    CHECK(FlatView::render(nullptr).empty());
    CHECK(seen(root).empty());
    root->add_subregion(0x1000, io("a", 0x1000));
    root->set_enabled(false);
    CHECK(seen(root).empty());
}

TEST_CASE_METHOD(Fixture, "the higher priority is seen, and the lower one around it") {
    root->add_subregion(0x1000, io("low", 0x3000), -1);
    root->add_subregion(0x2000, io("high", 0x1000), 1);
    root->add_subregion(0x1800, io("middle", 0x1000), 0);
    CHECK(seen(root) == std::vector<Seen>{{0x1000, 0x17ff, "low", 0},
                                          {0x1800, 0x1fff, "middle", 0},
                                          {0x2000, 0x2fff, "high", 0},
                                          {0x3000, 0x3fff, "low", 0x2000}});
}

TEST_CASE_METHOD(Fixture, "among equal priorities the last added is seen") {
    root->add_subregion(0, io("first", 0x100));
    root->add_subregion(0, io("second", 0x80));
    CHECK(seen(root) == std::vector<Seen>{{0, 0x7f, "second", 0}, {0x80, 0xff, "first", 0x80}});
}

TEST_CASE_METHOD(Fixture, "priorities count among siblings only") {
    const RegionPtr behind = topology.container("behind", 0x1000);
    behind->add_subregion(0, io("inner", 0x1000), 100);
    root->add_subregion(0, behind, 0);
    root->add_subregion(0, io("front", 0x10), 1);
    CHECK(seen(root) == std::vector<Seen>{{0, 0xf, "front", 0}, {0x10, 0xfff, "inner", 0x10}});
}

TEST_CASE_METHOD(Fixture, "a container clips its subregions and hides nothing where it has none") {
    root->add_subregion(0, io("ground", 0x10000));
    const RegionPtr window = topology.container("window", 0x1000);
    window->add_subregion(0x800, io("wide", 0x4000));
    root->add_subregion(0x2000, window, 1);
    CHECK(seen(root) == std::vector<Seen>{{0, 0x27ff, "ground", 0},
                                          {0x2800, 0x2fff, "wide", 0},
                                          {0x3000, 0xffff, "ground", 0x3000}});
}

TEST_CASE_METHOD(Fixture, "an I/O region is the background of its subregions") {
    const RegionPtr back = io("back", 0x1000);
    back->add_subregion(0x100, io("part", 0x100), -5);
    root->add_subregion(0x5000, back);
    CHECK(seen(root) == std::vector<Seen>{{0x5000, 0x50ff, "back", 0},
                                          {0x5100, 0x51ff, "part", 0},
                                          {0x5200, 0x5fff, "back", 0x200}});
}

TEST_CASE_METHOD(Fixture, "an alias shows a window of its target, wherever that is") {
    const RegionPtr target = topology.container("target", 0x10000);
    target->add_subregion(0x1000, io("a", 0x1000));
    target->add_subregion(0x3000, io("b", 0x1000));
    root->add_subregion(0x100000, topology.alias("window", target, 0x1800, 0x2000));
    // Reaches past its target's end.
    root->add_subregion(0x200000, topology.alias("tail", target, 0x3800, kEntireSpace));
    const std::vector<Seen> expected = {
        {0x100000, 0x1007ff, "a", 0x800}, {0x101800, 0x101fff, "b", 0}, {0x200000, 0x2007ff, "b", 0x800}};
    CHECK(seen(root) == expected);
    // A disabled subregion of the target is seen through no alias.
    target->children()[0].region->set_enabled(false);
    CHECK(seen(root) == std::vector<Seen>(expected.begin() + 1, expected.end()));
}

TEST_CASE_METHOD(Fixture, "neighbours that continue each other become one range") {
    const RegionPtr target = io("device", 0x2000);
    root->add_subregion(0x0, topology.alias("front half", target, 0, 0x1000));
    root->add_subregion(0x1000, topology.alias("back half", target, 0x1000, 0x1000));
    root->add_subregion(0x2000, topology.alias("again", target, 0, 0x1000));
    CHECK(seen(root) == std::vector<Seen>{{0, 0x1fff, "device", 0}, {0x2000, 0x2fff, "device", 0}});
}

TEST_CASE_METHOD(Fixture, "the last byte of the space is reached and not passed") {
    root->add_subregion(UINT64_MAX - 0xff, io("top", 0x1000));
    root->add_subregion(UINT64_MAX, io("last", 1), 1);
    CHECK(seen(root) == std::vector<Seen>{{UINT64_MAX - 0xff, UINT64_MAX - 1, "top", 0},
                                          {UINT64_MAX, UINT64_MAX, "last", 0}});
    root->add_subregion(0, io("all", kEntireSpace), -1);
    CHECK(seen(root).front() == Seen{0, UINT64_MAX - 0x100, "all", 0});
}

TEST_CASE_METHOD(Fixture, "moving and removing subregions") {
    const RegionPtr a = io("a", 0x1000);
    root->add_subregion(0, a);
    root->move_subregion(*a, 0x9000);
    CHECK(seen(root) == std::vector<Seen>{{0x9000, 0x9fff, "a", 0}});
    root->remove_subregion(*a);
    CHECK(seen(root).empty());
    root->add_subregion(0x100, a);
    CHECK(seen(root) == std::vector<Seen>{{0x100, 0x10ff, "a", 0}});
}

// A second description of a random tree, and its meaning for one address at a time.
struct Node {
    uint64_t last = 0;
    bool enabled = true;
    bool leaf = false;
    int alias_of = -1;
    uint64_t alias_offset = 0;
    struct Placed {
        int node;
        uint64_t address;
        int priority;
        unsigned sequence;
    };
    std::vector<Placed> children;
};

struct Answer {
    int node = -1;
    uint64_t offset = 0;
    bool operator==(const Answer&) const = default;
};

Answer resolve(const std::vector<Node>& nodes, int index, uint64_t offset) {
    const Node& node = nodes[static_cast<size_t>(index)];
    if (!node.enabled || offset > node.last) {
        return {};
    }
    if (node.alias_of >= 0) {
        return offset + node.alias_offset < offset
                   ? Answer{}
                   : resolve(nodes, node.alias_of, offset + node.alias_offset);
    }
    Answer best;
    const Node::Placed* winner = nullptr;
    for (const Node::Placed& placed : node.children) {
        if (offset < placed.address) {
            continue;
        }
        const Answer answer = resolve(nodes, placed.node, offset - placed.address);
        const bool in_front = winner == nullptr || placed.priority > winner->priority ||
                              (placed.priority == winner->priority && placed.sequence > winner->sequence);
        if (answer.node >= 0 && in_front) {
            best = answer;
            winner = &placed;
        }
    }
    if (best.node < 0 && node.leaf) {
        return Answer{index, offset};
    }
    return best;
}

TEST_CASE("views of random trees agree with a search of the tree at every address") {
    const uint64_t seed = test::test_seed();
    for (uint64_t round = 0; round < 300; ++round) {
        test::Random random(seed * 1000 + round);
        INFO("WEFT_TEST_SEED=" << seed << " round " << round);
        Topology topology;
        std::vector<Node> nodes;
        std::vector<RegionPtr> regions;
        const auto count = static_cast<int>(2 + random.below(24));
        for (int i = 0; i < count; ++i) {
            Node node;
            node.last = random.below(200);
            node.enabled = random.below(8) != 0;
            const uint64_t kind = i == count - 1 ? 0 : random.below(4);
            if (kind == 0) {
                node.last = 100 + random.below(412);
                regions.push_back(topology.container(std::to_string(i), node.last + 1));
            } else if (kind == 1 && i > 0) {
                node.alias_of = static_cast<int>(random.below(static_cast<uint64_t>(i)));
                node.alias_offset = random.below(4) == 0 ? random.below(100) : 0;
                regions.push_back(topology.alias(std::to_string(i),
                                                 regions[static_cast<size_t>(node.alias_of)],
                                                 node.alias_offset, node.last + 1));
            } else {
                node.leaf = true;
                regions.push_back(topology.io(std::to_string(i), node.last + 1, kSilent, nullptr, nullptr));
            }
            nodes.push_back(node);
            regions.back()->set_enabled(node.enabled);
        }
        // Every node but the last gets one parent made after it, so that there are no cycles.
        unsigned sequence = 0;
        for (int i = 0; i + 1 < count; ++i) {
            const auto parent =
                static_cast<size_t>(i + 1) + random.below(static_cast<uint64_t>(count - 1 - i));
            if (nodes[parent].alias_of >= 0 || random.below(10) == 0) {
                continue;
            }
            const Node::Placed placed{i, random.below(300), static_cast<int>(random.below(4)) - 2,
                                      sequence++};
            nodes[parent].children.push_back(placed);
            regions[parent]->add_subregion(placed.address, regions[static_cast<size_t>(i)], placed.priority);
        }
        const FlatView view(FlatView::render(regions.back()));
        // What looks through wrappers shows the same.
        const FlatView same(FlatView::render(effective_root(regions.back())));
        REQUIRE(same.ranges() == view.ranges());
        for (size_t i = 1; i < view.ranges().size(); ++i) {
            REQUIRE(view.ranges()[i - 1].last < view.ranges()[i].first);
        }
        size_t hint = random.next();
        for (uint64_t probe = 0; probe < 1400; ++probe) {
            // Every address in turn, then leaps, so that hints hit and miss.
            const uint64_t address = probe < 700 ? probe : random.below(700);
            const Answer expected = resolve(nodes, count - 1, address);
            const FlatRange* const range = view.find(address, hint);
            Answer found;
            if (range != nullptr) {
                found = Answer{std::stoi(range->region->name()), range->offset_of(address)};
            }
            INFO("address " << address);
            REQUIRE(found.node == expected.node);
            REQUIRE(found.offset == expected.offset);
        }
    }
}

}  // namespace
}  // namespace weft::mem
