// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/convex_bound.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include "adiabat/anneal/bounds/box_quadratic.h"
#include "adiabat/anneal/bounds/mixing.h"
#include "adiabat/anneal/bounds/positive_shift.h"
#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/random_problem.test.h"

namespace adiabat::anneal {
namespace {

Symmetric view(const qubo::Dense& problem) {
    const auto n = static_cast<size_t>(problem.variables());
    return {problem.row(0).data(), n, n};
}

double smallest_eigenvalue(const qubo::Dense& problem, const std::vector<double>& diagonal) {
    const int n = problem.variables();
    Eigen::MatrixXd matrix(n, n);
    for (int i = 0; i < n; ++i) {
        for (int j = 0; j < n; ++j)
            matrix(i, j) = i == j ? diagonal[static_cast<size_t>(i)] : problem.coupling(i, j);
    }
    return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues()[0];
}

TEST(ConvexBound, IsABoundOnProblemsOfAllForms) {
    double gap = 0, constrained_gap = 0, gap_without_rows = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        const int n = 1 + static_cast<int>(seed % 11);
        const bool constrained = seed % 2 == 1;
        const auto [problem, start] = random_problem(n, seed, constrained);
        const double optimum = brute_force(problem);
        const auto dense = dense_of(problem);
        const auto rows = interval_rows(problem.constraints);
        const auto bound = convex_bound(dense, rows, {.groups = problem.constraints.groups}, {});
        EXPECT_LE(bound.value, optimum) << "seed " << seed;
        (constrained ? constrained_gap : gap) += (optimum - bound.value) / 500;
        if (constrained)
            gap_without_rows += (optimum - convex_bound(dense, {}, {}, {}).value) / 500;
        // The Lagrangian terms never raise the energy of a state that counts.
        EXPECT_LE(bound.relaxed.energy(start), problem.energy(start) + 1e-9) << "seed " << seed;
    }
    EXPECT_LT(gap, 0.2);  // of energies of order 3
    EXPECT_LT(constrained_gap, 0.3 * gap_without_rows);
}

// A budget that costs far more than the terms are large: multipliers find their size.
TEST(ConvexBound, RaisesBoundsByBudgets) {
    for (const double scale : {1e-4, 1.0, 1e4}) {
        qubo::Problem problem{qubo::Dense(12)};
        auto& dense = std::get<qubo::Dense>(problem.form);
        qubo::LinearBudget budget;
        for (int i = 0; i < 12; ++i) {
            dense.add_linear(i, 1 + 0.1 * i);
            budget.terms.push_back({i, scale * (1 + i % 3)});
        }
        budget.lower = 12 * scale;
        problem.constraints.budgets.push_back(budget);
        const double optimum = brute_force(problem);
        const auto bound = convex_bound(dense, interval_rows(problem.constraints), {}, {});
        EXPECT_LE(bound.value, optimum);
        EXPECT_GT(bound.value, 0.8 * optimum) << "scale " << scale;
    }
}

// The value of the relaxation is that of the box: the shift is the dual's.
TEST(ConvexBound, ReachesTheSemidefiniteRelaxation) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const auto problem = qubo::random_dense(30, seed);
        Mixing mixing(view(problem), problem.linear(), 1);
        for (int k = 0; k < 3000; ++k) mixing.sweep();
        double relaxed = problem.offset();
        for (int i = 0; i < 30; ++i) {
            relaxed += problem.linear(i) * mixing.mean(i);
            for (int j = 0; j < i; ++j) relaxed += problem.coupling(i, j) * mixing.product(i, j);
        }
        const auto bound = convex_bound(problem, {}, {.sweeps = 1000}, {});
        EXPECT_LT(bound.value, relaxed + 1e-9);
        EXPECT_GT(bound.value, relaxed - 0.01);
    }
}

TEST(ConvexBound, GivesAMatrixThatIsPositiveSemidefinite) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
        const auto problem = qubo::random_dense(2 + static_cast<int>(seed), seed);
        const auto bound = convex_bound(problem, {}, {.sweeps = static_cast<int>(seed)}, {});
        EXPECT_GE(smallest_eigenvalue(problem, bound.shift), -1e-13);
    }
    const auto large = qubo::random_dense(300, 3);  // by Lanczos
    EXPECT_GE(smallest_eigenvalue(large, convex_bound(large, {}, {.sweeps = 30}, {}).shift), 0);
}

TEST(ConvexBound, GoesOnWithWhatThereIsWhenStopped) {
    StopSource source;
    source.request();
    const Watch watch(source.token(), {}, {}, no_progress());
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const auto problem = qubo::random_dense(12, seed);
        EXPECT_LE(convex_bound(problem, {}, {}, watch).value, brute_force({problem}));
    }
}

TEST(PositiveShift, TellsPositiveMatricesFromOthers) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
        const auto problem = qubo::random_dense(40 + static_cast<int>(seed), seed);
        const size_t n = view(problem).size;
        const double need = -smallest_eigenvalue(problem, std::vector<double>(n));
        EXPECT_EQ(certainly_positive(view(problem), std::vector<double>(n, need + 1e-9), {}), true);
        EXPECT_EQ(certainly_positive(view(problem), std::vector<double>(n, need - 1e-9), {}),
                  false);
        const auto enough = enough_diagonal(view(problem), std::vector<double>(n, need / 2), {});
        EXPECT_GE(smallest_eigenvalue(problem, enough), -1e-13);
        EXPECT_LT(enough[0], need * 1.01);
        EXPECT_EQ(certainly_positive(view(problem), dominant_diagonal(view(problem)), {}), true);
    }
}

// Against a fine grid of two variables, with boxes of any kind.
TEST(BoxQuadratic, BoundsTheMinimumFromAnyPoint) {
    Random random(3);
    for (int trial = 0; trial < 200; ++trial) {
        const double j = random.normal();
        const std::vector<double> couplings = {0, j, j, 0};
        const std::vector<double> shift = {std::abs(j) + random.uniform(), std::abs(j)};
        const std::vector<double> linear = {random.normal(), random.normal()};
        const std::vector<double> lower = {0, trial % 3 == 0 ? 1.0 : 0.0}, upper = {1, 1};
        const BoxQuadratic box{
            {couplings.data(), 2, 2}, shift.data(), linear.data(), 0.5, lower.data(), upper.data()};
        double lowest = 1e9;
        for (int a = 0; a <= 200; ++a) {
            for (int b = 0; b <= 200; ++b) {
                const double x = a / 200.0, y = std::max(lower[1], b / 200.0);
                lowest = std::min(lowest, 0.5 + linear[0] * x + linear[1] * y + j * x * y +
                                              shift[0] * x * x / 2 + shift[1] * y * y / 2);
            }
        }
        std::vector<double> x = {random.uniform(), lower[1]}, gradient(2);
        const BoxPoint point{x.data(), gradient.data()};
        start(box, point);
        EXPECT_LE(evaluate(box, point).bound, lowest + 1e-12);
        for (int k = 0; k < 100; ++k) sweep(box, point);
        EXPECT_NEAR(evaluate(box, point).bound, lowest, 1e-3);
        EXPECT_NEAR(evaluate(box, point).value, lowest, 1e-3);
    }
}

}  // namespace
}  // namespace adiabat::anneal
