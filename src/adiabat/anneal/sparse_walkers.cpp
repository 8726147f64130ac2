// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/sparse_walkers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "adiabat/anneal/kernels/sparse_lanes.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

// The clock is read after about so much work (variables and neighbors of a bundle): some 0.1 ms.
constexpr size_t kWorkBetweenLooks = 1 << 16;
constexpr int kFewReplicas = 3;  // lanes do not pay

// The largest sum of |coefficients| of a row, h included.
double largest_row(const qubo::Sparse& problem) {
    double largest = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        double sum = std::abs(problem.linear(i));
        for (const double value : problem.couplings(i)) sum += std::abs(value);
        largest = std::max(largest, sum);
    }
    return largest;
}

// The largest number that all coefficients are multiples of, by Euclid's algorithm up to rounding;
// 0 where it is below `least`.
double common_unit(const qubo::Sparse& problem, double least) {
    const double tolerance = 1e-9 * least;
    double unit = 0;
    const auto include = [&](double value) {
        double a = unit, b = std::abs(value);
        while (b > tolerance) {
            const double rest = std::abs(std::remainder(a, b));
            a = b;
            b = rest;
        }
        unit = a;
    };
    for (int i = 0; i < problem.variables(); ++i) {
        if (problem.linear(i) != 0) include(problem.linear(i));
        for (const double value : problem.couplings(i)) include(value);
        if (unit != 0 && unit < least) return 0;
    }
    return unit;
}

template <class T>
struct Fixed {
    LaneRows<T> rows;
    std::vector<T> linear;  // 2 h in units
    double unit = 1, offset = 0;
    int variables = 0, together = 1;
};

template <class T>
Fixed<T> round_to(const qubo::Sparse& problem, double unit) {
    Fixed<T> fixed;
    fixed.unit = unit;
    fixed.offset = problem.offset();
    fixed.variables = problem.variables();
    auto& rows = fixed.rows;
    const auto in_units = [&](double value) {
        return static_cast<T>(2 * std::llround(value / unit));
    };
    int64_t most = 0;
    rows.starts.push_back(0);
    rows.neighbors.reserve(2 * problem.pairs());
    rows.couplings.reserve(2 * problem.pairs());
    for (int i = 0; i < problem.variables(); ++i) {
        fixed.linear.push_back(in_units(problem.linear(i)));
        int64_t sum = std::abs(int64_t{fixed.linear.back()});
        const auto neighbors = problem.neighbors(i);
        for (const double value : problem.couplings(i)) {
            rows.couplings.push_back(in_units(value));
            sum += std::abs(int64_t{rows.couplings.back()});
        }
        rows.neighbors.insert(rows.neighbors.end(), neighbors.begin(), neighbors.end());
        rows.starts.push_back(rows.neighbors.size());
        rows.below.push_back(
            static_cast<int32_t>(std::ranges::lower_bound(neighbors, i) - neighbors.begin()));
        most = std::max(most, sum);
    }
    ADIABAT_CHECK(most <= 2 * LaneLimits<T>::kMostField, "a field of {} half units", most);
    const int64_t proposals = int64_t{std::numeric_limits<T>::max()} / std::max<int64_t>(1, most);
    rows.flush = static_cast<int>(std::min<int64_t>(proposals / 8 * 8, 16384));
    return fixed;
}

template <class T>
class SparseWalkers : public Walkers {
  public:
    SparseWalkers(const Fixed<T>& fixed, int replicas, uint64_t seed, uint32_t first_replica);

