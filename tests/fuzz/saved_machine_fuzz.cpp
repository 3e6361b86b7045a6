// Saved machines as anybody may have made them. The first byte says what the rest is: sections, whose lengths and checksums are made right
// so that what is in them is looked at; or the fields of a disk on a virtio slot, of a network card, a serial port, a console, or a root
// port with a disk behind it. What the device accepts it loads, and goes on with: it touches memory of the guest's alone, and comes to an end.
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "base/assert.h"
#include "emulator/hw/char/uart16550.h"
#include "emulator/hw/pci/host.h"
#include "emulator/hw/pci/root_port.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/mmio.h"
#include "emulator/hw/virtio/net.h"
#include "emulator/hw/virtio/pci.h"
#include "emulator/hw/virtio/serial.h"
#include "emulator/saved/fields.h"
#include "emulator/saved/reader.h"
#include "emulator/saved/writer.h"
#include "entry.h"
#include "tests/hw/support.h"

using namespace weft;

namespace {

class Source final : public saved::Source {
  public:
    explicit Source(std::span<const uint8_t> bytes) : bytes_(bytes) {}
    Result<size_t> read(std::span<uint8_t> to) override {
        const size_t count = std::min(to.size(), bytes_.size());
        std::copy_n(bytes_.begin(), count, to.begin());
        bytes_ = bytes_.subspan(count);
        return count;
    }

