// Tells the accelerator what becomes of the guest's code, and makes it see what a program wrote.
#pragma once

#include <atomic>
#include <cstdint>

#include "emulator/linux-user/memory/memory_core.h"
#include "emulator/linux-user/process.h"
#include "weft/accel.h"

namespace weft::user {

// Made before the process, as its memory and its calls are given it; the accelerator comes later, when the program lies in memory.
// Until then there are no translations, and nothing is to be told.
class TranslatedCode final : public CodeListener, public CodeSync {
  public:
    // Before the first vCPU is attached, by the thread that made the instance; both outlive the guest's last memory call.
    void connect(const ProcessOps& ops, AccelInstance* instance) {
        ops_ = &ops;
        instance_ = instance;
    }
    // There are no vCPUs any more: the instance may go.
    void disconnect() { ops_ = nullptr; }

    void code_gone(uint64_t start, uint64_t end) override {
        if (ops_ != nullptr) {
            ops_->code_gone(instance_, start, end);
        }
    }
    void code_written(uint64_t start, uint64_t end) override {
        if (ops_ != nullptr) {
            ops_->code_written(instance_, start, end);
        }
    }
    void code_settle() override {
        if (ops_ != nullptr) {
            ops_->code_settle(instance_);
        }
    }
    void sync(uint64_t start, uint64_t end, bool all) override {
        if (ops_ != nullptr) {
            ops_->code_sync(instance_, start, end, all);
        }
    }

  private:
    // Written while there is one thread of the guest's at most.
    const ProcessOps* ops_ = nullptr;
    AccelInstance* instance_ = nullptr;
};

}  // namespace weft::user
