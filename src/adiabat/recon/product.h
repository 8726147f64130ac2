// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products of large matrices. They stand here, and not where they are needed, because this library
// is built for the processor at hand (cmake/AdiabatRecon.cmake).

#include <Eigen/Core>

#include "adiabat/recon/moments.h"

namespace adiabat::recon {

// a b, in blocks of rows: the same for any number of threads.
Matrix product(const Matrix& a, const Matrix& b, int threads);
Eigen::MatrixXf product(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b, int threads);

// <k_s, (v g)_s> for each row s, with v [S, F], g [F, D], k [S, D]. O(S F D), and memory for a few
// rows of v g.
Eigen::VectorXf products_of_rows(const Rows& v, const Eigen::Ref<const Rows>& g, const Rows& k);

}  // namespace adiabat::recon
