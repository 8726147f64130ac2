// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/hamiltonian.h"

#include <algorithm>
#include <bit>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

bool is_one_hot(const Encoding::LayerBits& layer) {
    return std::all_of(layer.words.begin(), layer.words.end(),
                       [](const auto& word) { return std::has_single_bit(word.pattern); });
}

uint32_t pattern_at(const Encoding::LayerBits& layer, std::span<const uint8_t> assignment) {
    uint32_t pattern = 0;
    for (int k = 0; k < layer.count; ++k) {
        pattern |= uint32_t{assignment[layer.at(k)]} << k;
    }
    return pattern;
}

int nearest_width(const Encoding::LayerBits& layer, uint32_t pattern) {
    const Encoding::Word* nearest = nullptr;
    int least = 0;
    for (const Encoding::Word& word : layer.words) {
        const int distance = std::popcount(word.pattern ^ pattern);
        if (nearest && (distance > least || (distance == least && word.bits <= nearest->bits))) {
            continue;
        }
        nearest = &word;
        least = distance;
    }
    ADIABAT_CHECK(nearest, "a layer without words");
    return nearest->bits;
}

// Until the family keeps a number that it may.
void revive(const Network& network, size_t family, std::vector<uint8_t>& cut,
            std::span<const double> revival) {
    const int64_t kept = std::count(cut.begin(), cut.end(), 0);
    for (int64_t missing = allowed_kept(network, family, kept) - kept; missing > 0; --missing) {
        size_t chosen = cut.size();
        for (size_t i = 0; i < cut.size(); ++i) {
            if (cut[i] && (chosen == cut.size() || revival[i] < revival[chosen])) chosen = i;
        }
        cut[chosen] = 0;
    }
}

}  // namespace

const Encoding::Word& Encoding::word(size_t layer, int bits) const {
    const auto& words = layers[layer].words;
    const auto found = std::find_if(words.begin(), words.end(),
                                    [bits](const Word& word) { return word.bits == bits; });
    ADIABAT_CHECK(found != words.end(), "layer {} has no word for {} bits", layer, bits);
    return *found;
}

std::vector<Encoding::Word> Encoding::widths(const LayerBits& layer) {
    std::vector<Word> first;
    for (const Word& word : layer.words) {
        if (first.empty() || first.back().bits != word.bits) first.push_back(word);
    }
    return first;
}

Encoding one_hot_encoding(const Network& network) {
    Encoding encoding;
    for (size_t f = 0; f < network.families(); ++f) {
        encoding.first_cut.push_back(encoding.variables);
        encoding.variables += static_cast<int>(network.groups(f));
    }
    for (size_t k = 0; k < network.tensors(); ++k) {
        Encoding::LayerBits layer{encoding.variables, 0, {}};
        for (int bits : network.widths(k)) {
            layer.words.push_back({bits, uint32_t{1} << layer.count++});
        }
        if (layer.count == 1) layer = {encoding.variables, 0, {{layer.words[0].bits, 0}}};
        encoding.variables += layer.count;
        encoding.layers.push_back(std::move(layer));
    }
    for (size_t b = 0; b < network.branches.size(); ++b) {
        encoding.branches.push_back(encoding.variables++);
    }
    return encoding;
}

std::vector<uint8_t> encode(const Network& network, const Encoding& encoding, const Plan& plan) {
    check_plan(network, plan);
    std::vector<uint8_t> x(static_cast<size_t>(encoding.variables), 0);
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        std::copy(plan.cut[f].begin(), plan.cut[f].end(), x.begin() + encoding.first_cut[f]);
    }
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        const Encoding::LayerBits& layer = encoding.layers[k];
        const int bits = plan.bits[k] == kGone ? network.widths(k).back() : plan.bits[k];
        const uint32_t pattern = encoding.word(k, bits).pattern;
        for (int b = 0; b < layer.count; ++b) {
            x[layer.at(b)] = pattern >> b & 1;
        }
    }
    for (size_t b = 0; b < network.branches.size(); ++b) {
        const bool gone = is_gone(network, plan.bits, b);
        ADIABAT_CHECK(!gone || !encoding.branches.empty(), "branch {} has no variable", b);
        if (gone) x[static_cast<size_t>(encoding.branches[b])] = 1;
    }
    return x;
}

Plan decode(const Network& network, const Encoding& encoding, std::span<const uint8_t> assignment,
            std::span<const double> revival) {
    const auto variables = static_cast<size_t>(encoding.variables);
    ADIABAT_CHECK(assignment.size() == variables && revival.size() == variables,
                  "{} values and {} of revival for {} variables", assignment.size(), revival.size(),
                  variables);
    Plan plan = uniform_plan(network, kMaxBits);
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        const auto first = static_cast<size_t>(encoding.first_cut[f]);
        std::copy_n(assignment.begin() + encoding.first_cut[f], plan.cut[f].size(),
                    plan.cut[f].begin());
        revive(network, f, plan.cut[f], revival.subspan(first, plan.cut[f].size()));
    }
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        const Encoding::LayerBits& layer = encoding.layers[k];
        plan.bits[k] = nearest_width(layer, pattern_at(layer, assignment));
    }
    for (size_t b = 0; b < encoding.branches.size(); ++b) {
        if (assignment[static_cast<size_t>(encoding.branches[b])]) drop(network, plan, b);
    }
    return plan;
}

std::vector<std::string> variable_names(const Network& network, const Encoding& encoding) {
    std::vector<std::string> names(static_cast<size_t>(encoding.variables));
    for (size_t f = 0; f < network.families(); ++f) {
        std::string maker = fmt::format("family{}", f);
        for (const net::Layer& layer : network.layers) {
            const auto& makers = network.coupling.families[f].makers;
            if (!makers.empty() && layer.node == makers.front()) maker = layer.name;
        }
        for (size_t m = 0; m < static_cast<size_t>(network.groups(f)); ++m) {
            names[static_cast<size_t>(encoding.cut_variable(f, m))] =
                fmt::format("cut {} {}", maker, m);
        }
    }
    for (size_t k = 0; k < encoding.layers.size(); ++k) {
        const Encoding::LayerBits& layer = encoding.layers[k];
        const bool one_hot = is_one_hot(layer);
        for (int b = 0; b < layer.count; ++b) {
            std::string& name = names[layer.at(b)];
            const char* const kind = k < network.layers.size() ? "bits" : "activation";
            name = fmt::format("{} {} #{}", kind, network.name(k), b);
            for (const Encoding::Word& word : layer.words) {
                if (one_hot && word.pattern == uint32_t{1} << b) {
                    name = fmt::format("{} {} {}", kind, network.name(k), word.bits);
                }
            }
        }
    }
    for (size_t b = 0; b < encoding.branches.size(); ++b) {
        names[static_cast<size_t>(encoding.branches[b])] =
            fmt::format("drop {}", network.branches[b].name);
    }
    return names;
}

}  // namespace adiabat::plan
