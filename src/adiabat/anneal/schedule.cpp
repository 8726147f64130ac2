// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/schedule.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr int kRungs = 32, kPilots = 8;
constexpr int64_t kShareOfSweeps = 10;
constexpr uint32_t kPilotStream = 0x5A03;

}  // namespace

double Schedule::beta(int64_t sweep) const {
    if (betas_.empty() || sweep + 1 >= sweeps_) return beta_at(range_, shape_, sweep, sweeps_);
    const double length =
        lengths_.back() * static_cast<double>(sweep) / static_cast<double>(sweeps_ - 1);
    const auto above = std::ranges::upper_bound(lengths_, length);
    const auto k =
        std::clamp<size_t>(static_cast<size_t>(above - lengths_.begin()), 1, lengths_.size() - 1);
    const double part = (length - lengths_[k - 1]) / (lengths_[k] - lengths_[k - 1]);
    return betas_[k - 1] + part * (betas_[k] - betas_[k - 1]);
}

void Schedule::follow(std::vector<double> betas, const std::vector<double>& sigmas) {
    // A floor of a hundredth of the mean: nothing is passed in no time.
    double mean = 0;
    for (const double sigma : sigmas) mean += sigma / static_cast<double>(sigmas.size());
    if (mean <= 0 || betas.size() < 2) return;
    lengths_.assign(1, 0.0);
    for (size_t k = 1; k < betas.size(); ++k) {
        const double sigma = std::max((sigmas[k - 1] + sigmas[k]) / 2, mean / 100);
        lengths_.push_back(lengths_.back() + sigma * (betas[k] - betas[k - 1]));
    }
    betas_ = std::move(betas);
}

BetaRange range_of(const Task& task) {
    BetaRange range;
    if (!task.options.has("beta-min") || !task.options.has("beta-max"))
        range = natural_range(task.problem, &task.watch);
    range.min = task.options.get("beta-min", range.min);
    range.max = task.options.get("beta-max", range.max);
    if (range.min > range.max)
        throw InputError("the temperatures are beta {:g} to {:g}: expected beta-min <= beta-max",
                         range.min, range.max);
    return range;
}

Schedule schedule_of(const Task& task, const Model& model) {
    const std::string word = task.options.word("schedule");
    Schedule schedule(range_of(task), word == "linear" ? Shape::kLinear : Shape::kGeometric,
                      task.options.whole("sweeps"));
    if (word != "adaptive" || schedule.range().min == schedule.range().max) return schedule;

    const auto walkers = model.walkers(kPilots, derived_seed(task.seed, kPilotStream, 0), 0);
    for (int r = 0; r < kPilots; ++r) {
        if (task.watch.over()) return schedule;
        walkers->set_state(r, start_of(task, r));
    }
    const int64_t sweeps = std::max<int64_t>(schedule.sweeps() / kShareOfSweeps / kRungs, 4);
    std::vector<double> betas, sigmas;
    uint32_t done = 0;
    for (int rung = 0; rung < kRungs; ++rung) {
        const double beta = beta_at(schedule.range(), Shape::kGeometric, rung, kRungs);
        const std::vector<double> all(kPilots, beta);
        double sum = 0, squares = 0, origin = 0;
        int64_t count = 0;
        for (int64_t k = 0; k < sweeps; ++k) {
            if (task.watch.over()) return schedule;
            walkers->sweep(all, done++, task.watch);
            if (2 * k < sweeps) continue;  // the first half lets it settle
            if (count == 0) origin = walkers->energy(0);
            for (int r = 0; r < kPilots; ++r) {
                const double energy = walkers->energy(r) - origin;
                sum += energy;
                squares += energy * energy;
                ++count;
            }
        }
        const auto n = static_cast<double>(count);
        betas.push_back(beta);
        sigmas.push_back(std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n))));
    }
    schedule.follow(std::move(betas), sigmas);
    return schedule;
}

}  // namespace adiabat::anneal
