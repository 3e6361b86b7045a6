#include "emulator/control/facts.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace weft::control {

namespace {

constexpr uint64_t kBalloonPage = 4096;  // virtio 1.2, 5.5

}  // namespace

uint32_t balloon_pages(uint64_t memory, uint64_t wanted) {
    const uint64_t pages = (memory - std::min(memory, wanted)) / kBalloonPage;
    return static_cast<uint32_t>(std::min<uint64_t>(pages, UINT32_MAX));
}

uint64_t memory_left(uint64_t memory, hw::Balloon& balloon) {
    return memory - std::min(memory, balloon.pages() * kBalloonPage);
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
