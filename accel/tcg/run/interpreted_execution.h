// Interpreted execution: code that a vCPU has met too seldom to be worth a translation is run by GuestArch::run, instruction
// by instruction.
#pragma once

#include <cstdint>
#include <optional>

#include "accel/tcg/mmu/guest_memory.h"
#include "accel/tcg/run/translation_workers.h"
#include "accel/tcg/translate/translate_at.h"

namespace weft::accel {

// How interpreting went.
enum class Interpreted : uint8_t {
    went_on,    // the vCPU's pc is another one: find what comes next
    translate,  // the first instruction is one that needs a translation
    fault,      // a guest exception is recorded
    failed,     // Vcpu::failed is set, or the machine was told
};

// One a vCPU thread.
class InterpretedExecution {
  public:
    // `workers`: who translates beside the vCPU; null: nobody.
    InterpretedExecution(const GuestArch& guest, Translators& translators, TranslationWorkers* workers)
        : guest_(guest), translators_(translators), workers_(workers) {}
    InterpretedExecution(const InterpretedExecution&) = delete;
    InterpretedExecution& operator=(const InterpretedExecution&) = delete;

    // Whether code of the vCPU may be interpreted now: not where logs are to show all that runs, not with units of one
    // instruction, nor with the instruction clock, which counts in units.
    bool allowed(const Vcpu& vcpu) const;
    // The code at the vCPU's pc, in `page`, is due for a translation. False: its vCPU has to make it. True: it is awaited now, and
    // interpreted meanwhile.
    bool translated_beside(Vcpu& vcpu, const FetchPage& page);
    // Runs the code at the vCPU's pc, in `page`, as it stands, and goes on with what it jumps to in its page while that is as
    // rare and has no translation at hand.
    Interpreted run(Vcpu& vcpu, const FetchPage& page);
    // No more than to the next jump, or to where an instruction would end behind `end`, an offset in the page.
    Interpreted run_to(Vcpu& vcpu, const FetchPage& page, uint32_t end);

  private:
    // Until the next jump or the end of the bytes, which is `end` in the page. Nothing: `result` says how it went on.
    std::optional<Interpreted> run_once(Vcpu& vcpu, const FetchPage& page, uint32_t end, RunResult* result);
    static std::optional<Interpreted> ended(Vcpu& vcpu, const RunResult& result);
    Interpreted run_across(Vcpu& vcpu, const FetchPage& page);
    bool run_bytes(Vcpu& vcpu, const FetchPage& page, uint32_t end, RunResult* result);
    Interpreted translate_beginning(Vcpu& vcpu, const FetchPage& page, uint64_t begun);

    const GuestArch& guest_;
    Translators& translators_;
    TranslationWorkers* const workers_;
};

}  // namespace weft::accel
