// A line that is typed on a terminal: editing, and a history of lines.
//
// Keys: characters; Backspace and Ctrl-H, Delete and Ctrl-D; Left and Right, Ctrl-B and Ctrl-F; Home and End, Ctrl-A and Ctrl-E;
// Ctrl-K to the line's end, Ctrl-U all of it, Ctrl-W the word before; Up and Down, Ctrl-P and Ctrl-N in the history. The terminal is
// only asked to write characters and to go back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::control {

class LineEditor {
  public:
    // `echo` is given what the terminal is to show.
    explicit LineEditor(std::function<void(std::string_view)> echo) : echo_(std::move(echo)) {}

    // One byte that was typed. True: the line is complete, and line() it.
    bool type(uint8_t byte);
    // The line; empty for the next one from here on. It is put into the history.
    std::string take();
    // Forgets what was typed, but not the history.
    void restart();

    // The lines that were taken, the oldest first.
    const std::vector<std::string>& history() const { return history_; }

  private:
    void escape(uint8_t byte);
    void control(uint8_t byte);
    void insert(char byte);
    void remove(size_t from, size_t count);
    void go(size_t place);
    void show(size_t from, size_t old_size);
    void show_history(size_t index);

    const std::function<void(std::string_view)> echo_;
    std::string line_;
    size_t cursor_ = 0;
    std::string escape_;         // bytes of a key's sequence so far, without the first; or
    bool in_escape_ = false;     // none yet
    bool after_return_ = false;  // a line feed right after a carriage return belongs to it
    std::vector<std::string> history_;
    size_t shown_ = 0;  // index into the history; its size: none of it
    std::string kept_;  // what was typed before the history was looked at
};

}  // namespace weft::control
