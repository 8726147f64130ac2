// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/energy_unit.h"

#include <cmath>
#include <cstdint>
#include <numeric>

namespace adiabat::anneal {

namespace {

constexpr double kSmallest = 0x1p-10;  // of the multiples that are looked for
constexpr double kMost = 0x1p40;       // sums of some thousands of these are exact
constexpr size_t kTermsBetweenChecks = 1 << 18;

// The greatest common divisor of what it is offered; 0 once something is no multiple.
class Divisor {
  public:
    bool offer(double value) {
        const double multiple = std::abs(value) / kSmallest;
        if (!(multiple <= kMost) || multiple != std::floor(multiple)) return false;
        const auto whole = static_cast<int64_t>(multiple);
        if (divisor_ == 0 || whole % divisor_ != 0) divisor_ = std::gcd(divisor_, whole);
        return true;
    }
    double value() const { return static_cast<double>(divisor_) * kSmallest; }

  private:
    int64_t divisor_ = 0;
};

}  // namespace

double energy_unit(const qubo::Problem& problem, const Watch* watch) {
    if (std::holds_alternative<qubo::Factored>(problem.form)) return 0;
    const auto* const dense = std::get_if<qubo::Dense>(&problem.form);
    Divisor divisor;
    size_t seen = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        // Of a dense problem each pair once.
        const auto row = dense ? dense->row(i).first(static_cast<size_t>(i))
                               : std::get<qubo::Sparse>(problem.form).couplings(i);
        if (!divisor.offer(problem.linear(i))) return 0;
        for (const double value : row) {
            if (!divisor.offer(value)) return 0;
        }
        seen += row.size() + 1;
        if (!watch || seen < kTermsBetweenChecks) continue;
        if (watch->over()) return 0;
        seen = 0;
    }
    return divisor.value();
}

double round_up(double bound, double offset, double unit) {
    if (!(unit > 0) || !std::isfinite(bound)) return bound;
    // What is a millionth above a point of the lattice is that point: bounds are rounded down.
    const double steps = std::ceil((bound - offset) / unit - 1e-6);
    // An offset off the lattice makes energies that are rounded, the lowest one's, too.
    const double rounding = std::fmod(offset, unit) == 0 ? 0 : 1e-9 * unit;
    return std::max(bound, offset + steps * unit - rounding);
}

}  // namespace adiabat::anneal
