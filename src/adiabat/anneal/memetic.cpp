// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/memetic.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "adiabat/anneal/augmented_energy.h"
#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/polish.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/tabu_moves.h"
#include "adiabat/anneal/tabu_run.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x5A11;
// Parents that differ in less are as good as one: the child gets random flips as well.
constexpr int kLeastDifference = 10;

constexpr Option kOptions[] = {
    {"generations", 1000, 0, 1e9, true, "children of each read"},
    {"population", 24, 2, 10000, true, "members, local minima that children come from"},
    {"stall", kFromProblem, 1, 1e15, true,
     "flips without a new lowest before a stretch of tabu search ends; 5 n, 200 at least"},
    {"tenure", kFromProblem, 0, 1e8, true,
     "flips for which a flipped variable stays; from the problem's size"},
};

TabuSettings settings_of(const Task& task) {
    const int n = task.problem.variables();
    TabuSettings settings = TabuSettings::usual(task.options, n);
    if (!task.options.has("stall")) settings.stall = std::max<int64_t>(200, int64_t{5} * n);
    return settings;
}

struct Member {
    std::vector<uint8_t> x;
    double energy = 0;
};

class Evolution {
  public:
    Evolution(const Task& task, int read)
        : task_(task),
          problem_(task.problem),
          settings_(settings_of(task)),
          tolerance_(tolerance_of(task)),
          random_(task.seed, kStream, task.first_read + static_cast<uint32_t>(read)),
          best_(task, tolerance_),
          pace_(task.watch),
          start_(start_of(task, read)) {}

    Tally run(Read& read) {
        // Without constraints the first search begins there and says.
        best_.consider(start_, problem_.constraints.empty()
                                   ? std::numeric_limits<double>::infinity()
                                   : problem_.energy(start_));
        if (task_.watch.over()) {
            read = best_.read(start_);
            return {};
        }
        const auto members = static_cast<size_t>(task_.options.whole("population"));
        augmented_ = std::make_unique<AugmentedEnergy>(
            problem_, problem_.constraints.empty() ? 1.0 : typical_change());
        make_moves();
        improve(start_);
        // Small problems have fewer minima than members.
        for (size_t k = 1; going_on_ && k < members; ++k) improve(random_state());
        const int64_t generations = task_.options.whole("generations");
        for (int64_t g = 0; going_on_ && g < generations; ++g) improve(child());
        read = best_.read(population_.empty() ? start_ : population_.front().x);
        return {flips_, flips_ * problem_.variables(), flips_};
    }

  private:
    void make_moves() {
        moves_ = make_tabu_moves(augmented_->problem(), &task_.watch);
        tabu_ = std::make_unique<TabuRun>(*moves_, settings_, random_, pace_);
    }

    // The mean size of a flip's change at the start.
    double typical_change() const {
        const LocalFields state(problem_, start_, &task_.watch);
        double sum = 0;
        for (int i = 0; i < state.variables(); ++i) sum += std::abs(state.change(i));
        return sum > 0 ? sum / state.variables() : 1.0;
    }

    std::vector<uint8_t> random_state() {
        std::vector<uint8_t> x(start_.size());
        // Densities of all kinds: what a problem's good states have is not known.
        const double density = random_.uniform();
        for (auto& value : x) value = random_.uniform() < density ? 1 : 0;
        return x;
    }

    std::vector<uint8_t> child() {
        const auto count = static_cast<uint32_t>(population_.size());
        const uint32_t a = random_.below(count);
        const uint32_t b = (a + 1 + random_.below(std::max(count - 1, 1u))) % count;
        std::vector<uint8_t> x = population_[a].x;
        const std::vector<uint8_t>& other = population_[b].x;
        int difference = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            if (x[i] == other[i]) continue;
            ++difference;
            if ((random_() & 1) != 0) x[i] = other[i];
        }
        if (difference < kLeastDifference) {
            const auto n = static_cast<uint32_t>(x.size());
            for (uint32_t k = 0; k < n / 10 + 1; ++k) x[random_.below(n)] ^= 1;
        }
        return x;
    }

    // Tabu search from a state, then into the constraints, then into the population.
    void improve(const std::vector<uint8_t>& from) {
        moves_->set(from);
        const int64_t before = tabu_->flips();
        going_on_ = tabu_->until_stall(std::numeric_limits<int64_t>::max() / 4,
                                       std::numeric_limits<double>::infinity(), tolerance_);
        flips_ += tabu_->flips() - before;
        Member member{tabu_->lowest_x(), tabu_->lowest()};
        if (!problem_.constraints.empty()) {
            const bool changed = augmented_->learn(member.x);
            auto mended = repaired(problem_, member.x, random_(), going_on_ ? 3 : 1);
            if (changed) make_moves();
            if (!mended) return;
            member.x = std::move(*mended);
            polish(problem_, member.x, tolerance_, true, largest_, task_.watch);
            member.energy = problem_.energy(member.x);
        }
        best_.consider(member.x, member.energy);
        join(std::move(member));
    }

    // In ascending order of energy; the worst leaves where there are enough.
    void join(Member member) {
        for (const Member& known : population_)
            if (known.x == member.x) return;
        const auto place =
            std::ranges::upper_bound(population_, member.energy, {}, &Member::energy);
        population_.insert(place, std::move(member));
        if (population_.size() > static_cast<size_t>(task_.options.whole("population")))
            population_.pop_back();
    }

    const Task& task_;
    const qubo::Problem& problem_;
    std::vector<double> largest_ = largest_couplings(problem_);
    TabuSettings settings_;
    double tolerance_;
    Random random_;
    Incumbent best_;
    Pace pace_;
    std::vector<uint8_t> start_;
    std::unique_ptr<AugmentedEnergy> augmented_;
    std::unique_ptr<TabuMoves> moves_;
    std::unique_ptr<TabuRun> tabu_;
    std::vector<Member> population_;
    bool going_on_ = true;
    int64_t flips_ = 0;
};

Outcome run(const Task& task) {
    const auto searches =
        static_cast<uint64_t>(task.options.whole("generations") + task.options.whole("population"));
    const TabuSettings settings = settings_of(task);
    // Flips are not known beforehand: at least the stall of each search.
    task.watch.begin(
        "memetic search",
        static_cast<uint64_t>(task.reads) * searches * static_cast<uint64_t>(settings.stall),
        "flips");
    Outcome outcome = run_reads(task, 1, [&](int first, std::span<Read> reads) {
        return Evolution(task, first).run(reads[0]);
    });
    outcome.details = {{"tenure", settings.tenure}, {"stall", settings.stall}};
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto members = static_cast<uint64_t>(task.options.whole("population"));
    const uint64_t copies = task.problem.constraints.empty() ? 1 : 3;  // of the problem, augmented
    return static_cast<uint64_t>(task.threads) *
               (tabu_moves_bytes(task.problem) + copies * task.problem.memory_bytes() +
                n * (members + 8)) +
           2 * n * static_cast<uint64_t>(task.reads);
}

}  // namespace

const Technique kMemetic = {
    .name = "memetic",
    .title = "Memetic tabu search",
    .idea =
        "Keeps a population of local minima; a child takes what two of them agree on and the rest "
        "at random, and is improved by tabu search. Budgets pull with weights so light that the "
        "search crosses their edge again and again; what it finds is then brought inside.",
    .source = "Z. Lu, F. Glover, J.-K. Hao (2010)",
    .options = kOptions,
    .budgets = Keeps::kByOscillation,
    .groups = Keeps::kByOscillation,
    .most_variables = qubo::kMaxSparseVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
