// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/digital.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/schedule.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kTrialStream = 0x5A20, kChoiceStream = 0x5A21;
constexpr size_t kBlock = 16;

constexpr std::array<Option, 4> kOptions = {{
    {"steps", kFromProblem, 1, 4294967295.0, true,
     "parallel trials of each read; 50 n, 2000 at least"},
    {"beta-min", kFromProblem, 1e-100, 1e300, false, "inverse temperature at the start"},
    {"beta-max", kFromProblem, 1e-100, 1e300, false, "inverse temperature at the end"},
    {"offset-step", kFromProblem, 0, 1e300, false,
     "what the offset grows by where no flip is accepted, in units of the energy"},
}};

struct Plan {
    int64_t steps = 0;
    BetaRange range;
    double offset_step = 0;
};

Plan plan_of(const Task& task) {
    const OptionValues& given = task.options;
    Plan plan;
    plan.steps = static_cast<int64_t>(given.get(
        "steps", std::min(4294967295.0, std::max(2000.0, 50.0 * task.problem.variables()))));
    plan.range = range_of(task);
    // The finest difference that the coldest temperature tells apart.
    plan.offset_step = given.get("offset-step", std::log(100) / plan.range.max);
    return plan;
}

class ParallelTrial {
  public:
    ParallelTrial(const Task& task, const Plan& plan, int read)
        : plan_(plan),
          seed_(task.seed),
          read_(task.first_read + static_cast<uint32_t>(read)),
          state_(task.problem, start_of(task, read), &task.watch),
          sign_(state_.x().size()),
          best_(task, tolerance_of(task)),
          pace_(task.watch) {
        for (size_t i = 0; i < sign_.size(); ++i) sign_[i] = state_.x()[i] ? -1.0 : 1.0;
    }

    Tally run(Read& read) {
        const int64_t n = state_.variables();
        for (int64_t step = 0; n > 0 && step < plan_.steps && !pace_.over(2 * n); ++step) {
            find(beta_at(plan_.range, Shape::kGeometric, step, plan_.steps),
                 static_cast<uint32_t>(step));
            tally_.proposals += n;
            ++tally_.sweeps;
            if (acceptable_.empty()) {
                offset_ += plan_.offset_step;
                continue;
            }
            const int i = chosen(static_cast<uint32_t>(step));
            if (state_.change(i) >= 0) best_.consider(state_.x(), state_.energy());
            state_.flip(i);
            sign_[static_cast<size_t>(i)] *= -1;
            offset_ = 0;
            ++tally_.flips;
        }
        best_.consider(state_.x(), state_.energy());
        read = best_.read(state_.x());
        return tally_;
    }

  private:
    // All flips that would be accepted.
    void find(double beta, uint32_t step) {
        acceptable_.clear();
        const double limit = double{kMostThreshold} / beta + offset_;
        const double* const sign = sign_.data();
        const double* const field = state_.fields().data();
        const size_t n = sign_.size();
        for (size_t first = 0; first < n; first += kBlock) {
            const size_t end = std::min(n, first + kBlock);
            int any = 0;
            for (size_t i = first; i < end; ++i) any |= sign[i] * field[i] <= limit ? 1 : 0;
            if (!any) continue;
            for (size_t group = first; group < end; group += 4) {
                const auto words = philox<kDrawRounds>(
                    {static_cast<uint32_t>(group / 4), step, read_, kTrialStream},
                    {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
                for (size_t i = group; i < std::min(end, group + 4); ++i) {
                    const double uphill = beta * (sign[i] * field[i] - offset_);
                    if (uphill < double{threshold_of(words[i - group])})
                        acceptable_.push_back(static_cast<int>(i));
                }
            }
        }
    }

    int chosen(uint32_t step) const {
        const uint32_t word =
            philox({0, step, read_, kChoiceStream},
                   {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)})[0];
        return acceptable_[static_cast<size_t>((uint64_t{word} * acceptable_.size()) >> 32)];
    }

    const Plan& plan_;
    uint64_t seed_;
    uint32_t read_;
    LocalFields state_;
    std::vector<double> sign_;  // 1 - 2 x_i
    std::vector<int> acceptable_;
    double offset_ = 0;
    Incumbent best_;
    Pace pace_;
    Tally tally_;
};

Outcome run(const Task& task) {
    const Plan plan = plan_of(task);
    task.watch.begin("digital annealing",
                     static_cast<uint64_t>(task.reads) * static_cast<uint64_t>(plan.steps),
                     "steps");
    Outcome outcome = run_reads(task, 1, [&](int first, std::span<Read> reads) {
        return ParallelTrial(task, plan, first).run(reads[0]);
    });
    outcome.details = {{"steps", plan.steps},
                       {"beta-min", plan.range.min},
                       {"beta-max", plan.range.max},
                       {"offset-step", plan.offset_step}};
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    return n * (24 * static_cast<uint64_t>(task.threads) + 2 * static_cast<uint64_t>(task.reads));
}

}  // namespace

constexpr Technique kDigital = {
    .name = "digital",
    .title = "Digital annealer",
    .idea =
        "Tries the flips of all variables at once and makes one of those that would be "
        "accepted; where none is, a growing offset drives the walk out of the minimum. As "
        "published it is not an exact sampler: its last states are no Boltzmann samples.",
    .source = "M. Aramon, G. Rosenberg, E. Valiante, T. Miyazawa, H. Tamura, H. Katzgraber (2019)",
    .options = kOptions,
    .budgets = Keeps::kByPenalty,
    .groups = Keeps::kByPenalty,
    .most_variables = qubo::kMaxSparseVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
