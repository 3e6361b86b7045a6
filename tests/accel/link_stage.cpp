#include "tests/accel/link_stage.h"

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "accel/tcg/vcpu/runtime_hooks.h"
#include "base/assert.h"
#include "tests/accel/toy_guest.h"

namespace toy {

using namespace weft;
using namespace weft::accel;
using tcg::JumpSite;
using tcg::RwAddress;
using tcg::RxAddress;
using tcg::TranslationBlock;

// Another backend with something to do before it patches.
class HookedBackend final : public tcg::Backend {
  public:
    explicit HookedBackend(const tcg::Backend& real) : real_(real) {}

    // Set by the main thread before anybody patches, taken by whoever patches first.
    std::function<void()> hook;
    std::atomic<bool> armed{false};

    const char* name() const override { return real_.name(); }
    bool executes() const override { return real_.executes(); }
    Result<size_t> emit_runtime(tcg::CodeWindow, size_t) override { return fail("done by the real one"); }
    std::unique_ptr<tcg::Compiler> make_compiler() const override { return real_.make_compiler(); }
    tcg::ExitKind run(void* state, RxAddress code) const override { return real_.run(state, code); }
    void link(RwAddress unit, const JumpSite& site, RwAddress target) const override {
        step();
        real_.link(unit, site, target);
    }
    void unlink(RwAddress unit, const JumpSite& site) const override {
        step();
        real_.unlink(unit, site);
    }
    RwAddress jump_target(RwAddress unit, const JumpSite& site) const override {
        return real_.jump_target(unit, site);
    }
    void set_rounding(void* state, ir::Rounding rounding) const override {
        real_.set_rounding(state, rounding);
    }
    void collect_fp_flags(void* state) const override { real_.collect_fp_flags(state); }
    std::string disassemble(tcg::CodeWindow code) const override { return real_.disassemble(code); }

  private:
    void step() const {
        if (const_cast<HookedBackend*>(this)->armed.exchange(false)) {
            hook();
        }
    }

    const tcg::Backend& real_;
};

namespace {

HostServices silent_host() {
    HostServices host{};
    host.warn = [](void*, const char*) {};
    host.log_enabled = [](void*, unsigned) { return false; };
    return host;
}

std::unique_ptr<TranslationCache> make_cache(const CodeUsers& vcpus) {
    static const HostServices host = silent_host();
    Settings settings;
    settings.tb_size_mib = 1;
    const char* backend = std::getenv("WEFT_TEST_BACKEND");
    settings.backend = backend != nullptr && std::string_view(backend) == "native" ? BackendKind::native
                                                                                   : BackendKind::interp;
    auto cache = TranslationCache::create(
        {&guest_arch(), &host, &vcpus, nullptr, settings, 1, runtime_hooks(true), nullptr});
    WEFT_ASSERT(cache);
    return std::move(*cache);
}

class Visit {
  public:
    explicit Visit(EpochDomain& epochs) : reader_(epochs) { reader_.go_online(); }

  private:
    EpochDomain::Reader reader_;
};

}  // namespace

Stage::Stage()
    : cache_(make_cache(vcpus_)),
      backend_(std::make_unique<HookedBackend>(cache_->backend())),
      compiler_(backend_->make_compiler()),
      memory_({guest_arch().globals, guest_arch().global_count}) {
    auto table = BlockHashTable::create(cache_->epochs(), 64);
    WEFT_ASSERT(table);
    blocks_ = std::make_unique<BlockTable>(cache_->epochs(), std::move(*table), *backend_, cache_->buffer(),
                                           vcpus_);
    auto context = cache_->regions().claim();
    WEFT_ASSERT(context);
    context_ = std::move(*context);
}

Stage::~Stage() { join(); }

TranslationBlock& Stage::make(uint32_t from, uint32_t to) {
    Assembler code(from);
    code.addi(1, 1);
    code.jmp(to);
    TranslateRequest request{};
    request.code = code.bytes().data();
    request.code_size = static_cast<uint32_t>(code.bytes().size());
    request.page_offset = from;
    request.max_insns = 2;
    ir::Unit& unit = memory_.begin_unit();
    WEFT_ASSERT(guest_arch().translate(&request, &unit) == TranslateStatus::ok);
    tcg::CompiledUnit compiled{};
    WEFT_ASSERT(compiler_->compile(unit, context_->window(), context_->next_unit(), &compiled) ==
                tcg::CompileStatus::ok);
    tcg::BlockInfo info{};
    info.key = {from, tcg::kNoPage, 0};
    info.hash = TbTraits::hash(info.key);
    info.guest_size = static_cast<uint16_t>(unit.guest_size);
    info.insn_count = static_cast<uint16_t>(unit.insn_count);
    TranslationBlock* const tb = context_->add(info, compiled);
    WEFT_ASSERT(tb != nullptr && tb->jump_count == 1);
    const Visit visit(cache_->epochs());
    cache_->regions().trees().insert(*tb);
    blocks_->insert(*tb);
    return *tb;
}

bool Stage::link(TranslationBlock& source, TranslationBlock& destination) {
    const Visit visit(cache_->epochs());
    return blocks_->link(source, 0, destination);
}

void Stage::invalidate(TranslationBlock& tb) {
    const Visit visit(cache_->epochs());
    blocks_->invalidate(tb);
}

void Stage::before_patch(std::function<void()> hook) {
    backend_->hook = std::move(hook);
    backend_->armed = true;
}

void Stage::join() {
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

RwAddress Stage::target_of(const TranslationBlock& source) const {
    return backend_->jump_target(cache_->buffer().to_rw(source.code), source.jumps[0].site);
}

bool Stage::linked(const TranslationBlock& source) const {
    return target_of(source) != cache_->buffer().to_rw(source.code) + source.jumps[0].site.stub_offset;
}

bool Stage::leads_to(const TranslationBlock& source, const TranslationBlock& destination) const {
    return target_of(source) == cache_->buffer().to_rw(destination.code);
}

}  // namespace toy
