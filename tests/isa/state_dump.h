// The words that the guest prints of a case's final state, with names.
#pragma once

#include <string>
#include <vector>

namespace weft::isa_test {

// A line for each word that differs, "name: peer ..., weft ...". At most a screenful.
std::string compare_dumps(const std::vector<std::string>& peer, const std::vector<std::string>& weft);

}  // namespace weft::isa_test
