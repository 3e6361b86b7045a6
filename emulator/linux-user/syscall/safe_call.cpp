#include "emulator/linux-user/syscall/safe_call.h"

#include "base/signal_safe.h"

extern "C" {
int64_t weft_user_safe_call(const std::atomic<uint32_t>* asked, long number, const uint64_t* args);
// Addresses alone.
extern const char weft_user_safe_call_window[];
extern const char weft_user_safe_call_done[];
extern const char weft_user_safe_call_left[];
}

namespace weft::user {

namespace {

WEFT_SIGNAL_SAFE uint64_t address(const char* symbol) { return reinterpret_cast<uint64_t>(symbol); }

}  // namespace

int64_t safe_call(const std::atomic<uint32_t>& asked, long number, const std::array<uint64_t, 6>& args) {
    return weft_user_safe_call(&asked, number, args.data());
}

WEFT_SIGNAL_SAFE bool in_safe_call_window(uint64_t pc) {
    return pc >= address(weft_user_safe_call_window) && pc < address(weft_user_safe_call_done);
}

WEFT_SIGNAL_SAFE uint64_t rewound_from_safe_call(uint64_t pc) {
    return in_safe_call_window(pc) ? address(weft_user_safe_call_left) : pc;
}

WEFT_SIGNAL_SAFE bool is_safe_call_result(uint64_t pc) { return pc == address(weft_user_safe_call_done); }

}  // namespace weft::user
