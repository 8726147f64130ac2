// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/descent.h"

#include <algorithm>
#include <array>
#include <utility>

#include "adiabat/anneal/feasible_moves.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x5A11;

constexpr std::array<Option, 1> kOptions = {{
    {"pairs", 0, 0, 1, true, "flip two variables together where no single flip helps", "no|yes"},
}};

class Descent {
  public:
    Descent(const Task& task, std::span<const uint8_t> start)
        : problem_(task.problem),
          tolerance_(tolerance_of(task)),
          state_(task.problem, start, &task.watch),
          pace_(task.watch) {}

    void run(bool pairs) {
        do {
            std::holds_alternative<qubo::Sparse>(problem_.form) ? by_heap() : by_scan();
        } while (pairs && !ended_ && flip_pair());
    }
    const LocalFields& state() const { return state_; }
    const Tally& tally() const { return tally_; }

  private:
    using Entry = std::pair<double, int>;  // dE, variable

    bool over(int64_t work) {
        ended_ = ended_ || pace_.over(work);
        return ended_;
    }
    void flip(int i) {
        state_.flip(i);
        ++tally_.flips;
    }

    void by_scan() {
        while (!over(2 * int64_t{state_.variables()})) {
            Entry best{-tolerance_, -1};
            for (int i = 0; i < state_.variables(); ++i) {
                if (const double change = state_.change(i); change < best.first) best = {change, i};
            }
            tally_.proposals += state_.variables();
            if (best.second < 0) return;
            flip(best.second);
        }
    }

    // The flips that help, lowest first; entries that are out of date are dropped as they come up.
    // A heap that runs empty is filled anew: fields that were recomputed differ in rounding.
    void by_heap() {
        const auto& sparse = std::get<qubo::Sparse>(problem_.form);
        for (;;) {
            std::vector<Entry> heap;
            for (int i = 0; i < state_.variables(); ++i) {
                if (state_.change(i) < -tolerance_) heap.emplace_back(state_.change(i), i);
            }
            tally_.proposals += state_.variables();
            if (heap.empty()) return;
            std::ranges::make_heap(heap, std::greater<>{});
            while (!heap.empty()) {
                std::ranges::pop_heap(heap, std::greater<>{});
                const auto [change, i] = heap.back();
                heap.pop_back();
                if (change != state_.change(i)) continue;
                if (over(8 + 8 * static_cast<int64_t>(sparse.degree(i)))) return;
                flip(i);
                for (const int j : sparse.neighbors(i)) {
                    ++tally_.proposals;
                    if (!(state_.change(j) < -tolerance_)) continue;
                    heap.emplace_back(state_.change(j), j);
                    std::ranges::push_heap(heap, std::greater<>{});
                }
            }
        }
    }

    // Flips the pair that lowers the energy most; false where none does.
    bool flip_pair() {
        double lowest = -tolerance_;
        std::pair<int, int> best{-1, -1};
        const auto x = state_.x();
        for (int i = 0; i < state_.variables(); ++i) {
            const double own = state_.change(i);
            int64_t seen = 0;
            qubo::for_each_coupling(problem_, i, [&](int j, double coupling) {
                ++seen;
                const bool alike = x[static_cast<size_t>(i)] == x[static_cast<size_t>(j)];
                const double change = own + state_.change(j) + (alike ? coupling : -coupling);
                if (j <= i || !(change < lowest)) return;
                lowest = change;
                best = {i, j};
            });
            tally_.proposals += seen;
            if (over(2 * seen)) return false;
        }
        if (best.first < 0) return false;
        flip(best.first);
        flip(best.second);
        return true;
    }

    const qubo::Problem& problem_;
    double tolerance_;
    LocalFields state_;
    Pace pace_;
    Tally tally_;
    bool ended_ = false;
};

// Where a read inside constraints starts; beyond the given starts, some random moves from one.
void set_off(const Task& task, int read, FeasibleMoves& moves) {
    const auto number = task.first_read + static_cast<uint32_t>(read);
    if (number < task.initial.size()) return;
    Random random(task.seed, kStream, number);
    moves.shake(2 * task.problem.variables(), random);
}

Tally descend_inside(const Task& task, int number, bool pairs, Read& read) {
    FeasibleMoves moves(task.problem, start_of(task, number));
    set_off(task, number, moves);
    const double tolerance = tolerance_of(task);
    const int64_t n = task.problem.variables();
    Pace pace(task.watch);
    Tally tally;
    while (!pace.over(moves.work(kSwapWidth))) {
        FeasibleMove move = moves.best(kSwapWidth, 0, 0, 0);
        tally.proposals += n;
        if (!(move.change < -tolerance)) {
            if (!pairs || pace.over(moves.work(static_cast<int>(n)))) break;
            move = moves.best_of_all_pairs(task.watch);
            tally.proposals += n * (n - 1) / 2;
            if (!(move.change < -tolerance)) break;
        }
        moves.make(move, 0);
        tally.flips += move.second < 0 ? 1 : 2;
    }
    Incumbent end(task, 0);
    end.consider(moves.x(), moves.energy());
    read = end.read(moves.x());
    return tally;
}

Outcome run(const Task& task) {
    const bool pairs = task.options.whole("pairs") != 0;
    task.watch.begin("steepest descent", 0, "steps");
    return run_reads(task, 1, [&](int first, std::span<Read> reads) {
        if (!task.problem.constraints.empty()) return descend_inside(task, first, pairs, reads[0]);
        Descent descent(task, start_of(task, first));
        descent.run(pairs);
        const LocalFields& state = descent.state();
        Incumbent end(task, 0);
        end.consider(state.x(), state.energy());
        reads[0] = end.read(state.x());
        return descent.tally();
    });
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const uint64_t moves =
        task.problem.constraints.empty() ? 32 * n : feasible_moves_bytes(task.problem);
    return moves * static_cast<uint64_t>(task.threads) + 2 * n * static_cast<uint64_t>(task.reads);
}

}  // namespace

constexpr Technique kDescent = {
    .name = "descent",
    .title = "Steepest descent",
    .idea =
        "Flips the variable that lowers the energy most until no flip does. Many starts make "
        "the quickest way to a fair solution; a yardstick for everything else.",
    .source = "textbook",
    .options = kOptions,
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = qubo::kMaxSparseVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
