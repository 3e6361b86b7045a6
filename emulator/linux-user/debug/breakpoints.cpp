#include "emulator/linux-user/debug/breakpoints.h"

#include <array>
#include <utility>

namespace weft::user {

namespace {

// RISC-V unprivileged, "RV32I: Environment Call and Breakpoints" and "C: Breakpoint Instruction"; little-endian.
constexpr std::array<uint8_t, 4> kEbreak = {0x73, 0x00, 0x10, 0x00};
constexpr std::array<uint8_t, 2> kCompressedEbreak = {0x02, 0x90};
constexpr uint64_t kLongest = kEbreak.size();

}  // namespace

// Memory is had and given back outside the lock.
bool Breakpoints::insert(uint64_t address, uint64_t size) {
    if ((size != kEbreak.size() && size != kCompressedEbreak.size()) || address % 2 != 0) {
        return false;
    }
    Table one = {{address, static_cast<uint32_t>(size)}};
    Table::node_type node = one.extract(one.begin());
    Table::insert_return_type kept;
    {
        SpinLockGuard guard(lock_);
        kept = all_.insert(std::move(node));
        kept.position->second = static_cast<uint32_t>(size);
        any_.store(true, std::memory_order_relaxed);
    }
    return true;
}

bool Breakpoints::remove(uint64_t address) {
    Table::node_type node;
    SpinLockGuard guard(lock_);
    node = all_.extract(address);
    any_.store(!all_.empty(), std::memory_order_relaxed);
    return !node.empty();
}

std::vector<uint64_t> Breakpoints::clear() {
    Table old;
    {
        SpinLockGuard guard(lock_);
        all_.swap(old);
        any_.store(false, std::memory_order_relaxed);
    }
    std::vector<uint64_t> addresses;
    addresses.reserve(old.size());
    for (const auto& [address, size] : old) {
        addresses.push_back(address);
    }
    return addresses;
}

bool Breakpoints::contains(uint64_t address) const {
    SpinLockGuard guard(lock_);
    return all_.contains(address);
}

void Breakpoints::overlay(uint64_t start, uint8_t* bytes, uint32_t size) const {
    if (!any_.load(std::memory_order_relaxed)) {
        return;
    }
    SpinLockGuard guard(lock_);
    // One that begins before what was read may reach into it.
    const uint64_t first = start < kLongest ? 0 : start - kLongest + 1;
    for (auto it = all_.lower_bound(first);
         it != all_.end() && it->first - start + kLongest < size + kLongest; ++it) {
        const uint8_t* insn = it->second == kEbreak.size() ? kEbreak.data() : kCompressedEbreak.data();
        for (uint64_t i = 0; i < it->second; ++i) {
            const uint64_t offset = it->first + i - start;
            if (offset < size) {
                bytes[offset] = insn[i];
            }
        }
    }
}

}  // namespace weft::user
