// A function that the callee calls before it returns: for parameters. std::function would copy what is larger than two words to memory
// of its own, which lookups must do without.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace weft {

template <class Signature>
class FunctionRef;

// Refers to what it was made from, which outlives it: a temporary does for a call. Any thread that may call the function.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
  public:
    template <class Function>
        requires(!std::is_same_v<std::remove_cvref_t<Function>, FunctionRef> &&
                 std::is_invocable_r_v<Result, Function&, Arguments...> &&
                 !std::is_function_v<std::remove_reference_t<Function>>)
    FunctionRef(Function&& function)  // NOLINT(google-explicit-constructor): as std::function
        : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
          call_([](void* object, Arguments... arguments) -> Result {
              return (*static_cast<std::remove_reference_t<Function>*>(object))(
                  std::forward<Arguments>(arguments)...);
          }) {}

    Result operator()(Arguments... arguments) const {
        return call_(object_, std::forward<Arguments>(arguments)...);
    }

  private:
    void* object_;
    Result (*call_)(void* object, Arguments... arguments);
};

}  // namespace weft
