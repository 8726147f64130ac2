// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/digital.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/anneal/natural_range.h"
#include "adiabat/anneal/problems.test.h"

namespace adiabat::anneal {
namespace {

// The algorithm as it reads, every energy from scratch.
std::vector<uint8_t> naive(const qubo::Problem& problem, std::vector<uint8_t> x, int steps,
                           double offset_step) {
    const BetaRange range{0.3, 6};
    double offset = 0;
    for (int step = 0; step < steps; ++step) {
        const double beta = beta_at(range, Shape::kGeometric, step, steps);
        std::vector<size_t> accepted;
        for (size_t i = 0; i < x.size(); ++i) {
            const double before = problem.energy(x);
            x[i] ^= 1;
            const double change = problem.energy(x) - before;
            x[i] ^= 1;
            const uint32_t word = philox<kDrawRounds>(
                {static_cast<uint32_t>(i / 4), static_cast<uint32_t>(step), 0, 0x5A20},
                {9, 0})[i % 4];
            if (beta * (change - offset) < double{threshold_of(word)}) accepted.push_back(i);
        }
        if (accepted.empty()) {
            offset += offset_step;
            continue;
        }
        const uint32_t choice = philox({0, static_cast<uint32_t>(step), 0, 0x5A21}, {9, 0})[0];
        x[accepted[(uint64_t{choice} * accepted.size()) >> 32]] ^= 1;
        offset = 0;
    }
    return x;
}

TEST(Digital, GoesTheWayOfItsNaiveTwin) {
    for (const testing::Form form : testing::kForms) {
        for (const int n : {3, 16, 21}) {
            const qubo::Problem problem = testing::random_problem(form, n, 4);
            OptionValues values(kDigital.options);
            values.set("steps", 300.0);
            values.set("beta-min", 0.3);
            values.set("beta-max", 6.0);
            values.set("offset-step", 0.05);
            Watch watch;
            const Task task{problem, values, 9, 1, 1, 0, {}, watch};
            const Outcome outcome = kDigital.run(task);
            EXPECT_EQ(outcome.reads[0].last, naive(problem, start_of(task, 0), 300, 0.05));
            EXPECT_LT(outcome.flips, 300);  // the offset was needed
        }
    }
}

}  // namespace
}  // namespace adiabat::anneal
