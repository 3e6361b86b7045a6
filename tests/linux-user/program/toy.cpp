#include "tests/linux-user/program/toy.h"

#include <fmt/format.h>
#include <signal.h>

#include <memory>
#include <new>

#include "weft/state.h"

namespace weft {

// The toy's: one each, freed by detach and destroy.
struct Vcpu {
    struct Block {
        alignas(64) StateHeader header;
        test::ToyState state;
    };
    test::Toy* toy;
    Block block{};
};

struct AccelInstance {
    test::Toy* toy;
};

}  // namespace weft

namespace weft::test {

namespace {

static_assert(offsetof(Vcpu::Block, state) == sizeof(StateHeader));

const ProcessOps kProcessOps = {
    .attach =
        [](AccelInstance* instance, void* guest, Vcpu** vcpu, void** state, const ErrorSink* errors) {
            Toy& toy = *instance->toy;
            if (toy.attach_fails) {
                errors->report(errors->opaque, "no room");
                return false;
            }
            *vcpu = new Vcpu{.toy = &toy};
            (*vcpu)->block.header.guest = guest;
            *state = &(*vcpu)->block.state;
            toy.header = &(*vcpu)->block.header;
            toy.events.emplace_back("attach");
            return true;
        },
    .detach =
        [](AccelInstance* instance, Vcpu* vcpu) {
            instance->toy->events.emplace_back("detach");
            delete vcpu;
        },
    .enter =
        [](Vcpu* vcpu) {
            Toy& toy = *vcpu->toy;
            vcpu->block.header.exit_request.store(0);
            if (toy.next == toy.steps.size()) {
                return Toy::call(vcpu->block.state, 94, {99});
            }
            return toy.steps[toy.next++](vcpu->block.state);
        },
    .step = nullptr,
    .host_fault = [](Vcpu*, void*, uint64_t, uint32_t) { return false; },
    .code_gone =
        [](AccelInstance* instance, uint64_t start, uint64_t end) {
            instance->toy->events.push_back(fmt::format("gone {:#x} {:#x}", start, end));
        },
    .code_settle = [](AccelInstance* instance) { instance->toy->events.emplace_back("settle"); },
    .code_written =
        [](AccelInstance* instance, uint64_t start, uint64_t end) {
            instance->toy->events.push_back(fmt::format("written {:#x} {:#x}", start, end));
        },
    .code_sync =
        [](AccelInstance* instance, uint64_t start, uint64_t end, bool all) {
            instance->toy->events.push_back(
                fmt::format("sync {:#x} {:#x} {}", start, end, all ? "all" : "own"));
        },
    .fork_begin = [](AccelInstance*) {},
    .fork_prepare = [](AccelInstance*) {},
    .fork_parent = [](AccelInstance*) {},
    .fork_child = [](AccelInstance*, Vcpu*, const ErrorSink*) { return true; },
    .keep = [](AccelInstance* instance) { instance->toy->events.emplace_back("keep"); },
    .descriptors = [](AccelInstance*, int*, uint32_t) { return uint32_t{0}; },
    .make_way = [](AccelInstance*, int) { return true; },
};

const AccelOps kOps = {
    .destroy =
        [](AccelInstance* instance) {
            instance->toy->events.emplace_back("destroy");
            delete instance;
        },
    .vcpu_create = nullptr,
    .vcpu_destroy = nullptr,
    .resume = nullptr,
    .pause = nullptr,
    .reset = nullptr,
    .vcpu_run = nullptr,
    .ram_write_begins = nullptr,
    .ram_written = nullptr,
    .topology_changed = nullptr,
    .report = nullptr,
    .services = nullptr,
    .virtual_time = nullptr,
    .process =
        [](AccelInstance* instance) { return instance->toy->has_process_mode ? &kProcessOps : nullptr; },
    .debug = nullptr,
    .save = nullptr,
};

const AccelDescriptor kToyAccelerator = {
    .abi_version = kAccelAbiVersion,
    .descriptor_size = sizeof(AccelDescriptor),
    .layout_hash = layout_hash(),
    .sanitizers = sanitizer_mode(),
    .name = "toy",
    .description = "steps of a test",
    .properties = nullptr,
    .property_count = 0,
    .ops = &kOps,
    .create = [](const AccelConfig* config, const ErrorSink* errors) -> AccelInstance* {
        Toy& toy = *static_cast<const ToyGuest*>(config->guest)->toy;
        if (!toy.create_error.empty()) {
            errors->report(errors->opaque, toy.create_error.c_str());
            return nullptr;
        }
        toy.events.emplace_back(
            config->user == &toy.memory && config->memory == nullptr ? "create" : "create otherwise");
        return new AccelInstance{.toy = &toy};
    },
};

class ToyCpu final : public user::Cpu {
  public:
    explicit ToyCpu(ToyState& state) : state_(state) {}

