// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/measured.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "adiabat/base/errors.h"
#include "adiabat/plan/joint_costs.h"

namespace adiabat::plan {

namespace {

// Numbers of candidates as variables: both follow families and layers.
class Numbering {
  public:
    Numbering(const Network& network, const Encoding& encoding) {
        for (const net::ChannelGroup& group : network.coupling.groups) {
            variable_.push_back(encoding.cut_variable(static_cast<size_t>(group.family),
                                                      static_cast<size_t>(group.member)));
        }
        for (size_t k = 0; k < network.tensors(); ++k) {
            first_width_.push_back(static_cast<int>(variable_.size()));
            const auto widths = static_cast<int>(network.widths(k).size());
            for (int w = 0; w < widths; ++w) {
                // A layer of one width has no variable.
                variable_.push_back(widths > 1 ? encoding.layers[k].first + w : -1);
            }
        }
        first_branch_ = columns();
        // Around an incumbent branches are no candidates.
        variable_.insert(variable_.end(), encoding.branches.begin(), encoding.branches.end());
    }
    int columns() const { return static_cast<int>(variable_.size()); }
    int variable(int column) const { return variable_[static_cast<size_t>(column)]; }
    int width_column(size_t layer, size_t width_index) const {
        return first_width_[layer] + static_cast<int>(width_index);
    }
    int first_width_column() const {
        return first_width_.empty() ? first_branch_ : first_width_.front();
    }
    bool is_width(int column) const {
        return column >= first_width_column() && column < first_branch_;
    }
    int branch_column(size_t branch) const { return first_branch_ + static_cast<int>(branch); }
    int first_branch_column() const { return first_branch_; }

  private:
    std::vector<int> variable_, first_width_;
    int first_branch_ = 0;
};

// The share of a layer's rounding error, at one of its widths, that goes with each group: where its
// input is cut and where its filter is.
std::map<net::GroupId, double> shares_of(const Network& network, const sense::Effects& effects,
                                         size_t layer, size_t width_index) {
    std::map<net::GroupId, double> shares;
    const sense::LayerLinks& links = effects.layers[layer];
    const auto w = static_cast<Eigen::Index>(width_index);
    for (size_t i = 0; i < links.cuts.size(); ++i) {
        shares[links.cuts[i]] += links.input_shares(w, static_cast<Eigen::Index>(i));
    }
    const auto& groups = network.filter_groups(layer);
    for (size_t f = 0; f < groups.size(); ++f) {
        if (groups[f] == net::kStays) continue;
        shares[groups[f]] += links.filter_shares(w, static_cast<Eigen::Index>(f));
    }
    return shares;
}

std::vector<qubo::Group> one_hot_groups(const Network& network, const Encoding& encoding) {
    std::vector<qubo::Group> groups;
    for (size_t k = 0; k < encoding.layers.size(); ++k) {
        const Encoding::LayerBits& bits = encoding.layers[k];
        if (bits.count == 0) continue;
        const char* const kind = k < network.layers.size() ? "bits " : "activation ";
        qubo::Group group{{}, true, kind + network.name(k)};
        for (int i = 0; i < bits.count; ++i) group.members.push_back(bits.first + i);
        groups.push_back(std::move(group));
    }
    return groups;
}

// <sum of a_u over the first list, sum of a_v over the second>.
double product_of_sums(const sense::Effects& effects, const std::vector<int>& first,
                       const std::vector<int>& second) {
    if (effects.products.size() > 0) return effects.products(first, second).sum();
    const Eigen::VectorXf a = effects.factor(Eigen::all, first).rowwise().sum();
    const Eigen::VectorXf b = effects.factor(Eigen::all, second).rowwise().sum();
    return a.cast<double>().dot(b.cast<double>());
}

void check(const Network& network, const sense::Effects& effects, const Numbering& numbering) {
    ADIABAT_CHECK(
        effects.columns() == numbering.columns() && effects.layers.size() == network.layers.size(),
        "effects of {} candidates for {}", effects.columns(), numbering.columns());
}

// Around an incumbent, what a layer's width loses less what the incumbent's does, as if rounding
// errors of different widths were independent: |a|^2 is then the sum of both, and that of the
// widest is the incumbent's alone.
double excess_of_width(const Network& network, const sense::Effects& effects,
                       const Numbering& numbering, size_t layer, size_t width_index) {
    const auto& widths = network.widths(layer);
    const double square = effects.single[numbering.width_column(layer, width_index)];
    if (!effects.around || widths[width_index] == effects.around->bits[layer]) return square;
    return square - 2 * effects.single[numbering.width_column(layer, widths.size() - 1)];
}

}  // namespace

sense::Candidates candidates_of(const net::Graph& graph, const Network& network,
                                const Plan* incumbent) {
    std::vector<std::vector<int>> widths;
    for (size_t k = 0; k < network.tensors(); ++k) widths.push_back(network.widths(k));
    std::optional<sense::Incumbent> around;
    if (incumbent) around = {cut_flags(network, *incumbent), incumbent->bits};
    std::vector<net::Branch> branches;
    for (const Branch& branch : network.branches) branches.push_back(branch.place);
    return {graph,
            network.coupling,
            network.layers,
            std::move(widths),
            std::move(branches),
            std::move(around),
            network.activations};
}

namespace {

class Builder {
  public:
    Builder(const Network& network, const sense::Effects& effects, const Interactions& interactions)
        : network_(network),
          effects_(effects),
          interactions_(interactions),
          encoding_(one_hot_encoding(network)),
          numbering_(network, encoding_) {
        check(network, effects, numbering_);
    }

