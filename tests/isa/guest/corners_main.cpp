// Runs the jobs of a CornerProgram, and prints for each a hash of the states after all combinations.
#include "program_format.h"
#include "runtime.h"

namespace {

// corners_switch.S knows the offsets.
struct Frame {
    isa::CornerState state;
    uint64_t sp;
    uint64_t ra;
};
static_assert(__builtin_offsetof(Frame, sp) == 112);

extern "C" {
void run_stub(Frame* frame);
void stub_trap();
}

constexpr uint64_t kStateWords = sizeof(isa::CornerState) / 8;

Frame frame;

void put_words(const uint64_t* words, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        guest::put_word(words[i]);
    }
}

void store_bytes(uint64_t address, uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) {
        *reinterpret_cast<volatile uint8_t*>(address + i) = static_cast<uint8_t>(value >> 8 * i);
    }
}

void fill_scratch() {
    uint64_t seed = 1;
    for (uint64_t i = 0; i < isa::kScratchWords; ++i) {
        reinterpret_cast<uint64_t*>(isa::kScratchBegin)[i] = guest::random(seed);
    }
}

void run_combination(const isa::CornerJob& job, uint64_t a, uint64_t b, uint64_t c, uint64_t frm,
                     uint64_t& h) {
    isa::CornerState& state = frame.state;
    state.x1 = 0x0101010101010101;
    state.x2 = isa::kScratchMiddle;
    state.x10 = a + job.bias;
    state.x11 = b;
    state.x12 = c;
    state.x13 = 0x1313131313131313;
    state.f10 = a;
    state.f11 = b;
    state.f12 = c;
    state.f13 = 0xfedcba9876543210;
    state.fcsr = frm << 5;
    state.trap_count = state.causes = state.tvals = 0;
    if (job.touches_memory != 0) {
        store_bytes(job.uses_sp != 0 ? state.x2 + job.sp_offset : a, c);
    }
    run_stub(&frame);
    const uint64_t* words = reinterpret_cast<const uint64_t*>(&state);
    const uint64_t* window = reinterpret_cast<const uint64_t*>(isa::kWindowBegin);
    if (job.verbose != 0) {
        put_words(words, kStateWords);
        put_words(window, isa::kWindowWords);
        return;
    }
    h = guest::hash(h, words, kStateWords);
    if (job.touches_memory != 0) {
        h = guest::hash(h, window, isa::kWindowWords);
    }
}

void run_job(const isa::CornerJob& job, const uint64_t* values) {
    fill_scratch();
    for (uint64_t i = 0; i < isa::kStubHalfwords; ++i) {
        reinterpret_cast<volatile uint16_t*>(isa::kStubBase)[i] = job.code[i];
    }
    asm volatile("fence.i" ::: "memory");
    uint64_t h = guest::kHashStart;
    for (uint64_t a = 0; a < job.count[0]; ++a) {
        for (uint64_t b = 0; b < job.count[1]; ++b) {
            for (uint64_t c = 0; c < job.count[2]; ++c) {
                for (uint64_t frm = 0; frm < job.frm_count; ++frm) {
                    run_combination(job, values[job.first[0] + a], values[job.first[1] + b],
                                    values[job.first[2] + c], job.first_frm + frm, h);
                }
            }
        }
    }
    if (job.verbose == 0) {
        guest::put_word(h);
    }
}

}  // namespace

void guest_main() {
    GUEST_CSR_WRITE(mtvec, reinterpret_cast<uint64_t>(&stub_trap));
    const isa::CornerProgram& program = *reinterpret_cast<const isa::CornerProgram*>(isa::kProgramBase);
    const uint64_t* values = reinterpret_cast<const uint64_t*>(&program + 1);
    const isa::CornerJob* jobs = reinterpret_cast<const isa::CornerJob*>(values + program.value_count);
    for (uint64_t i = 0; i < program.job_count; ++i) {
        run_job(jobs[i], values);
    }
}
