// Code for a made-up host at a made-up address: it is read, never run, so it is the same wherever the test runs.
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "backend_harness.h"
#include "base/text_values.h"
#include "file_run.h"

namespace weft::tcg::test {

#if WEFT_HAVE_X86_64_BACKEND

namespace {

constexpr uint64_t kCodeBase = 0x10000000;
constexpr size_t kRuntimeSize = size_t{64} << 10;
constexpr size_t kUnitSize = size_t{64} << 10;
constexpr uint64_t kUnitBase = kCodeBase + kRuntimeSize;

constexpr std::pair<std::string_view, bool NativeOptions::*> kSwitches[] = {
    {"pin_registers", &NativeOptions::pin_registers},
    {"own_probes", &NativeOptions::own_probes},
    {"direct_side_exits", &NativeOptions::direct_side_exits},
    {"share_tlb_probes", &NativeOptions::share_tlb_probes},
    {"carry_pages", &NativeOptions::carry_pages},
    {"loop_registers", &NativeOptions::loop_registers},
    {"fold_loads", &NativeOptions::fold_loads},
    {"inline_fp_flags", &NativeOptions::inline_fp_flags},
    {"fences", &NativeOptions::fences},
    {"atomic_additions", &NativeOptions::atomic_additions},
};

struct Request {
    NativeOptions options;
    bool count_insns = false;
    bool count = false;  // instructions and bytes instead of text
    MemoryModel memory{};
};

// What x86-64-v3 has (x86-64 psABI, 3.1.1).
x86_64::HostFeatures level_3() {
    x86_64::HostFeatures features;
    features.sse41 = features.popcnt = features.movbe = features.cx16 = features.lzcnt = true;
    features.bmi1 = features.bmi2 = features.avx = features.avx2 = features.fma = true;
    return features;
}

Result<Request> request_of(const std::vector<std::string>& words) {
    Request request;
    request.options.features = level_3();
    for (const std::string& word : words) {
        const size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = std::string_view(word).substr(0, equals);
        const std::string_view value = std::string_view(word).substr(std::min(equals + 1, word.size()));
        const auto on = parse_bool(value);
        bool known = word == "count";
        request.count = request.count || known;
        if (name == "without") {
            const auto features = request.options.features->without(value);
            if (!features) {
                return std::unexpected(features.error());
            }
            request.options.features = *features;
            known = true;
        } else if (word == "memory=direct") {
            request.memory.kind = MemoryModel::Kind::direct;
            known = true;
        } else if (const auto number = parse_uint(value); number && name == "base") {
            request.memory.base = *number;
            known = true;
        } else if (number && name == "bounds") {
            request.memory.bounds = static_cast<uint8_t>(*number);
            known = true;
        } else if (name == "count_insns" && on) {
            request.count_insns = *on;
            known = true;
        }
        for (const auto& [text, flag] : kSwitches) {
            if (name == text && on) {
                request.options.*flag = *on;
                known = true;
            }
        }
        if (!known) {
            return fail(fmt::format("the word {} means nothing here", in_quotes(word)));
        }
    }
    return request;
}

// An address as it is shown: none where the made-up buffer is.
std::string address_text(uint64_t address, size_t unit_size) {
    if (address >= kUnitBase && address - kUnitBase <= unit_size) {
        return fmt::format("+{:#x}", address - kUnitBase);
    }
    return address >= kCodeBase && address < kUnitBase ? "RUNTIME" : fmt::format("{:#x}", address);
}

// The first `insns` of "0x...:  mnemonic operands" lines, with addresses that do not depend on where the unit lies. What follows
// the fast path are calls out of line and data behind them, which a disassembler does not know from instructions.
std::string fast_path_text(std::string_view text, const CompiledUnit& compiled) {
    std::string result;
    uint32_t left = compiled.host_insns;
    for (const std::string& line : split(text, '\n')) {
        const size_t colon = line.find(":  ");
        if (colon == std::string::npos || left-- == 0) {
            break;
        }
        std::string_view rest = std::string_view(line).substr(colon + 3);
        result += fmt::format(" {:>4x}  ", std::strtoull(line.c_str(), nullptr, 16) - kUnitBase);
        while (!rest.empty()) {
            const size_t at = std::min(rest.find("0x"), rest.size());
            result += rest.substr(0, at);
            rest.remove_prefix(at);
            const size_t digits = std::min(rest.find_first_not_of("0123456789abcdefx"), rest.size());
            if (digits != 0) {
                const std::string number(rest.substr(0, digits));
                result += address_text(std::strtoull(number.c_str(), nullptr, 16), compiled.code_size);
                rest.remove_prefix(digits);
            }
        }
        result += '\n';
    }
    return result;
}

}  // namespace

Result<std::string> compile_for_x86_64(const ir::Unit& unit, const std::vector<std::string>& words) {
    const auto request = request_of(words);
    if (!request) {
        return std::unexpected(request.error());
    }
    const auto backend = make_x86_64_backend(
        BackendConfig{&test_guest(), {}, request->count_insns, false, request->memory}, request->options);
    const auto memory = std::make_unique<std::array<uint8_t, kRuntimeSize + kUnitSize>>();
    const auto bytes = reinterpret_cast<uintptr_t>(memory->data());
    const auto runtime = backend->emit_runtime(
        CodeWindow{RwAddress(bytes), RxAddress(kCodeBase), kRuntimeSize}, kRuntimeSize + kUnitSize);
    if (!runtime) {
        return std::unexpected(runtime.error());
    }
    CodeWindow window{RwAddress(bytes + kRuntimeSize), RxAddress(kUnitBase), kUnitSize};
    CompiledUnit compiled;
    if (backend->make_compiler()->compile(unit, window, 1, &compiled) != CompileStatus::ok) {
        return fail("the unit does not fit");
    }
    window.size = compiled.code_size;
    return request->count
               ? fmt::format(" {} instructions, {} bytes\n", compiled.host_insns, compiled.code_size)
               : fast_path_text(backend->disassemble(window), compiled);
}

#else

Result<std::string> compile_for_x86_64(const ir::Unit&, const std::vector<std::string>&) {
    return fail("this build has no x86-64 backend");
}

#endif

}  // namespace weft::tcg::test
