// Interrupt lines: the wires between devices and interrupt controllers.
#pragma once

namespace weft::hw {

// Where lines end.
class InterruptSink {
  public:
    virtual ~InterruptSink() = default;
    // Input `number` has this level from now on. Any thread, with the driving device's lock held, so that a device's own
    // changes arrive in order.
    virtual void set_input(unsigned number, bool level) = 0;
};

// A device's end of a line: the device drives its level. Copyable; a default one leads nowhere.
class IrqLine {
  public:
    IrqLine() = default;
    IrqLine(InterruptSink& sink, unsigned number) : sink_(&sink), number_(number) {}

    void set(bool level) const {
        if (sink_ != nullptr) {
            sink_->set_input(number_, level);
        }
    }

  private:
    InterruptSink* sink_ = nullptr;
    unsigned number_ = 0;
};

}  // namespace weft::hw
