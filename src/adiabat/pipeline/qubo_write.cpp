// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "adiabat/anneal/penalty.h"
#include "adiabat/anneal/states.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/plan_file.h"
#include "adiabat/pipeline/qubo.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/plan/linear_cost.h"
#include "adiabat/qubo/formats/formats.h"

namespace adiabat::pipeline {

namespace {

bool holds_constraints(qubo::Format format) {
    return format == qubo::Format::kLp || format == qubo::Format::kOwnJson;
}

// Where names would do harm: LP has no spaces in them, and no file the same name twice.
bool can_name(qubo::Format format, const std::vector<std::string>& names) {
    return format != qubo::Format::kLp &&
           std::set<std::string>(names.begin(), names.end()).size() == names.size();
}

// One budget, linear at the reference.
struct Linear {
    plan::Budget budget;
    int64_t reference_cost = 0;
    plan::LinearCost cost;
    plan::LinearRange range;
    double upper() const { return static_cast<double>(budget.limit) - cost.constant; }
};

class Writing {
  public:
    Writing(const QuboOptions& options, StopToken stop, ProgressSink& progress)
        : options_(options), stop_(stop), progress_(progress) {}

    Json run() {
        check();
        subject_.emplace(options_.of_subject(), progress_);
        asked_ = ask_budgets(*subject_, options_.budget, progress_);
        require_priced(subject_->network(), asked_.budgets);
        weigh_and_decide();
        for (const plan::Budget& budget : asked_.budgets) linearize(budget);
        compose();
        return write();
    }

  private:
    const plan::Network& network() const { return subject_->network(); }
    const plan::Encoding& encoding() const { return weighed_.hamiltonian.encoding; }

    void check() {
        if (!options_.format.empty()) {
            format_ = qubo::format_of_name(options_.format);
        } else if (const auto known = qubo::format_of_ending(options_.output)) {
            format_ = *known;
        } else {
            throw InputError(
                "{}: its ending says no format: expected --format, or one of .coo "
                ".bqm .qubo .rudy .sparse .lp .json",
                options_.output);
        }
        if (const auto said = qubo::contradiction_of_ending(options_.output, format_)) {
            progress_.say(fmt::format("{}, it is written as --format says: {}", *said,
                                      qubo::name_of(format_)));
        }
        if (options_.penalty && holds_constraints(format_)) {
            throw InputError(
                "--penalty: {} holds constraints, and has no penalties: expected it without "
                "--penalty, or coo, bqm-json, bqm, qbsolv or biqmac",
                qubo::name_of(format_));
        }
        std::vector<std::filesystem::path> inputs = {options_.model, options_.data.path};
        if (options_.at) inputs.emplace_back(*options_.at);
        check_output(options_.output, inputs);
        check_output(meaning_file_of(options_.output), inputs);
    }

    void weigh_and_decide() {
        const DecidingOptions how = options_.of_deciding();
        Calibration images;
        if (how.hamiltonian != HamiltonianKind::kL1) {
            images = read_calibration(*subject_, options_.of_draw(), stop_, progress_);
            data_ = images.document;
        } else {
            data_ = {{"path", options_.data.path.string()},
                     {"preprocess", data::to_json(options_.data.preprocess)}};
        }
        weighed_ = weigh(*subject_, images, how, stop_, progress_);
        if (options_.at) {
            PlanFile file = read_plan(*subject_, *options_.at, progress_);
            reference_ = std::move(file.plan);
            reference_from_ = std::move(file.document);
            return;
        }
        const plan::Decision decision =
            plan::decide(network(), weighed_.hamiltonian, asked_.budgets, subject_->costs(),
                         how.search, stop_, progress_);
        reference_ = decision.plan();
        decision_ = to_json(weighed_, how, decision);
    }

    void linearize(const plan::Budget& budget) {
        const auto exact = [&](std::span<const int64_t> cut, std::span<const int> bits) {
            return static_cast<double>(subject_->costs().cost(budget.quantity, cut, bits));
        };
        Linear linear{budget,
                      subject_->costs().cost(budget.quantity, reference_),
                      plan::linear_cost(network(), encoding(), plan::cut_counts(reference_),
                                        reference_.bits, exact),
                      {}};
        linear.range = plan::range_of(network(), encoding(), linear.cost);
        if (linear.range.least > static_cast<double>(budget.limit)) {
            throw InputError(
                "{}: no plan keeps the budget as it is linearized at the reference "
                "plan: expected a reference (--at) nearer to it",
                plan::name_of(budget.quantity));
        }
        if (linear.reference_cost > budget.limit) {
            progress_.say(
                fmt::format("the reference plan needs {}={}, more than is asked: costs are "
                            "linear there, plans near it break the budget",
                            plan::name_of(budget.quantity), linear.reference_cost));
        }
        linear_.push_back(std::move(linear));
    }

