// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bifurcation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "adiabat/anneal/bifurcation_field.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/walker_reads.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x5A30;
constexpr int64_t kLooksAtStates = 20;  // how often the signs are scored on the way
constexpr float kStartSize = 0.1f;
constexpr double kLongestStep = 1.25, kSafety = 0.9;  // of the ballistic variant

constexpr std::array<Option, 4> kOptions = {{
    {"variant", 0, 0, 2, true,
     "ballistic: forces from positions; discrete: from their signs; alternating: reads in turn",
     "alternating|ballistic|discrete"},
    {"sweeps", 1000, 1, 1e12, true, "time steps of each read"},
    {"dt", kFromProblem, 1e-6, 10, false,
     "length of a time step; 1 discrete, 1.25 ballistic or what is stable"},
    {"coupling", kFromProblem, 0, 1e300, false, "c0, the strength of the couplings' force"},
}};

enum Variant { kAlternating, kBallistic, kDiscrete };

struct Plan {
    Variant variant = kAlternating;
    int64_t sweeps = 0;
    float ballistic_dt = 0, discrete_dt = 0, coupling = 0;

    // Whether a read is discrete, by its number among all rounds.
    bool discrete(uint32_t read) const {
        return variant == kAlternating ? read % 2 == 1 : variant == kDiscrete;
    }
};

Plan plan_of(const Task& task, const IsingField& field) {
    const OptionValues& given = task.options;
    Plan plan;
    plan.variant = static_cast<Variant>(given.whole("variant"));
    plan.sweeps = given.whole("sweeps");
    plan.discrete_dt = static_cast<float>(given.get("dt", 1.0));
    const double size = std::sqrt(ising_size_squared(task.problem, field, &task.watch));
    const double usual = size > 0 ? 0.5 * std::sqrt(task.problem.variables()) / size : 0;
    plan.coupling = static_cast<float>(given.get("coupling", usual));
    plan.ballistic_dt = static_cast<float>(given.get("dt", kLongestStep));
    if (plan.variant != kDiscrete && !given.has("dt")) {
        const double stiffest = ising_largest_eigenvalue(field, task.watch);
        const double stable = 2 / std::sqrt(1 + double{plan.coupling} * stiffest);
        plan.ballistic_dt = static_cast<float>(std::min(kLongestStep, kSafety * stable));
    }
    return plan;
}

// Columns that the matrix product takes for so many reads.
int columns_for(int reads) { return reads <= 4 ? 4 : kMostColumns; }

// A few reads that move together; columns without a read stay at rest.
class Oscillators {
  public:
    Oscillators(const Task& task, const Plan& plan, const IsingField& field, int first, int reads)
        : task_(task),
          plan_(plan),
          field_(field),
          n_(static_cast<size_t>(task.problem.variables())),
          width_(static_cast<size_t>(columns_for(reads))),
          position_(n_ * width_),
          momentum_(position_.size()),
          force_(position_.size()),
          pace_(task.watch) {
        for (int r = 0; r < reads; ++r) {
            best_.emplace_back(task, tolerance_of(task));
            const auto start = start_of(task, first + r);
            const uint32_t number = task.first_read + static_cast<uint32_t>(first + r);
            const auto column = static_cast<size_t>(r);
            discrete_[column] = plan.discrete(number);
            any_discrete_ = any_discrete_ || discrete_[column];
            dt_[column] = discrete_[column] ? plan.discrete_dt : plan.ballistic_dt;
            Random random(task.seed, kStream, number);
            for (size_t i = 0; i < n_; ++i) {
                const size_t k = i * width_ + column;
                const float size = kStartSize * random.uniform_float();
                position_[k] = start[i] ? size : -size;
                momentum_[k] = kStartSize * (2 * random.uniform_float() - 1);
            }
        }
        if (any_discrete_) direction_.resize(position_.size());
    }

    Tally run(std::span<Read> reads) {
        const auto columns = static_cast<int64_t>(reads.size());
        Tally tally;
        const int64_t between = std::max<int64_t>(1, plan_.sweeps / kLooksAtStates);
        for (int64_t t = 0; n_ > 0 && t < plan_.sweeps; ++t) {
            if (pace_.over(field_.work() * static_cast<int64_t>(width_) / 4)) break;
            if (!step(
                    static_cast<float>(static_cast<double>(t) / static_cast<double>(plan_.sweeps))))
                break;
            tally.sweeps += columns;
            if ((t + 1) % between == 0) score();
        }
        score();
        for (size_t r = 0; r < reads.size(); ++r) {
            // A read that was cut short before its state was scored ends where it was last scored.
            reads[r] = best_[r].read(scored_ ? signs(r) : best_[r].x());
        }
        tally.proposals = tally.sweeps * static_cast<int64_t>(n_);
        return tally;
    }

