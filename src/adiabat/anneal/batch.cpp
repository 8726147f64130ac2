// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/batch.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "adiabat/anneal/dense_walkers.h"
#include "adiabat/anneal/kernels/dense_rows.h"
#include "adiabat/anneal/natural_range.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStartStream = 0x5A0A;
constexpr double kTolerance = 1e-12;

class Batch {
  public:
    Batch(const qubo::Dense& couplings, std::span<const std::vector<double>> linear,
          const BatchOptions& options, StopToken stop)
        : couplings_(couplings),
          linear_(linear),
          options_(options),
          watch_(std::move(stop), options.time_limit, {}, no_progress()) {}

    BatchResult run() {
        result_.best.resize(linear_.size());
        const auto model = make_dense_batch_model(couplings_, linear_, watch_);
        if (model) anneal(*model);
        for (size_t k = 0; k < linear_.size(); ++k) {
            if (result_.best[k].x.empty() && couplings_.variables() > 0)
                result_.best[k] = solution(k, start(k, 0));
        }
        result_.end = watch_.reason();
        return std::move(result_);
    }

  private:
    // One problem's reads follow one another; groups of replicas are consecutive.
    void anneal(const DenseBatchModel& model) {
        const std::vector<BetaRange> ranges = all_ranges();
        const auto replicas = static_cast<int64_t>(linear_.size()) * options_.reads;
        const auto groups = (replicas + kTogether - 1) / kTogether;
        std::vector<std::vector<uint8_t>> states(static_cast<size_t>(replicas));
        std::atomic<int64_t> next{0}, flips{0};
        const int threads = thread_count(options_.threads);
        parallel_for(std::min<int64_t>(threads, groups), threads, [&](int64_t, int64_t, int) {
            for (int64_t g = next++; g < groups && !watch_.over(); g = next++) {
                const int64_t first = g * kTogether;
                const auto count = static_cast<size_t>(std::min(kTogether, replicas - first));
                flips += walk(model, ranges, first, {states.data() + first, count});
            }
        });
        result_.flips = flips;
        parallel_for(static_cast<int64_t>(linear_.size()), threads,
                     [&](int64_t begin, int64_t end, int) {
                         for (int64_t k = begin; k < end; ++k) choose(k, states);
                     });
    }

    std::vector<BetaRange> all_ranges() const {
        if (options_.betas) return std::vector(linear_.size(), *options_.betas);
        const CouplingScales scales = coupling_scales(couplings_);
        std::vector<BetaRange> ranges;
        for (const auto& terms : linear_) ranges.push_back(natural_range(scales, terms));
        return ranges;
    }

    int64_t walk(const DenseBatchModel& model, const std::vector<BetaRange>& ranges, int64_t first,
                 std::span<std::vector<uint8_t>> states) {
        std::vector<int> numbers;
        for (size_t r = 0; r < states.size(); ++r)
            numbers.push_back(static_cast<int>((first + static_cast<int64_t>(r)) / options_.reads));
        const auto walkers = model.walkers(numbers, options_.seed, static_cast<uint32_t>(first));
        for (size_t r = 0; r < states.size(); ++r)
            walkers->set_state(static_cast<int>(r), start(static_cast<size_t>(numbers[r]),
                                                          first + static_cast<int64_t>(r)));
        std::vector<double> betas(states.size());
        for (int64_t k = 0; k < options_.sweeps && !watch_.over(); ++k) {
            for (size_t r = 0; r < states.size(); ++r)
                betas[r] = beta_at(ranges[static_cast<size_t>(numbers[r])], Shape::kGeometric, k,
                                   options_.sweeps);
            walkers->sweep(betas, static_cast<uint32_t>(k), watch_);
        }
        for (size_t r = 0; r < states.size(); ++r) states[r] = walkers->best(static_cast<int>(r));
        return walkers->flips();
    }

    std::vector<uint8_t> start(size_t problem, int64_t replica) const {
        if (!options_.initial.empty()) return options_.initial[problem];
        Random random(options_.seed, kStartStream, static_cast<uint32_t>(replica));
        std::vector<uint8_t> x(static_cast<size_t>(couplings_.variables()));
        for (auto& value : x) value = static_cast<uint8_t>(random() >> 31);
        return x;
    }