  private:
    std::span<const uint8_t> bytes_;
};

void put(std::vector<uint8_t>& bytes, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
        bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
}

// Of each section: a byte for its name, a byte for its version, two for its length, and so much of the input.
std::vector<uint8_t> sections(std::span<const uint8_t> input) {
    static constexpr const char* kNames[] = {"facts", "part", "memory", "end", "other"};
    std::vector<uint8_t> bytes(saved::kMagic.begin(), saved::kMagic.end());
    put(bytes, saved::kFormatVersion, 4);
    while (input.size() >= 4) {
        const std::string name = kNames[input[0] % std::size(kNames)];
        const size_t size = std::min<size_t>(input[2] | input[3] << 8, input.size() - 4);
        const size_t begin = bytes.size();
        put(bytes, name.size(), 4);
        bytes.insert(bytes.end(), name.begin(), name.end());
        put(bytes, input[1], 4);
        put(bytes, size, 4);
        bytes.insert(bytes.end(), input.begin() + 4, input.begin() + 4 + static_cast<ptrdiff_t>(size));
        put(bytes, crc32_z(0, bytes.data() + begin, bytes.size() - begin), 4);
        input = input.subspan(4 + size);
    }
    return bytes;
}

void read_sections(std::span<const uint8_t> input) {
    const std::vector<uint8_t> bytes = sections(input);
    Source source(bytes);
    const saved::Expected expected{
        .facts = {{"a", "b"}}, .parts = {{"part", 1}}, .memory = {{"ram", 64 << 10}}};
    const auto machine = read_machine(source, expected);
    if (!machine) {
        WEFT_ASSERT(!machine.error().message().empty() &&
                    machine.error().message().find('\n') == std::string::npos);
        return;
    }
    WEFT_ASSERT(machine->facts == expected.facts && machine->parts.size() == 1 &&
                machine->memory.size() == 1);
}

constexpr uint64_t kRam = 0x80000000, kRamSize = 1 << 20;

template <class Device>
bool load(Device& device, std::span<const uint8_t> fields) {
    for (const StateVisitor::Purpose purpose : {StateVisitor::Purpose::check, StateVisitor::Purpose::load}) {
        saved::FieldReader reader(purpose, fields);
        device.visit_state(reader);
        if (!reader.finish()) {
            // What was checked is what is loaded.
            WEFT_ASSERT(purpose == StateVisitor::Purpose::check);
            return false;
        }
    }
    return true;
}

void use_slot(std::unique_ptr<hw::VirtioDevice> device, hw::test::Bench& bench,
              std::span<const uint8_t> fields) {
    bench.root->add_subregion(kRam, bench.topology.ram(bench.topology.allocate_ram("ram", kRamSize).value()));
    hw::VirtioMmio slot(bench.space, bench.control, std::move(device), hw::IrqLine(bench.sink, 8),
                        hw::VirtioMmioLayout::modern);
    bench.plug(slot.region());
    if (load(slot, fields)) {
        for (unsigned round = 0; round < 4; ++round) {
            bench.write(0x50, round % 2);
            // What it asks for at a time is bounded, and so is how often it asks.
            bench.control.work();
            bench.control.advance(hw::VirtioSerial::kRetryNs);
        }
        saved::FieldWriter writer;
        slot.visit_state(writer);
        WEFT_ASSERT(writer.take().has_value());
    }
    bench.root->remove_subregion(*slot.region());
}

// A root port, and a disk behind it that touches memory if the port says so.
struct Ports {
    hw::PciHost& host;
    void visit_state(StateVisitor& visitor) {
        for (const hw::PciHost::Plugged& function : host.plugged()) {
            host.visit_state(function.place, visitor);
        }
    }
};

void use_ports(hw::test::FakeDisk& disk, hw::test::Bench& bench, std::span<const uint8_t> fields) {
    bench.root->add_subregion(kRam, bench.topology.ram(bench.topology.allocate_ram("ram", kRamSize).value()));
    hw::PciHost host(bench.topology, bench.root,
                     {hw::IrqLine(bench.sink, 0), hw::IrqLine(bench.sink, 1), hw::IrqLine(bench.sink, 2),
                      hw::IrqLine(bench.sink, 3)});
    host.plug(
        {}, {2, 0},
        {std::make_unique<hw::PciRootPort>(host.site(), bench.control, hw::PciRootPort::Config{.name = "p"}),
         std::nullopt},
        false);
    host.plug("p", {0, 0},
              {std::make_unique<hw::VirtioPci>(
                   *host.site_of("p"), bench.control,
                   std::make_unique<hw::VirtioBlk>(disk, bench.control, hw::BlkSettings{}), false),
               std::nullopt},
              false);
    Ports ports{host};
    bench.plug(host.ecam());
    if (load(ports, fields)) {
        bench.control.work();
        for (unsigned at = 0; at < 256; at += 4) {
            bench.read((2 << 15) + at);
            bench.write((2 << 15) + at, bench.read((1 << 20) + at));
        }
        bench.control.work();
        saved::FieldWriter writer;
        ports.visit_state(writer);
        WEFT_ASSERT(writer.take().has_value());
    }
    bench.root->remove_subregion(*host.ecam());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::span<const uint8_t> rest(data + 1, size - 1);
    hw::test::FakeDisk disk(4096);
    hw::test::Bench bench;
    switch (data[0] % 6) {
        case 0:
            read_sections(rest);
            break;
        case 1:
            use_slot(std::make_unique<hw::VirtioBlk>(disk, bench.control, hw::BlkSettings{}), bench, rest);
            break;
        case 2:
            use_slot(std::make_unique<hw::VirtioNet>(nullptr, bench.control, hw::MacAddress{}), bench, rest);
            break;
        case 4: {
            hw::test::FakeChar console;
            hw::test::FakeChar other;
            use_slot(std::make_unique<hw::VirtioSerial>(
                         std::vector<hw::SerialPortConfig>{
                             {.number = 0, .console = true, .name = {}, .backend = &console},
                             {.number = 1, .console = false, .name = "other", .backend = &other}},
                         2, true, bench.control),
                     bench, rest);
            break;
        }
        case 5:
            use_ports(disk, bench, rest);
            break;
        default: {
            hw::test::FakeChar line;
            hw::Uart16550 uart(bench.topology, bench.control, &line, hw::IrqLine(bench.sink, 10));
            bench.plug(uart.region());
            if (load(uart, rest)) {
                for (unsigned at = 0; at < 8; ++at) {
                    bench.read(at, 1);
                    bench.write(at, 0xa5, 1);
                }
            }
            break;
        }
    }
    return 0;
}
