// Reading a saved machine, all of it, before anything is changed by it. The bytes come from outside: no length is believed, and memory
// is taken for what there can be at most.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mapping.h"
#include "emulator/saved/format.h"

namespace weft::saved {

// Where the bytes come from, in order.
class Source {
  public:
    virtual ~Source() = default;
    // Up to so many bytes, at least one; 0: there are no more.
    virtual Result<size_t> read(std::span<uint8_t> bytes) = 0;
};

// What a block of memory is to hold.
class StagedMemory {
  public:
    static Result<StagedMemory> create(std::string name, uint64_t size);

    const std::string& name() const { return name_; }
    uint64_t size() const { return size_; }
    // The page's bytes; null where it is all zeros.
    const uint8_t* page(uint64_t number) const {
        return present_[number] ? reinterpret_cast<const uint8_t*>(bytes_.data()) + number * kPage : nullptr;
    }
    // For the reader: a page that comes. False: it has come before.
    bool put(uint64_t number, std::span<const uint8_t> page);

  private:
    StagedMemory(std::string name, uint64_t size, Mapping bytes)
        : name_(std::move(name)), size_(size), bytes_(std::move(bytes)), present_(size / kPage) {}

    std::string name_;
    uint64_t size_;
    Mapping bytes_;
    std::vector<bool> present_;
};

struct StagedMachine {
    Facts facts;              // of it: those of Expected and no others
    std::vector<Part> parts;  // in the order of Expected
    std::vector<StagedMemory> memory;
};

// What the machine is that it is to be loaded into.
struct Expected {
    Facts facts;
    std::vector<std::pair<std::string, uint32_t>> parts;   // names and versions
    std::vector<std::pair<std::string, uint64_t>> memory;  // names and sizes
};

// Fails with one line where it ends early, is damaged, of a version that is not known here, or of a machine that differs: of which
// the first difference is told. Any thread.
Result<StagedMachine> read_machine(Source& source, const Expected& expected);

}  // namespace weft::saved
