#include "tcg/interp/trampolines.h"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace weft::tcg::interp {

namespace {

// Bits 0-4: argument i is 64 bits wide; 5-7: number of arguments; 8: takes the state; 9-10: result (none, i32, i64).
constexpr unsigned kShapes = 1u << 11;

template <unsigned kShape, size_t kIndex>
using Arg = std::conditional_t<(kShape >> kIndex & 1) != 0, uint64_t, uint32_t>;

template <unsigned kShape>
using ResultOf =
    std::conditional_t<(kShape >> 9 == 0), void, std::conditional_t<(kShape >> 9 == 1), uint32_t, uint64_t>>;

// The state's own type and the signedness of integers are not known here; neither matters to how arguments are passed,
// but clang's function sanitizer compares exact types.
#if defined(__clang__)
#define WEFT_ANY_FUNCTION_TYPE __attribute__((no_sanitize("function")))
#else
#define WEFT_ANY_FUNCTION_TYPE
#endif

template <unsigned kShape, size_t... kIndices>
WEFT_ANY_FUNCTION_TYPE uint64_t call(void (*function)(), [[maybe_unused]] void* state,
                                     [[maybe_unused]] const uint64_t* args,
                                     std::index_sequence<kIndices...>) {
    auto invoke = [&]() WEFT_ANY_FUNCTION_TYPE -> ResultOf<kShape> {
        if constexpr ((kShape >> 8 & 1) != 0) {
            return reinterpret_cast<ResultOf<kShape> (*)(void*, Arg<kShape, kIndices>...)>(function)(
                state, static_cast<Arg<kShape, kIndices>>(args[kIndices])...);
        } else {
            return reinterpret_cast<ResultOf<kShape> (*)(Arg<kShape, kIndices>...)>(function)(
                static_cast<Arg<kShape, kIndices>>(args[kIndices])...);
        }
    };
    if constexpr (std::is_void_v<ResultOf<kShape>>) {
        invoke();
        return 0;
    } else {
        return invoke();
    }
}

template <unsigned kShape>
uint64_t enter(void (*function)(), void* state, const uint64_t* args) {
    return call<kShape>(function, state, args, std::make_index_sequence<(kShape >> 5 & 7)>());
}

template <unsigned kShape>
constexpr Trampoline one() {
    constexpr unsigned kCount = kShape >> 5 & 7;
    if constexpr (kCount <= kMaxHelperArgs && (kShape & 31) >> (kCount < 5 ? kCount : 5) == 0 &&
                  kShape >> 9 <= 2) {
        return &enter<kShape>;
    } else {
        return nullptr;
    }
}

template <size_t... kIndices>
constexpr std::array<Trampoline, kShapes> all(std::index_sequence<kIndices...>) {
    return {one<kIndices>()...};
}

constexpr std::array<Trampoline, kShapes> kTrampolines = all(std::make_index_sequence<kShapes>());

}  // namespace

CallShape CallShape::of(const HelperSignature& signature) {
    uint32_t bits = static_cast<uint32_t>(signature.arg_count) << 5 | (signature.takes_state ? 1u << 8 : 0);
    for (unsigned i = 0; i < signature.arg_count; ++i) {
        bits |= signature.args[i] == ir::Type::i64 ? 1u << i : 0;
    }
    if (signature.result != ir::Type::none) {
        bits |= (signature.result == ir::Type::i64 ? 2u : 1u) << 9;
    }
    return CallShape{bits};
}

Trampoline trampoline(CallShape shape) { return kTrampolines[shape.bits]; }

}  // namespace weft::tcg::interp
