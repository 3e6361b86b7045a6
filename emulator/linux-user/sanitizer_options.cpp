// Built with AddressSanitizer only: how it starts; ASAN_OPTIONS goes before this.
//
// A signal that the guest leaves alone has the host's action. AddressSanitizer would take SIGFPE for an error of weft's, and end the
// process with another status than the guest's.
extern "C" const char*
__asan_default_options();  // NOLINT(bugprone-reserved-identifier): the sanitizer's name
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
    return "handle_sigfpe=0";
}
