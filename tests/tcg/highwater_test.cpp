// The highwater margin against every op of the table, one at a time: what an op adds to a unit, with its out-of-line code
// and its constants, is never more than the margin, and where it does not fit nothing behind the margin is written.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir_fixture.h"
#include "tcg/code/sizing.h"
#include "weft/ir_info.h"

namespace weft::tcg::test {

namespace {

using ir::Aux;
using ir::Opcode;
using ir::Type;

constexpr uint8_t kUntouched = 0xa5;
// Behind a window and its margin: an overflow that is noticed too late ends here.
constexpr size_t kWatched = 2048;
constexpr unsigned kLiveInts = 16;
constexpr unsigned kLiveFloats = 16;
constexpr unsigned kTail = 100;  // stores behind the op

// An op with its type and what its words can say.
struct Variant {
    Opcode code;
    Type type;
    uint8_t cond;
    uint32_t aux;

    const ir::OpInfo& info() const { return ir::info(code); }
    // Whether what was live before it cannot be used directly behind it.
    bool ends_block() const {
        return (info().flags & (ir::flag_block_start | ir::flag_block_end)) != 0 ||
               code == Opcode::exit_check || code == Opcode::return_point;
    }
};

// What its inputs are.
enum class Operands { globals, temps, constants };

std::vector<Type> types_of(const ir::OpInfo& info) {
    switch (info.types) {
        case ir::TypeSet::ints:
            return {Type::i32, Type::i64};
        case ir::TypeSet::fps:
            return {Type::f32, Type::f64};
        case ir::TypeSet::any:
            return {Type::i32, Type::i64, Type::f32, Type::f64};
        case ir::TypeSet::none:
            break;
    }
    return {Type::none};
}

using Words = std::vector<std::pair<uint8_t, uint32_t>>;  // cond and aux

Words memops(const ir::OpInfo& info, Type type) {
    Words words;
    const bool atomic = info.name.starts_with("atomic");
    const unsigned largest = ir::width(type) == 32 ? 2 : 3;
    for (unsigned size = ir::is_fp(type) ? largest : 0; size <= largest; ++size) {
        for (uint32_t flags = 0; flags < 16; ++flags) {
            const uint32_t aligned = atomic ? ir::MemOp::kAligned : 0;
            const uint32_t all = flags * ir::MemOp::kSign | aligned;
            words.emplace_back(0, ir::MemOp(size, flags % kMmuModes, all).bits());
        }
    }
    return words;
}

Words words_of(const ir::OpInfo& info, Type type) {
    Words words;
    const auto each = [&words](uint8_t conds, uint32_t auxs) {
        for (uint8_t cond = 0; cond < conds; ++cond) {
            for (uint32_t aux = 0; aux < auxs; ++aux) {
                words.emplace_back(cond, aux);
            }
        }
    };
    const uint32_t width = ir::width(type);
    switch (info.aux) {
        case Aux::cond:
        case Aux::cond_label:
            each(12, 1);
            break;
        case Aux::field:
            for (uint32_t position = 0; position < width; ++position) {
                for (const uint32_t length : {uint32_t{1}, uint32_t{8}, uint32_t{16}, width - position}) {
                    if (position + length <= width) {
                        words.emplace_back(0, position | length << 8);
                    }
                }
            }
            break;
        case Aux::offset:
            words.emplace_back(0, kAreaOffset + 8);
            break;
        case Aux::memop:
            words = memops(info, type);
            break;
        case Aux::helper:
            each(1, kTestHelperCount);
            break;
        case Aux::slot:
            words.emplace_back(0, 0xffe);
            break;
        case Aux::reason:
            each(1, 3);
            break;
        case Aux::pc_offset:
            words = {{0, 0}, {0, 4096}, {0, 0x7fffffff}, {0, 0x80000000}};
            break;
        case Aux::barrier:
            each(1, 16);
            break;
        case Aux::returns:
            each(2, 1);
            break;
        case Aux::insns:
            words = {{0, 1}, {1, 1}, {0, 512}, {1, 512}};
            break;
        case Aux::rounding:
            each(5, 1);
            break;
        case Aux::convert:
            each(5, 4);
            break;
        case Aux::none:
        case Aux::label:
            words.emplace_back(0, 0);
            break;
    }
    return words;
}

std::vector<Variant> all_variants() {
    std::vector<Variant> variants;
    for (unsigned i = 0; i < ir::kOpcodeCount; ++i) {
        const auto code = static_cast<Opcode>(i);
        for (const Type type : types_of(ir::info(code))) {
            for (const auto& [cond, aux] : words_of(ir::info(code), type)) {
                variants.push_back({code, type, cond, aux});
            }
        }
    }
    return variants;
}

// Writes a unit around one op.
class UnitAround {
  public:
    UnitAround(UnitUnderTest& unit, Operands operands) : u_(unit), b_(unit.b), operands_(operands) {}

