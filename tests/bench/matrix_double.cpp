// The product of double matrices; see matrix.h.

#include "matrix.h"

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<MatrixProduct<double>>(size); }
