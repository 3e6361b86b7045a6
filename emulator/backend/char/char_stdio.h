// A serial line on the program's standard input and output.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "base/work_queue.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/backend/char/input_gate.h"
#include "emulator/backend/event_loop.h"

namespace weft::backend {

// Output never blocks a caller: what the sink does not take at once is kept and written by the main loop. Input is read
// when the receiver has room; its end is no event.
class CharStdio final : public CharBackend {
  public:
    // Neither descriptor is closed or changed for others who share it.
    CharStdio(EventLoop& loop, int input, int output);
    // Not while another thread may write.
    ~CharStdio() override;

    void write(std::span<const uint8_t> data) override;
    void set_receiver(Receiver* receiver) override;
    void accept_input() override;

    // Writes all that is kept, blocking until the sink took it or is gone. The loop's thread, after its run.
    void drain();

  private:
    // How the sink can be written without blocking.
    enum class SinkKind {
        own,      // through a description of our own, set not to block
        plain,    // a regular file: never blocks
        socket,   // with a flag on each call
        careful,  // small pieces, each once poll() says there is room
    };

    void open_sink();
    // Writes a prefix of data; its length, or all of it where the sink is gone.
    size_t write_some(std::span<const uint8_t> data);
    // Writes what is kept as far as the sink takes it; true where nothing is left.
    bool write_kept() WEFT_REQUIRES(mutex_);
    void flush() WEFT_EXCLUDES(mutex_);
    void read_input();
    void watch_input();

    EventLoop& loop_;
    const int input_;
    const int output_;
    SinkKind sink_ = SinkKind::careful;
    UniqueFd own_sink_;

    Mutex mutex_;  // a leaf
    std::vector<uint8_t> kept_ WEFT_GUARDED_BY(mutex_);
    size_t sent_ WEFT_GUARDED_BY(mutex_) = 0;  // the first bytes of kept_ are written already
    bool overflowed_ WEFT_GUARDED_BY(mutex_) = false;
    WorkQueue::Work flush_work_;
    std::unique_ptr<EventLoop::Watch> output_watch_;  // the loop's thread

    Receiver* receiver_ = nullptr;                   // the loop's thread
    std::unique_ptr<EventLoop::Watch> input_watch_;  // the loop's thread
    bool input_ended_ = false;                       // the loop's thread
    InputGate input_gate_;
    WorkQueue::Work input_work_;
};

}  // namespace weft::backend