    // The unit, and without `with_op` the same unit that lacks it. With `pressure` more values live across the op than there
    // are registers.
    void write(const Variant& variant, bool with_op, bool pressure) {
        b_.insn_start(0);
        const ir::Label end = b_.new_label();
        b_.brcond(ir::Cond::eq, u_.r(10), u_.r(11), end);
        std::vector<ir::I64> ints;
        std::vector<ir::F64> floats;
        for (unsigned i = 0; pressure && i < kLiveInts; ++i) {
            ints.push_back(b_.load_state<ir::I64>(Opcode::ld, area(i)));
        }
        for (unsigned i = 0; pressure && i < kLiveFloats; ++i) {
            floats.push_back(b_.load_state<ir::F64>(Opcode::ld, area(i)));
        }
        b_.insn_start(4);
        if (with_op) {
            op(variant, end);
        }
        if (!variant.ends_block()) {
            for (unsigned i = 0; i < ints.size(); ++i) {
                b_.store_state(Opcode::st, ints[i], area(i));
            }
            for (unsigned i = 0; i < floats.size(); ++i) {
                b_.store_state(Opcode::st, floats[i], area(i));
            }
        }
        b_.set_label(end);
        b_.insn_start(8);
        for (unsigned i = 0; i < kTail; ++i) {
            b_.store_state(Opcode::st, u_.r(i % kIntGlobals), area(i));
        }
        b_.exit_check(1, false);
        u_.leave();
    }

  private:
    static int32_t area(unsigned i) { return kAreaOffset + static_cast<int32_t>(8 * i % kAreaSize); }

    uint16_t temp(Type type) {
        switch (type) {
            case Type::i32:
                return b_.temp<ir::I32>().index;
            case Type::i64:
                return b_.temp<ir::I64>().index;
            case Type::f32:
                return b_.temp<ir::F32>().index;
            default:
                return b_.temp<ir::F64>().index;
        }
    }

    uint16_t input(unsigned number, Type type) {
        if (operands_ == Operands::constants && ir::is_int(type)) {
            // Small enough for a shift, or as long as an immediate can be.
            const uint64_t value = number == 0 ? 0x1234567890abcdef : 5;
            return type == Type::i32 ? b_.imm32(static_cast<uint32_t>(value)).index : b_.imm(value).index;
        }
        if (operands_ == Operands::globals && type != Type::f32) {
            switch (type) {
                case Type::i32:
                    return u_.w(number % kWordGlobals).index;
                case Type::i64:
                    return u_.r(number).index;
                default:
                    return u_.f(number).index;
            }
        }
        const uint16_t t = temp(type);
        b_.emit(Opcode::ld, type, 0, static_cast<uint32_t>(area(number)), t);
        return t;
    }

