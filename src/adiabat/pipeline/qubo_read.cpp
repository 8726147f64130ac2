// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "adiabat/anneal/states.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/pipeline/plan_file.h"
#include "adiabat/pipeline/qubo.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/plan/search.h"
#include "adiabat/qubo/formats/formats.h"

namespace adiabat::pipeline {

namespace {

// What the sidecar says of the encoding.
plan::Encoding encoding_from(const Json& meaning, const plan::Network& network) {
    plan::Encoding encoding;
    for (size_t f = 0; f < network.families(); ++f) {
        encoding.first_cut.push_back(encoding.variables);
        encoding.variables += static_cast<int>(network.groups(f));
    }
    for (const Json& entry : meaning.at("layers")) {
        plan::Encoding::LayerBits layer{
            entry.at("first").get<int>(), entry.at("count").get<int>(), {}};
        for (const Json& word : entry.at("words")) {
            uint32_t pattern = 0;
            int bit = 0;
            for (const Json& value : word.at("values")) pattern |= value.get<uint32_t>() << bit++;
            layer.words.push_back({word.at("bits").get<int>(), pattern});
        }
        encoding.variables += layer.count;
        encoding.layers.push_back(std::move(layer));
    }
    for (size_t b = 0; b < network.branches.size(); ++b) {
        encoding.branches.push_back(encoding.variables++);
    }
    return encoding;
}

// Whether it fits the network: the same variables, and the widths that its layers may have.
bool fits(const plan::Encoding& encoding, const plan::Network& network, const Json& variables) {
    if (encoding.layers.size() != network.tensors()) return false;
    int next = 0;
    for (size_t f = 0; f < network.families(); ++f) next += static_cast<int>(network.groups(f));
    for (size_t k = 0; k < encoding.layers.size(); ++k) {
        const plan::Encoding::LayerBits& layer = encoding.layers[k];
        std::vector<int> widths;
        for (const auto& word : plan::Encoding::widths(layer)) widths.push_back(word.bits);
        if (widths != network.widths(k) || layer.first != next || layer.count < 0) return false;
        next += layer.count;
    }
    const auto names = plan::variable_names(network, encoding);
    if (variables.size() < names.size()) return false;
    for (size_t i = 0; i < names.size(); ++i) {
        if (variables[i].at("name") != Json::parse(to_text(Json(names[i])))) return false;
    }
    return true;
}

class Reading {
  public:
    Reading(const AssignmentOptions& options, StopToken stop, ProgressSink& progress)
        : options_(options), stop_(stop), progress_(progress) {}

    Json run() {
        check_output(options_.output, {options_.assignment, options_.meaning});
        meaning_ = read_document(options_.meaning);
        try {
            open();
            read_problem();
        } catch (const Json::exception& error) {
            throw InputError("{}: {}: expected a file that adiabat qubo wrote", options_.meaning,
                             error.what());
        }
        read_sample();
        decode();
        if (options_.repair) repair();
        return write();
    }

  private:
    const plan::Network& network() const { return subject_->network(); }

    void open() {
        if (meaning_.value("verb", std::string()) != "qubo") {
            throw InputError("{}: expected the .meaning.json that adiabat qubo writes",
                             options_.meaning);
        }
        RunOptions run = run_options_from(meaning_, options_.meaning);
        if (!options_.model.empty()) run.model = options_.model;
        run.threads = options_.threads;
        subject_.emplace(run.of_subject(), progress_);
        hamiltonian_.name = meaning_.at("hamiltonian").get<std::string>();
        hamiltonian_.encoding = encoding_from(meaning_, network());
        if (!fits(hamiltonian_.encoding, network(), meaning_.at("variables"))) {
            throw InputError(
                "{}: its variables are not those of {}: expected the model that it "
                "was made for",
                options_.meaning, run.model);
        }
        if (meaning_.at("model").at("sha256") != subject_->model().sha256) {
            progress_.say(
                fmt::format("{} was made for another model than {}", options_.meaning, run.model));
        }
        for (const Json& budget : meaning_.at("budgets")) {
            const auto name = budget.at("quantity").get<std::string>();
            const auto limit = budget.at("limit").get<int64_t>();
            for (plan::Quantity quantity : plan::kQuantities) {
                if (name == plan::name_of(quantity)) budgets_.push_back({quantity, limit});
            }
        }
    }

