// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/random.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/random.h"

namespace adiabat::qubo {

namespace {

constexpr uint32_t kUniformStream = 0x51B0, kIntegerStream = 0x51B1;

template <typename Draw>
Dense fill(int variables, double coupling_scale, Draw draw) {
    Dense problem(variables);
    problem.add_offset(draw());
    for (int i = 0; i < variables; ++i) problem.add_linear(i, draw());
    for (int i = 0; i < variables; ++i) {
        for (int j = i + 1; j < variables; ++j) problem.add_coupling(i, j, coupling_scale * draw());
    }
    return problem;
}

}  // namespace

Dense random_dense(int variables, uint64_t seed) {
    Random random(seed, kUniformStream);
    return fill(variables, 1 / std::sqrt(std::max(1, variables)),
                [&] { return 2 * random.uniform() - 1; });
}

Dense random_integer(int variables, uint64_t seed) {
    Random random(seed, kIntegerStream);
    return fill(variables, 1, [&] { return static_cast<double>(random.below(7)) - 3; });
}

}  // namespace adiabat::qubo
