// What calls are made with: descriptors, files, processes and memory, the same ones in each process.
//
// All of it is made where it is first asked for, in the process that makes the call; memory is at addresses that are the same for the
// host and the guest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arguments.h"

namespace differential {

// Six slots of memory, one an argument: pages that may be written, one that may not be accessed, one that may be read, one that is
// not there, one for what structs point to.
inline constexpr uint64_t kArena = 0x40'0000'0000, kSlotSize = 0x10000;
inline constexpr uint64_t kWritable = 0x3000, kForbiddenAt = kWritable, kReadOnlyAt = 0x4000,
                          kHoleAt = 0x5000, kNestedAt = 0x6000;
inline constexpr uint64_t kHole = kArena + kHoleAt, kForbidden = kArena + kForbiddenAt;
// Where data begins in its slot: what lies before it shall stay as it is.
inline constexpr uint64_t kStart = 0x400;
inline constexpr uint8_t kFiller = 0xa5;

const std::vector<std::string>& descriptor_names();
const std::vector<std::string>& process_names();
const std::vector<std::string>& address_names();

// Once, before there are children.
void make_memory();
// In a child, in an empty folder.
void make_files();
// Before the arguments of a call are resolved: those of the one before are forgotten.
void begin_call();
// The value that argument `slot` is called with.
uint64_t resolve(const Value& value, unsigned slot);
// What the call changed of memory, and the file that was among its descriptors: words of the form what=value.
std::string changes();
// Of a descriptor that a call gave.
std::string describe_descriptor(int64_t fd);

}  // namespace differential