    int replicas() const override { return replicas_; }
    void set_state(int replica, std::span<const uint8_t> x) override;
    void sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) override;
    double energy(int replica) const override {
        return in_double(energies_[static_cast<size_t>(replica)]);
    }
    std::vector<uint8_t> state(int replica) const override;
    double best_energy(int replica) const override {
        return in_double(std::min(best_energies_[static_cast<size_t>(replica)],
                                  energies_[static_cast<size_t>(replica)]));
    }
    std::vector<uint8_t> best(int replica) const override;
    void flip(int replica, int variable) override;
    double change(int replica, int variable) const override;
    void copy(int from, int to) override;
    int64_t flips() const override { return flips_; }

    static uint64_t bytes(int replicas, int variables);

  private:
    struct Bundle {
        int first = 0, lanes = 1, used = 1;  // replicas first .. first + used - 1
        std::vector<T> words = {};
        std::vector<uint16_t> best = {};
    };
    // Where a replica's words are.
    struct Place {
        Bundle* bundle = nullptr;
        size_t lane = 0;
    };

    static std::vector<Bundle> bundles_of(int replicas);
    static size_t words_of(int lanes, int variables);

    Place place(int replica) const { return places_[static_cast<size_t>(replica)]; }
    static T& word(const Place& at, size_t variable) {
        return at.bundle->words[variable * static_cast<size_t>(at.bundle->lanes) + at.lane];
    }
    double in_double(int64_t half_units) const {
        return fixed_.offset + fixed_.unit * (0.5 * static_cast<double>(half_units));
    }
    void sweep_bundle(Bundle& bundle, std::span<const double> betas, uint32_t sweep,
                      const Watch& watch);
    // Makes lanes that are lower than ever their best.
    void keep_best(Bundle& bundle);

    const Fixed<T>& fixed_;
    int replicas_;
    uint64_t seed_;
    uint32_t first_replica_;
    std::vector<Bundle> bundles_;
    std::vector<Place> places_;
    std::vector<int64_t> energies_, best_energies_;  // half units, without the offset
    int64_t flips_ = 0;
};

// Sixteens, and of the rest lone ones, or one bundle of eight or sixteen.
template <class T>
std::vector<typename SparseWalkers<T>::Bundle> SparseWalkers<T>::bundles_of(int replicas) {
    std::vector<Bundle> bundles;
    for (int first = 0; first < replicas;) {
        Bundle bundle;
        const int rest = replicas - first;
        bundle.first = first;
        if (rest > kFewReplicas) {
            bundle.lanes = rest > 8 ? 16 : 8;
            bundle.used = std::min(rest, bundle.lanes);
        }
        first += bundle.used;
        bundles.push_back(std::move(bundle));
    }
    return bundles;
}

template <class T>
size_t SparseWalkers<T>::words_of(int lanes, int variables) {
    constexpr auto kWindow = static_cast<size_t>(kRowWindow);
    const auto n = static_cast<size_t>(variables);
    return lanes == 1 ? (n + kWindow - 1) / kWindow * kWindow : n * static_cast<size_t>(lanes);
}

template <class T>
uint64_t SparseWalkers<T>::bytes(int replicas, int variables) {
    uint64_t bytes = static_cast<uint64_t>(replicas) * (sizeof(Place) + 2 * sizeof(int64_t));
    for (const Bundle& bundle : bundles_of(replicas)) {
        bytes += sizeof(T) * words_of(bundle.lanes, variables) +
                 sizeof(uint16_t) * static_cast<size_t>(variables);
    }
    return bytes;
}

template <class T>
SparseWalkers<T>::SparseWalkers(const Fixed<T>& fixed, int replicas, uint64_t seed,
                                uint32_t first_replica)
    : fixed_(fixed),
      replicas_(replicas),
      seed_(seed),
      first_replica_(first_replica),
      bundles_(bundles_of(replicas)) {
    const auto n = static_cast<size_t>(fixed.variables);
    energies_.assign(static_cast<size_t>(replicas), 0);
    best_energies_ = energies_;
    for (Bundle& bundle : bundles_) {
        bundle.words.assign(words_of(bundle.lanes, fixed.variables), LaneLimits<T>::kNever);
        bundle.best.assign(n, 0);
        for (int lane = 0; lane < bundle.used; ++lane) {
            places_.push_back({&bundle, static_cast<size_t>(lane)});
            for (size_t i = 0; i < n; ++i) word(places_.back(), i) = fixed.linear[i];
        }
    }
}

