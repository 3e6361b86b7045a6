// Runs the cases of a RandomProgram, and prints for each a line with a hash of the registers and traps and one of the
// memory; or all words of the state for the one that is to be dumped.
#include "program_format.h"
#include "runtime.h"

namespace {

// random_switch.S knows the offsets.
struct Frame {
    uint64_t unused;
    isa::FinalState final;
    uint64_t start;  // of the code
    uint64_t end;    // its last instruction, the c.ebreak
    uint64_t sp;
    uint64_t entry_status;
    uint64_t satp;
    uint64_t tvec;
    isa::Trap traps[isa::kMaxTraps];
};
static_assert(__builtin_offsetof(Frame, final.f) == 256);
static_assert(__builtin_offsetof(Frame, final.trap_count) == 536);
static_assert(__builtin_offsetof(Frame, traps) == 592);

constexpr uint64_t kStateWords = sizeof(isa::FinalState) / 8;
constexpr uint64_t kStatusFsClean = 2 << 13;
constexpr uint64_t kStatusFs = 3 << 13;
constexpr uint64_t kStatusFsDirty = 3 << 13;
constexpr uint64_t kStatusSd = uint64_t{1} << 63;
constexpr unsigned kStatusMppShift = 11;
constexpr uint64_t kSatpSv39 = uint64_t{8} << 60;

extern "C" {
void run_case(const isa::Case* test, Frame* frame);
extern const uint64_t root_supervisor[];
extern const uint64_t root_user[];
}

Frame frame;
uint64_t* const scratch = reinterpret_cast<uint64_t*>(isa::kScratchBegin);

void fill_scratch(const isa::RandomProgram& program, uint64_t seed) {
    for (uint64_t i = 0; i < isa::kScratchWords; ++i) {
        const uint64_t number = guest::random(seed);
        scratch[i] = (number & 3) != 0 ? program.pool[(number >> 8) % isa::kPoolWords] : number;
    }
}

uint64_t satp_to(const uint64_t* root) { return kSatpSv39 | reinterpret_cast<uint64_t>(root) >> 12; }

void prepare(const isa::Case& test) {
    uint64_t mode = 0;
    frame.satp = 0;
    switch (test.mode) {
        case isa::machine:
            mode = 3;
            break;
        case isa::supervisor_sv39:
            frame.satp = satp_to(root_supervisor);
            [[fallthrough]];
        case isa::supervisor_bare:
            mode = 1;
            break;
        case isa::user_sv39:
            frame.satp = satp_to(root_user);
            break;
    }
    frame.entry_status = mode << kStatusMppShift | kStatusFsClean;
    frame.start = reinterpret_cast<uint64_t>(&test + 1);
    frame.end = frame.start + test.code_size - 2;
    frame.final.trap_count = 0;
}

// An emulator may call the FP state dirty where it is not (3.1.6.6), and the peer does not do so in the same places as
// weft: what must not be is that changes remain unnoticed. 0: all is well.
uint64_t status_fault(const isa::Case& test, const isa::FinalState& final, uint64_t status) {
    const bool dirty = (status & kStatusFs) == kStatusFsDirty;
    bool changed = false;
    for (unsigned n = 0; n < 32; ++n) {
        changed = changed || final.f[n] != test.f[n];
    }
    return (changed && !dirty ? 1 : 0) | (dirty != ((status & kStatusSd) != 0) ? 2 : 0);
}

uint64_t recorded_trap_words() {
    const uint64_t count = frame.final.trap_count;
    return (count < isa::kMaxTraps ? count : isa::kMaxTraps) * sizeof(isa::Trap) / 8;
}

void put_words(const uint64_t* words, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        guest::put_word(words[i]);
    }
}

}  // namespace

void guest_main() {
    const isa::RandomProgram& program = *reinterpret_cast<const isa::RandomProgram*>(isa::kProgramBase);
    const isa::Case* test = reinterpret_cast<const isa::Case*>(&program + 1);
    for (uint64_t i = 0; i < program.case_count; ++i) {
        fill_scratch(program, test->scratch_seed);
        prepare(*test);
        run_case(test, &frame);
        // mstatus until here.
        frame.final.status_fault = status_fault(*test, frame.final, frame.final.status_fault);
        const uint64_t* state = reinterpret_cast<const uint64_t*>(&frame.final);
        const uint64_t* traps = reinterpret_cast<const uint64_t*>(frame.traps);
        if (i == program.dumped) {
            put_words(state, kStateWords);
            put_words(traps, recorded_trap_words());
            put_words(scratch, isa::kScratchWords);
            break;
        }
        if (i >= program.first_printed) {
            uint64_t h = guest::hash(guest::kHashStart, state, kStateWords);
            h = guest::hash(h, traps, recorded_trap_words());
            guest::put_hex(h);
            guest::put_char(' ');
            guest::put_word(guest::hash(guest::kHashStart, scratch, isa::kScratchWords));
        }
        test = reinterpret_cast<const isa::Case*>(reinterpret_cast<uint64_t>(test) + test->size);
    }
}