    Hamiltonian build() {
        Hamiltonian result;
        result.name = "measured";
        result.problem.form = effects_.products.size() > 0 ? qubo::Energy(dense()) : factored();
        result.problem.constraints.groups = one_hot_groups(network_, encoding_);
        result.problem.names = variable_names(network_, encoding_);
        result.encoding = std::move(encoding_);
        return result;
    }

  private:
    double product(int u, int v) const {
        const double value = effects_.product(u, v);
        const bool of_branch = std::max(u, v) >= numbering_.first_branch_column() &&
                               !numbering_.is_width(std::min(u, v));
        return of_branch ? std::max(value, 0.0) : value;
    }
    // Those that are candidates.
    size_t branches() const {
        return static_cast<size_t>(numbering_.columns() - numbering_.first_branch_column());
    }
    double rho(int u, int v) const {
        const int widths = numbering_.is_width(u) + numbering_.is_width(v);
        if (widths == 0) {
            return std::max(u, v) >= numbering_.first_branch_column() ? interactions_.rho_branches
                                                                      : interactions_.rho_cuts;
        }
        return widths == 1 ? interactions_.rho_mixed : interactions_.rho_widths;
    }
    // Whether v is a branch and u a group or a width of its own.
    bool is_own(int u, int v) const {
        const int branch = v - numbering_.first_branch_column();
        if (branch < 0) return false;
        if (u < numbering_.first_width_column()) {
            const auto family = network_.coupling.groups[static_cast<size_t>(u)].family;
            return network_.branch_of_family(static_cast<size_t>(family)) == branch;
        }
        if (!numbering_.is_width(u)) return false;
        for (size_t k : network_.branches[static_cast<size_t>(branch)].layers) {
            const int first = numbering_.width_column(k, 0);
            if (u >= first && u < first + std::ssize(network_.widths(k))) return true;
        }
        return false;
    }

