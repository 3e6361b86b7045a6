#include "emulator/control/facts.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "base/text_values.h"

namespace weft::control {

Version version_numbers(const std::string& text) {
    const std::vector<std::string> words = split(text, '.');
    const auto number = [&words](size_t index) {
        return index < words.size() ? static_cast<unsigned>(parse_uint(words[index]).value_or(0)) : 0;
    };
    return {number(0), number(1), number(2)};
}

std::string uuid_or_zeros(const MachineFacts& facts) {
    return facts.uuid.empty() ? "00000000-0000-0000-0000-000000000000" : facts.uuid;
}

int cpu_thread_id(unsigned cpu) {
    const std::string wanted = fmt::format("CPU {}/TCG", cpu);
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/task"), closedir);
    while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
        std::ifstream file(fmt::format("/proc/self/task/{}/comm", entry->d_name));
        std::string name;
        if (std::getline(file, name) && name == wanted) {
            return std::atoi(entry->d_name);
        }
    }
    return getpid();
}

}  // namespace weft::control
