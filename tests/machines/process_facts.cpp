#include "tests/machines/process_facts.h"

#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace weft::test {

namespace {

size_t entries(const char* folder) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) {
        ++count;
    }
    return count;
}

}  // namespace

ProcessFacts process_facts() {
    ProcessFacts facts{};
    std::string line;
    for (std::ifstream maps("/proc/self/maps"); std::getline(maps, line);) {
        ++facts.mappings;
    }
    facts.descriptors = entries("/proc/self/fd");
    facts.threads = entries("/proc/self/task");
    for (std::ifstream status("/proc/self/status"); std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            facts.resident_kib = std::stoul(line.substr(6));
        }
    }
    return facts;
}

void steady_malloc() {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

}  // namespace weft::test
