#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace weft {

std::unexpected<Error> fail_errno(const std::string& what, int error_number) {
    // std::generic_category().message() is thread-safe, unlike strerror().
    return fail(what + ": " + std::generic_category().message(error_number));
}

std::unexpected<Error> fail_errno(const std::string& what) { return fail_errno(what, errno); }

}  // namespace weft
