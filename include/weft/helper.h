// Helpers: plain C++ functions that generated code calls, described so that IR calls can be checked against them.
//
//   static uint64_t csr_read(State* state, uint32_t number);
//   constexpr HelperDesc kHelpers[] = {make_helper<&csr_read>("csr_read", kHelperReadsGlobals | kHelperMayRaise)};
//
// The signature comes from the function's type, never from a second list. A helper runs on the vCPU's thread, outside
// any lock of the accelerator's; it must not sleep and must not leave by an exception or a long jump. To raise a guest
// exception it records it in the guest state, sets StateHeader::raised and returns; its result is then ignored.
#pragma once

#include <cstdint>
#include <type_traits>

#include "weft/ir.h"

namespace weft {

// What a helper does besides computing its result. What is not declared must not happen.
enum HelperEffect : uint32_t {
    kHelperPure = 0,  // a function of its arguments; may be removed or merged
    kHelperReadsGlobals =
        1u << 0,  // reads registers that are IR globals: they are stored to their homes first
    kHelperWritesGlobals = 1u << 1,  // writes such registers: they are reloaded afterwards
    kHelperSideEffects = 1u << 2,    // must be called even where its result is unused
    kHelperMayRaise = 1u << 3,       // may set StateHeader::raised; implies the three above
    // Computes with the host's floating point: runs under the host's MXCSR. Others run under the guest's, and leave it as it
    // is (no exception is raised, not even inexact); debug builds check that on x86-64.
    kHelperUsesFp = 1u << 4,
    kHelperNoReturn = 1u << 5,  // always raises
};

inline constexpr unsigned kMaxHelperArgs = 5;  // besides the state

struct HelperSignature {
    ir::Type result;                // none, i32 or i64
    bool takes_state;               // the first C++ parameter is the state pointer; it is no IR argument
    uint8_t arg_count;              // IR arguments
    ir::Type args[kMaxHelperArgs];  // i32 or i64

    constexpr bool operator==(const HelperSignature&) const = default;
};

struct HelperDesc {
    const char* name;
    void (*function)();
    HelperSignature signature;
    uint32_t effects;
    uint64_t signature_hash;  // of name and signature: tells a stored unit that a helper changed
};

namespace detail {

template <class T>
constexpr ir::Type helper_type() {
    if constexpr (std::is_void_v<T>) {
        return ir::Type::none;
    } else {
        static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                      "a helper takes and returns 32-bit and 64-bit integers");
        return sizeof(T) == 4 ? ir::Type::i32 : ir::Type::i64;
    }
}

template <class Function>
struct HelperTraits;

template <class R, class... Args>
struct HelperTraits<R (*)(Args...)> {
    static constexpr HelperSignature signature() {
        HelperSignature result{helper_type<R>(), false, 0, {}};
        (add<Args>(result), ...);
        return result;
    }

  private:
    template <class Arg>
    static constexpr void add(HelperSignature& result) {
        if constexpr (std::is_pointer_v<Arg>) {
            result.takes_state = true;
        } else {
            result.args[result.arg_count++] = helper_type<Arg>();
        }
    }
};

constexpr uint64_t helper_hash(const char* name, const HelperSignature& signature) {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    auto mix = [&hash](unsigned byte) { hash = (hash ^ (byte & 0xff)) * 0x100000001b3; };
    for (const char* c = name; *c != 0; ++c) {
        mix(static_cast<unsigned char>(*c));
    }
    mix(static_cast<unsigned>(signature.result));
    mix(signature.takes_state ? 1 : 0);
    for (unsigned i = 0; i < signature.arg_count; ++i) {
        mix(static_cast<unsigned>(signature.args[i]));
    }
    return hash;
}

}  // namespace detail

// Describes the function `Function`. A state pointer, where it has one, is its first parameter. Parameter types are
// checked here; the number of arguments is at most kMaxHelperArgs besides the state.
template <auto Function>
HelperDesc make_helper(const char* name, uint32_t effects) {
    constexpr HelperSignature kSignature = detail::HelperTraits<decltype(Function)>::signature();
    static_assert(kSignature.arg_count <= kMaxHelperArgs);
    if ((effects & kHelperMayRaise) != 0) {
        effects |= kHelperReadsGlobals | kHelperWritesGlobals | kHelperSideEffects;
    }
    return HelperDesc{name, reinterpret_cast<void (*)()>(Function), kSignature, effects,
                      detail::helper_hash(name, kSignature)};
}

}  // namespace weft