    // The file beside the sidecar; what it has beside the Hamiltonian is taken out again.
    void read_problem() {
        const Json& facts = meaning_.at("problem");
        const std::filesystem::path written = facts.at("path").get<std::string>();
        const auto path =
            std::filesystem::path(options_.meaning).parent_path() / written.filename();
        if (sha256(read_file(path)) != facts.at("sha256")) {
            throw InputError("{}: not the problem that {} speaks of", path.string(),
                             options_.meaning);
        }
        qubo::ReadOptions how;
        how.stop = stop_;
        const qubo::Problem file = qubo::read_problem(
            path, qubo::format_of_name(facts.at("format").get<std::string>()), how);
        variables_ = file.variables();
        hamiltonian_.problem.form = meaning_.at("penalty").is_null()
                                        ? file.form
                                        : qubo::Energy(without_penalties(qubo::dense_of(file)));
        if (hamiltonian_.problem.variables() != hamiltonian_.encoding.variables) {
            throw InputError("{}: found {} variables, {} says {}", path.string(),
                             hamiltonian_.problem.variables(), options_.meaning,
                             hamiltonian_.encoding.variables);
        }
    }

    qubo::Dense without_penalties(qubo::Dense all) const {
        const Json& penalty = meaning_.at("penalty");
        const auto weight = penalty.at("weight").get<double>();
        for (const Json& layer : meaning_.at("layers")) {
            std::vector<qubo::Term> terms;
            const int first = layer.at("first").get<int>(), count = layer.at("count").get<int>();
            for (int b = 0; b < count; ++b) terms.push_back({first + b, 1.0});
            if (count > 0 && is_one_hot(layer)) all.add_squared(terms, -1.0, -weight);
        }
        const Json& variables = meaning_.at("variables");
        for (const Json& budget : penalty.at("budgets")) {
            const auto quantity = budget.at("quantity").get<std::string>();
            std::vector<qubo::Term> terms;
            for (int i = 0; i < hamiltonian_.encoding.variables; ++i) {
                const double cost =
                    variables.at(static_cast<size_t>(i)).at("costs").at(quantity).get<double>();
                if (cost != 0) terms.push_back({i, cost});
            }
            for (const Json& slack : budget.at("slack")) {
                terms.push_back(
                    {slack.at("variable").get<int>(), slack.at("coefficient").get<double>()});
            }
            all.add_squared(terms, budget.at("constant").get<double>(),
                            -budget.at("weight").get<double>());
        }
        const int own = std::min(hamiltonian_.encoding.variables, all.variables());
        qubo::Dense bare(own);
        bare.add_offset(all.offset());
        for (int i = 0; i < own; ++i) {
            bare.add_linear(i, all.linear(i));
            for (int j = 0; j < i; ++j) bare.add_coupling(i, j, all.coupling(i, j));
        }
        return bare;
    }

    // Whether the layer's words are a group of the problem: binary-coded ones are none.
    static bool is_one_hot(const Json& layer) {
        return std::all_of(layer.at("words").begin(), layer.at("words").end(),
                           [](const Json& word) {
                               int sum = 0;
                               for (const Json& value : word.at("values")) sum += value.get<int>();
                               return sum == 1;
                           });
    }

    void read_sample() {
        const auto bytes = read_file(options_.assignment);
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const size_t first = text.find_first_not_of(" \t\r\n");
        std::vector<std::vector<uint8_t>> samples;
        if (first != std::string_view::npos && text[first] == '{') {
            samples = anneal::states_of(read_document(options_.assignment), variables_,
                                        options_.assignment);
        } else {
            samples = anneal::parse_states(text, variables_, options_.assignment);
        }
        if (options_.sample < 1 || std::cmp_greater(options_.sample, samples.size())) {
            throw InputError("{}: has {} assignments, --sample is {}", options_.assignment,
                             samples.size(), options_.sample);
        }
        sample_ = std::move(samples[static_cast<size_t>(options_.sample) - 1]);
        sample_.resize(static_cast<size_t>(hamiltonian_.encoding.variables));
    }

