// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/factored_walkers.h"

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/kernels/factored_rows.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr int64_t kFlipsPerVariable = 16;          // between refreshes
constexpr size_t kProductsBetweenLooks = 1 << 19;  // multiplications between looks at the clock
constexpr uint64_t kNearBytes = 1 << 19;           // rows that stay in a near cache anyway

// The problem in floats of one unit, a power of two near its largest terms: whatever the scale of
// the problem, squares of floats neither overflow nor vanish.
struct Scaled {
    explicit Scaled(const qubo::Factored& of);

    const qubo::Factored& problem;
    size_t n, padded_rank;
    double unit = 1;
    std::vector<double> factors;  // [rank] sqrt(2 |w| / unit)
    std::vector<float> weights;   // [padded rank] sgn(w)
    std::vector<float> rows, own, cross;
    std::vector<FactoredRows::BlockRow> blocks;
    FactoredRows kernel;

  private:
    // sum_k sgn(w_k) a_ik a_jk of scaled rows.
    double inner(size_t i, size_t j) const {
        double sum = 0;
        for (size_t k = 0; k < padded_rank; ++k) {
            const float a = rows[i * padded_rank + k], b = rows[j * padded_rank + k];
            sum +=
                static_cast<double>(weights[k]) * static_cast<double>(a) * static_cast<double>(b);
        }
        return sum;
    }
};

double unit_of(const qubo::Factored& problem) {
    double largest = 0;
    const auto w = problem.weights();
    for (int i = 0; i < problem.variables(); ++i) {
        double squares = 0;
        const auto a = problem.row(i);
        for (size_t k = 0; k < w.size(); ++k) squares += std::abs(w[k]) * a[k] * a[k];
        largest = std::max({largest, squares, std::abs(problem.linear(i))});
    }
    for (const qubo::DenseBlock& block : problem.blocks()) {
        for (const double value : block.values) largest = std::max(largest, std::abs(value));
    }
    int exponent = 0;
    std::frexp(largest, &exponent);
    return std::ldexp(1.0, exponent);
}

Scaled::Scaled(const qubo::Factored& of)
    : problem(of),
      n(static_cast<size_t>(of.variables())),
      padded_rank((static_cast<size_t>(of.rank()) + kVirtualLanes - 1) / kVirtualLanes *
                  kVirtualLanes),
      unit(unit_of(of)),
      weights(padded_rank, 1.0f),
      rows(padded_variables(n) * padded_rank, 0.0f),
      own(padded_variables(n), 0.0f),
      cross(padded_variables(n) * kFactoredEight, 0.0f) {
    for (size_t k = 0; k < static_cast<size_t>(of.rank()); ++k) {
        const double w = of.weights()[k];
        weights[k] = w < 0 ? -1.0f : 1.0f;
        factors.push_back(std::sqrt(2 * std::abs(w) / unit));
    }
    for (size_t i = 0; i < n; ++i) {
        const auto a = of.row(static_cast<int>(i));
        for (size_t k = 0; k < a.size(); ++k)
            rows[i * padded_rank + k] = static_cast<float>(a[k] * factors[k]);
    }
    for (size_t i = 0; i < n; ++i) {
        own[i] = static_cast<float>(inner(i, i) / 2);
        const size_t first = i / kFactoredEight * kFactoredEight;
        for (size_t j = 0; j < kFactoredEight; ++j)
            cross[i * kFactoredEight + j] = static_cast<float>(inner(i, first + j));
    }
    if (!of.blocks().empty()) blocks.resize(n);
    for (const qubo::DenseBlock& block : of.blocks()) {
        const auto first = static_cast<size_t>(block.first), size = static_cast<size_t>(block.size);
        for (size_t j = 0; j < size; ++j)
            blocks[first + j] = {block.values.data() + j * size, first, size};
    }
    kernel = {.rows = rows.data(),
              .own = own.data(),
              .cross = cross.data(),
              .weights = weights.data(),
              .rank = padded_rank,
              .blocks = blocks.empty() ? nullptr : blocks.data(),
              .block_scale = 2 / unit};
}

class FactoredWalkers : public Walkers {
  public:
    FactoredWalkers(const Scaled& scaled, int replicas, uint64_t seed, uint32_t first_replica);

