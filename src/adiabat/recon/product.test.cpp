// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/product.h"

#include <gtest/gtest.h>

namespace adiabat::recon {
namespace {

template <typename M>
M naive_product(const M& a, const M& b) {
    M result = M::Zero(a.rows(), b.cols());
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
        for (Eigen::Index j = 0; j < b.cols(); ++j) {
            for (Eigen::Index k = 0; k < a.cols(); ++k) result(i, j) += a(i, k) * b(k, j);
        }
    }
    return result;
}

template <typename M>
void expect_products(double tolerance) {
    for (const auto& [rows, inner, columns] :
         {std::tuple{1, 1, 1}, {3, 5, 7}, {64, 32, 33}, {65, 130, 9}, {200, 17, 64}}) {
        const M a = M::Random(rows, inner), b = M::Random(inner, columns);
        const M one = product(a, b, 1);
        EXPECT_LT((one - naive_product(a, b)).cwiseAbs().maxCoeff(), tolerance) << rows;
        EXPECT_EQ(one, product(a, b, 3)) << rows;
    }
}

TEST(Product, IsTheNaiveOneForAnyNumberOfThreads) {
    expect_products<Matrix>(1e-12);
    expect_products<Eigen::MatrixXf>(1e-4);
}

TEST(Product, OfRowsIsTheNaiveOne) {
    for (const auto& [rows, filters, inputs] :
         {std::tuple{1, 1, 1}, {7, 3, 5}, {64, 9, 33}, {130, 16, 12}}) {
        const Rows v = Rows::Random(rows, filters), g = Rows::Random(filters, inputs),
                   k = Rows::Random(rows, inputs);
        const Rows product = naive_product(v, g);
        const Eigen::VectorXf found = products_of_rows(v, g, k);
        ASSERT_EQ(found.size(), rows);
        for (int s = 0; s < rows; ++s) {
            EXPECT_NEAR(found[s], product.row(s).dot(k.row(s)), 1e-4) << rows << " " << s;
        }
    }
}

// Allocated here, freed there, and the other way round: both libraries must agree on how.
TEST(Product, TakesMatricesFromOtherLibraries) {
    for (int k = 1; k < 40; ++k) {
        Matrix a = Matrix::Random(k, k);
        a = product(a, Matrix::Identity(k, k), 1);
        a.resize(k + 1, k);
        EXPECT_EQ(a.rows(), k + 1);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % EIGEN_MAX_ALIGN_BYTES, 0u);
    }
}

}  // namespace
}  // namespace adiabat::recon