    void decode() {
        std::vector<double> revival = hamiltonian_.problem.fields(sample_);
        for (double& field : revival) field = -field;
        plan_ = plan::decode(network(), hamiltonian_.encoding, sample_, revival);
        const auto& encoding = hamiltonian_.encoding;
        // What is said of a branch that goes counts for nothing.
        const auto is_gone = [&](int branch) {
            return branch >= 0 && plan::is_gone(network(), plan_.bits, static_cast<size_t>(branch));
        };
        for (size_t f = 0; f < plan_.cut.size(); ++f) {
            if (is_gone(network().branch_of_family(f))) continue;
            const auto first = sample_.begin() + encoding.first_cut[f];
            revived_ +=
                std::count(first, first + network().groups(f), 1) - plan::cut_count(plan_, f);
        }
        for (size_t k = 0; k < encoding.layers.size(); ++k) {
            if (is_gone(network().branch_of_layer(k))) continue;
            const auto& layer = encoding.layers[k];
            uint32_t pattern = 0;
            for (int b = 0; b < layer.count; ++b) {
                pattern |= uint32_t{sample_[layer.at(b)]} << b;
            }
            words_ += std::none_of(layer.words.begin(), layer.words.end(),
                                   [&](const auto& word) { return word.pattern == pattern; });
        }
        if (words_ + revived_ > 0) {
            progress_.say(
                fmt::format("repaired: {} layers whose variables spell no width, {} "
                            "channel groups that had to stay",
                            words_, revived_));
        }
    }

    void repair() {
        if (plan::is_feasible(budgets_, subject_->costs(), plan_)) return;
        plan::State state(network(), hamiltonian_, plan_);
        std::mutex lock;
        plan::Wall wall(budgets_, subject_->costs(), lock);
        if (!plan::reach_budgets(state, wall, stop_)) {
            if (stop_.requested()) throw Interrupted();
            throw InputError(
                "{}: its plan breaks a budget, and no step from there keeps all of "
                "them: expected another assignment",
                options_.assignment);
        }
        plan_ = state.plan();
        is_repaired_ = true;
        progress_.say("repaired: steps that save until the budgets are kept");
    }

    Json write() {
        Json document = plan_document(*subject_, plan_);
        document["command"] = options_.command;
        document["from"] = {{"assignment", options_.assignment},
                            {"sample", options_.sample},
                            {"meaning", options_.meaning},
                            {"hamiltonian", hamiltonian_.name}};
        document["energy"] = hamiltonian_.energy(network(), plan_);
        document["reference_energy"] = meaning_["reference"]["energy"];
        document["repaired"] = {{"words", words_}, {"groups", revived_}, {"budgets", is_repaired_}};
        document["budgets"] = Json::array();
        std::string broken;
        for (const plan::Budget& budget : budgets_) {
            const auto name = plan::name_of(budget.quantity);
            const int64_t cost = subject_->costs().cost(budget.quantity, plan_);
            document["budgets"].push_back(
                {{"quantity", name}, {"limit", budget.limit}, {"cost", cost}});
            if (cost > budget.limit) {
                broken += fmt::format("{}{}={}, {} asked", broken.empty() ? "" : "; ", name, cost,
                                      budget.limit);
            }
        }
        if (!broken.empty()) {
            progress_.say(
                fmt::format("the plan breaks a budget ({}): the problem has costs to "
                            "first order only; --repair saves until all are kept",
                            broken));
        }
        write_file_atomically(options_.output, to_text(document) + "\n");
        return document;
    }

    const AssignmentOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    Json meaning_;
    std::optional<Subject> subject_;
    plan::Hamiltonian hamiltonian_;
    std::vector<plan::Budget> budgets_;
    int variables_ = 0;  // of the file, slack included
    std::vector<uint8_t> sample_;
    plan::Plan plan_;
    int64_t words_ = 0, revived_ = 0;
    bool is_repaired_ = false;
};

}  // namespace

Json read_assignment(const AssignmentOptions& options, StopToken stop, ProgressSink& progress) {
    return Reading(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
