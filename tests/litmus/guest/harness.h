// What a litmus test is made of.
#pragma once

#include "program.h"
#include "smp.h"

namespace litmus {

constexpr uint64_t kMaxHarts = 4;
constexpr uint64_t kBatch = 4096;  // rounds between two meetings of all harts

// What a round works on; each variable in a cache line of its own. Zero in the beginning.
struct Variables {
    alignas(64) uint64_t x;
    alignas(64) uint64_t y;
    alignas(64) uint64_t result[kMaxHarts][2];  // what each hart has read
    alignas(64) uint32_t code[16];
};

using Body = void (*)(Variables& variables, uint64_t* result);

struct Test {
    const char* name;
    uint64_t harts;
    Body body[kMaxHarts];
    // Of a finished round.
    bool (*forbidden)(const Variables& round);
    bool (*noted)(const Variables& round) = nullptr;
    // On hart 0 before each batch.
    void (*prepare)(Variables* batch) = nullptr;
    uint64_t delay_mask = 15;  // the longest delay before a round, in turns of an empty loop
};

}  // namespace litmus
