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

constexpr std::array<Option, 4> kOptions = {{
    {"variant", 0, 0, 1, true, "ballistic: forces from positions; discrete: from their signs",
     "ballistic|discrete"},
    {"sweeps", 1000, 1, 1e12, true, "time steps of each read"},
    {"dt", kFromProblem, 1e-6, 10, false, "length of a time step; 1.25 ballistic, 1 discrete"},
    {"coupling", kFromProblem, 0, 1e300, false, "c0, the strength of the couplings' force"},
}};

struct Plan {
    bool discrete = false;
    int64_t sweeps = 0;
    float dt = 0, coupling = 0;
};

Plan plan_of(const Task& task, const IsingField& field) {
    const OptionValues& given = task.options;
    Plan plan;
    plan.discrete = given.whole("variant") == 1;
    plan.sweeps = given.whole("sweeps");
    plan.dt = static_cast<float>(given.get("dt", plan.discrete ? 1.0 : 1.25));
    const double size = std::sqrt(ising_size_squared(task.problem, field, &task.watch));
    const double usual = size > 0 ? 0.5 * std::sqrt(task.problem.variables()) / size : 0;
    plan.coupling = static_cast<float>(given.get("coupling", usual));
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
          direction_(plan.discrete ? position_.size() : 0),
          force_(position_.size()),
          pace_(task.watch) {
        for (int r = 0; r < reads; ++r) {
            best_.emplace_back(task, tolerance_of(task));
            const auto start = start_of(task, first + r);
            Random random(task.seed, kStream, task.first_read + static_cast<uint32_t>(first + r));
            for (size_t i = 0; i < n_; ++i) {
                const size_t k = i * width_ + static_cast<size_t>(r);
                const float size = kStartSize * random.uniform_float();
                position_[k] = start[i] ? size : -size;
                momentum_[k] = kStartSize * (2 * random.uniform_float() - 1);
            }
        }
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
        if (plan_.discrete) {
            for (size_t k = 0; k < position_.size(); ++k)
                direction_[k] = position_[k] >= 0 ? 1.0f : -1.0f;
        }
        if (!field_.apply(plan_.discrete ? direction_ : position_, static_cast<int>(width_), force_,
                          task_.watch))
            return false;
        const float dt = plan_.dt, strength = plan_.coupling, detuning = 1 - pump;
        for (size_t k = 0; k < position_.size(); ++k) {
            float y = momentum_[k] - dt * (detuning * position_[k] + strength * force_[k]);
            float x = position_[k] + dt * y;
            const bool beyond = x > 1 || x < -1;
            x = x > 1 ? 1.0f : x < -1 ? -1.0f : x;
            y = beyond ? 0.0f : y;
            position_[k] = x;
            momentum_[k] = y;
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
    outcome.details = {
        {"variant", task.options.word("variant")}, {"dt", plan.dt}, {"coupling", plan.coupling}};
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
        "the couplings push towards low energies; all variables move at once. Several reads "
        "share each pass over the matrix, which is why it likes large dense problems.",
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
