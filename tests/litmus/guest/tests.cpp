#include "tests.h"

namespace litmus {
namespace {

// Bodies are written as instructions: nothing may come between them that the test does not name. `one` is 1.
#define STORE(v) "sd %[one], " v "\n"
#define LOAD(r, v) "ld %[" r "], " v "\n"
#define LITMUS_BODY(name, text)                                                                          \
    void name([[maybe_unused]] Variables& variables, [[maybe_unused]] uint64_t* result) {                \
        uint64_t r0 = 0;                                                                                 \
        uint64_t r1 = 0;                                                                                 \
        uint64_t t = 0;                                                                                  \
        asm volatile(                                                                                    \
            text                                                                                         \
            : [r0] "+&r"(r0), [r1] "+&r"(r1), [t] "+&r"(t), [x] "+m"(variables.x), [y] "+m"(variables.y) \
            : [one] "r"(1ul), [two] "r"(2ul), [px] "r"(&variables.x), [py] "r"(&variables.y)             \
            : "memory");                                                                                 \
        result[0] = r0;                                                                                  \
        result[1] = r1;                                                                                  \
    }

// ---- message passing: who sees the flag (y) sees the data (x) ----
LITMUS_BODY(mp_write_ww, STORE("%[x]") "fence w, w\n" STORE("%[y]"))
LITMUS_BODY(mp_write_full, STORE("%[x]") "fence rw, rw\n" STORE("%[y]"))
LITMUS_BODY(mp_write_release, STORE("%[x]") "amoswap.d.rl zero, %[one], (%[py])\n")
LITMUS_BODY(mp_write_tso, STORE("%[x]") "fence.tso\n" STORE("%[y]"))
LITMUS_BODY(mp_read_rr, LOAD("r0", "%[y]") "fence r, r\n" LOAD("r1", "%[x]"))
LITMUS_BODY(mp_read_full, LOAD("r0", "%[y]") "fence rw, rw\n" LOAD("r1", "%[x]"))
LITMUS_BODY(mp_read_acquire, "lr.d.aq %[r0], (%[py])\n" LOAD("r1", "%[x]"))
LITMUS_BODY(mp_read_amo_acquire, "amoor.d.aq %[r0], zero, (%[py])\n" LOAD("r1", "%[x]"))
// An address that depends on what was read orders without a fence (rule 9).
LITMUS_BODY(mp_read_address, LOAD("r0", "%[y]") "xor %[t], %[r0], %[r0]\n"
                                                "add %[t], %[t], %[px]\n"
                                                "ld %[r1], 0(%[t])\n")
bool mp_forbidden(const Variables& v) { return v.result[1][0] == 1 && v.result[1][1] == 0; }
bool mp_noted(const Variables& v) { return v.result[1][0] == 1; }

// ---- store buffering: one of two harts that store and then load sees the other's store ----
LITMUS_BODY(sb_x, STORE("%[x]") LOAD("r0", "%[y]"))
LITMUS_BODY(sb_y, STORE("%[y]") LOAD("r0", "%[x]"))
LITMUS_BODY(sb_x_full, STORE("%[x]") "fence rw, rw\n" LOAD("r0", "%[y]"))
LITMUS_BODY(sb_y_full, STORE("%[y]") "fence rw, rw\n" LOAD("r0", "%[x]"))
LITMUS_BODY(sb_x_wr, STORE("%[x]") "fence w, r\n" LOAD("r0", "%[y]"))
LITMUS_BODY(sb_y_wr, STORE("%[y]") "fence w, r\n" LOAD("r0", "%[x]"))
LITMUS_BODY(sb_x_amo, "amoswap.d.aqrl zero, %[one], (%[px])\n" LOAD("r0", "%[y]"))
LITMUS_BODY(sb_y_amo, "amoswap.d.aqrl zero, %[one], (%[py])\n" LOAD("r0", "%[x]"))
// A store, then an LR that is ordered after it by rl and before what follows by aq.
LITMUS_BODY(sb_x_lr, STORE("%[x]") "lr.d.aqrl %[r0], (%[py])\n")
LITMUS_BODY(sb_y_lr, STORE("%[y]") "lr.d.aqrl %[r0], (%[px])\n")
LITMUS_BODY(sb_x_io, STORE("%[x]") "fence iorw, iorw\n" LOAD("r0", "%[y]"))
LITMUS_BODY(sb_y_io, STORE("%[y]") "fence iorw, iorw\n" LOAD("r0", "%[x]"))
bool sb_both_missed(const Variables& v) { return v.result[0][0] == 0 && v.result[1][0] == 0; }
bool sb_both_seen(const Variables& v) { return v.result[0][0] == 1 && v.result[1][0] == 1; }
bool never(const Variables&) { return false; }

// ---- load buffering: no value out of thin air ----
LITMUS_BODY(lb_x_full, LOAD("r0", "%[x]") "fence rw, rw\n" STORE("%[y]"))
LITMUS_BODY(lb_y_full, LOAD("r0", "%[y]") "fence rw, rw\n" STORE("%[x]"))
LITMUS_BODY(lb_x_rw, LOAD("r0", "%[x]") "fence r, w\n" STORE("%[y]"))
LITMUS_BODY(lb_y_rw, LOAD("r0", "%[y]") "fence r, w\n" STORE("%[x]"))
// Data that depends on what was read (rule 10).
LITMUS_BODY(lb_x_data, LOAD("r0", "%[x]") "xor %[t], %[r0], %[r0]\n"
                                          "or %[t], %[t], %[one]\n"
                                          "sd %[t], %[y]\n")
LITMUS_BODY(lb_y_data, LOAD("r0", "%[y]") "xor %[t], %[r0], %[r0]\n"
                                          "or %[t], %[t], %[one]\n"
                                          "sd %[t], %[x]\n")
bool lb_forbidden(const Variables& v) { return v.result[0][0] == 1 && v.result[1][0] == 1; }

// ---- coherence ----
LITMUS_BODY(co_write, STORE("%[x]"))
LITMUS_BODY(co_write_twice, STORE("%[x]") "sd %[two], %[x]\n")
LITMUS_BODY(co_read_twice, LOAD("r0", "%[x]") LOAD("r1", "%[x]"))
bool co_rr_forbidden(const Variables& v) { return v.result[1][0] > v.result[1][1]; }
bool co_rr_noted(const Variables& v) { return v.result[1][0] < v.result[1][1]; }

// R: x = 1, y = 1 against y = 2, then reading x.
LITMUS_BODY(r_write, STORE("%[x]") "fence rw, rw\n" STORE("%[y]"))
LITMUS_BODY(r_read, "sd %[two], %[y]\nfence rw, rw\n" LOAD("r0", "%[x]"))
bool r_forbidden(const Variables& v) { return v.y == 2 && v.result[1][0] == 0; }
// S: x = 2, y = 1 against reading y, then x = 1.
LITMUS_BODY(s_write, "sd %[two], %[x]\nfence w, w\n" STORE("%[y]"))
LITMUS_BODY(s_read, LOAD("r0", "%[y]") "fence r, w\n" STORE("%[x]"))
bool s_forbidden(const Variables& v) { return v.result[1][0] == 1 && v.x == 2; }
// 2+2W
LITMUS_BODY(ww_x, STORE("%[x]") "fence w, w\nsd %[two], %[y]\n")
LITMUS_BODY(ww_y, STORE("%[y]") "fence w, w\nsd %[two], %[x]\n")
bool ww_forbidden(const Variables& v) { return v.x == 1 && v.y == 1; }

// ---- atomicity ----
// Each hart adds 8 times in a round: narrow ones side by side in a word as well.
LITMUS_BODY(amo_add,
            "li %[t], 8\n1: amoadd.d %[r0], %[one], (%[px])\n"
            "amoadd.w zero, %[one], (%[py])\naddi %[t], %[t], -1\nbnez %[t], 1b\n")
bool amo_add_wrong(const Variables& v) { return v.x != 16 || v.y != 16; }
bool amo_add_noted(const Variables& v) { return v.result[0][0] > 7 && v.result[1][0] > 7; }
// What one takes out the other does not get: the sum of all that was swapped out and what is left is that of what went in.
LITMUS_BODY(amo_swap,
            "li %[t], 8\n1: amoswap.d %[r1], %[t], (%[px])\nadd %[r0], %[r0], %[r1]\n"
            "addi %[t], %[t], -1\nbnez %[t], 1b\n")
bool amo_swap_wrong(const Variables& v) { return v.result[0][0] + v.result[1][0] + v.x != 72; }
// Bits of one's own, set and cleared and set.
LITMUS_BODY(amo_bits_0,
            "li %[t], 0x55\namoor.d zero, %[t], (%[px])\namoxor.d zero, %[t], (%[px])\n"
            "amoor.d %[r0], %[t], (%[px])\nli %[t], ~0x50\namoand.d zero, %[t], (%[px])\n")
LITMUS_BODY(amo_bits_1,
            "li %[t], 0xaa\namoor.d zero, %[t], (%[px])\namoxor.d zero, %[t], (%[px])\n"
            "amoor.d %[r0], %[t], (%[px])\nli %[t], ~0xa0\namoand.d zero, %[t], (%[px])\n")
bool amo_bits_wrong(const Variables& v) {
    return v.x != 0x0f || (v.result[0][0] & 0x55) != 0 || (v.result[1][0] & 0xaa) != 0;
}
bool amo_bits_noted(const Variables& v) {
    return (v.result[0][0] & 0xa0) != 0 || (v.result[1][0] & 0x50) != 0;
}
// Largest and smallest of what both store.
LITMUS_BODY(amo_max_0,
            "li %[t], 7\n1: amomaxu.d zero, %[t], (%[px])\nnot %[r1], %[t]\namomin.d zero, %[r1], (%[py])\n"
            "addi %[t], %[t], -1\nbnez %[t], 1b\n")
LITMUS_BODY(amo_max_1,
            "li %[t], 1\n1: amomaxu.d zero, %[t], (%[px])\nnot %[r1], %[t]\namomin.d zero, %[r1], (%[py])\n"
            "addi %[t], %[t], 1\nslti %[r0], %[t], 10\nbnez %[r0], 1b\n")
bool amo_max_wrong(const Variables& v) { return v.x != 9 || v.y != ~uint64_t{9}; }
// LR and SC as a counter.
LITMUS_BODY(lr_sc_add,
            "li %[r1], 8\n1: lr.d %[t], (%[px])\naddi %[t], %[t], 1\nsc.d %[t], %[t], (%[px])\n"
            "bnez %[t], 1b\n2: lr.w.aq %[t], (%[py])\naddi %[t], %[t], 1\nsc.w.rl %[t], %[t], (%[py])\n"
            "bnez %[t], 2b\naddi %[r1], %[r1], -1\nbnez %[r1], 1b\n")
bool lr_sc_add_wrong(const Variables& v) { return v.x != 16 || v.y != 16; }
// An SC succeeds only if nobody stored since the LR: a store of 2 is then before the LR, which reads it, or after the SC.
LITMUS_BODY(lr_sc, "lr.d %[r0], (%[px])\nsc.d %[r1], %[one], (%[px])\n")
LITMUS_BODY(store_two, "sd %[two], %[x]\n")
bool lr_sc_forbidden(const Variables& v) { return v.result[0][0] == 0 && v.result[0][1] == 0 && v.x == 1; }
bool lr_sc_noted(const Variables& v) { return v.result[0][1] != 0; }
// An AMO against LR and SC: of both, or the SC failed.
LITMUS_BODY(amo_two, "amoadd.d %[r0], %[two], (%[px])\n")
LITMUS_BODY(lr_sc_plus, "lr.d %[r0], (%[px])\naddi %[t], %[r0], 1\nsc.d %[r1], %[t], (%[px])\n")
bool lr_sc_amo_wrong(const Variables& v) { return v.x != (v.result[0][1] == 0 ? 3u : 2u); }

// ---- code that another hart changes ----
constexpr uint32_t kRet = 0x00008067;
constexpr uint32_t li_a0(uint32_t value) { return value << 20 | 10 << 7 | 0x13; }
uint64_t call(const uint32_t* code) {
    return reinterpret_cast<uint64_t (*)()>(reinterpret_cast<uint64_t>(code))();
}

void code_prepare(Variables* batch) {
    for (uint64_t i = 0; i < kBatch; ++i) {
        *const_cast<volatile uint32_t*>(&batch[i].code[0]) = li_a0(0);
        *const_cast<volatile uint32_t*>(&batch[i].code[1]) = kRet;
    }
}
// The data is an instruction: who sees the flag and fences runs the new one.
void code_write(Variables& v, uint64_t*) {
    *const_cast<volatile uint32_t*>(&v.code[0]) = li_a0(1);
    asm volatile("fence w, w" ::: "memory");
    *const_cast<volatile uint64_t*>(&v.y) = 1;
}
void code_run(Variables& v, uint64_t* result) {
    asm volatile("fence.i" ::: "memory");
    call(v.code);  // so that there is a translation, of either
    result[0] = *const_cast<volatile uint64_t*>(&v.y);
    asm volatile("fence r, r\nfence.i" ::: "memory");
    result[1] = call(v.code);
}
bool code_forbidden(const Variables& v) { return v.result[1][0] == 1 && v.result[1][1] != 1; }
// The same, but nothing is fetched anew: what the hart ran before may be run again.
void code_run_unfenced(Variables& v, uint64_t* result) {
    asm volatile("fence.i" ::: "memory");
    call(v.code);
    result[0] = *const_cast<volatile uint64_t*>(&v.y);
    asm volatile("fence r, r" ::: "memory");
    result[1] = call(v.code);
}
bool code_strange(const Variables& v) { return v.result[1][1] > 1; }

// ---- four harts ----
LITMUS_BODY(iriw_x, STORE("%[x]"))
LITMUS_BODY(iriw_y, STORE("%[y]"))
LITMUS_BODY(iriw_xy, LOAD("r0", "%[x]") "fence r, r\n" LOAD("r1", "%[y]"))
LITMUS_BODY(iriw_yx, LOAD("r0", "%[y]") "fence r, r\n" LOAD("r1", "%[x]"))
bool iriw_forbidden(const Variables& v) {
    return v.result[2][0] == 1 && v.result[2][1] == 0 && v.result[3][0] == 1 && v.result[3][1] == 0;
}
bool iriw_noted(const Variables& v) {
    return (v.result[2][0] == 1 && v.result[2][1] == 0) || (v.result[3][0] == 1 && v.result[3][1] == 0);
}
LITMUS_BODY(iriw_xy_full, LOAD("r0", "%[x]") "fence rw, rw\n" LOAD("r1", "%[y]"))
LITMUS_BODY(iriw_yx_full, LOAD("r0", "%[y]") "fence rw, rw\n" LOAD("r1", "%[x]"))
// WRC, and a fourth hart that adds to the noise: x is passed on through y.
LITMUS_BODY(wrc_pass, LOAD("r0", "%[x]") "fence r, w\nsd %[r0], %[y]\n")
bool wrc_forbidden(const Variables& v) { return v.result[2][0] == 1 && v.result[2][1] == 0; }
bool wrc_noted(const Variables& v) { return v.result[2][0] == 1; }
bool amo_add_four_wrong(const Variables& v) { return v.x != 32 || v.y != 32; }

}  // namespace

const Test kTests[] = {
    {"SB", 2, {sb_x, sb_y}, never, sb_both_missed},
    {"SB+fence.rw.rw", 2, {sb_x_full, sb_y_full}, sb_both_missed, sb_both_seen},
    {"SB+fence.w.r", 2, {sb_x_wr, sb_y_wr}, sb_both_missed, sb_both_seen},
    {"SB+fence.iorw.iorw", 2, {sb_x_io, sb_y_io}, sb_both_missed, sb_both_seen},
    {"SB+amoswap.aqrl", 2, {sb_x_amo, sb_y_amo}, sb_both_missed, sb_both_seen},
    {"SB+lr.aqrl", 2, {sb_x_lr, sb_y_lr}, sb_both_missed, sb_both_seen},
    {"MP+fence.w.w+fence.r.r", 2, {mp_write_ww, mp_read_rr}, mp_forbidden, mp_noted},
    {"MP+fence.rw.rw+fence.rw.rw", 2, {mp_write_full, mp_read_full}, mp_forbidden, mp_noted},
    {"MP+rl+lr.aq", 2, {mp_write_release, mp_read_acquire}, mp_forbidden, mp_noted},
    {"MP+rl+amo.aq", 2, {mp_write_release, mp_read_amo_acquire}, mp_forbidden, mp_noted},
    {"MP+fence.tso+address", 2, {mp_write_tso, mp_read_address}, mp_forbidden, mp_noted},
    {"LB+fence.rw.rw", 2, {lb_x_full, lb_y_full}, lb_forbidden},
    {"LB+fence.r.w", 2, {lb_x_rw, lb_y_rw}, lb_forbidden},
    {"LB+data", 2, {lb_x_data, lb_y_data}, lb_forbidden},
    {"CoRR", 2, {co_write, co_read_twice}, co_rr_forbidden, co_rr_noted},
    {"CoRR+two-writes", 2, {co_write_twice, co_read_twice}, co_rr_forbidden, co_rr_noted},
    {"R+fence.rw.rw", 2, {r_write, r_read}, r_forbidden},
    {"S+fence.w.w+fence.r.w", 2, {s_write, s_read}, s_forbidden},
    {"2+2W+fence.w.w", 2, {ww_x, ww_y}, ww_forbidden},
    {"amoadd", 2, {amo_add, amo_add}, amo_add_wrong, amo_add_noted},
    {"amoswap", 2, {amo_swap, amo_swap}, amo_swap_wrong},
    {"amoor+amoxor+amoand", 2, {amo_bits_0, amo_bits_1}, amo_bits_wrong, amo_bits_noted},
    {"amomaxu+amomin", 2, {amo_max_0, amo_max_1}, amo_max_wrong},
    {"lr-sc-counter", 2, {lr_sc_add, lr_sc_add}, lr_sc_add_wrong},
    {"lr-sc+store", 2, {lr_sc, store_two}, lr_sc_forbidden, lr_sc_noted},
    {"lr-sc+amoadd", 2, {lr_sc_plus, amo_two}, lr_sc_amo_wrong, lr_sc_noted},
    {"code+fence.i", 2, {code_write, code_run}, code_forbidden, nullptr, code_prepare},
    {"code-unfenced", 2, {code_write, code_run_unfenced}, code_strange, code_forbidden, code_prepare},
    {"IRIW+fence.r.r", 4, {iriw_x, iriw_y, iriw_xy, iriw_yx}, iriw_forbidden, iriw_noted},
    {"IRIW+fence.rw.rw", 4, {iriw_x, iriw_y, iriw_xy_full, iriw_yx_full}, iriw_forbidden, iriw_noted},
    {"WRC+fence.r.w+fence.r.r", 4, {iriw_x, wrc_pass, mp_read_rr, co_read_twice}, wrc_forbidden, wrc_noted},
    {"amoadd-four", 4, {amo_add, amo_add, amo_add, amo_add}, amo_add_four_wrong},
};
const uint64_t kTestCount = sizeof kTests / sizeof kTests[0];

}  // namespace litmus
