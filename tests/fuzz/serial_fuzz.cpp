// A console device whose driver does anything: what it says on the control queue, the room that it gives and takes back, output, resets;
// and lines that come, go, are full and have input. Whatever comes of it, what the driver is told are whole messages of ports that
// there are, and a line gets only what was sent to it.
//
// Input: operations of a few bytes each, see step().
#include <array>
#include <string>
#include <vector>

#include "base/assert.h"
#include "emulator/hw/virtio/serial.h"
#include "emulator/memory/topology.h"
#include "entry.h"

using namespace weft;

namespace {

constexpr uint64_t kRam = 0x80000000;
constexpr size_t kRamSize = 256 << 10;
constexpr uint16_t kSize = 8;
constexpr unsigned kPorts = 3;
constexpr unsigned kQueues = 2 * (kPorts + 1);

struct Memory {
    mem::Topology topology;
    std::shared_ptr<mem::RamBlock> ram = topology.allocate_ram("ram", kRamSize).value();
    mem::RegionPtr root = topology.container("root", mem::kEntireSpace);
    mem::AddressSpace space{topology, "dma", root};
    mem::Reader dma{space};
    Memory() { root->add_subregion(kRam, topology.ram(ram)); }
};

struct Control final : hw::MachineControl {
    void (*timer)(void*) = nullptr;
    void* opaque = nullptr;
    void request_shutdown(int) override {}
    void request_reset() override {}
    void guest_error(const char* message) override { WEFT_ASSERT(*message != '\0'); }
    void unimplemented(const char*) override {}
    void set_timer(uint64_t deadline, void (*fn)(void*), void* to) override {
        timer = deadline == UINT64_MAX ? nullptr : fn;
        opaque = to;
    }
    uint64_t now_ns() override { return 0; }
    uint64_t wall_clock_ns() override { return 0; }
    std::optional<uint64_t> random_seed() override { return std::nullopt; }
    void run_io(void (*)(void*), void*) override {}
    void run_file_io(void (*)(void*), void*) override {}
};

struct Line final : backend::CharBackend {
    Receiver* receiver = nullptr;
    std::string written;
    bool full = false;
    void write(std::span<const uint8_t> data) override { written.append(data.begin(), data.end()); }
    bool write_whole(std::span<const uint8_t> data) override {
        if (!full) {
            write(data);
        }
        return !full;
    }
    void set_receiver(Receiver* one) override { receiver = one; }
    void accept_input() override {}
};

struct Transport final : hw::VirtioTransport {
    explicit Transport(mem::Reader& reader) : reader_(reader), queues_(kQueues, hw::Virtqueue(kSize)) {}
    Mutex lock;
    bool multiport = true, broken = false;
    Mutex& mutex() override { return lock; }
    mem::Reader& dma() override { return reader_; }
    hw::Virtqueue& queue(unsigned index) override {
        WEFT_ASSERT(index < kQueues);
        return queues_[index];
    }
    bool running() const override { return !broken; }
    uint64_t negotiated() const override { return multiport ? hw::VirtioSerial::kFeatureMultiport : 0; }
    void used(hw::Virtqueue&) override {}
    void config_changed() override {}
    void failure(const std::string& reason) override {
        WEFT_ASSERT(!reason.empty());
        broken = true;
    }

  private:
    mem::Reader& reader_;
    std::vector<hw::Virtqueue> queues_;
};

// The driver's side: a buffer for each place of each queue.
class Driver {
  public:
    Driver(Memory& memory, Transport& transport, hw::VirtioSerial& device, std::array<Line, kPorts>& lines)
        : memory_(memory), transport_(transport), device_(device), lines_(lines) {
        start(true);
    }

    void start(bool multiport) {
        const MutexLock lock(transport_.lock);
        transport_.broken = false;
        transport_.multiport = multiport;
        std::vector<uint8_t> zeros(kRamSize);
        WEFT_ASSERT(memory_.dma.write(kRam, zeros) == DeviceStatus::ok);
        for (unsigned i = 0; i < kQueues; ++i) {
            hw::Virtqueue& queue = transport_.queue(i);
            queue.reset();
            queue.set_descriptors(at(i));
            queue.set_available(at(i) + 0x400);
            queue.set_used(at(i) + 0x800);
            WEFT_ASSERT(queue.enable(0));
            available_[i] = 0;
            used_[i] = 0;
        }
        device_.reset();
    }

