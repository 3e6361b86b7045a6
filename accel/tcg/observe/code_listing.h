// Tells profilers what is generated: perfmap=on and jitdump=on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "accel/tcg/observe/jitdump.h"
#include "accel/tcg/observe/perf_map.h"
#include "accel/tcg/settings.h"
#include "base/error.h"
#include "tcg/code/code_buffer.h"
#include "tcg/code/tb.h"
#include "tcg/runtime_map.h"
#include "weft/accel.h"

namespace weft::accel {

class CodeListing final {
  public:
    // Names the runtime code. `map` is null for a backend whose code the host does not run: there is nothing to list, of
    // which the user is warned.
    static Result<std::unique_ptr<CodeListing>> create(const Settings& settings, const HostServices& host,
                                                       const tcg::CodeBuffer& buffer,
                                                       const tcg::RuntimeMap* map);
    CodeListing(const CodeListing&) = delete;
    CodeListing& operator=(const CodeListing&) = delete;

    // The translator's thread: the code of a TB stands, and nobody runs it yet; and, where it was not thrown away, it is
    // used.
    void made(const tcg::TranslationBlock& tb) {
        if (jitdump_ != nullptr) {
            dump(tb);
        }
    }
    void kept(const tcg::TranslationBlock& tb) {
        if (perf_map_) {
            map(tb);
        }
    }

  private:
    CodeListing(const HostServices& host, const tcg::CodeBuffer& buffer) : host_(host), buffer_(buffer) {}

    void dump(const tcg::TranslationBlock& tb);
    void map(const tcg::TranslationBlock& tb);
    void list_runtime(const tcg::RuntimeMap& map);
    std::string_view bytes(size_t offset, size_t size) const;
    void failed(const std::string& path);

    const HostServices& host_;
    const tcg::CodeBuffer& buffer_;
    std::optional<PerfMap> perf_map_;
    std::unique_ptr<JitDump> jitdump_;
    // Whether the user was told that a file cannot be written. Any thread; relaxed.
    std::atomic<bool> warned_{false};
};

}  // namespace weft::accel