template <class T>
void SparseWalkers<T>::set_state(int replica, std::span<const uint8_t> x) {
    const auto n = static_cast<size_t>(fixed_.variables);
    ADIABAT_CHECK(x.size() == n, "{} values for {} variables", x.size(), n);
    const Place at = place(replica);
    const LaneRows<T>& rows = fixed_.rows;
    int64_t energy = 0;
    const auto bit = static_cast<uint16_t>(1u << at.lane);
    for (size_t i = 0; i < n; ++i) {
        T field = fixed_.linear[i];
        for (size_t k = rows.starts[i]; k < rows.starts[i + 1]; ++k) {
            if (x[static_cast<size_t>(rows.neighbors[k])])
                field = static_cast<T>(field + rows.couplings[k]);
        }
        // Every coupling counts twice in the sum of fields.
        if (x[i]) energy += (int64_t{field} + fixed_.linear[i]) / 2;
        word(at, i) = static_cast<T>(field | (x[i] ? 1 : 0));
        auto& best = at.bundle->best[i];
        best = static_cast<uint16_t>(x[i] ? best | bit : best & ~bit);
    }
    energies_[static_cast<size_t>(replica)] = best_energies_[static_cast<size_t>(replica)] = energy;
}

template <class T>
void SparseWalkers<T>::sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) {
    ADIABAT_CHECK(betas.size() == energies_.size(), "{} betas for {} replicas", betas.size(),
                  replicas_);
    for (Bundle& bundle : bundles_) {
        if (watch.over()) return;
        keep_best(bundle);  // cluster moves may have changed it
        sweep_bundle(bundle, betas, sweep, watch);
        keep_best(bundle);
    }
}

template <class T>
void SparseWalkers<T>::sweep_bundle(Bundle& bundle, std::span<const double> betas, uint32_t sweep,
                                    const Watch& watch) {
    std::array<float, kMostLanes> scales{};  // zero in lanes that are filled up: they never accept
    std::array<int64_t, kMostLanes> energies{};
    const auto first = static_cast<size_t>(bundle.first), used = static_cast<size_t>(bundle.used);
    for (size_t r = 0; r < used; ++r) {
        scales[r] = static_cast<float>(std::min(1 / (betas[first + r] * fixed_.unit), 1e30));
        energies[r] = energies_[first + r];
    }
    const int n = fixed_.variables;
    LaneSweep<T> task{.rows = &fixed_.rows,
                      .words = bundle.words.data(),
                      .lanes = bundle.lanes,
                      .scales = scales.data(),
                      .energies = energies.data(),
                      .seed = seed_,
                      .replica = first_replica_ + static_cast<uint32_t>(bundle.first),
                      .sweep = sweep,
                      .begin = 0,
                      .end = 0};
    const auto& starts = fixed_.rows.starts;
    while (task.end < n && (task.end == 0 || !watch.over())) {
        task.begin = task.end;
        size_t work = 0;
        while (task.end < n && work < kWorkBetweenLooks) {
            const int next = std::min(n, task.end + kRowWindow);
            work += static_cast<size_t>(next - task.end) + starts[static_cast<size_t>(next)] -
                    starts[static_cast<size_t>(task.end)];
            task.end = next;
        }
        sweep_lanes(task);
    }
    std::copy_n(energies.begin(), used, energies_.begin() + static_cast<std::ptrdiff_t>(first));
    flips_ += task.flips;
}

template <class T>
void SparseWalkers<T>::keep_best(Bundle& bundle) {
    uint32_t lower = 0;
    for (int lane = 0; lane < bundle.used; ++lane) {
        const size_t r = static_cast<size_t>(bundle.first) + static_cast<size_t>(lane);
        if (energies_[r] >= best_energies_[r]) continue;
        best_energies_[r] = energies_[r];
        lower |= 1u << lane;
    }
    if (lower == 0) return;
    keep_states(LaneState<T>{.words = bundle.words.data(),
                             .lanes = bundle.lanes,
                             .variables = fixed_.variables,
                             .lanes_kept = static_cast<uint16_t>(lower),
                             .best = bundle.best.data()});
}

template <class T>
std::vector<uint8_t> SparseWalkers<T>::state(int replica) const {
    const Place at = place(replica);
    std::vector<uint8_t> x(static_cast<size_t>(fixed_.variables));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(word(at, i) & 1);
    return x;
}