    // Puts a buffer into the queue: of these bytes, or with room for `size`.
    void put(unsigned queue, const std::vector<uint8_t>& bytes, uint32_t size) {
        const MutexLock lock(transport_.lock);
        if (static_cast<uint16_t>(available_[queue] - load(at(queue) + 0x802)) >= kSize) {
            return;
        }
        const uint16_t index = available_[queue] % kSize;
        const uint64_t buffer = at(queue) + 0x1000 + index * 0x200u;
        const bool out = size == 0;
        store<uint64_t>(at(queue) + 16u * index, buffer);
        store<uint32_t>(at(queue) + 16u * index + 8, out ? static_cast<uint32_t>(bytes.size()) : size);
        store<uint16_t>(at(queue) + 16u * index + 12, out ? 0 : 2);
        WEFT_ASSERT(memory_.dma.write(buffer, bytes) == DeviceStatus::ok);
        store<uint16_t>(at(queue) + 0x404 + 2u * index, index);
        store<uint16_t>(at(queue) + 0x402, ++available_[queue]);
        if (!transport_.broken) {
            device_.notify(queue);
        }
    }

    // What the device says to the driver are whole messages of ports that there are.
    void check() {
        const unsigned queue = 2;
        for (; used_[queue] != load(at(queue) + 0x802); ++used_[queue]) {
            const uint64_t entry = at(queue) + 0x804 + 8u * (used_[queue] % kSize);
            const uint16_t index = load(entry), length = load(entry + 4);
            const uint64_t buffer = at(queue) + 0x1000 + index * 0x200u;
            const uint16_t port = load(buffer), event = load(buffer + 4);
            WEFT_ASSERT(index < kSize && length >= 8 && port < kPorts);
            WEFT_ASSERT(event == 1 || event == 4 || event == 6 || event == 7);
        }
    }

    void type(unsigned port, uint8_t count) {
        if (lines_[port].receiver == nullptr) {
            return;
        }
        const unsigned room = lines_[port].receiver->can_receive();
        const std::vector<uint8_t> bytes(std::min<unsigned>(room, count), 'i');
        if (!bytes.empty()) {
            lines_[port].receiver->receive(bytes);
        }
    }

  private:
    static uint64_t at(unsigned queue) { return kRam + queue * 0x4000u; }
    uint16_t load(uint64_t address) {
        uint16_t value = 0;
        WEFT_ASSERT(memory_.dma.load(address, &value) == DeviceStatus::ok);
        return value;
    }
    template <class T>
    void store(uint64_t address, T value) {
        WEFT_ASSERT(memory_.dma.store<T>(address, value) == DeviceStatus::ok);
    }

    Memory& memory_;
    Transport& transport_;
    hw::VirtioSerial& device_;
    std::array<Line, kPorts>& lines_;
    std::array<uint16_t, kQueues> available_{}, used_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // Made once, for it maps memory. Each call fills all of it.
    static Memory memory;
    Control control;
    std::array<Line, kPorts> lines;
    Transport transport(memory.dma);
    hw::VirtioSerial device({{.number = 0, .console = true, .name = "", .backend = &lines[0]},
                             {.number = 1, .console = false, .name = "name", .backend = &lines[1]},
                             {.number = 2, .console = false, .name = "", .backend = nullptr}},
                            kPorts, true, control);
    device.attach(transport);
    Driver driver(memory, transport, device, lines);
    uint8_t next = 0;  // byte of output
    fuzz::Bytes bytes(data, size);
    while (bytes.size() >= 4) {
        const auto what = bytes.take<uint8_t>(), which = bytes.take<uint8_t>();
        const auto amount = bytes.take<uint16_t>();
        const unsigned port = which % kPorts;
        switch (what % 10) {
            case 0: {
                std::vector<uint8_t> message;
                for (unsigned i = 0; i < (amount % 16 == 0 ? 5u : 8u); ++i) {
                    message.push_back(bytes.size() > 0 ? bytes.take<uint8_t>() : uint8_t{0});
                }
                driver.put(3, message, 0);
                break;
            }
            case 1:
                driver.put(2, {}, amount % 64 + 1u);
                break;
            case 2:
                driver.put(port == 0 ? 0 : 2 * port + 2, {}, amount % 256 + 1u);
                break;
            case 3: {
                std::vector<uint8_t> output(amount % 256 + 1u);
                for (uint8_t& byte : output) {
                    byte = next++;
                }
                driver.put(port == 0 ? 1 : 2 * port + 3, output, 0);
                break;
            }
            case 4:
                driver.type(port, static_cast<uint8_t>(amount));
                break;
            case 5:
                if (lines[port].receiver != nullptr) {
                    amount % 2 == 0 ? lines[port].receiver->opened() : lines[port].receiver->closed();
                }
                break;
            case 6:
                lines[port].full = amount % 2 == 0;
                break;
            case 7:
                if (control.timer != nullptr) {
                    std::exchange(control.timer, nullptr)(control.opaque);
                }
                break;
            case 8:
                driver.start(amount % 4 != 0);
                break;
            default:
                // A queue of no port among them, and the other direction's.
                if (!transport.broken) {
                    const MutexLock lock(transport.lock);
                    device.notify(which % kQueues);
                }
                break;
        }
        driver.check();
        WEFT_ASSERT(transport.broken || lines[2].written.empty());
    }
    return 0;
}