    qubo::Dense dense() const {
        qubo::Dense energy(encoding_.variables);
        const int columns = numbering_.columns();
        if (effects_.around) energy.add_offset(effects_.residual_square);
        const JointCosts joint(network_.coupling, effects_);
        add_singles(energy);
        for (int u = 0; u < columns; ++u) {
            for (int v = u + 1; v < columns; ++v) {
                const double factor = 2 * rho(u, v);
                if (factor == 0 || are_joint(joint, u, v) || same_layer(u, v) || is_own(u, v))
                    continue;
                add_pair(energy, u, v, factor * product(u, v));
            }
        }
        joint.for_each(
            [&](int u, int v, double cost) { add_pair(energy, u, v, interactions_.kappa * cost); });
        if (!interactions_.shares || effects_.around) return energy;
        for (size_t k = 0; k < network_.layers.size(); ++k) {
            for (size_t w = 0; w < network_.widths(k).size(); ++w) {
                const int column = numbering_.width_column(k, w);
                for (const auto& [group, share] : shares_of(network_, effects_, k, w)) {
                    add_pair(energy, group, column,
                             -interactions_.tau * share * effects_.single[column]);
                }
            }
        }
        return energy;
    }

    bool are_joint(const JointCosts& joint, int u, int v) const {
        const int cuts = numbering_.first_width_column();
        return u < cuts && v < cuts && joint.has(u, v);
    }
    // Widths of one layer exclude each other.
    bool same_layer(int u, int v) const {
        if (!numbering_.is_width(u) || !numbering_.is_width(v)) return false;
        for (size_t k = 0; k < network_.tensors(); ++k) {
            const int first = numbering_.width_column(k, 0);
            const int last = first + static_cast<int>(network_.widths(k).size());
            if (u >= first && u < last) return v < last;
        }
        return false;
    }

    // Cut in the incumbent: the candidate is that it comes back.
    bool is_lost(int u) const {
        return effects_.around && u < numbering_.first_width_column() &&
               effects_.around->cut[static_cast<size_t>(u)];
    }

    template <typename Form>
    void add_singles(Form& energy) const {
        for (int u = 0; u < numbering_.first_width_column(); ++u) add_cut(energy, u);
        for (size_t b = 0; b < branches(); ++b) {
            const int column = numbering_.branch_column(b);
            double value = effects_.single[column];
            for (size_t k : network_.branches[b].layers) {
                const int widest = numbering_.width_column(k, network_.widths(k).size() - 1);
                value -= interactions_.tau * effects_.single[widest];
            }
            energy.add_linear(numbering_.variable(column), value);
        }
        for (size_t k = 0; k < network_.tensors(); ++k) {
            for (size_t w = 0; w < network_.widths(k).size(); ++w) {
                const double weight = k < network_.layers.size() ? interactions_.tau : 1;
                add_linear(energy, numbering_.width_column(k, w),
                           weight * excess_of_width(network_, effects_, numbering_, k, w));
            }
        }
    }
    template <typename Form>
    void add_cut(Form& energy, int u) const {
        double value = effects_.single[u];
        if (effects_.around) {
            const double r = interactions_.rho_residual;
            value += 2 * r * effects_.residual[u];
            if (is_lost(u)) value -= 2 * (1 - r) * effects_.single[u];
        }
        add_linear(energy, u, value);
    }
    // Value times whether u changes sides.
    template <typename Form>
    void add_linear(Form& energy, int u, double value) const {
        if (numbering_.variable(u) < 0 || is_lost(u)) energy.add_offset(value);
        if (numbering_.variable(u) >= 0)
            energy.add_linear(numbering_.variable(u), is_lost(u) ? -value : value);
    }
    // Value times whether both do, but for the product of the variables themselves, whose factor
    // is returned.
    template <typename Form>
    double add_below_pair(Form& energy, int u, int v, double value) const {
        const bool a = is_lost(u), b = is_lost(v);
        if (a && b) energy.add_offset(value);
        if (a) energy.add_linear(numbering_.variable(v), b ? -value : value);
        if (b) energy.add_linear(numbering_.variable(u), a ? -value : value);
        return a == b ? value : -value;
    }
    void add_pair(qubo::Dense& energy, int u, int v, double value) const {
        if (is_lost(u) || is_lost(v)) {
            if (numbering_.variable(u) < 0) return add_linear(energy, v, value);
            if (numbering_.variable(v) < 0) return add_linear(energy, u, value);
            value = add_below_pair(energy, u, v, value);
        }
        const int a = numbering_.variable(u), b = numbering_.variable(v);
        if (a >= 0 && b >= 0) {
            energy.add_coupling(a, b, value);
        } else if (a >= 0 || b >= 0) {
            energy.add_linear(std::max(a, b), value);
        } else {
            energy.add_offset(value);
        }
    }

