#include "tcg/interp/backend.h"

#include <limits>

#include "base/assert.h"
#include "tcg/interp/compiler.h"
#include "tcg/interp/disassembler.h"
#include "tcg/interp/machine.h"

namespace weft::tcg {

namespace interp {

namespace {

// Bytes kept free at the start of the buffer, so that no unit is at offset 0 there.
constexpr size_t kRuntimeSize = 64;

class InterpBackend : public Backend {
  public:
    explicit InterpBackend(const BackendConfig& config) : config_(config) {
        add_integer_handlers(handlers_);
        add_memory_handlers(handlers_);
        add_control_handlers(handlers_, config.profile);
        add_fp_handlers(handlers_);
    }

    const char* name() const override { return "interp"; }
    bool executes() const override { return false; }

    Result<size_t> emit_runtime(CodeWindow window, size_t) override {
        if (window.size < kRuntimeSize) {
            return fail("the code buffer is too small");
        }
        code_base_ = window.rx;
        return kRuntimeSize;
    }

    std::unique_ptr<Compiler> make_compiler() const override {
        return std::make_unique<InterpCompiler>(config_);
    }

    ExitKind run(void* state, RxAddress code) const override {
        Machine machine(state, config_, code_base_);
        const Insn* insn = machine.enter(code.value());
        do {
            insn = handlers_[insn->key](machine, *insn);
        } while (insn != nullptr);
        return machine.exit;
    }

    void link(RwAddress unit, const JumpSite& site, RwAddress target) const override {
        const ptrdiff_t distance = target - (unit + site.site_offset);
        WEFT_ASSERT(distance != 0 && distance >= std::numeric_limits<int32_t>::min() &&
                    distance <= std::numeric_limits<int32_t>::max());
        // Release: pairs with the acquire in the handler of goto_tb, which then reads the target's code.
        __atomic_store_n(word(unit, site), static_cast<uint32_t>(distance), __ATOMIC_RELEASE);
    }
    void unlink(RwAddress unit, const JumpSite& site) const override {
        // Relaxed: it leads to the unit's own code, which is older.
        __atomic_store_n(word(unit, site), 0u, __ATOMIC_RELAXED);
    }
    RwAddress jump_target(RwAddress unit, const JumpSite& site) const override {
        const auto distance = static_cast<int32_t>(__atomic_load_n(word(unit, site), __ATOMIC_RELAXED));
        if (distance == 0) {
            return unit + site.stub_offset;
        }
        return unit + site.site_offset + static_cast<size_t>(ptrdiff_t{distance});
    }

    // Rounding is in every op, and flags never leave header.fp_flags.
    void set_rounding(void*, ir::Rounding) const override {}
    void collect_fp_flags(void*) const override {}

    std::string disassemble(CodeWindow code) const override {
        return interp::disassemble(code, {config_.guest->helpers, config_.guest->helper_count});
    }

  private:
    static uint32_t* word(RwAddress unit, const JumpSite& site) {
        return (unit + site.site_offset).as<uint32_t>();
    }

    const BackendConfig config_;
    HandlerTable handlers_{};
    RxAddress code_base_;
};

}  // namespace

}  // namespace interp

std::unique_ptr<Backend> make_interp_backend(const BackendConfig& config) {
    return std::make_unique<interp::InterpBackend>(config);
}

}  // namespace weft::tcg
