#include "emulator/control/line_editor.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace weft::control {

namespace {

constexpr size_t kMaxLine = 1024;
constexpr size_t kMaxHistory = 64;
constexpr size_t kMaxEscape = 8;

constexpr uint8_t kEscape = 0x1b;
constexpr uint8_t ctrl(char letter) { return static_cast<uint8_t>(letter - '@'); }

}  // namespace

bool LineEditor::type(uint8_t byte) {
    const bool after_return = std::exchange(after_return_, byte == '\r');
    if (byte == '\n' && after_return) {
        return false;
    }
    if (byte == '\r' || byte == '\n') {
        in_escape_ = false;
        echo_("\n");
        return true;
    }
    if (in_escape_) {
        escape(byte);
    } else if (byte == kEscape) {
        in_escape_ = true;
        escape_.clear();
    } else if (byte < 0x20 || byte == 0x7f) {
        control(byte);
    } else if (line_.size() < kMaxLine) {
        insert(static_cast<char>(byte));
    }
    return false;
}

std::string LineEditor::take() {
    if (!line_.empty() && (history_.empty() || history_.back() != line_)) {
        if (history_.size() == kMaxHistory) {
            history_.erase(history_.begin());
        }
        history_.push_back(line_);
    }
    std::string taken = std::move(line_);
    restart();
    return taken;
}

void LineEditor::restart() {
    line_.clear();
    kept_.clear();
    cursor_ = 0;
    in_escape_ = false;
    shown_ = history_.size();
}

// ESC [ or ESC O, digits, and a letter or tilde.
void LineEditor::escape(uint8_t byte) {
    escape_ += static_cast<char>(byte);
    const bool begins = escape_.size() == 1 && (byte == '[' || byte == 'O');
    if (begins || (escape_.size() < kMaxEscape && byte >= '0' && byte <= ';' && escape_.size() > 1)) {
        return;
    }
    in_escape_ = false;
    static constexpr struct {
        std::string_view sequence;
        uint8_t same_as;
    } kKeys[] = {
        {"[A", ctrl('P')},  {"[B", ctrl('N')},  {"[C", ctrl('F')},  {"[D", ctrl('B')},  {"[H", ctrl('A')},
        {"[F", ctrl('E')},  {"[1~", ctrl('A')}, {"[7~", ctrl('A')}, {"[4~", ctrl('E')}, {"[8~", ctrl('E')},
        {"[3~", ctrl('D')}, {"OA", ctrl('P')},  {"OB", ctrl('N')},  {"OC", ctrl('F')},  {"OD", ctrl('B')},
        {"OH", ctrl('A')},  {"OF", ctrl('E')},
    };
    for (const auto& key : kKeys) {
        if (escape_ == key.sequence) {
            control(key.same_as);
        }
    }
}

void LineEditor::control(uint8_t byte) {
    switch (byte) {
        case ctrl('A'):
            go(0);
            break;
        case ctrl('E'):
            go(line_.size());
            break;
        case ctrl('B'):
            go(cursor_ - std::min<size_t>(cursor_, 1));
            break;
        case ctrl('F'):
            go(std::min(cursor_ + 1, line_.size()));
            break;
        case ctrl('D'):
            remove(cursor_, 1);
            break;
        case ctrl('H'):
        case 0x7f:
            if (cursor_ > 0) {
                remove(cursor_ - 1, 1);
            }
            break;
        case ctrl('K'):
            remove(cursor_, line_.size());
            break;
        case ctrl('U'):
            remove(0, line_.size());
            break;
        case ctrl('W'): {
            size_t from = cursor_;
            while (from > 0 && line_[from - 1] == ' ') {
                --from;
            }
            while (from > 0 && line_[from - 1] != ' ') {
                --from;
            }
            remove(from, cursor_ - from);
            break;
        }
        case ctrl('P'):
            if (shown_ > 0) {
                show_history(shown_ - 1);
            }
            break;
        case ctrl('N'):
            if (shown_ < history_.size()) {
                show_history(shown_ + 1);
            }
            break;
        default:
            break;
    }
}

void LineEditor::insert(char byte) {
    const size_t from = cursor_;
    line_.insert(line_.begin() + static_cast<std::ptrdiff_t>(from), byte);
    ++cursor_;
    show(from, line_.size());
}

void LineEditor::remove(size_t from, size_t count) {
    const size_t old_size = line_.size();
    count = std::min(count, old_size - from);
    if (count == 0) {
        return;
    }
    go(from);
    line_.erase(from, count);
    show(from, old_size);
}

void LineEditor::go(size_t place) {
    if (place < cursor_) {
        echo_(std::string(cursor_ - place, '\b'));
    } else if (place > cursor_) {
        echo_(std::string_view(line_).substr(cursor_, place - cursor_));
    }
    cursor_ = place;
}

// The terminal's cursor is at `from`, and it shows `old_size` characters in all: what follows is shown anew, and the cursor put back.
void LineEditor::show(size_t from, size_t old_size) {
    std::string text = line_.substr(from);
    text.append(old_size - std::min(old_size, line_.size()), ' ');
    const size_t back = from + text.size() - cursor_;
    echo_(text + std::string(back, '\b'));
}

void LineEditor::show_history(size_t index) {
    if (shown_ == history_.size()) {
        kept_ = line_;
    }
    shown_ = index;
    const size_t old_size = line_.size();
    go(0);
    line_ = index == history_.size() ? kept_ : history_[index];
    cursor_ = line_.size();
    show(0, old_size);
}

}  // namespace weft::control