    uint64_t pc() const override { return state_.registers.pc; }
    user::CpuCall call() const override {
        const auto& x = state_.registers.x;
        return {.number = x[17], .arguments = {x[10], x[11], x[12], x[13], x[14], x[15]}};
    }
    void set_pointer_mask(unsigned) override {}  // the toy masks nothing
    void finish_call(uint64_t result) override {
        state_.registers.x[10] = result;
        state_.registers.pc += 4;
    }
    user::FrameRegisters get() override { return state_.registers; }
    void set(const user::FrameRegisters& registers) override { state_.registers = registers; }
    user::CpuException exception() const override { return state_.exception; }

  private:
    ToyState& state_;
};

class ToyMemory final : public user::MemoryView {
  public:
    explicit ToyMemory(Toy& toy) : toy_(toy) {}
    const UserMemoryOps& ops() const override { return toy_.memory; }

  private:
    Toy& toy_;
};

class SignalState {
  public:
    SignalState() {
        ::sigprocmask(SIG_SETMASK, nullptr, &mask_);
        for (int signal = 1; signal <= kLast; ++signal) {
            ::sigaction(signal, nullptr, &actions_[signal]);
        }
    }
    ~SignalState() {
        for (int signal = 1; signal <= kLast; ++signal) {
            ::sigaction(signal, &actions_[signal], nullptr);
        }
        ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
    }
    SignalState(const SignalState&) = delete;
    SignalState& operator=(const SignalState&) = delete;

  private:
    static constexpr int kLast = 31;
    sigset_t mask_;
    struct ::sigaction actions_[kLast + 1];
};

}  // namespace

VcpuStop Toy::call(ToyState& state, uint64_t number, const std::vector<uint64_t>& arguments) {
    state.registers.x[17] = number;
    for (size_t i = 0; i < arguments.size(); ++i) {
        state.registers.x[10 + i] = arguments[i];
    }
    state.exception = {.kind = user::CpuException::Kind::call};
    return VcpuStop::exception;
}

user::Parts Toy::parts() {
    return {.guest = &guest,
            .guest_object = this,
            .make_cpu = [](void* state) { return std::make_unique<ToyCpu>(*static_cast<ToyState*>(state)); },
            .make_memory =
                [this](user::Process& made, bool bounds) {
                    process = &made;
                    memory.bounds = bounds;
                    return std::make_unique<ToyMemory>(*this);
                }};
}

std::expected<int, user::RunError> Toy::run(user::RunSettings settings) {
    static constexpr const AccelDescriptor* kTable[] = {&kToyAccelerator};
    const std::vector<loader::AccelChoice> choices = {{"toy", {}}};
    loader::AccelChain accel(choices, {.built_in = kTable}, [](const std::string&) {});
    if (const Result<> advanced = accel.advance(); !advanced) {
        return std::unexpected(user::RunError{advanced.error().message(), -1});
    }
    // A process leaves its mask closed and its handlers behind; the next one is to begin as the test did.
    const SignalState restored;
    return user::run_process(std::move(settings), parts(), accel, log);
}

}  // namespace weft::test
