// The JSON library, as QMP's source files use it. Nothing else includes it.
//
// It throws nothing but std::bad_alloc: parsing is asked not to, values are looked at before they are taken for what they are, and
// texts are written with what is no UTF-8 replaced. JSON_NOEXCEPTION has it abort where that is not so.
#pragma once

#define JSON_NOEXCEPTION
#define JSON_DIAGNOSTICS 0
#include <nlohmann/json.hpp>
#include <string>

namespace weft::control::qmp {

// Members are sorted, so that a client cannot make looking one up slow.
using Json = nlohmann::json;

// As QEMU lays it out: on one line with a blank behind colons and commas, or indented. `value` is not deeper than what a client may
// send, and a little.
std::string json_text(const Json& value, bool pretty);

}  // namespace weft::control::qmp
