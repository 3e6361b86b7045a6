// Built with AddressSanitizer or ThreadSanitizer only: how they start; ASAN_OPTIONS and TSAN_OPTIONS go before this.
//
// A signal that the guest leaves alone has the host's action. A sanitizer would take SIGFPE for an error of weft's, and end the
// process with another status than the guest's.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the sanitizers' names
const char* __asan_default_options();
const char* __asan_default_options() { return "handle_sigfpe=0"; }
const char* __tsan_default_options();
const char* __tsan_default_options() { return "handle_sigfpe=0"; }
// NOLINTEND(bugprone-reserved-identifier)
}
