// Errors as values.
//
// What a user or a guest can cause travels as Result<T>; the message is one clear line without a final full stop and
// without the program's name, so that callers can prefix and print it.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace weft {

class Error {
  public:
    explicit Error(std::string message) : message_(std::move(message)) {}

    const std::string& message() const { return message_; }

    // The same error seen from one level further out: "context: message".
    Error within(const std::string& context) const { return Error(context + ": " + message_); }

  private:
    std::string message_;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) {
    return std::unexpected<Error>(Error(std::move(message)));
}

// "what: text of errno" for a failed system call. Reads errno at once; call it before anything else can change it.
std::unexpected<Error> fail_errno(const std::string& what);

// The same with an error number in hand.
std::unexpected<Error> fail_errno(const std::string& what, int error_number);

}  // namespace weft
