// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/product.h"

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"

namespace adiabat::recon {

namespace {

constexpr Eigen::Index kBlock = 64;  // rows

template <typename M>
M in_blocks(const M& a, const M& b, int threads) {
    ADIABAT_CHECK(a.cols() == b.rows(), "{} x {} times {} x {}", a.rows(), a.cols(), b.rows(),
                  b.cols());
    M result(a.rows(), b.cols());
    const Eigen::Index blocks = (a.rows() + kBlock - 1) / kBlock;
    parallel_for(blocks, threads, [&](int64_t begin, int64_t end, int) {
        for (int64_t k = begin; k < end; ++k) {
            const Eigen::Index first = k * kBlock, count = std::min(kBlock, a.rows() - first);
            result.middleRows(first, count).noalias() = a.middleRows(first, count) * b;
        }
    });
    return result;
}

}  // namespace

Matrix product(const Matrix& a, const Matrix& b, int threads) { return in_blocks(a, b, threads); }

Eigen::MatrixXf product(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b, int threads) {
    return in_blocks(a, b, threads);
}

Eigen::VectorXf products_of_rows(const Rows& v, const Eigen::Ref<const Rows>& g, const Rows& k) {
    ADIABAT_CHECK(v.cols() == g.rows() && k.rows() == v.rows() && k.cols() == g.cols(),
                  "rows of {} x {} times {} x {} against {} x {}", v.rows(), v.cols(), g.rows(),
                  g.cols(), k.rows(), k.cols());
    Eigen::VectorXf result(v.rows());
    Rows some(std::min(kBlock, v.rows()), g.cols());
    for (Eigen::Index first = 0; first < v.rows(); first += kBlock) {
        const Eigen::Index count = std::min(kBlock, v.rows() - first);
        some.topRows(count).noalias() = v.middleRows(first, count) * g;
        result.segment(first, count) =
            some.topRows(count).cwiseProduct(k.middleRows(first, count)).rowwise().sum();
    }
    return result;
}

}  // namespace adiabat::recon
