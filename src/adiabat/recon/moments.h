// SPDX-License-Identifier: Apache-2.0
#pragma once

// Second moments of what a layer reads and of what it should give: all that its reconstruction
// needs to know of the calibration images.
//
// Rows (x, t), one a position of an image: x the D values under a filter, t what F filters gave in
// the original network. H = mean (x - mean x)(x - mean x)', C = mean (t - mean t)(x - mean x)'.
// Means are left out because the bias takes care of them exactly (apply/calibrate.h). For weights
// W [F, D] the mean squared error of row f, the bias re-centred, is
//
//   w_f H w_f' - 2 w_f C_f' + variance of t_f.
//
// O((D + F)^2 / 2) a row in single precision (rank_update.h), blocks summed in double; memory
// (D + F) D doubles.

#include <Eigen/Dense>

#include <cstdint>

namespace adiabat::recon {

// Row-major, as images and weights are.
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

struct Moments {
    int64_t rows = 0;
    Matrix inputs;     // H, [D, D]
    Matrix targets;    // C, [F, D]
    Vector variances;  // of the targets, [F]
    Vector means;      // of the inputs, [D]
};

// Of two halves of the same images: what is fitted to one can be judged by the other. Where there
// are no two halves, both are empty.
struct Halves {
    Moments first, second;

    bool are_there() const { return first.rows > 0 && second.rows > 0; }
};

class MomentSums {
  public:
    // Rows are taken relative to x0 [D] and t0 [F], which are near their means: a variance far
    // below the square of its mean would drown in the sums.
    MomentSums(Eigen::RowVectorXf x0, Eigen::RowVectorXf t0);

    // x is [rows, D], t is [rows, F]; finite.
    void add(const Rows& x, const Rows& t);

    // What another one has summed up, relative to the same x0 and t0.
    void add(const MomentSums& other);

    int64_t rows() const { return rows_; }
    // At least one row was added.
    Moments moments() const;

  private:
    Eigen::RowVectorXf x0_, t0_;
    int64_t rows_ = 0;
    Matrix xx_, tx_;
    Vector x_, t_, tt_;
};

// The mean squared error of weights [F, D], a value a filter. O(F D^2).
Vector squared_errors(const Moments& moments, const Matrix& weights);

}  // namespace adiabat::recon
