// Makes a valid unit one that may be run and whose result is defined.
#pragma once

#include "weft/ir.h"

namespace weft::fuzz {

// Copies `from`, which verify() accepted, into `to`, fresh from UnitMemory::begin_unit() with the same globals, with operands
// masked where weft/ir.h leaves values undefined: shift counts, divisors, floating-point flags; and offsets of state accesses
// moved into the tests' state area. False: the unit has a loop (it may have no end), or does not fit.
bool make_defined(const ir::Unit& from, ir::Unit& to);

}  // namespace weft::fuzz
