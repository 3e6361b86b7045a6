// For how long a process that was forked keeps to what it has of its parent.
//
// Most such processes soon execute another program or end, and each page that they write to is copied first. A translation writes to some
// thirty pages, a link or an entry of the jump cache to one or two: more than running the code some times without. So while a
// process is young, code that has no translation is run without one, and what is found is neither linked nor remembered.
#pragma once

#include <cstdint>

namespace weft::accel {

// The thread's that runs the vCPU. Over, until it begins.
class Youth {
  public:
    void begin() { left_ = kSteps; }
    bool young() const { return left_ != 0; }
    // A step: a look-up of code, or a run without a translation up to a jump. False: the youth is over.
    bool step() {
        if (left_ == 0) {
            return false;
        }
        --left_;
        return true;
    }

  private:
    static constexpr uint32_t kSteps = 4096;

    uint32_t left_ = 0;
};

}  // namespace weft::accel
