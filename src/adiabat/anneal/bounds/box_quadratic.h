// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convex quadratic over a box, and lower bounds of its minimum from any point.
//
//     q(x) = c + b.x + x'Ax / 2,    A = couplings + diag(shift) positive semidefinite,
//     q(z) >= q(x) + sum_i min over z_i in {lower_i, upper_i} of g_i (z_i - x_i),  g = b + A x.
//
// Coordinate descent brings x near the minimum; the tangent at x is below q everywhere, so that its
// minimum over the box is a bound whatever x is: no convergence has to be trusted. O(n) a changed
// coordinate, O(n) a bound.
//
// Source: M. Frank, P. Wolfe, "An algorithm for quadratic programming" (1956), for the tangent.

#include <span>

#include "adiabat/anneal/bounds/symmetric.h"

namespace adiabat::anneal {

struct BoxQuadratic {
    Symmetric couplings;
    const double* shift;   // at least 0
    const double* linear;  // b
    double constant = 0;
    const double *lower, *upper;

    size_t size() const { return couplings.size; }
};

// A point inside the box with its gradient, both of the quadratic's size.
struct BoxPoint {
    double* x;
    double* gradient;
};

struct BoxValues {
    double value;  // q(x)
    double bound;  // at most the minimum
};

// gradient = b + A x. O(n^2).
void start(const BoxQuadratic& quadratic, const BoxPoint& point);
// Minimizes over each coordinate in turn.
void sweep(const BoxQuadratic& quadratic, const BoxPoint& point);
BoxValues evaluate(const BoxQuadratic& quadratic, const BoxPoint& point);

}  // namespace adiabat::anneal
