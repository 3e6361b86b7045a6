// A command line, one argument a line: refused with a message of one line, or options that keep their promises.
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/text_values.h"
#include "emulator/system/options.h"
#include "entry.h"

using namespace weft;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // As execve() gives arguments: without zero bytes.
    std::string text(reinterpret_cast<const char*>(data), size);
    std::erase(text, '\0');
    const std::vector<std::string> words = split(text, '\n');
    std::vector<const char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(word.c_str());
    }
    const auto options = sys::parse_options(arguments);
    if (!options) {
        const std::string& message = options.error().message();
        WEFT_ASSERT(!message.empty() && message.find('\n') == std::string::npos && !message.ends_with('.'));
        return 0;
    }
    if (options->help == sys::HelpTopic::none) {
        WEFT_ASSERT(options->machine != nullptr && !options->accelerators.empty());
        WEFT_ASSERT(options->cpus >= 1 && options->cpus <= options->max_cpus);
        for (const sys::DeviceChoice& device : options->devices) {
            WEFT_ASSERT(!device.drive || *device.drive < options->drives.size());
        }
    }
    return 0;
}
