// The memory that generated code lives in: mapped once, or twice so that nothing is ever both writable and
// executable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/assert.h"
#include "base/error.h"
#include "base/host_calls.h"
#include "base/mapping.h"
#include "tcg/code/code_address.h"

namespace weft::tcg {

// Whether the writable and the executable view are separate mappings of the same memory.
enum class SplitWx : uint8_t {
    off,        // one view, read-write-execute
    on,         // two views, or an error
    automatic,  // two views where the host allows it, else one
};

// Owns the memory and its mappings; all gone with it. Immutable after create(); the const functions may be
// called by any thread at once. Offsets count from the buffer's start; ranges are whole host pages.
//
// - Split: one memory file, mapped read-write and read-execute at a constant difference. Both views are open
//   from the start; guard() closes pages of the writable one.
// - Not split: one private anonymous mapping, created without any access; open() gives ranges theirs.
// - Not executing (interpreter): as not split, and open() gives no execute permission. There is nothing to
//   keep apart then, so that any SplitWx is fulfilled by the one view.
class CodeBuffer {
  public:
    // Huge pages cover whole stretches of this alignment.
    static constexpr size_t kAlignment = size_t{2} << 20;

    // `size`: bytes, a multiple of the host's page. Both views are aligned to kAlignment and advised to use
    // huge pages (a refusal does not matter), but for the first kAlignment bytes of one view where `small_first`: see
    // gather_first(). Fails where the memory cannot be mapped, and with SplitWx::on
    // where it cannot be mapped twice; the message says which step the host refused.
    static Result<CodeBuffer> create(size_t size, SplitWx split, bool executes,
                                     const HostCalls& calls = HostCalls::real(), bool small_first = false);

    size_t size() const { return size_; }
    bool split() const { return static_cast<bool>(rx_mapping_); }
    bool executes() const { return executes_; }
    // Why SplitWx::automatic got one view; empty otherwise. For -d.
    const std::string& split_refusal() const { return split_refusal_; }

    // The writable view.
    const Mapping& writable() const { return rw_mapping_; }
    RwAddress rw() const { return RwAddress(reinterpret_cast<uintptr_t>(rw_mapping_.data())); }
    RxAddress rx() const { return RxAddress(rw().value() + rx_minus_rw_); }

    // The same byte in the other view; null stays null. Debug builds assert that the address lies in the
    // buffer, where the one past its end counts as inside (it is the end of a range).
    RxAddress to_rx(RwAddress address) const {
        WEFT_DEBUG_ASSERT(!address || address.value() - rw().value() <= size_);
        return address ? RxAddress(address.value() + rx_minus_rw_) : RxAddress();
    }
    RwAddress to_rw(RxAddress address) const {
        WEFT_DEBUG_ASSERT(!address || address.value() - rx().value() <= size_);
        return address ? RwAddress(address.value() - rx_minus_rw_) : RwAddress();
    }

    // Offset of a byte of the buffer given by its address in either view; nullopt outside both.
    std::optional<size_t> offset_of(uintptr_t host_address) const {
        if (const uintptr_t offset = host_address - rx().value(); offset < size_) {
            return offset;
        }
        if (const uintptr_t offset = host_address - rw().value(); offset < size_) {
            return offset;
        }
        return std::nullopt;
    }

    // Both addresses of a range; it need not be whole pages.
    CodeWindow window(size_t offset, size_t size) const {
        WEFT_DEBUG_ASSERT(offset <= size_ && size <= size_ - offset);
        return {rw() + offset, rx() + offset, size};
    }

    // Gives the range the access that code needs. Nothing to do where the buffer is split.
    Result<> open(size_t offset, size_t size) const;
    // Makes stores to the range fault. No matter if the host refuses: a guard only catches mistakes of weft's
    // own.
    void guard(size_t offset, size_t size) const;
    // The beginning is full: has it lie in a huge page from now on, where the host can. Code in it may run meanwhile. Nothing to do
    // where it was to from the start. (A short process has little code, and a huge page takes 0.2 ms to clear.)
    void gather_first() const;
    // In a forked process, which shares a split buffer with its parent: puts memory of its own at the same addresses, with the
    // first `kept` bytes, which nobody writes, and zeros behind them; guards are gone. Nobody uses it. Error: the host refuses;
    // then the buffer may not be used any more.
    Result<> unshare(size_t kept) const;
    // Gives the range's memory back to the host; it reads as zero afterwards. Nobody uses the range. A
    // refusal leaves the contents undefined and wastes memory, nothing else.
    Result<> discard(size_t offset, size_t size) const;

  private:
    CodeBuffer(Mapping rw, Mapping rx, bool executes, std::string split_refusal, bool small_first);

    static Result<CodeBuffer> create_split(size_t size, const HostCalls& calls);
    static Result<CodeBuffer> create_single(size_t size, bool executes, std::string split_refusal,
                                            const HostCalls& calls, bool small_first);

    Mapping rw_mapping_;
    Mapping rx_mapping_;  // empty where there is one view
    size_t size_;
    uintptr_t rx_minus_rw_;  // modulo 2^64; 0 where there is one view
    bool executes_;
    bool small_first_;  // some of the buffer is to lie in huge pages later
    std::string split_refusal_;
};

}  // namespace weft::tcg
