// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/linear_cost.h"

#include <Eigen/Dense>
#include <algorithm>

namespace adiabat::plan {

namespace {

double bit_of(const Encoding::Word& word, int bit) { return word.pattern >> bit & 1; }

// Between the next counts below and above.
double price_of_group(const Network& network, size_t family, std::span<const int64_t> cut,
                      std::span<const int> bits, const PlanCost& cost) {
    const int64_t all = network.groups(family), step = network.group_step(family);
    const int64_t kept = all - cut[family];
    std::vector<int64_t> fewer(cut.begin(), cut.end()), more = fewer;
    more[family] = all - std::max((kept - 1) / step * step, allowed_kept(network, family, 0));
    fewer[family] = all - std::min((kept / step + 1) * step, all);
    if (more[family] == fewer[family]) return 0;
    return (cost(more, bits) - cost(fewer, bits)) /
           static_cast<double>(more[family] - fewer[family]);
}

// The linear function of the bits nearest to the costs of the words, but for a constant.
Eigen::VectorXd prices_of_bits(const Encoding::LayerBits& layer, size_t number,
                               std::span<const int64_t> cut, std::span<const int> bits,
                               const PlanCost& cost) {
    const auto words = std::ssize(layer.words);
    Eigen::MatrixXd patterns = Eigen::MatrixXd::Ones(words, layer.count + 1);
    Eigen::VectorXd costs(words);
    std::vector<int> changed(bits.begin(), bits.end());
    for (Eigen::Index w = 0; w < words; ++w) {
        const Encoding::Word& word = layer.words[static_cast<size_t>(w)];
        for (int b = 0; b < layer.count; ++b) patterns(w, b) = bit_of(word, b);
        changed[number] = word.bits;
        costs[w] = cost(cut, changed);
    }
    return patterns.completeOrthogonalDecomposition().solve(costs).head(layer.count);
}

// What a branch costs less where it goes than as it is, or than whole where it is gone.
double price_of_branch(const Network& network, size_t branch, std::span<const int64_t> cut,
                       std::span<const int> bits, const PlanCost& cost) {
    std::vector<int64_t> none(cut.begin(), cut.end());
    std::vector<int> gone(bits.begin(), bits.end()), there = gone;
    for (size_t f : network.branches[branch].families) none[f] = 0;
    for (size_t k : network.branches[branch].layers) {
        gone[k] = kGone;
        if (there[k] == kGone) there[k] = network.widths(k).back();
    }
    return cost(none, gone) - cost(cut, there);
}

}  // namespace

double LinearCost::value(std::span<const uint8_t> x) const {
    double sum = constant;
    for (size_t i = 0; i < terms.size(); ++i) sum += x[i] ? terms[i] : 0;
    return sum;
}

LinearCost linear_cost(const Network& network, const Encoding& encoding,
                       std::span<const int64_t> cut, std::span<const int> bits,
                       const PlanCost& cost) {
    LinearCost result{cost(cut, bits),
                      std::vector<double>(static_cast<size_t>(encoding.variables))};
    for (size_t f = 0; f < network.families(); ++f) {
        const int branch = network.branch_of_family(f);
        if (branch >= 0 && is_gone(network, bits, static_cast<size_t>(branch))) continue;
        const double price = price_of_group(network, f, cut, bits, cost);
        std::fill_n(result.terms.begin() + encoding.first_cut[f], network.groups(f), price);
        result.constant -= static_cast<double>(cut[f]) * price;
    }
    for (size_t b = 0; b < encoding.branches.size(); ++b) {
        double& price = result.terms[static_cast<size_t>(encoding.branches[b])];
        price = price_of_branch(network, b, cut, bits, cost);
        if (is_gone(network, bits, b)) result.constant -= price;
    }
    for (size_t k = 0; k < encoding.layers.size(); ++k) {
        const Encoding::LayerBits& layer = encoding.layers[k];
        if (layer.count == 0 || bits[k] == kGone) continue;
        const Eigen::VectorXd prices = prices_of_bits(layer, k, cut, bits, cost);
        const Encoding::Word& here = encoding.word(k, bits[k]);
        for (int b = 0; b < layer.count; ++b) {
            result.terms[layer.at(b)] = prices[b];
            result.constant -= bit_of(here, b) * prices[b];
        }
    }
    return result;
}

LinearRange range_of(const Network& network, const Encoding& encoding, const LinearCost& cost) {
    LinearRange range{cost.constant, cost.constant};
    const auto widen = [&](double low, double high) {
        range.least += low;
        range.most += high;
    };
    for (size_t f = 0; f < network.families(); ++f) {
        const int64_t most = network.groups(f) - allowed_kept(network, f, 0);
        if (most == 0) continue;
        const double all =
            static_cast<double>(most) * cost.terms[static_cast<size_t>(encoding.first_cut[f])];
        widen(std::min(all, 0.0), std::max(all, 0.0));
    }
    for (const Encoding::LayerBits& layer : encoding.layers) {
        std::vector<double> words;
        for (const Encoding::Word& word : layer.words) {
            words.push_back(0);
            for (int b = 0; b < layer.count; ++b) {
                words.back() += bit_of(word, b) * cost.terms[layer.at(b)];
            }
        }
        widen(*std::min_element(words.begin(), words.end()),
              *std::max_element(words.begin(), words.end()));
    }
    for (int variable : encoding.branches) {
        const double price = cost.terms[static_cast<size_t>(variable)];
        widen(std::min(price, 0.0), std::max(price, 0.0));
    }
    return range;
}

}  // namespace adiabat::plan
