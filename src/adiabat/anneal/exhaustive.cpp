// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/exhaustive.h"

#include <atomic>
#include <bit>
#include <limits>
#include <utility>

#include "adiabat/anneal/block_table.h"
#include "adiabat/anneal/interval_rows.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr int kMiddleBits = 10;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Found {
    double energy = kInfinity;
    uint64_t word = 0;
};

std::vector<uint8_t> bits_of(uint64_t word, int variables) {
    std::vector<uint8_t> x;
    for (int i = 0; i < variables; ++i) x.push_back(static_cast<uint8_t>(word >> i & 1));
    return x;
}

class Search {
  public:
    explicit Search(const qubo::Problem& problem)
        : constraints_(problem.constraints),
          dense_(qubo::dense_of(problem)),
          rows_(interval_rows(problem.constraints)),
          coefficients_(row_matrix(rows_, dense_.variables())),
          low_(std::min(variables(), BlockTable::kMostBits)),
          middle_(std::min(variables() - low_, kMiddleBits)),
          table_(make_table()) {}

    int variables() const { return dense_.variables(); }
    uint64_t chunks() const { return uint64_t{1} << (variables() - low_ - middle_); }
    uint64_t words_per_chunk() const { return uint64_t{1} << (low_ + middle_); }
    const qubo::Dense& dense() const { return dense_; }

    // The lowest of all words whose top bits are `chunk`, the first of equals.
    Found search(uint64_t chunk) const {
        State state = start(chunk);
        Found found;
        improve(state, found);
        const uint64_t blocks = uint64_t{1} << middle_;
        for (uint64_t k = 1; k < blocks; ++k) {
            flip(state, low_ + std::countr_zero(k));
            improve(state, found);
        }
        return found;
    }

  private:
    struct State {
        uint64_t word = 0;
        double energy = 0;
        std::vector<double> fields, row_values;
        BlockTable::Energies scratch;
    };

    BlockTable make_table() const {
        const auto low = static_cast<size_t>(low_), n = static_cast<size_t>(variables());
        std::vector<double> couplings, coefficients;
        for (int i = 0; i < low_; ++i) {
            const auto row = dense_.row(i).first(low);
            couplings.insert(couplings.end(), row.begin(), row.end());
        }
        for (size_t r = 0; r < rows_.size(); ++r) {
            for (size_t i = 0; i < low; ++i) coefficients.push_back(coefficients_[r * n + i]);
        }
        return {low_, couplings, rows_, coefficients};
    }

    State start(uint64_t chunk) const {
        State state{0, dense_.offset(), {}, std::vector<double>(rows_.size()), {}};
        state.fields.assign(dense_.linear().begin(), dense_.linear().end());
        for (int i = low_ + middle_; i < variables(); ++i) {
            if (chunk >> (i - low_ - middle_) & 1) flip(state, i);
        }
        return state;
    }

    void flip(State& state, int i) const {
        const uint64_t bit = uint64_t{1} << i;
        const double sign = state.word & bit ? -1.0 : 1.0;
        state.energy += sign * state.fields[static_cast<size_t>(i)];
        state.word ^= bit;
        dense_.add_row(i, sign, state.fields);
        const auto n = static_cast<size_t>(variables());
        for (size_t r = 0; r < rows_.size(); ++r)
            state.row_values[r] += sign * coefficients_[r * n + static_cast<size_t>(i)];
    }

    // Takes the block of all low bits into account.
    void improve(State& state, Found& found) const {
        double lowest = table_.fill(state.fields, state.row_values, state.scratch);
        while (state.energy + lowest < found.energy) {
            const uint32_t low = table_.find(state.scratch, lowest);
            const uint64_t word = state.word | low;
            if (rows_.empty() || constraints_.keeps(bits_of(word, variables()))) {
                found = {state.energy + lowest, word};
                return;
            }
            // At the very edge of a budget its sum, rounded in another order, decides.
            state.scratch[low] = kInfinity;
            lowest = *std::min_element(state.scratch.data(), state.scratch.data() + table_.words());
        }
    }

    const qubo::Constraints& constraints_;
    qubo::Dense dense_;
    std::vector<IntervalRow> rows_;
    std::vector<double> coefficients_;
    int low_, middle_;
    BlockTable table_;
};

// The lowest of all chunks that were searched before the watch ended.
std::pair<Found, uint64_t> search_all(const Search& search, const Task& task) {
    std::vector<Found> of_worker(static_cast<size_t>(thread_count(task.threads)));
    std::atomic<uint64_t> done{0};
    const auto chunks = static_cast<int64_t>(search.chunks());
    parallel_for(chunks, task.threads, [&](int64_t begin, int64_t end, int worker) {
        Found& best = of_worker[static_cast<size_t>(worker)];
        for (int64_t chunk = begin; chunk < end && !task.watch.over(); ++chunk) {
            const Found found = search.search(static_cast<uint64_t>(chunk));
            ++done;
            task.watch.advance(1);
            if (found.energy >= best.energy) continue;
            best = found;
            task.watch.offer(search.dense().energy_of_word(found.word));
        }
    });
    Found best;
    for (const Found& found : of_worker) {
        if (found.energy < best.energy) best = found;  // workers ascend: the first of equals
    }
    return {best, done};
}

Outcome run(const Task& task) {
    const int n = task.problem.variables();
    if (n > kMaxExhaustiveVariables)
        throw InputError("exhaustive search takes at most {} variables, this problem has {}",
                         kMaxExhaustiveVariables, n);
    const Search search(task.problem);
    task.watch.begin("exhaustive search", search.chunks(), "chunks");
    const auto [found, done] = search_all(search, task);
    const bool complete = done == search.chunks();

    std::vector<uint8_t> best = start_of(task, 0);
    const bool start_counts = task.problem.constraints.keeps(best);
    const double start_energy = start_counts ? task.problem.energy(best) : kInfinity;
    if (found.energy < kInfinity && (complete || !(start_energy < found.energy)))
        best = bits_of(found.word, n);
    const double energy = task.problem.energy(best);
    task.watch.offer(energy);

    Outcome outcome;
    outcome.reads.assign(static_cast<size_t>(task.reads), {best, best});
    outcome.proposals = static_cast<int64_t>(done * search.words_per_chunk());
    outcome.flips = outcome.proposals;
    if (complete && found.energy < kInfinity) outcome.bound = energy;
    outcome.details["assignments"] = outcome.proposals;
    outcome.details["complete"] = complete;
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    return 8 * n * n + 16384 * static_cast<uint64_t>(task.threads);
}

}  // namespace

const Technique kExhaustive = {
    .name = "exhaustive",
    .title = "Exhaustive search",
    .idea =
        "Looks at every assignment, in the order of a Gray code, so that each costs a few "
        "operations. The answer is the optimum and proven to be.",
    .source = "Gray, 1953",
    .options = {},
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = kMaxExhaustiveVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
