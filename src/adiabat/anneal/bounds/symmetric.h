// SPDX-License-Identifier: Apache-2.0
#pragma once

// A view of the couplings of variables first .. first + size - 1 of a dense problem: a symmetric
// matrix with a zero diagonal, the principal part of one that is stored once.

#include <cstddef>
#include <span>

namespace adiabat::anneal {

struct Symmetric {
    const double* values = nullptr;  // of the first row, row-major
    size_t stride = 0;               // from a row to the next
    size_t size = 0;

    const double* row(size_t i) const { return values + i * stride; }
    // What is left without the first variable.
    Symmetric rest() const { return {values + stride + 1, stride, size - 1}; }
};

}  // namespace adiabat::anneal
