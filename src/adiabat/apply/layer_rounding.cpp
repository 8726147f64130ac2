// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/layer_rounding.h"

#include <algorithm>
#include <vector>

#include "adiabat/apply/rounding_qubo.h"
#include "adiabat/recon/least_squares.h"

namespace adiabat::apply {

namespace {

using recon::Matrix;
using recon::Moments;
using recon::RoundedFilters;
using recon::RoundingTask;

std::vector<Eigen::Index> judged_filters(Eigen::Index filters) {
    const Eigen::Index count = std::min(filters, kMostJudged);
    std::vector<Eigen::Index> some;
    for (Eigen::Index k = 0; k < count; ++k) some.push_back(k * filters / count);
    return some;
}

Moments only(const Moments& moments, const std::vector<Eigen::Index>& filters) {
    return {moments.rows, moments.inputs, moments.targets(filters, Eigen::all),
            moments.variances(filters), moments.means};
}

// Both ways fitted to one half, judged on the other.
void judge(const RoundingTask& task, const Moments& fitted, const Moments& other,
           const std::vector<Eigen::Index>& filters, RoundingReport& report,
           const StopToken& stop) {
    const Moments here = only(fitted, filters), there = only(other, filters);
    const Matrix given = task.given(filters, Eigen::all);
    const Matrix weights = recon::reconstructed(here, given);
    std::vector<float> least;
    for (const Eigen::Index f : filters) least.push_back(task.least_scales[static_cast<size_t>(f)]);
    const RoundingTask half{here, weights, given, task.bits, least, task.threads};
    const RoundedFilters ordered = recon::ordered_rounding(half);
    const RoundedFilters annealed = qubo_rounding(half, ordered, {}, stop);
    report.judged_ordered += recon::squared_errors(there, recon::values_of(ordered)).sum();
    report.judged_qubo += recon::squared_errors(there, recon::values_of(annealed)).sum();
}

bool holds_on_other_images(const RoundingTask& task, const recon::Halves& halves,
                           RoundingReport& report, const StopToken& stop) {
    if (!halves.are_there()) return false;
    const auto filters = judged_filters(task.weights.rows());
    judge(task, halves.first, halves.second, filters, report, stop);
    judge(task, halves.second, halves.first, filters, report, stop);
    return report.judged_qubo < report.judged_ordered;
}

}  // namespace

void RoundingReport::add(const RoundingReport& other) {
    filters += other.filters;
    lower += other.lower;
    annealed += other.annealed;
    ordered += other.ordered;
    error += other.error;
    judged_ordered += other.judged_ordered;
    judged_qubo += other.judged_qubo;
}

RoundedFilters rounded(Rounding rounding, const RoundingTask& task, const recon::Halves& halves,
                       RoundingReport& report, const StopToken& stop) {
    const auto errors_of = [&](const RoundedFilters& filters) {
        return recon::squared_errors(task.moments, recon::values_of(filters));
    };
    RoundingReport here;
    here.filters = task.weights.rows();
    RoundedFilters result = rounding == Rounding::kNearest
                                ? recon::plain_rounding(task.weights, task.bits, task.least_scales)
                                : recon::ordered_rounding(task);
    const recon::Vector before = errors_of(result);
    recon::Vector after = before;
    if (rounding == Rounding::kQubo && holds_on_other_images(task, halves, here, stop)) {
        result = qubo_rounding(task, result, {}, stop);
        after = errors_of(result);
        here.annealed = here.filters;
        here.lower = (after.array() < before.array()).count();
    }
    here.ordered = before.sum();
    here.error = after.sum();
    report.add(here);
    return result;
}

}  // namespace adiabat::apply
