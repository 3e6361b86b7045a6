// What an argument of a system call is in the table of calls (calls.txt), and with which values the call is to be made.
//
// A specification is KIND:BASE. The base value is a good one; the kind says which others there are.
//
//   fd:NAME      a descriptor by name (fixtures.h); dirfd: the same, or cwd
//   path:TEXT    name of a file, str:TEXT other text; NUL-terminated
//   buf:N        N bytes of data; out:N room for N bytes; some:N the same where no two runs write the same
//   w:A,B[;C]    64-bit words, h: 32-bit ones; @ is the address of the words behind the semicolon, @+N one behind
//   ext:A,B      64-bit words of a struct whose size is another argument
//   stat: semid: action:A,B,C event:A,B   a struct that the architectures lay out differently (layouts.h), by its fields
//   addr:NAME    an address that is not read or written through (fixtures.h)
//   num:V  op:V  size:V  off:V  flags:V  mode:V  uid:V  sig:V  pid:NAME  lit:V
//
// ?KIND:BASE has a null pointer for its base value; =KIND:BASE no value but that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layouts.h"

namespace differential {

enum class Source : uint8_t {
    number,      // `number` itself
    descriptor,  // of the name `text`
    process,     // of the name `text`
    address,     // of the name `text`
    memory,      // `bytes` (and `nested`), where `place` says
};

enum class Place : uint8_t {
    start,      // at the start of memory that may be written, with other bytes behind
    zeros,      // the same with zeros behind
    end,        // so that its last byte is the last of its page, and none follows
    cut,        // one byte later
    odd,        // at an address that is aligned to nothing
    read_only,  // in a page that may not be written
};

struct Value {
    std::string label;
    Source source = Source::number;
    uint64_t number = 0;
    std::string text = {};
    Place place = Place::start;
    std::vector<uint8_t> bytes = {};
    // 64-bit words; what `links` names of them, and of `bytes`, are addresses: these numbers of bytes behind the nested ones' start.
    std::vector<uint8_t> nested = {};
    std::vector<uint32_t> links = {}, nested_links = {};
    const Layout* layout = nullptr;  // of `bytes`
    bool only_extent = false;        // of what the call writes, what it is is of no interest
};

struct Argument {
    std::vector<Value> values;  // the base value first
    std::vector<Value> bad;     // a few that are wrong in a way of their own: for pairs
    bool extensible = false;
};

// Ends the program with a message if the specification is none.
Argument parse_argument(const std::string& specification);

}  // namespace differential