    // rho x'A'Ax as low rank, less what it holds of single effects and of pairs within families,
    // which a block has instead.
    qubo::Energy factored() const {
        qubo::Factored energy(encoding_.variables);
        const double rho = interactions_.rho_cuts;
        if (effects_.around) energy.add_offset(effects_.residual_square);
        add_singles(energy);
        const JointCosts joint(network_.coupling, effects_);
        for (size_t f = 0; f < network_.families(); ++f) add_block(energy, f, rho, joint);
        for (size_t b = 0; b < branches(); ++b) add_pairs_of_branch(energy, b);
        if (rho > 0) add_products(energy, rho);
        return energy;
    }

    void add_block(qubo::Factored& energy, size_t family, double rho,
                   const JointCosts& joint) const {
        const auto& groups = network_.coupling.families[family].groups;
        const size_t size = groups.size();
        std::vector<double> block(size * size);
        for (size_t i = 0; i < size; ++i) {
            const double square = rho * effects_.single[groups[i]];
            block[i * size + i] = is_lost(groups[i]) ? square : -square;
            if (is_lost(groups[i])) energy.add_offset(-square);
            for (size_t j = i + 1; j < size; ++j) {
                const int u = std::min(groups[i], groups[j]), v = std::max(groups[i], groups[j]);
                double value = 0;
                if (joint.has(u, v)) {
                    const double product = rho > 0 ? effects_.product(u, v) : 0;
                    value =
                        add_below_pair(energy, u, v,
                                       interactions_.kappa * joint.of(u, v) - 2 * rho * product) /
                        2;
                }
                block[i * size + j] = block[j * size + i] = value;
            }
        }
        energy.add_block(encoding_.first_cut[family], static_cast<int>(size), block);
    }

    // 2 rho z (g.x) = rho [(z + g.x)^2 - (g.x)^2 - z], g of the products with groups and with the
    // branches behind this one.
    void add_pairs_of_branch(qubo::Factored& energy, size_t b) const {
        const double rho = interactions_.rho_branches;
        if (rho == 0) return;
        const int column = numbering_.branch_column(b);
        constexpr size_t kRank = 2;
        std::vector<double> columns(static_cast<size_t>(encoding_.variables) * kRank);
        const auto set = [&](int u, size_t rank, double value) {
            columns[static_cast<size_t>(numbering_.variable(u)) * kRank + rank] = value;
        };
        // In units of its own effect, so that both parts of a square are of one size.
        const double unit = std::max(effects_.single[column], 1e-300);
        for (int u = 0; u < numbering_.columns(); ++u) {
            const bool counts = !numbering_.is_width(u) && !is_own(u, column) &&
                                (u < numbering_.first_width_column() || u > column);
            if (!counts) continue;
            set(u, 0, product(u, column) / unit);
            set(u, 1, product(u, column) / unit);
        }
        set(column, 0, 1);
        energy.add_squares(columns, std::vector<double>(kRank, 0.0),
                           std::vector<double>{rho * unit, -rho * unit});
        energy.add_linear(numbering_.variable(column), -rho * unit);
    }

    void add_products(qubo::Factored& energy, double rho) const {
        const auto rank = static_cast<size_t>(effects_.factor.rows());
        std::vector<double> columns(static_cast<size_t>(encoding_.variables) * rank);
        std::vector<double> constants(rank, 0.0);
        for (int u = 0; u < numbering_.first_width_column(); ++u) {
            for (size_t r = 0; r < rank; ++r) {
                const auto value =
                    static_cast<double>(effects_.factor(static_cast<Eigen::Index>(r), u));
                columns[static_cast<size_t>(numbering_.variable(u)) * rank + r] =
                    is_lost(u) ? -value : value;
                if (is_lost(u)) constants[r] += value;
            }
        }
        const std::vector<double> weights(rank, rho);
        energy.add_squares(columns, constants, weights);
    }

