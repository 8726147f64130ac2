// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/population.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include "adiabat/anneal/schedule.h"
#include "adiabat/anneal/walker_reads.h"
#include "adiabat/base/random.h"
#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kResampleStream = 0x5A70;
// Walkers are cut into so many parts, whatever the number of threads: what a replica does then does
// not depend on it.
constexpr int kParts = 16;

constexpr std::array<Option, 6> kOptions = {{
    {"schedule", 0, 0, 1, true, "how the temperature falls: by what dies, or at equal ratios",
     "adaptive|geometric"},
    {"sweeps", 10, 1, 1e9, true, "of each replica at each temperature"},
    {"culling", 0.1, 0.001, 0.9, false, "fraction of the population that dies in an adaptive step"},
    {"steps", 50, 1, 1e9, true,
     "temperatures of the geometric schedule; least of the adaptive one"},
    {"beta-min", kFromProblem, 1e-100, 1e300, false, "inverse temperature after the first step"},
    {"beta-max", kFromProblem, 1e-100, 1e300, false, "inverse temperature at the end"},
}};

struct Plan {
    bool adaptive = true;
    int64_t sweeps = 0, steps = 0;
    double culling = 0;
    BetaRange range;
};

Plan plan_of(const Task& task) {
    const OptionValues& given = task.options;
    Plan plan;
    plan.adaptive = given.whole("schedule") == 0;
    plan.sweeps = given.whole("sweeps");
    plan.steps = given.whole("steps");
    plan.culling = given["culling"];
    plan.range = range_of(task);
    return plan;
}

std::vector<double> weights_of(std::span<const double> energies, double step) {
    const double lowest = *std::ranges::min_element(energies);
    std::vector<double> weights;
    for (const double energy : energies) weights.push_back(std::exp(-step * (energy - lowest)));
    return weights;
}

// The expected fraction that gets no offspring of its own: sum of max(0, 1 - R w / sum w) / R.
double dying(std::span<const double> energies, double step) {
    const auto weights = weights_of(energies, step);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const auto count = static_cast<double>(weights.size());
    double dead = 0;
    for (const double weight : weights) dead += std::max(0.0, 1 - count * weight / sum);
    return dead / count;
}

class Population {
  public:
    Population(const Task& task, const Plan& plan, const Model& model)
        : task_(task), plan_(plan), size_(task.reads), energies_(static_cast<size_t>(size_)) {
        const int together = std::max(1, model.replicas_together());
        const int share = (size_ + kParts - 1) / kParts;
        part_ = (share + together - 1) / together * together;
        for (int first = 0; first < size_; first += part_)
            walkers_.push_back(model.walkers(std::min(part_, size_ - first), task.seed,
                                             task.first_read + static_cast<uint32_t>(first)));
        for (size_t p = 0; p < walkers_.size(); ++p) reporters_.emplace_back(task);
        families_.resize(energies_.size());
        std::iota(families_.begin(), families_.end(), 0);
        // The first read always begins, the others while there is time.
        for (int r = 0; r < size_ && (r == 0 || !task.watch.over()); ++r) {
            const auto start = start_of(task, r);
            of(r).set_state(within(r), start);
            best_.push_back({start, {}, of(r).energy(within(r))});
        }
    }

    void run() {
        double beta = 0;
        if (task_.watch.over() || best_.size() < energies_.size()) return;
        look();
        while (beta < plan_.range.max && !task_.watch.over()) {
            const double next = next_beta(beta);
            resample(next - beta);
            beta = next;
            ++steps_;
            sweep(beta);
            look();
        }
    }

    Outcome outcome() const;

  private:
    Walkers& of(int replica) const { return *walkers_[static_cast<size_t>(replica / part_)]; }
    int within(int replica) const { return replica % part_; }

    double next_beta(double beta) const;
    void resample(double step);
    void sweep(double beta);
    void look();

    const Task& task_;
    const Plan& plan_;
    int size_, part_ = 1;
    std::vector<std::unique_ptr<Walkers>> walkers_;
    std::vector<double> energies_;
    std::vector<int> families_;        // the first ancestor of each replica
    std::vector<Reporter> reporters_;  // of each part
    std::vector<Read> best_;           // the lowest of each replica's line; of those that began
    double log_mean_weights_ = 0;
    int64_t steps_ = 0, sweeps_ = 0;
};

double Population::next_beta(double beta) const {
    const BetaRange& range = plan_.range;
    // The geometric step: from zero to beta-min, then by equal ratios.
    const double ratio = std::pow(range.max / range.min,
                                  1 / static_cast<double>(std::max<int64_t>(1, plan_.steps - 1)));
    const double most = std::min(range.max, beta == 0 ? range.min : beta * ratio);
    if (!plan_.adaptive) return steps_ + 1 >= plan_.steps ? range.max : most;
    if (dying(energies_, most - beta) <= plan_.culling) return most;
    double low = 0, high = most - beta;
    for (int k = 0; k < 40; ++k) {
        const double middle = (low + high) / 2;
        (dying(energies_, middle) <= plan_.culling ? low : high) = middle;
    }
    // However steep the energies are, the end is reached.
    return beta + std::max(low, 1e-6 * range.max);
}

