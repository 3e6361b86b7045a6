// The plain-data sinks of weft/guest.h filled into strings.
#pragma once

#include <string>

#include "weft/guest.h"

namespace weft::loader {

// Keeps the first message reported: later ones tend to be its consequences.
class ErrorCollector {
  public:
    ErrorCollector() = default;
    ErrorCollector(const ErrorCollector&) = delete;
    ErrorCollector& operator=(const ErrorCollector&) = delete;

    const ErrorSink* sink() const { return &sink_; }
    // What was reported, or `fallback` where nothing was.
    std::string message(const char* fallback) const { return message_.empty() ? fallback : message_; }

  private:
    static void report(void* opaque, const char* message) {
        auto* self = static_cast<ErrorCollector*>(opaque);
        if (self->message_.empty()) {
            self->message_ = message;
        }
    }

    std::string message_;
    const ErrorSink sink_{report, this};
};

class TextCollector {
  public:
    TextCollector() = default;
    TextCollector(const TextCollector&) = delete;
    TextCollector& operator=(const TextCollector&) = delete;

    const TextSink* sink() const { return &sink_; }
    std::string& text() { return text_; }

  private:
    static void write(void* opaque, const char* text, size_t length) {
        static_cast<TextCollector*>(opaque)->text_.append(text, length);
    }

    std::string text_;
    const TextSink sink_{write, this};
};

}  // namespace weft::loader
