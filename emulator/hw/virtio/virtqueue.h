// A split virtqueue as the device sees it (virtio 1.2, section 2.7).
//
// The guest may write anything into the rings and tables: every index, address and length is checked before use, and what
// does not hold ends as a message, never as an access outside guest RAM or an endless loop.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/state_visitor.h"
#include "emulator/memory/reader.h"

namespace weft::hw {

// Feature bits of all devices (virtio 1.2, section 6).
inline constexpr uint64_t kVirtioAnyLayout = uint64_t{1} << 27;  // of the legacy interface
inline constexpr uint64_t kVirtioIndirect = uint64_t{1} << 28;
inline constexpr uint64_t kVirtioEventIndex = uint64_t{1} << 29;
inline constexpr uint64_t kVirtioVersion1 = uint64_t{1} << 32;

// One buffer that the driver offered: what the device reads, then what it writes.
struct VirtioChain {
    struct Part {
        uint64_t address;
        uint32_t size;
    };
    uint16_t head = 0;  // names the chain towards the driver
    uint64_t life = 0;  // of its queue, when it was taken: see Virtqueue::owns
    std::vector<Part> readable, writable;
    uint64_t readable_size = 0, writable_size = 0;  // sums of the sizes; no overflow

    // Copies between `data` and the bytes from `offset` on, which lie within the size. False: guest memory that is no RAM.
    bool read(mem::Reader& dma, uint64_t offset, std::span<uint8_t> data) const;
    bool write(mem::Reader& dma, uint64_t offset, std::span<const uint8_t> data) const;

    // Of one that a device keeps.
    void visit_state(StateVisitor& visitor);
};

// Guarded by its device's lock, as is the reader handed in.
class Virtqueue {
  public:
    explicit Virtqueue(uint16_t max_size) : max_size_(max_size), size_(max_size) {}

    uint16_t max_size() const { return max_size_; }

    // Set up by the driver while not ready; enable() checks them (2.7.1: alignment; a power of two up to max_size).
    void set_size(uint16_t size) { size_ = size; }
    void set_descriptors(uint64_t address) { descriptors_ = address; }
    void set_available(uint64_t address) { available_ = address; }
    void set_used(uint64_t address) { used_ = address; }
    // All three parts, for the size set, in one piece from `address` on, as the legacy interface has them (2.7.2); the used
    // ring begins at a multiple of `alignment`, a power of two.
    void set_ring(uint64_t address, uint32_t alignment);
    uint64_t descriptors() const { return descriptors_; }
    uint64_t available() const { return available_; }
    uint64_t used() const { return used_; }
    uint16_t size() const { return size_; }

    // `features`: what the driver accepted; of those of all devices it matters to the queue which.
    Result<> enable(uint64_t features);
    void disable() { ready_ = false; }
    bool ready() const { return ready_; }
    // Whether a chain that pop() gave still belongs to the driver's queue: not if that was disabled or reset since, even if it
    // was enabled again. Then nothing of the chain may be touched any more.
    bool owns(const VirtioChain& chain) const { return ready_ && chain.life == life_; }
    void reset();
    void visit_state(StateVisitor& visitor);

    // Takes the next chain, if there is one. An error means that the driver broke the rules, and the device needs a reset.
    Result<std::optional<VirtioChain>> pop(mem::Reader& dma);
    // Gives a chain back, which the queue owns, and of which the device wrote `written` bytes from the beginning.
    Result<> push(mem::Reader& dma, const VirtioChain& chain, uint32_t written);
    // The same in two steps: the driver sees what was staged when it is published, all of it at once.
    Result<> stage(mem::Reader& dma, const VirtioChain& chain, uint32_t written);
    Result<> publish(mem::Reader& dma);
    // Whether the driver wants an interrupt for what was pushed since it was last asked.
    Result<bool> wants_interrupt(mem::Reader& dma);
    // Whether pop() would give something: a chain or an error.
    bool available(mem::Reader& dma) const;
    // Asks for a notification of the next chain. True: one came meanwhile, so look again.
    Result<bool> wait_for_more(mem::Reader& dma);

  private:
    struct Descriptor {
        uint64_t address;
        uint32_t size;
        uint16_t flags, next;
    };
    // What enable() demands of what the driver set up.
    struct Setup {
        uint16_t size;
        uint64_t descriptors, available, used;
    };
    Result<> check(const Setup& setup) const;
    Result<Descriptor> descriptor(mem::Reader& dma, uint64_t table, uint32_t index) const;
    Result<> collect(mem::Reader& dma, VirtioChain& chain) const;
    Result<uint16_t> available_index(mem::Reader& dma) const;

    const uint16_t max_size_;
    uint16_t size_;
    bool ready_ = false;
    uint64_t life_ = 0;  // counts enable()
    bool event_index_ = false;
    bool indirect_ = false;
    uint64_t descriptors_ = 0, available_ = 0, used_ = 0;  // guest-physical
    uint16_t next_available_ = 0;                          // free-running, as both indices are
    uint16_t used_index_ = 0;
    uint16_t interrupted_at_ = 0;  // used_index_ when wants_interrupt() was last asked
};

}  // namespace weft::hw
