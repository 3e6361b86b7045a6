// A command line, one argument a line: refused with a message of one line, or options that keep their promises.
#include <algorithm>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/text_values.h"
#include "emulator/system/options.h"
#include "entry.h"

using namespace weft;

namespace {

// What the RAM lies in is all of it, and so are its nodes, which have each CPU once.
void check_memory(const sys::Options& options) {
    uint64_t size = 0;
    for (const sys::MemoryChoice& memory : options.memory) {
        size += memory.size;
    }
    WEFT_ASSERT(options.memory.empty() || size == options.memory_bytes);
    uint64_t in_nodes = 0;
    std::vector<unsigned> cpus;
    for (const hw::NumaNode& node : options.nodes) {
        in_nodes += node.size;
        cpus.insert(cpus.end(), node.cpus.begin(), node.cpus.end());
    }
    if (options.nodes.empty()) {
        return;
    }
    WEFT_ASSERT(in_nodes == options.memory_bytes && cpus.size() == options.cpus);
    std::ranges::sort(cpus);
    for (unsigned cpu = 0; cpu < options.cpus; ++cpu) {
        WEFT_ASSERT(cpus[cpu] == cpu);
    }
}

}  // namespace

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
        check_memory(*options);
    }
    return 0;
}
