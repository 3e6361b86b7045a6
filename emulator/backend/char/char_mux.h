// One terminal shared by the serial port and the monitor: both write to it, one at a time has the keyboard.
//
// Ctrl-A begins a command: x quits, c gives the keyboard to the other, h helps, and Ctrl-A sends itself.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "base/work_queue.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/backend/char/input_gate.h"
#include "emulator/backend/event_loop.h"

namespace weft::backend {

class CharMux final : private CharBackend::Receiver {
  public:
    // `quit` is called on the loop's thread. `terminal` outlives the mux, as does the loop.
    CharMux(EventLoop& loop, CharBackend& terminal, std::function<void()> quit, uint8_t escape = kEscape);
    ~CharMux() override;
    CharMux(const CharMux&) = delete;
    CharMux& operator=(const CharMux&) = delete;

    // What begins a command: Ctrl-A, or another control character.
    static constexpr uint8_t kEscape = 0x01;

    // The serial port has the keyboard first.
    CharBackend& serial() { return serial_; }
    CharBackend& monitor() { return monitor_; }

    // Called on the loop's thread when the keyboard went to the monitor.
    void on_monitor_focus(std::function<void()> function) { monitor_focus_ = std::move(function); }

  private:
    // One side's line. Input that its receiver has no room for waits here, so that commands are still seen.
    class Line final : public CharBackend {
      public:
        explicit Line(CharMux& mux);
        ~Line() override;
        void write(std::span<const uint8_t> data) override { mux_.terminal_.write(data); }
        void set_receiver(Receiver* receiver) override;
        void accept_input() override;

        size_t room() const { return kMaxQueued - queue_.size(); }
        void push(uint8_t byte) { queue_.push_back(byte); }
        void deliver();
        // To the receiver, if any.
        void opened() const;
        void closed() const;

      private:
        static constexpr size_t kMaxQueued = 4096;

        CharMux& mux_;
        Receiver* receiver_ = nullptr;  // the loop's thread, like the queue
        std::deque<uint8_t> queue_;
        InputGate gate_;
        WorkQueue::Work deliver_work_;
    };

    unsigned can_receive() override;
    void receive(std::span<const uint8_t> data) override;
    void opened() override { focus_->opened(); }
    void closed() override;
    void command(uint8_t key);
    void say(std::string_view text);

    EventLoop& loop_;
    CharBackend& terminal_;
    const std::function<void()> quit_;
    const uint8_t escape_;
    std::function<void()> monitor_focus_;
    Line serial_{*this};
    Line monitor_{*this};
    Line* focus_ = &serial_;  // the loop's thread
    bool escaped_ = false;    // the loop's thread: the escape was typed
};

}  // namespace weft::backend