    int replicas() const override { return static_cast<int>(each_.size()); }
    void set_state(int replica, std::span<const uint8_t> x) override;
    void sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) override;
    double energy(int replica) const override { return energy_of(at(replica)); }
    std::vector<uint8_t> state(int replica) const override { return state_of(at(replica)); }
    double best_energy(int replica) const override {
        return std::min(at(replica).best_energy, energy_of(at(replica)));
    }
    std::vector<uint8_t> best(int replica) const override {
        const Replica& it = at(replica);
        return energy_of(it) < it.best_energy ? state_of(it) : it.best;
    }
    void flip(int replica, int variable) override {
        flip_factored(scaled_.kernel, at(replica).kernel, static_cast<size_t>(variable));
    }
    double change(int replica, int variable) const override;
    void copy(int from, int to) override;
    int64_t flips() const override;

  private:
    struct Replica {
        std::vector<float> signs, base, rounded_forms;
        std::vector<double> forms;
        std::vector<uint8_t> best;
        double best_energy = 0;
        int64_t refreshed = 0;  // at so many flips
        FactoredReplica kernel = {};
    };

    Replica& at(int replica) { return each_[static_cast<size_t>(replica)]; }
    const Replica& at(int replica) const { return each_[static_cast<size_t>(replica)]; }
    double energy_of(const Replica& it) const;
    std::vector<uint8_t> state_of(const Replica& it) const;
    // Everything anew from an assignment, but the best.
    void restart(Replica& it, std::span<const uint8_t> x) const;
    void keep_best(Replica& it) const;

    const Scaled& scaled_;
    uint64_t seed_;
    uint32_t first_replica_;
    std::vector<Replica> each_;
};

FactoredWalkers::FactoredWalkers(const Scaled& scaled, int replicas, uint64_t seed,
                                 uint32_t first_replica)
    : scaled_(scaled), seed_(seed), first_replica_(first_replica) {
    each_.resize(static_cast<size_t>(replicas));
    const std::vector<uint8_t> zeros(scaled.n, 0);
    for (Replica& it : each_) {
        it.signs.assign(padded_variables(scaled.n), 1.0f);
        it.base.assign(padded_variables(scaled.n), 0.0f);
        it.forms.assign(scaled.padded_rank, 0.0);
        it.rounded_forms.assign(scaled.padded_rank, 0.0f);
        it.kernel.signs = it.signs.data();
        it.kernel.base = it.base.data();
        it.kernel.forms = it.forms.data();
        it.kernel.rounded_forms = it.rounded_forms.data();
        restart(it, zeros);
        it.best = zeros;
        it.best_energy = energy_of(it);
    }
}

void FactoredWalkers::restart(Replica& it, std::span<const uint8_t> x) const {
    const qubo::Factored& problem = scaled_.problem;
    const size_t rank = scaled_.factors.size(), stride = scaled_.padded_rank;
    for (size_t k = 0; k < rank; ++k)
        it.forms[k] =
            static_cast<double>(scaled_.weights[k]) * problem.constants()[k] * scaled_.factors[k];
    std::vector<double> fields(scaled_.n, 0.0);  // of the block
    for (size_t i = 0; i < scaled_.n; ++i) {
        it.signs[i] = x[i] ? -1.0f : 1.0f;
        if (!x[i]) continue;
        const float* const row = scaled_.rows.data() + i * stride;
        for (size_t k = 0; k < rank; ++k)
            it.forms[k] += static_cast<double>(scaled_.weights[k] * row[k]);
        if (scaled_.blocks.empty() || !scaled_.blocks[i].values) continue;
        const auto& block = scaled_.blocks[i];
        for (size_t j = 0; j < block.size; ++j)
            fields[block.first + j] += scaled_.kernel.block_scale * block.values[j];
    }
    for (size_t k = 0; k < rank; ++k) it.rounded_forms[k] = static_cast<float>(it.forms[k]);
    it.kernel.rest = 0;
    for (size_t i = 0; i < scaled_.n; ++i) {
        const auto linear = static_cast<float>(problem.linear(static_cast<int>(i)) / scaled_.unit);
        it.base[i] = static_cast<float>(static_cast<double>(linear) + fields[i]);
        // Every coupling counts twice in the sum of fields.
        if (x[i]) it.kernel.rest += static_cast<double>(linear) + fields[i] / 2;
    }
    it.refreshed = it.kernel.flips;
}

void FactoredWalkers::set_state(int replica, std::span<const uint8_t> x) {
    ADIABAT_CHECK(x.size() == scaled_.n, "{} values for {} variables", x.size(), scaled_.n);
    Replica& it = at(replica);
    restart(it, x);
    it.best.assign(x.begin(), x.end());
    it.best_energy = energy_of(it);
}