    // The lowest of a problem's reads that were made.
    void choose(int64_t problem, const std::vector<std::vector<uint8_t>>& states) {
        const auto k = static_cast<size_t>(problem);
        for (int64_t r = problem * options_.reads; r < (problem + 1) * options_.reads; ++r) {
            const auto& x = states[static_cast<size_t>(r)];
            if (x.empty()) continue;
            Solution found = solution(k, polished(k, x));
            Solution& best = result_.best[k];
            if (best.x.empty() || found.energy < best.energy) best = std::move(found);
        }
    }

    std::vector<uint8_t> polished(size_t problem, std::vector<uint8_t> x) const {
        std::vector<double> fields = linear_[problem];
        for (size_t i = 0; i < x.size(); ++i)
            if (x[i]) couplings_.add_row(static_cast<int>(i), 1.0, fields);
        double largest = 0;
        for (const double field : fields) largest = std::max(largest, std::abs(field));
        const auto change = [&](size_t i) { return x[i] ? -fields[i] : fields[i]; };
        while (!x.empty() && !watch_.over()) {
            size_t lowest = 0;
            for (size_t i = 1; i < x.size(); ++i)
                if (change(i) < change(lowest)) lowest = i;
            if (change(lowest) >= -kTolerance * largest) break;
            couplings_.add_row(static_cast<int>(lowest), x[lowest] ? -1.0 : 1.0, fields);
            x[lowest] ^= 1;
        }
        return x;
    }

    Solution solution(size_t problem, std::vector<uint8_t> x) const {
        double energy = couplings_.energy(x);
        for (size_t i = 0; i < x.size(); ++i)
            energy += x[i] ? linear_[problem][i] - couplings_.linear(static_cast<int>(i)) : 0.0;
        return {std::move(x), energy, 1};
    }

    static constexpr auto kTogether = static_cast<int64_t>(kDenseTogether);

    const qubo::Dense& couplings_;
    std::span<const std::vector<double>> linear_;
    const BatchOptions& options_;
    Watch watch_;
    BatchResult result_;
};

void check(const qubo::Dense& couplings, std::span<const std::vector<double>> linear,
           const BatchOptions& options) {
    if (options.sweeps < 1 || options.sweeps > std::numeric_limits<uint32_t>::max())
        throw InputError("sweeps is {}: expected 1 to 2^32 - 1", options.sweeps);
    if (options.reads < 1 || options.reads > 1'000'000)
        throw InputError("reads is {}: expected 1 to 1,000,000", options.reads);
    if (const auto& betas = options.betas;
        betas && !(betas->min > 0 && betas->min <= betas->max && std::isfinite(betas->max)))
        throw InputError("betas of a batch from {} to {}: expected 0 < first <= last", betas->min,
                         betas->max);
    if (linear.size() > 0x7FFFFFFF / static_cast<size_t>(options.reads))
        throw InputError("a batch of {} problems with {} reads each: expected 2^31 reads at most",
                         linear.size(), options.reads);
    const auto n = static_cast<size_t>(couplings.variables());
    for (size_t k = 0; k < linear.size(); ++k) {
        if (linear[k].size() != n)
            throw InputError("problem {} of a batch has {} linear terms: expected {}", k,
                             linear[k].size(), n);
        for (const double value : linear[k])
            if (!std::isfinite(value))
                throw InputError("problem {} of a batch has the linear term {}", k, value);
    }
    if (options.initial.empty()) return;
    if (options.initial.size() != linear.size())
        throw InputError("a batch of {} problems has {} initial states", linear.size(),
                         options.initial.size());
    for (const auto& x : options.initial)
        if (x.size() != n || std::ranges::any_of(x, [](uint8_t value) { return value > 1; }))
            throw InputError("an initial state of a batch: expected {} values 0 and 1", n);
}

}  // namespace

BatchResult anneal_batch(const qubo::Dense& couplings, std::span<const std::vector<double>> linear,
                         const BatchOptions& options, StopToken stop) {
    check(couplings, linear, options);
    return Batch(couplings, linear, options, std::move(stop)).run();
}

}  // namespace adiabat::anneal
