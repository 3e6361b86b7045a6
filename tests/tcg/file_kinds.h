// What the checks of text tests do (file_cases.h), by the kind of their file.
//
// optimize   The unit after the optimizer, without what the backends will leave out because nobody needs it. The check's
//            words: nothing, or "only" or "without" and names of OptimizeOptions. The unit is also run, plain and
//            optimized, from random states on every backend, and must leave the same; not in a file whose kind is
//            followed by "norun", for units that may not be run.
// verify     The verifier's message, or "valid". With the word "redo" the unit is one for process mode (RedoRule).
// run        What is other after the unit was run than before: how it left, and globals, memory and the rest that changed.
//            Every backend must give the same, for the unit as it is and optimized, by fast paths and by slow ones. The
//            words set the state before: r0=..., w0=, f0= (bits), area[8]= and [0x7f0000]= (eight bytes each, of
//            GuestState::area and of guest memory), flags=, page=, exit_request=, budget= (with count_insns). "traced"
//            and "raised" say that the guest's helpers or a fault recorded something.
// compile    x86-64 code, for a host with the features of x86-64-v3 unless the words say otherwise: "without=NAME,NAME". The
//            text of the fast path, or with the word "count" how many instructions that has and how many bytes the unit. "SWITCH=off" switches
//            off one of NativeOptions; count_insns=on is that of BackendConfig, and memory=direct, base=N, bounds=N are its
//            MemoryModel. Addresses in the unit are shown as +N,
//            those in the backend's runtime code as RUNTIME.
#pragma once

#include <string>

#include "base/error.h"
#include "file_cases.h"

namespace weft::tcg::test {

// What a check gives: text to be compared with what is expected. Fails where there is nothing to compare: the unit cannot
// be read or is not valid, a word is not known, backends do not agree.
Result<std::string> outcome_of(const TestFile& file, const FileCase& entry, const FileCheck& check);

}  // namespace weft::tcg::test
