// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/subject.h"

#include <fmt/format.h>

#include <algorithm>

#include "adiabat/apply/prepare.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/base/units.h"
#include "adiabat/net/describe.h"
#include "adiabat/net/raise_opset.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/inspect.h"
#include "adiabat/plan/reachable.h"

namespace adiabat::pipeline {

Subject::Subject(const SubjectOptions& options, ProgressSink& progress) : options_(options) {
    const plan::NetworkOptions controls = network_options(options_.controls);
    model_ = load_model(options_.model);
    require_one_input(model_);
    compute_in_float(model_);
    if (!model_.computed_in.empty()) {
        progress.say("the network computes in " + model_.computed_in + "; float from here on");
    }
    require_matches(options_.controls, model_.graph);
    apply::require_quantizable(model_.graph, net::find_layers(model_.graph));
    raise_opset(progress);
    apply::prepare_for_cutting(model_.graph, net::find_coupling(model_.graph));
    network_ = std::make_unique<plan::Network>(model_.graph, controls);
    for (const net::LeftAlone& left : net::search_layers(model_.graph).left_alone) {
        const net::Node& node = model_.graph.nodes[static_cast<size_t>(left.node)];
        progress.say(
            fmt::format("left as it is: {}: {}", net::describe(model_.graph, node), left.reason));
    }
    // Operators that cannot be run are named before any work is done.
    engine_ = load_engine();
    original_ = engine_->open(model_.graph, {options_.threads});
    file_size_ = std::make_unique<apply::FileSize>(model_.graph, *network_, options_.weights);
    costs_.emplace(
        *network_, [this](auto cut, auto bits) { return file_size_->bytes(cut, bits); },
        plan::CostFunctions::FileParts{
            [this](size_t layer, auto cut, int bits) {
                return file_size_->layer_bytes(layer, cut, bits);
            },
            [this](auto cut, auto bits) { return file_size_->other_bytes(cut, bits); }});
}

void Subject::raise_opset(ProgressSink& progress) {
    opset_before_ = model_.graph.opset;
    const int least = apply::least_opset(options_.weights);
    if (opset_before_ >= least) return;
    net::raise_opset(model_.graph, least);
    progress.say(
        fmt::format("opset {} raised to {}, which the written file needs", opset_before_, least));
}

Json Subject::opset() const {
    return {{"before", opset_before_},
            {"after", std::max(opset_before_, apply::least_opset(options_.weights))}};
}

Json Subject::before() const {
    Json before = to_json(network_->costs.whole());
    before["file"] = model_.file_bytes;
    return before;
}

void require_priced(const plan::Network& network, const std::vector<plan::Budget>& budgets,
                    std::optional<plan::Quantity> minimized) {
    std::vector<plan::Quantity> quantities;
    if (minimized) quantities.push_back(*minimized);
    for (const plan::Budget& budget : budgets) quantities.push_back(budget.quantity);
    const auto counts = [](plan::Quantity quantity) {
        return quantity == plan::Quantity::kBops || quantity == plan::Quantity::kActivations ||
               quantity == plan::Quantity::kFloat;
    };
    if (std::any_of(quantities.begin(), quantities.end(), counts)) return;
    for (size_t k = network.layers.size(); k < network.tensors(); ++k) {
        if (network.widths(k).size() < 2) continue;
        throw InputError(
            "--activations mixed: float activations cost nothing of what is budgeted: expected a "
            "budget of bops, activations or float too (float=5%: the MACs that may run in float), "
            "or "
            "with --max-kl and --max-drop one of them for --minimize");
    }
}

AskedBudgets ask_budgets(const Subject& subject, const std::string& text, ProgressSink& progress) {
    const plan::Network& network = subject.network();
    AskedBudgets asked{
        plan::parse_budgets(text, {subject.model().file_bytes, network.costs.whole()}),
        Json::array()};
    for (const plan::Budget& budget : asked.budgets) {
        const plan::Reachable range = plan::reachable(network, subject.costs(), budget.quantity);
        const auto name = plan::name_of(budget.quantity);
        progress.say(
            fmt::format("{}: at most {} asked; reachable {} (smallest), {} (uncut, 4 bits), {} "
                        "(uncut, 8 bits{})",
                        name, format_count(budget.limit), format_count(range.smallest),
                        format_count(range.middle), format_count(range.largest),
                        network.activations.empty() ? "" : ", float activations"));
        asked.document.push_back({{"quantity", name},
                                  {"limit", budget.limit},
                                  {"smallest", range.smallest},
                                  {"middle", range.middle},
                                  {"largest", range.largest}});
    }
    plan::require_satisfiable(network, subject.costs(), asked.budgets);
    return asked;
}

}  // namespace adiabat::pipeline
