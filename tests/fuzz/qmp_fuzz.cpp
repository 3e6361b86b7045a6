// What a QMP client may send: all bytes of the connection. Whatever it is, each answer is a line of JSON by itself, the same whatever
// pieces the bytes came in, and the machine is asked for nothing that it does not have.
#include <fcntl.h>
#include <unistd.h>

#include <span>
#include <string>

#include "base/assert.h"
#include "emulator/control/qmp/json.h"
#include "emulator/control/qmp/session.h"
#include "entry.h"
#include "tests/control/fake_machine.h"

using namespace weft;

namespace {

struct GivingLine final : backend::CharBackend {
    void write(std::span<const uint8_t>) override {}
    void set_receiver(Receiver*) override {}
    void accept_input() override {}
    UniqueFd take_descriptor() override { return UniqueFd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)); }
};

// The lowest number that is free: the same after each conversation.
int lowest_free() {
    const UniqueFd fd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    return fd.get();
}

std::string conversation(std::span<const uint8_t> data, size_t piece) {
    test::FakeMachine machine;
    // A descriptor comes with whatever is sent; none is left open in the end.
    GivingLine line;
    control::Descriptors descriptors({{1, {{STDIN_FILENO, "inherited"}}}});
    control::MachineFacts facts{.version = "1.2.3", .architecture = "riscv64"};
    facts.descriptors = &descriptors;
    std::string said;
    control::qmp::Session session(
        machine, facts, false,
        [&said](std::string_view text) {
            WEFT_ASSERT(text.ends_with("\r\n") && text.find('\n') == text.size() - 1);
            WEFT_ASSERT(control::qmp::Json::accept(text));
            said += text;
        },
        &line);
    session.start();
    const std::string negotiation = "{\"execute\":\"qmp_capabilities\"}";
    session.receive({reinterpret_cast<const uint8_t*>(negotiation.data()), negotiation.size()});
    while (!data.empty()) {
        const size_t size = std::min(piece, data.size());
        session.receive(data.first(size));
        data = data.subspan(size);
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::span<const uint8_t> all(data, size);
    // Files of the host's are not the fuzzer's to write, and threads have numbers of their own.
    const std::string text(all.begin(), all.end());
    if (text.find("save") != std::string::npos || text.find("stats") != std::string::npos ||
        text.find('\\') != std::string::npos) {
        return 0;
    }
    const int before = lowest_free();
    WEFT_ASSERT(conversation(all, size + 1) == conversation(all, 1));
    WEFT_ASSERT(lowest_free() == before);
    return 0;
}
