// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/tabu.h"

#include <algorithm>
#include <array>

#include "adiabat/anneal/elite.h"
#include "adiabat/anneal/feasible_moves.h"
#include "adiabat/anneal/feasible_tabu.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/tabu_moves.h"
#include "adiabat/anneal/tabu_run.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x5A10;

constexpr std::array<Option, 4> kOptions = {{
    {"iterations", kFromProblem, 1, 1e15, true, "flips of each read; 50 n, 2000 at least"},
    {"tenure", kFromProblem, 0, 1e8, true, "iterations for which a flipped variable stays"},
    {"stall", kFromProblem, 1, 1e15, true,
     "iterations without a new lowest before a restart from a perturbed elite state; 10 n, 200 at "
     "least"},
    {"elite", 8, 1, 1000, true, "states of a read that restarts choose from"},
}};

TabuPlan plan_of(const Task& task) {
    const int n = task.problem.variables();
    const OptionValues& given = task.options;
    TabuPlan plan;
    plan.iterations = static_cast<int64_t>(given.get("iterations", std::max(2000.0, 50.0 * n)));
    plan.settings = TabuSettings::usual(given, n);
    plan.elite = static_cast<size_t>(given.whole("elite"));
    return plan;
}

Random random_of(const Task& task, int read) {
    return Random(task.seed, kStream, task.first_read + static_cast<uint32_t>(read));
}

class Search {
  public:
    Search(const Task& task, const TabuPlan& plan, int read)
        : plan_(plan),
          tolerance_(tolerance_of(task)),
          moves_(make_tabu_moves(task.problem, &task.watch)),
          random_(random_of(task, read)),
          elite_(plan.elite),
          best_(task, tolerance_),
          pace_(task.watch),
          run_(*moves_, plan.settings, random_, pace_) {
        moves_->set(start_of(task, read));
    }

    Tally run(Read& read) {
        const auto n = static_cast<int64_t>(moves_->x().size());
        bool going_on = n > 0;
        while (going_on) {
            going_on =
                run_.until_stall(plan_.iterations - run_.flips(), best_.energy(), tolerance_);
            best_.consider(run_.lowest_x(), run_.lowest());
            elite_.offer(run_.lowest_x(), run_.lowest());
            if (going_on) restart();
        }
        best_.consider(moves_->x(), moves_->energy());
        read = best_.read(moves_->x());
        return {run_.flips(), n * run_.flips(), run_.flips()};
    }

  private:
    void restart() {
        std::vector<uint8_t> x = elite_.any(random_);
        const auto n = static_cast<uint32_t>(x.size());
        const uint32_t least = std::min(10u, (n + 3) / 4), most = std::max(least, n / 4);
        uint32_t flips = least + random_.below(most - least + 1);
        while (flips-- > 0) x[random_.below(n)] ^= 1;
        moves_->set(x);
    }

    const TabuPlan& plan_;
    double tolerance_;
    std::unique_ptr<TabuMoves> moves_;
    Random random_;
    Elite elite_;
    Incumbent best_;
    Pace pace_;
    TabuRun run_;
};

Outcome run(const Task& task) {
    const TabuPlan plan = plan_of(task);
    task.watch.begin("tabu search",
                     static_cast<uint64_t>(task.reads) * static_cast<uint64_t>(plan.iterations),
                     "flips");
    Outcome outcome = run_reads(task, 1, [&](int first, std::span<Read> reads) {
        if (task.problem.constraints.empty()) return Search(task, plan, first).run(reads[0]);
        Random random = random_of(task, first);
        return feasible_tabu(task, plan, random, first, reads[0]);
    });
    outcome.details = {{"iterations", plan.iterations},
                       {"tenure", plan.settings.tenure},
                       {"stall", plan.settings.stall}};
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto elite = static_cast<uint64_t>(task.options.whole("elite"));
    const uint64_t moves = task.problem.constraints.empty() ? tabu_moves_bytes(task.problem)
                                                            : feasible_moves_bytes(task.problem);
    return static_cast<uint64_t>(task.threads) * (moves + n * (elite + 4)) +
           2 * n * static_cast<uint64_t>(task.reads);
}

}  // namespace

constexpr Technique kTabu = {
    .name = "tabu",
    .title = "Tabu search",
    .idea =
        "Always makes the best flip that is allowed, uphill where none leads down; a variable "
        "that was flipped stays for a while, so that the search leaves the minima it finds. "
        "Goes on from perturbed good states when nothing new comes. Inside constraints it moves by "
        "flips, steps in groups and swaps.",
    .source = "F. Glover (1986); J. Beasley (1998); G. Palubeckis (2006)",
    .options = kOptions,
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = qubo::kMaxSparseVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
