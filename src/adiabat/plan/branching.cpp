// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/branching.h"

#include <algorithm>
#include <cmath>

namespace adiabat::plan {

namespace {

// The mean of what each corner has, and the mean distance from it.
struct Spread {
    double mean = 0, deviation = 0;
};

template <typename Value>
Spread spread_of(const Relaxed& relaxed, const Value& value) {
    Spread spread;
    for (size_t c = 0; c < relaxed.corners.size(); ++c) {
        if (relaxed.shares[c] > 0) spread.mean += relaxed.shares[c] * value(*relaxed.corners[c]);
    }
    for (size_t c = 0; c < relaxed.corners.size(); ++c) {
        if (relaxed.shares[c] == 0) continue;
        spread.deviation += relaxed.shares[c] * std::abs(value(*relaxed.corners[c]) - spread.mean);
    }
    return spread;
}

struct Choice {
    enum Kind { kNone, kWidths, kCounts, kGroup, kBranch } kind = kNone;
    size_t index = 0, member = 0;
    double mean = 0, score = -1;
};

// What the mixture of corners saves of the curvature through one variable.
double curvature_saved(const Relaxed& relaxed, Eigen::Index i) {
    double saved = -relaxed.z[i] * relaxed.hz[i];
    for (size_t c = 0; c < relaxed.corners.size(); ++c) {
        const Corner& corner = *relaxed.corners[c];
        if (relaxed.shares[c] > 0 && corner.x[static_cast<size_t>(i)]) {
            saved += relaxed.shares[c] * corner.hx[i];
        }
    }
    return saved / 2;
}

class Chooser {
  public:
    Chooser(const Relaxed& relaxed, const Encoding& encoding, const Domain& domain)
        : relaxed_(relaxed), encoding_(encoding), domain_(domain) {}

    Choice choose() {
        for (size_t b = 0; b < domain_.branches.size(); ++b) weigh_branch(b);
        for (size_t l = 0; l < domain_.allowed.size(); ++l) weigh_widths(l);
        for (size_t f = 0; f < domain_.cut.size(); ++f) {
            weigh_counts(f);
            for (size_t i = 0; i < domain_.settled[f].size(); ++i) weigh_group(f, i);
        }
        if (best_.score <= 0) weigh_shape();
        return best_;
    }

  private:
    void offer(const Choice& choice) {
        if (choice.score > best_.score) best_ = choice;
    }
    // As the corner's assignment has it.
    int bits_of(const Corner& corner, size_t l) const {
        const int bits = corner.plan.bits[l];
        return bits == kGone ? encoding_.layers[l].words.back().bits : bits;
    }
    void weigh_branch(size_t b) {
        if (domain_.branches[b] != Settled::kFree) return;
        const Eigen::Index v = encoding_.branches[b];
        const double z = relaxed_.z[v];
        if (z < 1e-9 || z > 1 - 1e-9) return;
        const double made_up = z * (1 - z) * std::abs(relaxed_.gradient[v]);
        offer({Choice::kBranch, b, 0, z, std::max(curvature_saved(relaxed_, v), 0.0) + made_up});
    }
    void weigh_widths(size_t l) {
        if (domain_.widths_left(l) < 2) return;
        const Encoding::LayerBits& bits = encoding_.layers[l];
        double saved = 0;
        for (int v = bits.first; v < bits.first + bits.count; ++v) {
            saved += curvature_saved(relaxed_, v);
        }
        const Spread made_up = spread_of(relaxed_, [&](const Corner& c) {
            double sum = 0;
            for (int v = bits.first; v < bits.first + bits.count; ++v) {
                if (c.x[static_cast<size_t>(v)]) sum += relaxed_.gradient[v];
            }
            return sum;
        });
        const Spread width = spread_of(relaxed_, [&](const Corner& c) { return bits_of(c, l); });
        if (width.deviation < 1e-9) return;
        offer({Choice::kWidths, l, 0, width.mean, std::max(saved, 0.0) + made_up.deviation / 2});
    }
    void weigh_counts(size_t f) {
        if (domain_.cut[f].is_one()) return;
        const auto first = static_cast<size_t>(encoding_.first_cut[f]);
        const Spread made_up = spread_of(relaxed_, [&](const Corner& c) {
            double sum = 0;
            for (size_t i = 0; i < domain_.settled[f].size(); ++i) {
                if (c.x[first + i]) sum += relaxed_.gradient[static_cast<Eigen::Index>(first + i)];
            }
            return sum;
        });
        const Spread count = spread_of(
            relaxed_, [&](const Corner& c) { return static_cast<double>(cut_count(c.plan, f)); });
        if (count.deviation < 1e-9) return;
        offer({Choice::kCounts, f, 0, count.mean, made_up.deviation / 2});
    }
    void weigh_group(size_t f, size_t i) {
        if (domain_.settled[f][i] != Settled::kFree) return;
        const Eigen::Index v = encoding_.cut_variable(f, i);
        const double z = relaxed_.z[v];
        if (z < 1e-9 || z > 1 - 1e-9) return;
        offer({Choice::kGroup, f, i, z, std::max(curvature_saved(relaxed_, v), 1e-300)});
    }
    // The relaxation mixes nothing, but its plan breaks a budget: whatever is left to be decided.
    void weigh_shape() {
        for (size_t b = 0; b < domain_.branches.size(); ++b) {
            if (domain_.branches[b] == Settled::kFree) offer({Choice::kBranch, b, 0, 0, 1});
        }
        for (size_t l = 0; l < domain_.allowed.size(); ++l) {
            if (domain_.widths_left(l) < 2) continue;
            const Spread width =
                spread_of(relaxed_, [&](const Corner& c) { return bits_of(c, l); });
            offer({Choice::kWidths, l, 0, width.mean, static_cast<double>(domain_.widths_left(l))});
        }
        for (size_t f = 0; f < domain_.cut.size(); ++f) {
            if (domain_.cut[f].is_one()) continue;
            const Spread count = spread_of(relaxed_, [&](const Corner& c) {
                return static_cast<double>(cut_count(c.plan, f));
            });
            offer({Choice::kCounts, f, 0, count.mean,
                   static_cast<double>(domain_.cut[f].most - domain_.cut[f].least)});
        }
        // A plan it is, but the bound has not come up to it.
        for (size_t f = 0; f < domain_.cut.size(); ++f) {
            for (size_t i = 0; i < domain_.settled[f].size(); ++i) {
                if (domain_.settled[f][i] == Settled::kFree)
                    offer({Choice::kGroup, f, i, 0, 1e-300});
            }
        }
    }