void Population::resample(double step) {
    const auto weights = weights_of(energies_, step);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    log_mean_weights_ += std::log(sum / size_) - step * *std::ranges::min_element(energies_);
    Random random(task_.seed, kResampleStream + static_cast<uint32_t>(steps_) * 0x10000u,
                  task_.first_read);
    std::vector<int> offspring = systematic_offspring(weights, random.uniform());
    // Who lives on stays in place; the places of the dead go to offspring, of the same part where
    // there are any: those are copied, others set up anew.
    std::vector<int> dead;
    for (int r = 0; r < size_; ++r)
        if (offspring[static_cast<size_t>(r)] == 0) dead.push_back(r);
    int parent = 0;
    const auto place = [&](int from, int to) {
        const auto f = static_cast<size_t>(from), t = static_cast<size_t>(to);
        --offspring[f];
        families_[t] = families_[f];
        best_[t] = best_[f];
        if (&of(from) == &of(to)) {
            of(to).copy(within(from), within(to));
        } else {
            of(to).set_state(within(to), of(from).state(within(from)));
        }
    };
    std::vector<int> left;
    for (const int to : dead) {
        const int first = to / part_ * part_, end = std::min(size_, first + part_);
        parent = std::max(parent, first);
        while (parent < end && offspring[static_cast<size_t>(parent)] <= 1) ++parent;
        if (parent < end) {
            place(parent, to);
        } else {
            left.push_back(to);
        }
    }
    parent = 0;
    for (const int to : left) {
        while (offspring[static_cast<size_t>(parent)] <= 1) ++parent;
        place(parent, to);
    }
}

void Population::sweep(double beta) {
    const auto parts = static_cast<int64_t>(walkers_.size());
    const std::vector<double> betas(static_cast<size_t>(part_), beta);
    const auto first = static_cast<uint32_t>(sweeps_);
    parallel_for(parts, task_.threads, [&](int64_t begin, int64_t end, int) {
        for (int64_t p = begin; p < end; ++p) {
            Walkers& walkers = *walkers_[static_cast<size_t>(p)];
            const std::span<const double> own(betas.data(),
                                              static_cast<size_t>(walkers.replicas()));
            for (int64_t k = 0; k < plan_.sweeps && !task_.watch.over(); ++k) {
                walkers.sweep(own, first + static_cast<uint32_t>(k), task_.watch);
                task_.watch.advance(own.size());
            }
        }
    });
    sweeps_ += plan_.sweeps;
}

void Population::look() {
    for (int r = 0; r < size_; ++r) {
        Read& best = best_[static_cast<size_t>(r)];
        energies_[static_cast<size_t>(r)] = of(r).energy(within(r));
        if (of(r).best_energy(within(r)) < best.energy) best = read_of(of(r), within(r));
    }
    for (size_t p = 0; p < walkers_.size(); ++p) reporters_[p].look_at(*walkers_[p]);
}

Outcome Population::outcome() const {
    Outcome outcome;
    for (size_t r = 0; r < best_.size(); ++r) {
        const int replica = static_cast<int>(r);
        outcome.reads.push_back(best_[r]);
        outcome.reads.back().last = of(replica).state(within(replica));
    }
    for (const auto& walkers : walkers_) outcome.flips += walkers->flips();
    outcome.sweeps = sweeps_ * size_;
    outcome.proposals = outcome.sweeps * task_.problem.variables();
    const std::set<int> families(families_.begin(), families_.end());
    outcome.details = {{"temperatures", steps_}, {"families", families.size()}};
    if (task_.initial.empty() && task_.problem.constraints.empty() && steps_ > 0) {
        const double log_z = task_.problem.variables() * std::log(2.0) + log_mean_weights_;
        outcome.details["log-partition-function"] = log_z;
        outcome.details["free-energy"] = -log_z / plan_.range.max;
    }
    return outcome;
}

Outcome run(const Task& task) {
    const Plan plan = plan_of(task);
    const auto model = make_model(task.problem, task.reads, task.watch);
    if (!model) return outcome_at_start(task);
    task.watch.begin("population annealing", 0, "sweeps");
    Population population(task, plan, *model);
    population.run();
    return population.outcome();
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    return task.problem.memory_bytes() + 40 * n * static_cast<uint64_t>(task.reads);
}

}  // namespace

std::vector<int> systematic_offspring(std::span<const double> weights, double u) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const auto count = static_cast<double>(weights.size());
    std::vector<int> offspring;
    double before = 0, total = 0;
    for (size_t r = 0; r < weights.size(); ++r) {
        total += weights[r];
        // The last one ends at R whatever rounding did to the sum.
        const double after = r + 1 == weights.size()
                                 ? count
                                 : std::min(count, std::floor(count * (total / sum) + u));
        offspring.push_back(static_cast<int>(after - before));
        before = after;
    }
    return offspring;
}

constexpr Technique kPopulation = {
    .name = "population",
    .title = "Population annealing",
    .idea =
        "A population of replicas is cooled step by step; at each step low energies get more "
        "offspring, so that the population follows the Boltzmann distribution. The reads are "
        "the population; it also yields the free energy.",
    .source = "K. Hukushima, Y. Iba (2003); J. Machta (2010)",
    .options = kOptions,
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = qubo::kMaxSparseVariables / 10,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
