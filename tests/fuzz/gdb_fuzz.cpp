// What a debugger's client may send: all bytes of the connection. Replies are whole packets, and the target is asked for nothing that
// it does not have.
#include <span>
#include <string>

#include "base/assert.h"
#include "entry.h"
#include "tests/control/gdb/fake_target.h"

using namespace weft;
using namespace weft::control::gdb;

namespace {

struct Sink final : Output {
    PacketReader reader;
    void send(std::string_view bytes) override {
        for (const char byte : bytes) {
            WEFT_ASSERT(reader.feed(static_cast<uint8_t>(byte)) != PacketReader::Event::damaged);
        }
    }
};

}  // namespace

// Zero bytes end pieces: behind each, what was resumed stops.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    test::FakeTarget target;
    target.is_machine = size % 2 != 0;
    Sink sink;
    Session session(target, sink);
    std::span<const uint8_t> rest(data, size);
    while (!rest.empty() && !session.over()) {
        size_t length = 0;
        while (length < rest.size() && rest[length] != 0) {
            ++length;
        }
        // Mutations seldom have a checksum that is right: each line is a packet, and raw bytes as well.
        const std::string piece(reinterpret_cast<const char*>(rest.data()), length);
        const std::string packet = framed(piece);
        session.receive(rest.first(length));
        session.receive({reinterpret_cast<const uint8_t*>(packet.data()), packet.size()});
        for (const auto& actions : target.resumed) {
            for (const ThreadAction& action : actions) {
                WEFT_ASSERT(action.thread == 0x10 || action.thread == 0x20);
                WEFT_ASSERT(action.signal >= 0 && action.signal < 256);
            }
        }
        WEFT_ASSERT(session.running() == !target.resumed.empty());
        if (session.running()) {
            target.resumed.clear();
            session.stopped({.thread = 0x20});
        }
        rest = rest.subspan(length == rest.size() ? length : length + 1);
    }
    return 0;
}
