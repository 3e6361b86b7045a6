#include "random_input.h"

#include <iterator>

#include "fp_specials.h"

namespace weft::tcg::test {

Input random_input(std::mt19937_64& random) {
    Input input;
    auto word = [&]() -> uint64_t {
        switch (random() % 4) {
            case 0:
                return uint64_t{1} << random() % 64;
            case 1:
                return static_cast<uint64_t>(int64_t{static_cast<int8_t>(random())});
            case 2:
                return static_cast<uint64_t>(int64_t{static_cast<int32_t>(random())});
            default:
                return random();
        }
    };
    for (uint64_t& reg : input.state.regs) {
        reg = word();
    }
    for (uint64_t& reg : input.state.fp_regs) {
        switch (random() % 4) {
            case 0:
                reg = kFp64Specials[random() % std::size(kFp64Specials)];
                break;
            case 1:
                reg = 0xffffffff00000000 | kFp32Specials[random() % std::size(kFp32Specials)];
                break;
            case 2:
                reg = 0xffffffff00000000 | (random() & 0xffffffff);
                break;
            default:
                reg = random();
                break;
        }
    }
    input.state.rounds = 1 + random() % 6;
    for (uint32_t& value : input.state.words) {
        value = static_cast<uint32_t>(word());
    }
    for (uint8_t& byte : input.state.area) {
        byte = static_cast<uint8_t>(random());
    }
    for (uint8_t& byte : input.memory) {
        byte = static_cast<uint8_t>(random());
    }
    input.fp_flags = random() & 31;
    input.page_pc = random() & ~uint64_t{4095};
    input.exit_request = random() % 4 == 0;
    input.insn_budget = static_cast<int64_t>(random() % 40);
    return input;
}

}  // namespace weft::tcg::test
