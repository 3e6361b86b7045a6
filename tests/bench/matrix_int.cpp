// The product of integer matrices; see matrix.h.

#include "matrix.h"

std::unique_ptr<bench::Work> bench::make(long size) {
    return std::make_unique<MatrixProduct<std::int32_t>>(size);
}
