// Facts about the host that weft sizes itself by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace weft {

// Bytes; a power of two.
std::size_t host_page_size();

// Processors that are online; at least 1.
unsigned host_online_cpus();

// Processors that the calling thread, and those it starts, may run on (sched_getaffinity(2)); those that are online where
// the host does not say. At least 1.
unsigned host_usable_cpus();

// Bytes of memory this process may hope for: the host's physical memory or the control group's limit,
// whichever is smaller; where only one is known, that one; nullopt where neither is.
//
// Here and below, `root` is the directory that holds /proc and the control group mounts: "/", or a tree made
// by a test.
std::optional<std::uint64_t> available_memory(const std::string& root = "/");

// The host's physical memory in bytes (proc(5), MemTotal in /proc/meminfo).
std::optional<std::uint64_t> host_memory(const std::string& root = "/");

// The smallest memory limit of the control groups this process is in, from its own group up to the mount's
// root: version 2 (memory.max) or version 1 (memory.limit_in_bytes), see cgroups(7). nullopt: no limit, or no
// such groups.
std::optional<std::uint64_t> cgroup_memory_limit(const std::string& root = "/");

}  // namespace weft
