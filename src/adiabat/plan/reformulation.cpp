// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/reformulation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "adiabat/anneal/bounds/mixing.h"
#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

constexpr int kMostSweeps = 400;
constexpr double kStartPrecision = 1e-4, kPrecision = 1e-5;
constexpr int kSteps = 100, kSweepsAStep = 5;
// A step is this part of a pair's coupling for each unit by which an inequality is broken, and half
// as much after kHalfLife steps.
constexpr double kStep = 1, kHalfLife = 20;
// Ends where nothing is broken by more.
constexpr double kBroken = 1e-3;
// Variables that are settled in the mixture may move all the same.
constexpr double kNearest = 0.02;

}  // namespace

struct Reformulation::State {
    // In units of the deviations: limits of the cosine, what is taken off, and the coupling.
    struct Pair {
        Product product;
        double coupling = 0;
        double least = 0, most_i = 0, most_j = 0;
    };

    State(const Hamiltonian& hamiltonian, uint64_t s) : seed(s), energy(with_groups(hamiltonian)) {
        std::vector<size_t> layer_of(variables(), hamiltonian.encoding.layers.size());
        for (size_t l = 0; l < hamiltonian.encoding.layers.size(); ++l) {
            const Encoding::LayerBits& bits = hamiltonian.encoding.layers[l];
            std::fill_n(layer_of.begin() + bits.first, bits.count, l);
        }
        for (int i = 0; i < energy.variables(); ++i) {
            for (int j = i + 1; j < energy.variables(); ++j) {
                const double coupling = energy.coupling(i, j);
                const size_t a = layer_of[static_cast<size_t>(i)];
                const bool is_of_a_group =
                    a < hamiltonian.encoding.layers.size() && a == layer_of[static_cast<size_t>(j)];
                // Within a layer's widths the squares of with_groups() are there already.
                if (coupling != 0 && !is_of_a_group) pairs.push_back({{i, j}, coupling});
            }
        }
    }
    size_t variables() const { return static_cast<size_t>(energy.variables()); }

    void move_to(std::span<const double> z);
    // A step of all multipliers; by how much the worst inequality was broken.
    double step();
    void set_terms(const anneal::Watch& watch);

    uint64_t seed = 0;
    qubo::Dense energy;
    std::vector<Pair> pairs;
    std::vector<double> deviations;
    qubo::Dense scaled;  // couplings less what is taken off, in units of the deviations
    std::optional<anneal::Mixing> mixing;
    int64_t steps = 0;
};

void Reformulation::State::move_to(std::span<const double> z) {
    std::vector<double> means;
    deviations.clear();
    for (double mean : z) {
        means.push_back(std::clamp(mean, kNearest, 1 - kNearest));
        deviations.push_back(std::sqrt(means.back() * (1 - means.back())));
    }
    const auto unit = [&](int i, int j) {
        return deviations[static_cast<size_t>(i)] * deviations[static_cast<size_t>(j)];
    };
    scaled = qubo::Dense(energy.variables());
    for (int i = 0; i < energy.variables(); ++i) {
        for (int j = i + 1; j < energy.variables(); ++j) {
            const double coupling = energy.coupling(i, j);
            if (coupling != 0) scaled.add_coupling(i, j, coupling * unit(i, j));
        }
    }
    for (Pair& pair : pairs) {
        const Product& p = pair.product;
        const double a = means[static_cast<size_t>(p.i)], b = means[static_cast<size_t>(p.j)];
        const double size = unit(p.i, p.j);
        pair.least = -a * b / size;
        pair.most_i = a * (1 - b) / size;
        pair.most_j = b * (1 - a) / size;
        scaled.add_coupling(p.i, p.j, size * (p.only_i + p.only_j - p.neither));
    }
}

double Reformulation::State::step() {
    const double step = kStep / (1 + static_cast<double>(steps++) / kHalfLife);
    double worst = 0;
    for (Pair& pair : pairs) {
        Product& p = pair.product;
        const double cosine = mixing->cosine(p.i, p.j), size = step * std::abs(pair.coupling);
        const auto follow = [&](double broken, double& multiplier) {
            worst = std::max(worst, broken);
            const double before = multiplier;
            multiplier = std::max(0.0, before + size * broken);
            return multiplier - before;
        };
        const double change = follow(cosine - pair.most_i, p.only_i) +
                              follow(cosine - pair.most_j, p.only_j) -
                              follow(pair.least - cosine, p.neither);
        const double unit =
            deviations[static_cast<size_t>(p.i)] * deviations[static_cast<size_t>(p.j)];
        if (change != 0) scaled.add_coupling(p.i, p.j, unit * change);
    }
    return worst;
}

void Reformulation::State::set_terms(const anneal::Watch& watch) {
    const auto n = variables();
    const anneal::Symmetric view{n > 0 ? scaled.row(0).data() : nullptr, n, n};
    // No linear terms in spins.
    std::vector<double> linear;
    for (int i = 0; i < scaled.variables(); ++i) {
        double sum = 0;
        for (double coupling : scaled.row(i)) sum += coupling;
        linear.push_back(-sum / 2);
    }
    if (mixing) return mixing->set_terms(view, linear);
    mixing.emplace(view, linear, seed);
    mixing->run(kMostSweeps, kStartPrecision, watch);
}

Reformulation::Reformulation(const Hamiltonian& hamiltonian, uint64_t seed)
    : state_(std::make_unique<State>(hamiltonian, seed)) {}

Reformulation::~Reformulation() = default;

ConvexEnergy Reformulation::at(std::span<const double> z, const anneal::Watch& watch) {
    State& state = *state_;
    ADIABAT_CHECK(z.size() == state.variables(), "{} values for {} variables", z.size(),
                  state.variables());
    state.move_to(z);
    state.set_terms(watch);
    for (int k = 0; k < kSteps && !watch.over() && state.step() > kBroken; ++k) {
        state.set_terms(watch);
        for (int s = 0; s < kSweepsAStep; ++s) state.mixing->sweep(watch);
    }
    state.mixing->run(kMostSweeps, kPrecision, watch);
    std::vector<double> shift = state.mixing->shift();
    for (size_t i = 0; i < shift.size(); ++i) {
        shift[i] /= state.deviations[i] * state.deviations[i];
    }
    std::vector<Product> products;
    for (const State::Pair& pair : state.pairs) {
        const Product& p = pair.product;
        if (p.neither > 0 || p.only_i > 0 || p.only_j > 0) products.push_back(p);
    }
    return {state.energy, std::move(products), std::move(shift)};
}

}  // namespace adiabat::plan