    // The problem as it is written.
    void compose() {
        problem_ = weighed_.hamiltonian.problem;
        if (auto* dense = std::get_if<qubo::Dense>(&problem_.form)) part_branches(*dense);
        for (const Linear& linear : linear_) {
            qubo::LinearBudget budget;
            for (size_t i = 0; i < linear.cost.terms.size(); ++i) {
                if (linear.cost.terms[i] == 0) continue;
                budget.terms.push_back({static_cast<int>(i), linear.cost.terms[i]});
            }
            budget.upper = linear.upper();
            budget.name = plan::name_of(linear.budget.quantity);
            problem_.constraints.budgets.push_back(std::move(budget));
        }
        std::vector<std::string> names = problem_.names;
        if (!holds_constraints(format_)) penalize(names);
        problem_.names = can_name(format_, names) ? names : std::vector<std::string>();
        names_ = std::move(names);
        const char* const format = qubo::name_of(format_);
        if (holds_constraints(format_)) {
            progress_.say(
                fmt::format("{} holds constraints: one-hot groups and budgets are written "
                            "as such",
                            format));
        } else {
            progress_.say(fmt::format(
                "{} holds no constraints: one-hot groups and budgets are squared penalties of "
                "weight {:.6g} ({})",
                format, weight_, options_.penalty ? "--penalty" : "from the energy's scales"));
        }
    }

    // Linear budgets would count twice what is saved by a branch that goes and by cuts in it:
    // either costs as much again as the branch. Plans have the same energy.
    void part_branches(qubo::Dense& energy) const {
        for (size_t b = 0; b < encoding().branches.size(); ++b) {
            const int branch = encoding().branches[b];
            const double weight = std::abs(energy.linear(branch));
            for (size_t f : network().branches[b].families) {
                for (size_t m = 0; m < static_cast<size_t>(network().groups(f)); ++m) {
                    energy.add_coupling(branch, encoding().cut_variable(f, m), weight);
                }
            }
            for (size_t k : network().branches[b].layers) {
                const plan::Encoding::LayerBits& layer = encoding().layers[k];
                for (int w = 0; w + 1 < layer.count; ++w) {
                    energy.add_coupling(branch, layer.first + w, weight);
                }
            }
        }
    }

    void penalize(std::vector<std::string>& names) {
        // What no plan goes below needs no slack.
        for (size_t k = 0; k < linear_.size(); ++k) {
            problem_.constraints.budgets[k].lower =
                std::min(linear_[k].range.least - linear_[k].cost.constant, linear_[k].upper());
        }
        weight_ = options_.penalty.value_or(anneal::penalty_weight(problem_));
        penalties_ = anneal::budget_penalties(problem_, weight_);
        for (size_t k = 0; k < penalties_.size(); ++k) {
            for (size_t s = 0; s < penalties_[k].slack; ++s) {
                names.push_back(
                    fmt::format("slack {} {}", plan::name_of(linear_[k].budget.quantity), s));
            }
        }
        problem_ = anneal::with_penalties(problem_, true, true, weight_);
    }

    Json write() {
        if (stop_.requested()) throw Interrupted();
        const std::string text = qubo::write_problem(problem_, format_);
        Json document = {{"adiabat", version()},
                         {"verb", "qubo"},
                         {"command", options_.command},
                         {"model", to_json(subject_->model())},
                         {"data", data_},
                         {"options", {{"budget", options_.budget}}}};
        document["options"].update(to_json(static_cast<const RunOptions&>(options_)));
        document["problem"] = {{"path", options_.output},
                               {"format", qubo::name_of(format_)},
                               {"sha256", sha256(text)},
                               {"form", problem_.form_name()},
                               {"variables", problem_.variables()},
                               {"slack_variables", problem_.variables() - encoding().variables},
                               {"offset", problem_.offset()}};
        document["hamiltonian"] = weighed_.hamiltonian.name;
        document["sensing"] = weighed_.sensing;
        document["decision"] = decision_;
        document["constraints"] = holds_constraints(format_) ? "linear" : "penalties";
        document["penalty"] = penalties_json();
        document["budgets"] = budgets_json();
        document["layers"] = layers_json();
        document["variables"] = variables_json();
        document["reference"] = reference_json();
        write_file_atomically(options_.output, text);
        write_file_atomically(meaning_file_of(options_.output), to_text(document) + "\n");
        return document;
    }

    Json penalties_json() const {
        if (holds_constraints(format_)) return nullptr;
        Json json = {{"weight", weight_}, {"budgets", Json::array()}};
        for (size_t k = 0; k < penalties_.size(); ++k) {
            const anneal::BudgetPenalty& penalty = penalties_[k];
            Json slack = Json::array();
            for (const qubo::Term& term : std::span(penalty.terms).last(penalty.slack)) {
                slack.push_back({{"variable", term.variable}, {"coefficient", term.coefficient}});
            }
            json["budgets"].push_back({{"quantity", plan::name_of(linear_[k].budget.quantity)},
                                       {"weight", penalty.weight},
                                       {"constant", penalty.constant},
                                       {"slack", std::move(slack)}});
        }
        return json;
    }

