// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bifurcation_field.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/qubo/ising.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

void compare(const qubo::Problem& problem) {
    const auto n = static_cast<size_t>(problem.variables());
    const auto field = make_ising_field(problem, Watch());
    const qubo::Ising ising = qubo::to_ising(qubo::sparse_of(problem));
    double size = 0;
    for (const double h : ising.h) size += 2 * h * h;
    for (const auto& edge : ising.couplings) size += 2 * edge.value * edge.value;
    const bool estimated = std::holds_alternative<qubo::Factored>(problem.form);
    EXPECT_NEAR(ising_size_squared(problem, *field), size, (estimated ? 0.5 : 1e-6) * size);
    Random random(6);
    std::vector<float> s(n * kMostColumns);
    for (float& value : s) value = 2 * random.uniform_float() - 1;
    for (const int columns : {4, kMostColumns}) {
        const auto width = static_cast<size_t>(columns);
        std::vector<float> some(n * width), product(some.size());
        for (size_t i = 0; i < n; ++i)
            for (size_t c = 0; c < width; ++c) some[i * width + c] = s[i * kMostColumns + c];
        ASSERT_TRUE(field->apply(some, columns, product, Watch()));
        for (size_t c = 0; c < width; ++c) {
            std::vector<double> naive(ising.h);
            for (const auto& [i, j, value] : ising.couplings) {
                const auto a = static_cast<size_t>(i), b = static_cast<size_t>(j);
                naive[a] += value * double{some[b * width + c]};
                naive[b] += value * double{some[a * width + c]};
            }
            for (size_t i = 0; i < n; ++i)
                EXPECT_NEAR(double{product[i * width + c]}, naive[i], 1e-4 * (1 + std::sqrt(size)));
        }
    }
}

TEST(IsingField, IsTheFieldOfTheSpinsInEveryForm) {
    for (const int n : {1, 3, 4, 9, 30}) {
        const qubo::Problem dense{qubo::random_dense(n, 2)};
        compare(dense);
        compare({qubo::sparse_of(dense)});
        qubo::Factored factored(n);
        Random random(9);
        std::vector<double> columns(static_cast<size_t>(5 * n));
        for (double& value : columns) value = random.uniform() - 0.5;
        factored.add_squares(columns, std::vector{0.3, -0.2, 0.0, 1.0, 0.5},
                             std::vector{1.0, -0.7, 0.4, 2.0, -1.0});
        for (int i = 0; i < n; ++i) factored.add_linear(i, random.uniform() - 0.5);
        if (n >= 3) factored.add_block(n - 3, 2, std::vector{1.0, -2.0, -2.0, 0.5});
        compare({factored});
    }
}

TEST(IsingField, KnowsItsLargestEigenvalue) {
    for (const int n : {1, 2, 9, 30, 120}) {
        for (const bool mean : {false, true}) {  // all couplings raised: one stiff direction
            qubo::Dense dense = qubo::random_dense(n, 4);
            for (int i = 0; i < n; ++i)
                for (int j = 0; mean && j < i; ++j) dense.add_coupling(i, j, 1.5);
            const qubo::Problem problem{dense};
            Eigen::MatrixXd couplings = Eigen::MatrixXd::Zero(n, n);
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j)
                    if (i != j) couplings(i, j) = problem.coupling(i, j) / 4;
            const double largest =
                Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(couplings).eigenvalues()[n - 1];
            for (const qubo::Problem& form : {problem, qubo::Problem{qubo::sparse_of(problem)}}) {
                const double found =
                    ising_largest_eigenvalue(*make_ising_field(form, Watch()), Watch());
                EXPECT_LE(found, largest * (1 + 1e-5)) << n;
                EXPECT_GE(found, largest * 0.85) << n;
            }
        }
    }
}

// A column's numbers do not depend on which others are computed with it.
TEST(IsingField, ColumnsAreIndependentToTheBit) {
    const qubo::Problem problem{qubo::random_dense(37, 2)};
    const auto field = make_ising_field(problem, Watch());
    std::vector<float> s(37 * kMostColumns), all(s.size());
    Random random(6);
    for (float& value : s) value = 2 * random.uniform_float() - 1;
    ASSERT_TRUE(field->apply(s, kMostColumns, all, Watch()));
    std::vector<float> some(37 * 4), product(some.size());
    for (size_t i = 0; i < 37; ++i) some[i * 4 + 2] = s[i * kMostColumns + 5];
    ASSERT_TRUE(field->apply(some, 4, product, Watch()));
    for (size_t i = 0; i < 37; ++i) EXPECT_EQ(product[i * 4 + 2], all[i * kMostColumns + 5]);
}

}  // namespace
}  // namespace adiabat::anneal
