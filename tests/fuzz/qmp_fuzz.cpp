// What a QMP client may send: all bytes of the connection. Whatever it is, each answer is a line of JSON by itself, the same whatever
// pieces the bytes came in, and the machine is asked for nothing that it does not have.
#include <span>
#include <string>

#include "base/assert.h"
#include "emulator/control/qmp/json.h"
#include "emulator/control/qmp/session.h"
#include "entry.h"
#include "tests/control/fake_machine.h"

using namespace weft;

namespace {

std::string conversation(std::span<const uint8_t> data, size_t piece) {
    test::FakeMachine machine;
    const control::MachineFacts facts{.version = "1.2.3", .architecture = "riscv64"};
    std::string said;
    control::qmp::Session session(machine, facts, false, [&said](std::string_view text) {
        WEFT_ASSERT(text.ends_with("\r\n") && text.find('\n') == text.size() - 1);
        WEFT_ASSERT(control::qmp::Json::accept(text));
        said += text;
    });
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
    WEFT_ASSERT(conversation(all, size + 1) == conversation(all, 1));
    return 0;
}
