// What the kernel says about this process's memory: /proc/self/smaps (proc(5)).
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "weft/abi.h"

namespace weft::test {

struct MapEntry {
    uintptr_t start = 0;
    uintptr_t end = 0;
    std::string access;  // "rwxp"
    std::string name;
    std::string flags;  // VmFlags, space separated, with a space at both ends

    bool writable() const { return access[1] == 'w'; }
    bool executable() const { return access[2] == 'x'; }
    bool has_flag(const std::string& flag) const { return flags.find(" " + flag + " ") != std::string::npos; }
    uintptr_t size() const { return end - start; }
};

inline std::vector<MapEntry> all_maps() {
    std::vector<MapEntry> entries;
    std::ifstream smaps("/proc/self/smaps");
    for (std::string line; std::getline(smaps, line);) {
        std::istringstream words(line);
        std::string first;
        words >> first;
        if (first == "VmFlags:") {
            std::string rest;
            std::getline(words, rest);
            entries.back().flags = rest + " ";
        } else if (first.back() != ':') {
            MapEntry entry;
            unsigned long start = 0;
            unsigned long end = 0;
            std::sscanf(first.c_str(), "%lx-%lx", &start, &end);
            entry.start = start;
            entry.end = end;
            std::string offset, device, inode;
            words >> entry.access >> offset >> device >> inode;
            std::getline(words >> std::ws, entry.name);
            entries.push_back(entry);
        }
    }
    return entries;
}

// Mappings that lie in [start, start + size), clipped to it.
inline std::vector<MapEntry> maps_in(uintptr_t start, size_t size) {
    std::vector<MapEntry> found;
    for (MapEntry entry : all_maps()) {
        if (entry.start < start + size && entry.end > start) {
            entry.start = std::max(entry.start, start);
            entry.end = std::min(entry.end, start + size);
            found.push_back(entry);
        }
    }
    return found;
}

// Mappings of the process, for comparing before and after. Sanitizers map and split shadow memory of their own as they
// like, so that with them only those count which can only be code's.
inline size_t count_maps() {
    constexpr bool kSanitized = sanitizer_mode() != SanitizerMode::none;
    size_t count = 0;
    for (const MapEntry& entry : all_maps()) {
        count += !kSanitized || (entry.executable() && entry.name.find('/') != 0) ||
                 entry.name.find("weft-code") != std::string::npos;
    }
    return count;
}

// Bytes of the range for which the host spends memory (mincore(2)). `start` is a page's.
inline size_t resident_in(uintptr_t start, size_t size) {
    constexpr size_t kHostPage = 4096;
    std::vector<unsigned char> pages((size + kHostPage - 1) / kHostPage);
    if (mincore(reinterpret_cast<void*>(start), size, pages.data()) != 0) {
        return SIZE_MAX;
    }
    size_t count = 0;
    for (const unsigned char page : pages) {
        count += page & 1;
    }
    return count * kHostPage;
}

inline size_t open_descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        ++count;
    }
    return count;
}

}  // namespace weft::test