    Json budgets_json() const {
        Json json = asked_.document;
        for (size_t k = 0; k < linear_.size(); ++k) {
            json[k]["linear"] = {{"constant", linear_[k].cost.constant},
                                 {"upper", linear_[k].upper()},
                                 {"least", linear_[k].range.least},
                                 {"most", linear_[k].range.most}};
        }
        return json;
    }

    Json layers_json() const {
        Json json = Json::array();
        for (size_t k = 0; k < network().tensors(); ++k) {
            const plan::Encoding::LayerBits& layer = encoding().layers[k];
            Json words = Json::array();
            for (const plan::Encoding::Word& word : layer.words) {
                Json values = Json::array();
                for (int b = 0; b < layer.count; ++b) values.push_back(word.pattern >> b & 1);
                words.push_back({{"bits", word.bits}, {"values", std::move(values)}});
            }
            json.push_back({{"name", network().name(k)},
                            {"first", layer.first},
                            {"count", layer.count},
                            {"words", std::move(words)}});
        }
        return json;
    }

    Json variables_json() const {
        Json json = Json::array();
        for (const std::string& name : names_) json.push_back({{"name", name}});
        for (size_t f = 0; f < network().families(); ++f) {
            for (size_t m = 0; m < static_cast<size_t>(network().groups(f)); ++m) {
                Json& cut = json[static_cast<size_t>(encoding().cut_variable(f, m))];
                cut["kind"] = "cut";
                cut["layers"] = Json::array();
            }
        }
        for (size_t k = 0; k < network().tensors(); ++k) {
            const bool is_layer = k < network().layers.size();
            if (is_layer) add_filters(json, k);
            const plan::Encoding::LayerBits& layer = encoding().layers[k];
            for (int b = 0; b < layer.count; ++b) {
                Json& width = json[layer.at(b)];
                width["kind"] = is_layer ? "width" : "activation";
                width[is_layer ? "layer" : "activation"] = network().name(k);
                width["bit"] = b;
            }
        }
        for (size_t b = 0; b < encoding().branches.size(); ++b) {
            Json& branch = json[static_cast<size_t>(encoding().branches[b])];
            branch["kind"] = "branch";
            branch["layers"] = Json::array();
            for (size_t k : network().branches[b].layers) {
                branch["layers"].push_back(network().layers[k].name);
            }
        }
        for (const Linear& linear : linear_) {
            for (size_t i = 0; i < linear.cost.terms.size(); ++i) {
                json[i]["costs"][std::string(plan::name_of(linear.budget.quantity))] =
                    linear.cost.terms[i];
            }
        }
        for (size_t k = 0; k < penalties_.size(); ++k) {
            const auto& terms = penalties_[k].terms;
            for (const qubo::Term& term : std::span(terms).last(penalties_[k].slack)) {
                Json& slack = json[static_cast<size_t>(term.variable)];
                slack["kind"] = "slack";
                slack["quantity"] = plan::name_of(linear_[k].budget.quantity);
                slack["coefficient"] = term.coefficient;
            }
        }
        return json;
    }

    void add_filters(Json& variables, size_t layer) const {
        const auto& groups = network().filter_groups(layer);
        std::map<net::GroupId, Json> filters;
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] != net::kStays) filters[groups[i]].push_back(i);
        }
        for (auto& [id, list] : filters) {
            const net::ChannelGroup& group = network().coupling.groups[static_cast<size_t>(id)];
            const int variable = encoding().cut_variable(static_cast<size_t>(group.family),
                                                         static_cast<size_t>(group.member));
            variables[static_cast<size_t>(variable)]["layers"].push_back(
                {{"name", network().layers[layer].name}, {"filters", std::move(list)}});
        }
    }

    Json reference_json() const {
        Json json = {{"from", reference_from_},
                     {"energy", weighed_.hamiltonian.energy(network(), reference_)},
                     {"costs", Json::object()}};
        for (const Linear& linear : linear_) {
            json["costs"][std::string(plan::name_of(linear.budget.quantity))] =
                linear.reference_cost;
        }
        json["x"] = anneal::bits_of(plan::encode(network(), encoding(), reference_));
        return json;
    }

    const QuboOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    qubo::Format format_ = qubo::Format::kOwnJson;
    std::optional<Subject> subject_;
    AskedBudgets asked_;
    Weighed weighed_;
    Json data_, decision_, reference_from_;
    plan::Plan reference_;
    std::vector<Linear> linear_;
    qubo::Problem problem_;
    std::vector<std::string> names_;  // of all variables, whether the format takes them or not
    double weight_ = 0;
    std::vector<anneal::BudgetPenalty> penalties_;
};

}  // namespace

std::string meaning_file_of(const std::string& problem_file) {
    return problem_file + ".meaning.json";
}

Json write_qubo(const QuboOptions& options, StopToken stop, ProgressSink& progress) {
    return Writing(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