    const Network& network_;
    const sense::Effects& effects_;
    const Interactions& interactions_;
    Encoding encoding_;
    Numbering numbering_;
};

}  // namespace

Hamiltonian measured_hamiltonian(const Network& network, const sense::Effects& effects,
                                 const Interactions& interactions) {
    return Builder(network, effects, interactions).build();
}

EnergyTerms energy_terms(const Network& network, const sense::Effects& effects, const Plan& plan,
                         bool shares) {
    const Encoding encoding = one_hot_encoding(network);
    const Numbering numbering(network, encoding);
    check(network, effects, numbering);
    const auto flags = cut_flags(network, plan);
    EnergyTerms terms;
    std::vector<int> cuts, widths;
    std::vector<uint8_t> changes(flags.begin(), flags.end());
    for (size_t g = 0; g < flags.size(); ++g) {
        if (effects.around) changes[g] = flags[g] != effects.around->cut[g];
        if (!changes[g]) continue;
        cuts.push_back(static_cast<int>(g));
        terms.single += effects.single[cuts.back()];
        if (effects.around) terms.residual += 2 * effects.residual[cuts.back()];
        if (effects.around && effects.around->cut[g])
            terms.undone -= 2 * effects.single[cuts.back()];
    }
    if (effects.around) terms.before = effects.residual_square;
    std::vector<int> branches;
    double own = 0;  // products of branches with their own widths, which do not count
    double branch_squares = 0;
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (!is_gone(network, plan.bits, b)) continue;
        const int column = numbering.branch_column(b);
        branches.push_back(column);
        branch_squares += effects.single[column];
        for (size_t k : network.branches[b].layers) {
            own += effects.product(column, numbering.width_column(k, network.widths(k).size() - 1));
        }
    }
    double width_squares = 0, activations = 0;
    for (size_t k = 0; k < network.tensors(); ++k) {
        const auto& allowed = network.widths(k);
        const bool gone = plan.bits[k] == kGone;
        const auto w =
            gone ? allowed.size() - 1
                 : static_cast<size_t>(std::find(allowed.begin(), allowed.end(), plan.bits[k]) -
                                       allowed.begin());
        const int column = numbering.width_column(k, w);
        widths.push_back(column);
        width_squares += effects.single[column];
        double counts = gone ? 0 : 1;
        if (shares && !effects.around && k < network.layers.size()) {
            for (const auto& [group, share] : shares_of(network, effects, k, w)) {
                if (flags[static_cast<size_t>(group)]) counts -= share;
            }
        }
        const double loss = counts * excess_of_width(network, effects, numbering, k, w);
        (k < network.layers.size() ? terms.single_widths : activations) += loss;
    }
    // Sums over pairs from squares of sums, less the pairs that are joint.
    terms.cuts = product_of_sums(effects, cuts, cuts) - terms.single;
    for (size_t b = 0; b < branches.size(); ++b) {
        const auto add = [&](int u) {
            terms.branches += 2 * std::max(effects.product(u, branches[b]), 0.0);
        };
        for (int u : cuts) add(u);
        for (size_t a = 0; a < b; ++a) add(branches[a]);
    }
    terms.single += branch_squares + activations;
    terms.mixed = 2 * (product_of_sums(effects, cuts, widths) +
                       product_of_sums(effects, branches, widths) - own);
    terms.widths = product_of_sums(effects, widths, widths) - width_squares;
    const auto changed = [&](int group) { return changes[static_cast<size_t>(group)] != 0; };
    JointCosts(network.coupling, effects).for_each([&](int u, int v, double cost) {
        if (!changed(u) || !changed(v)) return;
        terms.within += cost;
        terms.cuts -= 2 * effects.product(u, v);
    });
    return terms;
}

}  // namespace adiabat::plan
