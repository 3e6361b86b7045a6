#include "tcg/code/code_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bits.h"
#include "base/host_info.h"
#include "base/memfd.h"

namespace weft::tcg {

namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE, since Linux 6.1: not in all C libraries' headers

}  // namespace

CodeBuffer::CodeBuffer(Mapping rw, Mapping rx, bool executes, std::string split_refusal, bool small_first)
    : rw_mapping_(std::move(rw)),
      rx_mapping_(std::move(rx)),
      size_(rw_mapping_.size()),
      rx_minus_rw_(rx_mapping_ ? reinterpret_cast<uintptr_t>(rx_mapping_.data()) -
                                     reinterpret_cast<uintptr_t>(rw_mapping_.data())
                               : 0),
      executes_(executes),
      small_first_(small_first),
      split_refusal_(std::move(split_refusal)) {}

Result<CodeBuffer> CodeBuffer::create(size_t size, SplitWx split, bool executes, const HostCalls& calls,
                                      bool small_first) {
    WEFT_ASSERT(size != 0 && is_aligned(size, host_page_size()));
    if (!executes || split == SplitWx::off) {
        return create_single(size, executes, {}, calls, small_first);
    }
    auto buffer = create_split(size, calls);
    if (!buffer && split == SplitWx::automatic) {
        return create_single(size, executes, buffer.error().message(), calls, small_first);
    }
    return buffer;
}

Result<CodeBuffer> CodeBuffer::create_split(size_t size, const HostCalls& calls) {
    constexpr const char* kContext = "cannot keep the code buffer's writable and executable view apart";
    // The mappings keep the memory; the descriptor goes at the end of this function.
    auto file = Memfd::create("weft-code", size, calls);
    if (!file) {
        return std::unexpected(file.error().within(kContext));
    }
    auto rw = file->map(PROT_READ | PROT_WRITE, kAlignment);
    if (!rw) {
        return std::unexpected(rw.error().within(kContext));
    }
    auto rx = file->map(PROT_READ | PROT_EXEC, kAlignment);
    if (!rx) {
        return std::unexpected(rx.error().within(kContext));
    }
    // Small pages are slower, not wrong.
    static_cast<void>(rw->advise(0, size, MADV_HUGEPAGE));
    static_cast<void>(rx->advise(0, size, MADV_HUGEPAGE));
    return CodeBuffer(std::move(*rw), std::move(*rx), true, {}, false);
}

Result<CodeBuffer> CodeBuffer::create_single(size_t size, bool executes, std::string split_refusal,
                                             const HostCalls& calls, bool small_first) {
    auto mapping = Mapping::reserve(size, kAlignment, calls);
    if (!mapping) {
        return std::unexpected(mapping.error().within("cannot reserve the code buffer"));
    }
    const bool later = small_first && size > kAlignment;
    const size_t small = later ? kAlignment : 0;
    static_cast<void>(mapping->advise(small, size - small, MADV_HUGEPAGE));
    return CodeBuffer(std::move(*mapping), {}, executes, std::move(split_refusal), later);
}

void CodeBuffer::gather_first() const {
    if (small_first_) {
        static_cast<void>(rw_mapping_.advise(0, kAlignment, MADV_HUGEPAGE));
        static_cast<void>(rw_mapping_.advise(0, kAlignment, kCollapse));
    }
}

Result<> CodeBuffer::unshare(size_t kept) const {
    constexpr const char* kContext = "cannot give the code buffer memory of its own";
    WEFT_ASSERT(split());
    const std::vector<uint8_t> bytes(rw().as<const uint8_t>(), rw().as<const uint8_t>() + kept);
    // Not a memory file: a child that may open no more files, or whose files must stay small (RLIMIT_NOFILE, RLIMIT_FSIZE), has code
    // as well. mremap() of no bytes of shared memory makes another view of it (mremap(2)).
    void* const writable = rw_mapping_.data();
    void* const executable = rx_mapping_.data();
    if (mmap(writable, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
             -1, 0) == MAP_FAILED ||
        mremap(writable, 0, size_, MREMAP_MAYMOVE | MREMAP_FIXED, executable) == MAP_FAILED ||
        mprotect(executable, size_, PROT_READ | PROT_EXEC) != 0) {
        return fail_errno(kContext);
    }
    static_cast<void>(madvise(writable, size_, MADV_HUGEPAGE));
    static_cast<void>(madvise(executable, size_, MADV_HUGEPAGE));
    std::ranges::copy(bytes, rw().as<uint8_t>());
    return {};
}

Result<> CodeBuffer::open(size_t offset, size_t size) const {
    if (split()) {
        return {};
    }
    return rw_mapping_.protect(offset, size, PROT_READ | PROT_WRITE | (executes_ ? PROT_EXEC : 0));
}

void CodeBuffer::guard(size_t offset, size_t size) const {
    static_cast<void>(rw_mapping_.protect(offset, size, PROT_NONE));
}

Result<> CodeBuffer::discard(size_t offset, size_t size) const {
    // A shared mapping's pages belong to the file: they must be taken out of that, and so leave both views.
    return split() ? rw_mapping_.advise(offset, size, MADV_REMOVE) : rw_mapping_.discard(offset, size);
}

}  // namespace weft::tcg
