#include "emulator/backend/char/char_mux.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace weft::backend {

namespace {

// The escape's name has six characters: Ctrl-A.
std::string help(uint8_t escape) {
    return fmt::format(
        "\n{0} x       quit\n{0} c       switch between serial port and monitor\n{0} h       this help\n{0} "
        "{0}  send {0}\n",
        fmt::format("Ctrl-{}", static_cast<char>('@' + escape)));
}

}  // namespace

CharMux::CharMux(EventLoop& loop, CharBackend& terminal, std::function<void()> quit, uint8_t escape)
    : loop_(loop), terminal_(terminal), quit_(std::move(quit)), escape_(escape) {
    terminal_.set_receiver(this);
}

CharMux::~CharMux() { terminal_.set_receiver(nullptr); }

// Both lines can take what comes next, whoever has the keyboard by then.
unsigned CharMux::can_receive() { return static_cast<unsigned>(std::min(serial_.room(), monitor_.room())); }

void CharMux::receive(std::span<const uint8_t> data) {
    for (const uint8_t byte : data) {
        if (escaped_) {
            escaped_ = false;
            // What was typed before the command comes first.
            focus_->deliver();
            command(byte);
        } else if (byte == escape_) {
            escaped_ = true;
        } else {
            focus_->push(byte);
        }
    }
    focus_->deliver();
}

void CharMux::closed() {
    escaped_ = false;
    serial_.closed();
    monitor_.closed();
}

void CharMux::command(uint8_t key) {
    if (key == escape_) {
        focus_->push(key);
        return;
    }
    switch (key) {
        case 'x':
            say("\nweft-system-riscv64: quit by the keyboard\n");
            quit_();
            break;
        case 'c':
            focus_ = focus_ == &serial_ ? &monitor_ : &serial_;
            if (focus_ == &monitor_ && monitor_focus_) {
                monitor_focus_();
            }
            break;
        case 'h':
        case '?':
            say(help(escape_));
            break;
        default:
            break;
    }
}

void CharMux::say(std::string_view text) {
    terminal_.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

CharMux::Line::Line(CharMux& mux)
    : mux_(mux), deliver_work_([](void* self) { static_cast<Line*>(self)->deliver(); }, this) {}

CharMux::Line::~Line() { mux_.loop_.cancel(deliver_work_); }

void CharMux::Line::set_receiver(Receiver* receiver) {
    receiver_ = receiver;
    deliver();
}

void CharMux::Line::accept_input() {
    if (gate_.waits()) {
        mux_.loop_.post(deliver_work_);
    }
}

void CharMux::Line::opened() const {
    if (receiver_ != nullptr) {
        receiver_->opened();
    }
}

void CharMux::Line::closed() const {
    if (receiver_ != nullptr) {
        receiver_->closed();
    }
}

void CharMux::Line::deliver() {
    gate_.resume();
    const bool was_full = mux_.can_receive() == 0;
    while (receiver_ != nullptr && !queue_.empty()) {
        const size_t room = gate_.room(*receiver_);
        if (room == 0) {
            break;
        }
        const size_t count = std::min(room, queue_.size());
        const auto end = queue_.begin() + static_cast<ptrdiff_t>(count);
        const std::vector<uint8_t> piece(queue_.begin(), end);
        queue_.erase(queue_.begin(), end);
        receiver_->receive(piece);
    }
    if (was_full && mux_.can_receive() != 0) {
        mux_.terminal_.accept_input();
    }
}

}  // namespace weft::backend