template <class T>
std::vector<uint8_t> SparseWalkers<T>::best(int replica) const {
    const auto r = static_cast<size_t>(replica);
    if (energies_[r] < best_energies_[r]) return state(replica);  // after flips
    const Place at = place(replica);
    std::vector<uint8_t> x(static_cast<size_t>(fixed_.variables));
    for (size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<uint8_t>(at.bundle->best[i] >> at.lane & 1);
    return x;
}

template <class T>
void SparseWalkers<T>::flip(int replica, int variable) {
    const Place at = place(replica);
    const auto i = static_cast<size_t>(variable);
    T& flipped = word(at, i);
    const bool up = (flipped & 1) == 0;
    const int64_t field = flipped & ~1;
    energies_[static_cast<size_t>(replica)] += up ? field : -field;
    flipped = static_cast<T>(flipped ^ 1);
    const LaneRows<T>& rows = fixed_.rows;
    for (size_t k = rows.starts[i]; k < rows.starts[i + 1]; ++k) {
        T& neighbor = word(at, static_cast<size_t>(rows.neighbors[k]));
        neighbor = static_cast<T>(up ? neighbor + rows.couplings[k] : neighbor - rows.couplings[k]);
    }
}

template <class T>
double SparseWalkers<T>::change(int replica, int variable) const {
    const T found = word(place(replica), static_cast<size_t>(variable));
    const double field = fixed_.unit * (0.5 * static_cast<double>(found & ~1));
    return found & 1 ? -field : field;
}

template <class T>
void SparseWalkers<T>::copy(int from, int to) {
    if (from == to) return;
    const Place source = place(from), target = place(to);
    for (size_t i = 0; i < static_cast<size_t>(fixed_.variables); ++i) {
        word(target, i) = word(source, i);
        const unsigned bit = source.bundle->best[i] >> source.lane & 1u;
        auto& best = target.bundle->best[i];
        best = static_cast<uint16_t>((best & ~(1u << target.lane)) | bit << target.lane);
    }
    const auto a = static_cast<size_t>(from), b = static_cast<size_t>(to);
    energies_[b] = energies_[a];
    best_energies_[b] = best_energies_[a];
}

template <class T>
class SparseModel : public Model {
  public:
    explicit SparseModel(Fixed<T> fixed) : fixed_(std::move(fixed)) {}

    int variables() const override { return fixed_.variables; }
    std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                     uint32_t first_replica) const override {
        return std::make_unique<SparseWalkers<T>>(fixed_, replicas, seed, first_replica);
    }
    int replicas_together() const override { return fixed_.together; }
    uint64_t memory_bytes() const override {
        return fixed_.rows.neighbors.size() * (sizeof(int32_t) + sizeof(T)) +
               fixed_.linear.size() * (sizeof(T) + sizeof(int32_t) + sizeof(size_t));
    }
    uint64_t walker_bytes(int replicas) const override {
        return SparseWalkers<T>::bytes(replicas, fixed_.variables);
    }

  private:
    Fixed<T> fixed_;
};

template <class T>
std::unique_ptr<const Model> make_model_of(const qubo::Sparse& problem, double unit, int together) {
    Fixed<T> fixed = round_to<T>(problem, unit);
    fixed.together = together;
    return std::make_unique<SparseModel<T>>(std::move(fixed));
}

}  // namespace

std::unique_ptr<const Model> make_sparse_model(const qubo::Sparse& problem, int expected_replicas) {
    // Eights are nearly as good as sixteens, and more threads have work.
    int together = 8;
    if (expected_replicas <= kFewReplicas) together = 1;
    if (expected_replicas >= 64) together = 16;
    const double largest = largest_row(problem);
    if (largest == 0) return make_model_of<int16_t>(problem, 1, together);
    // A little room for sums that are not exact.
    const double least = largest / (static_cast<double>(LaneLimits<int16_t>::kMostField) + 0.5);
    if (const double unit = common_unit(problem, least); unit > 0)
        return make_model_of<int16_t>(problem, unit, together);
    int exponent = 0;
    std::frexp(largest, &exponent);  // largest < 2^exponent
    return make_model_of<int32_t>(problem, std::ldexp(1.0, exponent - 26), together);
}

}  // namespace adiabat::anneal
