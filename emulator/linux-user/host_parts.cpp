#include "emulator/linux-user/host_parts.h"

#include <memory>

#include "base/messages.h"
#include "emulator/linux-user/memory/user_ops.h"
#include "emulator/linux-user/riscv_cpu.h"
#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

namespace {

class ProcessMemory final : public MemoryView, private AccessFaults {
  public:
    ProcessMemory(Process& process, bool bounds)
        : errors_{[](void*, const char* message) { print_warning(message); }, nullptr},
          ops_(process.core(), settings(process.options().overlay, bounds, errors_)),
          memory_(process.memory()) {
        memory_.connect(this);
    }
    ~ProcessMemory() override { memory_.connect(nullptr); }

    const UserMemoryOps& ops() const override { return ops_.ops(); }

  private:
    static UserOps::Settings settings(const CodeOverlay* overlay, bool bounds, const ErrorSink& errors) {
        UserOps::Settings settings{.bounds = bounds, .now = nullptr, .overlay = nullptr, .errors = &errors};
        if (overlay != nullptr) {
            settings.overlay = [overlay](uint64_t start, uint8_t* bytes, uint32_t size) {
                overlay->overlay(start, bytes, size);
            };
        }
        return settings;
    }

    bool access_again(uint64_t vaddr, Access access, uint32_t host_code) override {
        MemoryFault kind{};
        return ops_.fault(current_thread(), vaddr, access, host_code, &kind);
    }

    const ErrorSink errors_;
    UserOps ops_;
    GuestMemory& memory_;
};

}  // namespace

Parts host_parts(const GuestArch& guest) {
    return {.guest = &guest,
            .guest_object = nullptr,
            .make_cpu = [](void* state) { return std::make_unique<RiscvCpu>(state); },
            .make_memory = [](Process& process,
                              bool bounds) { return std::make_unique<ProcessMemory>(process, bounds); }};
}

}  // namespace weft::user
