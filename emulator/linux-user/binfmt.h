// The line by which Linux runs riscv64 programs through weft (Linux, "Kernel Support for miscellaneous Binary Formats (binfmt_misc)").
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::user {

// F: the kernel opens weft when the line is registered, so that it is found in chroots and containers that do not have it. P: the
// program's argument 0 is kept. O: the kernel opens the program, which need not be readable then, or have a name.
inline constexpr std::string_view kBinfmtFlags = "FOP";

// Whether these are flags of binfmt_misc: letters of C, F, O and P.
Result<> check_binfmt_flags(std::string_view flags);

// The line for the interpreter at the absolute path `interpreter`, with a line feed at its end. It is what the file `register`
// takes, and a file of systemd's binfmt.d. Fails if the path is not one that such a line can hold.
Result<std::string> binfmt_line(const std::string& interpreter, std::string_view flags);

}  // namespace weft::user
