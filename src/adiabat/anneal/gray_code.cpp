// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/gray_code.h"

#include <bit>
#include <vector>

#include "adiabat/anneal/lowest.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

// Looking at the clock every step would cost more than the step. The fields are recomputed at the
// same moments, so that rounding does not add up over 2^34 steps.
constexpr uint64_t kStepsBetweenStopChecks = 1 << 16;

}  // namespace

Solutions minimize_exhaustively(const qubo::Dense& problem, const GrayCodeOptions& options,
                                StopToken stop) {
    const int n = problem.variables();
    if (n > kMaxVariables) {
        throw InputError(
            "exhaustive search takes at most {} variables, this problem has {}: use "
            "simulated annealing",
            kMaxVariables, n);
    }

    std::vector<uint8_t> x(static_cast<size_t>(n), 0);
    std::vector<double> field(problem.linear().begin(), problem.linear().end());
    double energy = problem.offset();
    Lowest lowest(options.keep);
    lowest.offer(x, energy);

    const uint64_t steps = uint64_t{1} << n;
    for (uint64_t k = 1; k < steps; ++k) {
        const int i = std::countr_zero(k);
        const auto at = static_cast<size_t>(i);
        const double sign = x[at] ? -1.0 : 1.0;
        energy += sign * field[at];
        x[at] ^= 1;
        problem.add_row(i, sign, field);
        lowest.offer(x, energy);
        if (k % kStepsBetweenStopChecks == 0) {
            if (stop.requested()) return lowest.rescored(problem, /*complete=*/false);
            field = problem.fields(x);
            energy = problem.energy(x);
        }
    }
    return lowest.rescored(problem, /*complete=*/true);
}

}  // namespace adiabat::anneal