  private:
    // False, and nothing has moved, where the watch is over.
    bool step(float pump) {
        if (any_discrete_) {
            for (size_t i = 0; i < n_; ++i) {
                for (size_t c = 0; c < width_; ++c) {
                    const float x = position_[i * width_ + c];
                    direction_[i * width_ + c] = !discrete_[c] ? x : x >= 0 ? 1.0f : -1.0f;
                }
            }
        }
        if (!field_.apply(any_discrete_ ? direction_ : position_, static_cast<int>(width_), force_,
                          task_.watch))
            return false;
        const float strength = plan_.coupling, detuning = 1 - pump;
        for (size_t i = 0; i < n_; ++i) {
            for (size_t c = 0; c < width_; ++c) {
                const size_t k = i * width_ + c;
                float y = momentum_[k] - dt_[c] * (detuning * position_[k] + strength * force_[k]);
                float x = position_[k] + dt_[c] * y;
                const bool beyond = x > 1 || x < -1;
                x = x > 1 ? 1.0f : x < -1 ? -1.0f : x;
                y = beyond ? 0.0f : y;
                position_[k] = x;
                momentum_[k] = y;
            }
        }
        return true;
    }

    std::vector<uint8_t> signs(size_t read) const {
        std::vector<uint8_t> x(n_);
        for (size_t i = 0; i < n_; ++i) x[i] = position_[i * width_ + read] >= 0;
        return x;
    }

    // Offers the signs of all reads. Once an end was asked for, one state a read is enough,
    // whatever its energy is: scores of large dense problems take their time.
    void score() {
        for (size_t r = 0; r < best_.size(); ++r) {
            const bool over = task_.watch.over();
            scored_ = scored_ && !over;
            if (over && !best_[r].x().empty()) continue;
            const auto x = signs(r);
            if (over)
                best_[r].consider(x, std::numeric_limits<double>::infinity());
            else if (x != best_[r].x())
                best_[r].consider(x, task_.problem.energy(x));
        }
    }

    const Task& task_;
    const Plan& plan_;
    const IsingField& field_;
    size_t n_, width_;
    std::vector<float> position_, momentum_, direction_, force_;  // variables x columns
    std::array<float, kMostColumns> dt_ = {};                     // of each column
    std::array<bool, kMostColumns> discrete_ = {};
    bool any_discrete_ = false;
    std::vector<Incumbent> best_;
    Pace pace_;
    bool scored_ = true;  // every read's current signs
};

Outcome run(const Task& task) {
    const auto field = make_ising_field(task.problem, task.watch);
    if (!field) return outcome_at_start(task);
    const Plan plan = plan_of(task, *field);
    // Few enough columns that every thread has a group; a read's states do not depend on it.
    const int together =
        std::max(1, std::min(kMostColumns, task.reads / std::max(1, task.threads)));
    const int group = together >= kMostColumns ? kMostColumns : std::min(together, 4);
    task.watch.begin("bifurcation", 0, "steps");
    Outcome outcome = run_reads(task, group, [&](int first, std::span<Read> reads) {
        return Oscillators(task, plan, *field, first, static_cast<int>(reads.size())).run(reads);
    });
    outcome.details = {{"variant", task.options.word("variant")}, {"coupling", plan.coupling}};
    if (plan.variant != kDiscrete) outcome.details["dt_ballistic"] = plan.ballistic_dt;
    if (plan.variant != kBallistic) outcome.details["dt_discrete"] = plan.discrete_dt;
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    return ising_field_bytes(task.problem) +
           n * (16 * kMostColumns * static_cast<uint64_t>(task.threads) +
                2 * static_cast<uint64_t>(task.reads));
}

}  // namespace

constexpr Technique kBifurcation = {
    .name = "bifurcation",
    .title = "Simulated bifurcation",
    .idea =
        "Spins are oscillators whose two sides become the stable ones as a pump grows, while "
        "the couplings push towards low energies; all variables move at once. Forces come from "
        "positions and from their signs, one read and the next. Several reads share each pass "
        "over the matrix, which is why it likes large dense problems.",
    .source =
        "H. Goto, K. Endo, M. Suzuki, Y. Sakai, T. Kanao, Y. Hamakawa, R. Hidaka, "
        "M. Yamasaki, K. Tatsumura (2021)",
    .options = kOptions,
    .budgets = Keeps::kByPenalty,
    .groups = Keeps::kByPenalty,
    .most_variables = qubo::kMaxSparseVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