    void op(const Variant& variant, ir::Label end) {
        const ir::OpInfo& info = variant.info();
        switch (info.aux) {
            case Aux::slot:
                if (variant.code == Opcode::return_point) {
                    b_.return_point(ir::I64{input(0, Type::i64)}, static_cast<int32_t>(variant.aux));
                }
                b_.exit_check(512, true);
                b_.goto_tb(static_cast<int32_t>(variant.aux));
                return;
            case Aux::insns:
                b_.exit_check(variant.aux, variant.cond != 0);
                u_.leave();
                return;
            case Aux::label:
                if (variant.code == Opcode::br) {
                    b_.br(end);
                } else {
                    b_.set_label(b_.new_label());
                }
                return;
            default:
                break;
        }
        std::vector<Type> outputs;
        std::vector<uint16_t> arguments;
        if (variant.code == Opcode::call) {
            const HelperSignature& signature = UnitUnderTest::helpers()[variant.aux].signature;
            if (signature.result != Type::none) {
                outputs.push_back(signature.result);
            }
            for (unsigned i = 0; i < signature.arg_count; ++i) {
                arguments.push_back(input(i, signature.args[i]));
            }
        } else {
            for (const char letter : info.outputs) {
                outputs.push_back(ir::letter_type(letter, variant.type));
            }
            for (unsigned i = 0; i < info.inputs.size(); ++i) {
                arguments.push_back(input(i, ir::letter_type(info.inputs[i], variant.type)));
            }
        }
        if (!outputs.empty()) {
            arguments.insert(arguments.begin(), temp(outputs[0]));
        }
        if (variant.code == Opcode::lookup_and_goto_ptr) {
            b_.exit_check(512, true);
        }
        ir::Op& written = b_.emit(variant.code, variant.type, variant.cond, variant.aux);
        written.arg_count = static_cast<uint8_t>(arguments.size());
        std::ranges::copy(arguments, written.args);
        if (variant.code == Opcode::brcond) {
            written.args[ir::kBrcondLabelArg] = end.index;
        }
        if (!outputs.empty()) {
            // Unused, it would be left out.
            b_.emit(Opcode::st, outputs[0], 0, static_cast<uint32_t>(area(7)), arguments[0]);
        }
    }

    UnitUnderTest& u_;
    ir::Builder& b_;
    const Operands operands_;
};

class Margins {
  public:
    explicit Margins(const HarnessOptions& options) : harnesses_(all_harnesses(options)) {}

    void check(const Variant& variant, Operands operands, bool pressure) {
        UnitUnderTest with;
        UnitAround(with, operands).write(variant, true, pressure);
        UnitUnderTest without;
        UnitAround(without, operands).write(variant, false, pressure);
        INFO(with.text());
        REQUIRE(with.error().empty());
        REQUIRE(without.error().empty());
        for (const auto& harness : harnesses_) {
            INFO(harness->name());
            const size_t before = harness->compile(without.unit).compiled.code_size;
            const Harness::Placed placed = harness->compile(with.unit);
            const size_t whole = placed.compiled.code_size;
            const size_t added = whole > before ? whole - before : 0;
            largest_ = std::max(largest_, added);
            if (added > kHighwaterMargin) {
                FAIL_CHECK("adds " << added << " bytes");
            }
            check_windows(*harness, with.unit, placed);
        }
    }
    size_t largest() const { return largest_; }

  private:
    static void check_windows(Harness& harness, const ir::Unit& unit, const Harness::Placed& placed) {
        const auto compiler = harness.backend().make_compiler();
        constexpr size_t kWindows = 6;
        for (size_t i = 0; i < kWindows; ++i) {
            CodeWindow window = placed.window;
            window.size = placed.compiled.code_size * i / kWindows & ~(kCodeAlignment - 1);
            const std::span<uint8_t> behind(window.bytes() + window.size + kHighwaterMargin, kWatched);
            std::ranges::fill(behind, kUntouched);
            CompiledUnit compiled;
            const CompileStatus status = compiler->compile(unit, window, placed.index, &compiled);
            const bool untouched =
                std::ranges::all_of(behind, [](uint8_t byte) { return byte == kUntouched; });
            if (status != CompileStatus::region_full || !untouched) {
                FAIL_CHECK("in a window of " << window.size << " bytes for " << placed.compiled.code_size);
            }
        }
    }

    static constexpr size_t kCodeAlignment = 16;

    std::vector<std::unique_ptr<Harness>> harnesses_;
    size_t largest_ = 0;
};

}  // namespace

TEST_CASE("no op is larger than the highwater margin, with its stubs and constants", "[window]") {
    const std::vector<Variant> variants = all_variants();
    CHECK(variants.size() > 2 * ir::kOpcodeCount);
    for (const bool count_insns : {false, true}) {
        Margins margins({.count_insns = count_insns});
        for (const Variant& variant : variants) {
            for (const bool pressure : {false, true}) {
                margins.check(variant, Operands::temps, pressure);
            }
            margins.check(variant, Operands::globals, true);
            margins.check(variant, Operands::constants, true);
        }
        // A call with all registers in use is some hundred bytes: these units do what they are for.
        CHECK(margins.largest() > 100);
    }
}

}  // namespace weft::tcg::test