void FactoredWalkers::sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) {
    ADIABAT_CHECK(betas.size() == each_.size(), "{} betas for {} replicas", betas.size(),
                  each_.size());
    if (watch.over()) return;
    for (Replica& it : each_) keep_best(it);  // cluster moves may have changed it
    size_t work = 0;
    bool over = false;
    for (size_t begin = 0; begin < scaled_.n && !over; begin += kFactoredWindow) {
        for (size_t r = 0; r < each_.size() && !over; ++r) {
            const double scale = std::min(1 / (betas[r] * scaled_.unit), 1e30);
            sweep_factored({.rows = &scaled_.kernel,
                            .replica = &each_[r].kernel,
                            .scale = static_cast<float>(scale),
                            .seed = seed_,
                            .number = first_replica_ + static_cast<uint32_t>(r),
                            .sweep = sweep,
                            .begin = begin,
                            .end = std::min(scaled_.n, begin + kFactoredWindow)});
            work += kFactoredWindow * (scaled_.padded_rank + kVirtualLanes);
            if (work < kProductsBetweenLooks) continue;
            work = 0;
            over = watch.over();
        }
    }
    const int64_t most = kFlipsPerVariable * static_cast<int64_t>(scaled_.n);
    for (Replica& it : each_) {
        if (!scaled_.blocks.empty() && it.kernel.flips - it.refreshed >= most)
            restart(it, state_of(it));
        keep_best(it);
    }
}

double FactoredWalkers::energy_of(const Replica& it) const {
    double sums[4] = {};
    for (size_t k = 0; k < it.forms.size(); k += 4) {
        for (size_t j = 0; j < 4; ++j)
            sums[j] +=
                static_cast<double>(scaled_.weights[k + j]) * it.forms[k + j] * it.forms[k + j];
    }
    const double squares = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return scaled_.problem.offset() + scaled_.unit * (squares / 2 + it.kernel.rest);
}

std::vector<uint8_t> FactoredWalkers::state_of(const Replica& it) const {
    std::vector<uint8_t> x(scaled_.n);
    for (size_t i = 0; i < x.size(); ++i) x[i] = it.signs[i] < 0 ? 1 : 0;
    return x;
}

void FactoredWalkers::keep_best(Replica& it) const {
    const double energy = energy_of(it);
    if (energy >= it.best_energy) return;
    it.best_energy = energy;
    for (size_t i = 0; i < it.best.size(); ++i) it.best[i] = it.signs[i] < 0 ? 1 : 0;
}

double FactoredWalkers::change(int replica, int variable) const {
    const Replica& it = at(replica);
    const auto i = static_cast<size_t>(variable);
    const float* const row = scaled_.rows.data() + i * scaled_.padded_rank;
    double field = static_cast<double>(it.base[i]);
    for (size_t k = 0; k < it.forms.size(); ++k) field += static_cast<double>(row[k]) * it.forms[k];
    return scaled_.unit *
           (static_cast<double>(it.signs[i]) * field + static_cast<double>(scaled_.own[i]));
}

void FactoredWalkers::copy(int from, int to) {
    if (from == to) return;
    const Replica& source = at(from);
    Replica& target = at(to);
    // Into the same memory: the kernel holds pointers.
    std::ranges::copy(source.signs, target.signs.begin());
    std::ranges::copy(source.base, target.base.begin());
    std::ranges::copy(source.forms, target.forms.begin());
    std::ranges::copy(source.rounded_forms, target.rounded_forms.begin());
    target.best = source.best;
    target.best_energy = source.best_energy;
    target.kernel.rest = source.kernel.rest;
    // Flips of its own go on; fields are as fresh as the source's.
    target.refreshed = target.kernel.flips - (source.kernel.flips - source.refreshed);
}

int64_t FactoredWalkers::flips() const {
    int64_t flips = 0;
    for (const Replica& it : each_) flips += it.kernel.flips;
    return flips;
}

class FactoredModel : public Model {
  public:
    FactoredModel(const qubo::Factored& problem, int expected_replicas)
        : scaled_(problem),
          together_(4 * scaled_.rows.size() > kNearBytes ? std::clamp(expected_replicas, 1, 4)
                                                         : 1) {}

    int variables() const override { return static_cast<int>(scaled_.n); }
    std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                     uint32_t first_replica) const override {
        return std::make_unique<FactoredWalkers>(scaled_, replicas, seed, first_replica);
    }
    int replicas_together() const override { return together_; }
    uint64_t memory_bytes() const override {
        return sizeof(float) * (scaled_.rows.size() + scaled_.own.size() + scaled_.cross.size()) +
               sizeof(FactoredRows::BlockRow) * scaled_.blocks.size();
    }
    uint64_t walker_bytes(int replicas) const override {
        return static_cast<uint64_t>(replicas) *
               (scaled_.n * (2 * sizeof(float) + 1) +
                scaled_.padded_rank * (sizeof(float) + sizeof(double)));
    }

  private:
    Scaled scaled_;
    int together_;
};

}  // namespace

std::unique_ptr<const Model> make_factored_model(const qubo::Factored& problem,
                                                 int expected_replicas) {
    return std::make_unique<FactoredModel>(problem, expected_replicas);
}

}  // namespace adiabat::anneal