    const Relaxed& relaxed_;
    const Encoding& encoding_;
    const Domain& domain_;
    Choice best_;
};

}  // namespace

bool settle(const Network& network, const CheapestPlans& cheapest, const Relaxed& relaxed,
            double cutoff, Domain& domain) {
    const auto& w = relaxed.gradient;
    const Margins margins =
        cheapest.margins(domain, {{w.data(), static_cast<size_t>(w.size())}, relaxed.multipliers});
    const double most = cutoff - relaxed.tangent;
    for (size_t f = 0; f < domain.cut.size(); ++f) {
        auto& [least_cut, most_cut] = domain.cut[f];
        const auto& counts = margins.counts[f];
        while (least_cut <= most_cut && counts[static_cast<size_t>(least_cut)] >= most) ++least_cut;
        while (least_cut <= most_cut && counts[static_cast<size_t>(most_cut)] >= most) --most_cut;
        if (least_cut > most_cut) return false;
        for (size_t i = 0; i < domain.settled[f].size(); ++i) {
            if (domain.settled[f][i] != Settled::kFree) continue;
            const bool may_cut = margins.cut[f][i] < most, may_stay = margins.kept[f][i] < most;
            if (!may_cut && !may_stay) return false;
            if (!may_cut) domain.settled[f][i] = Settled::kKept;
            if (!may_stay) domain.settled[f][i] = Settled::kCut;
        }
    }
    for (size_t b = 0; b < domain.branches.size(); ++b) {
        if (domain.branches[b] != Settled::kFree) continue;
        const bool may_go = margins.gone[b] < most, may_stay = margins.there[b] < most;
        if (!may_go && !may_stay) return false;
        if (!may_go) domain.branches[b] = Settled::kKept;
        if (!may_stay) domain.branches[b] = Settled::kCut;
    }
    for (size_t l = 0; l < domain.allowed.size(); ++l) {
        if (domain.widths_left(l) < 2) continue;
        for (size_t k = 0; k < domain.allowed[l].size(); ++k) {
            if (margins.widths[l][k] >= most) domain.allowed[l][k] = 0;
        }
    }
    return tighten(network, domain);
}

std::vector<Domain> divide(const Network& network, const Relaxed& relaxed,
                           const CheapestPlans& cheapest, const Domain& domain) {
    const Choice choice = Chooser(relaxed, cheapest.encoding(), domain).choose();
    if (choice.kind == Choice::kNone) return {};
    std::vector<Domain> parts(2, domain);
    const size_t index = choice.index;
    if (choice.kind == Choice::kGroup) {
        parts[0].settled[index][choice.member] = Settled::kCut;
        parts[1].settled[index][choice.member] = Settled::kKept;
    } else if (choice.kind == Choice::kBranch) {
        parts[0].branches[index] = Settled::kCut;
        parts[1].branches[index] = Settled::kKept;
    } else if (choice.kind == Choice::kCounts) {
        const auto& counts = domain.cut[index];
        const int64_t middle = std::clamp(static_cast<int64_t>(std::floor(choice.mean)),
                                          counts.least, counts.most - 1);
        parts[0].cut[index].most = middle;
        parts[1].cut[index].least = middle + 1;
    } else {
        const auto& widths = network.widths(index);
        const auto& allowed = domain.allowed[index];
        const auto first =
            static_cast<size_t>(std::find(allowed.begin(), allowed.end(), 1) - allowed.begin());
        const auto last =
            allowed.size() - 1 -
            static_cast<size_t>(std::find(allowed.rbegin(), allowed.rend(), 1) - allowed.rbegin());
        for (size_t k = 0; k < allowed.size(); ++k) {
            const bool low = k == first || (k != last && widths[k] <= choice.mean);
            parts[low ? 1 : 0].allowed[index][k] = 0;
        }
    }
    return parts;
}

}  // namespace adiabat::plan
