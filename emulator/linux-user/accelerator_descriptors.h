// The accelerator's descriptors, kept from the guest.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "emulator/linux-user/process.h"
#include "weft/accel.h"

namespace weft::user {

// Made before the process, which is given it; the accelerator comes later, with the first descriptor.
class AcceleratorDescriptors final : public OwnDescriptors {
  public:
    // Before the first vCPU is attached; the instance outlives the guest's last call.
    void connect(const ProcessOps& ops, AccelInstance* instance) {
        ops_ = &ops;
        instance_ = instance;
    }
    void disconnect() { ops_ = nullptr; }

    std::vector<int> list() override {
        if (ops_ == nullptr) {
            return {};
        }
        std::array<int, 8> fds{};
        const uint32_t count = ops_->descriptors(instance_, fds.data(), fds.size());
        return {fds.begin(), fds.begin() + std::min<uint32_t>(count, fds.size())};
    }
    bool make_way(int fd) override { return ops_ == nullptr || ops_->make_way(instance_, fd); }

  private:
    // Written while there is one thread of the guest's at most.
    const ProcessOps* ops_ = nullptr;
    AccelInstance* instance_ = nullptr;
};

}  // namespace weft::user
