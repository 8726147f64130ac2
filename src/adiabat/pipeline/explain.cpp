// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/explained.h"
#include "adiabat/pipeline/plan_file.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/pipeline/run_options.h"
#include "adiabat/pipeline/sensing.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {

namespace {

// The weights of interactions that the run decided with: fitted ones stand in its problem.
plan::Interactions interactions_of(const Json& run, const plan::Interactions& otherwise) {
    const Json problem = run.value("problem", Json());
    if (!problem.is_object() || !problem.contains("interactions")) return otherwise;
    const Json& i = problem["interactions"];
    plan::Interactions result;
    result.kappa = i.at("kappa").get<double>();
    result.tau = i.at("tau").get<double>();
    result.rho_cuts = i.at("rho_cuts").get<double>();
    result.rho_mixed = i.at("rho_mixed").get<double>();
    result.rho_widths = i.at("rho_widths").get<double>();
    result.rho_branches = i.at("rho_branches").get<double>();
    result.rho_residual = i.at("rho_residual").get<double>();
    result.shares = i.at("shares").get<bool>();
    return result;
}

class Explaining {
  public:
    Explaining(const ExplainOptions& options, StopToken stop, ProgressSink& progress)
        : options_(options), stop_(stop), progress_(progress) {}

    Json run() {
        run_ = read_document(options_.run);
        if (!run_.contains("plan") || !run_.contains("options") || !run_.contains("data")) {
            throw InputError("{}: expected the run.json of adiabat compress", options_.run);
        }
        RunOptions how = run_options_from(run_, options_.run);
        if (!options_.model.empty()) how.model = options_.model;
        if (!options_.data.empty()) how.data.path = options_.data;
        if (!options_.cache.empty()) how.deciding.sensing.cache = options_.cache;
        how.threads = options_.threads;
        try {
            set_up(how);
        } catch (const Json::exception& error) {
            throw InputError("{}: {}: expected the run.json of adiabat compress", options_.run,
                             error.what());
        }
        const plan::Plan plan =
            plan_from_json(subject_->graph(), subject_->network(), run_, options_.run);
        Explained explained(*subject_, hamiltonian_, budgets_, plan, in_steps_);
        Json document = {{"adiabat", version()},
                         {"verb", "explain"},
                         {"command", options_.command},
                         {"run", options_.run},
                         {"model", to_json(subject_->model())},
                         {"hamiltonian", hamiltonian_.name},
                         {"in_steps", in_steps_},
                         {"energy", explained.energy()},
                         {"lowest_energy", lowest()},
                         {"predicted_divergence", predicted(explained.energy())},
                         {"budgets", explained.budgets(has_budgets_)},
                         {"layers", explained.layers()},
                         {"branches", explained.branches()},
                         {"activations", explained.activations()}};
        document["details"] = details(explained);
        document["filter"] = options_.filter.empty() ? Json(nullptr) : filter(explained);
        document["alternatives"] = explained.alternatives(options_.alternatives);
        return document;
    }

  private:
    void set_up(const RunOptions& how) {
        SubjectOptions subject = how.of_subject();
        // As compress does it.
        if (run_.at("options").value("steps", 1) != 1) subject.controls.keep_branches = true;
        subject_.emplace(subject, progress_);
        if (run_.at("model").at("sha256") != subject_->model().sha256) {
            throw InputError("{}: not the model of {}: expected the file that was compressed",
                             how.model, options_.run);
        }
        for (const Json& budget : run_.at("budgets")) add_budget(budget);
        // What --max-kl or --max-drop found is kept besides.
        const Json found = run_.value("smallest_within", Json());
        if (!found.is_null()) add_budget(found);
        has_budgets_ = !budgets_.empty();
        if (!has_budgets_) {
            progress_.say(
                "the run had no budgets: alternatives need no more bytes of the file and "
                "no more MACs than the plan");
            budgets_ = {{plan::Quantity::kFile, 0}, {plan::Quantity::kMacs, 0}};
        }
        const DecidingOptions deciding = how.of_deciding();
        Calibration images;
        if (deciding.hamiltonian == HamiltonianKind::kL1) {
            hamiltonian_ = weigh(*subject_, images, deciding, stop_, progress_).hamiltonian;
            return;
        }
        images = read_calibration(*subject_, how.of_draw(), stop_, progress_);
        if (run_.at("data").at("calibration_sha256") != images.sensing.sha256) {
            throw InputError("{}: its images are not those of {}", how.data.path.string(),
                             options_.run);
        }
        // A run in steps decided around the plan before its last.
        std::optional<plan::Plan> around;
        const Json path = run_.value("path", Json());
        in_steps_ = !path.is_null();
        if (in_steps_) {
            around = plan_from_json(subject_->graph(), subject_->network(), path.at("around"),
                                    options_.run + ": path");
        }
        const auto effects = sense_effects(*subject_, images, deciding.sensing, stop_, progress_,
                                           around ? &*around : nullptr)
                                 .effects;
        const bool separable = deciding.hamiltonian == HamiltonianKind::kSeparable;
        hamiltonian_ = plan::measured_hamiltonian(
            subject_->network(), effects,
            separable ? plan::Interactions::none() : interactions_of(run_, deciding.interactions));
        hamiltonian_.name = name_of(deciding.hamiltonian);
    }

    // Of a quantity that is limited twice the lower limit counts.
    void add_budget(const Json& json) {
        const auto limit = json.at("limit").get<int64_t>();
        for (plan::Quantity quantity : plan::kQuantities) {
            if (json.at("quantity") != plan::name_of(quantity)) continue;
            const auto same = std::ranges::find(budgets_, quantity, &plan::Budget::quantity);
            if (same == budgets_.end()) {
                budgets_.push_back({quantity, limit});
            } else {
                same->limit = std::min(same->limit, limit);
            }
        }
    }

    // Of the plans that the run found; the one it took may be another, better when carried out.
    Json lowest() const {
        const Json problem = run_.value("problem", Json());
        return problem.is_object() ? problem.value("energy", Json()) : Json();
    }

    // What that energy means, from the plans that the run carried out (plan/fit.h).
    Json predicted(double energy) const {
        const Json candidates = run_.value("candidates", Json());
        if (!candidates.is_object() || !candidates.contains("scale")) return nullptr;
        const Json &scale = candidates["scale"], exponent = candidates.value("exponent", Json());
        if (!scale.is_number() || !exponent.is_number()) {
            throw InputError("{}: candidates: `scale` and `exponent` must be numbers",
                             options_.run);
        }
        return scale.get<double>() * std::pow(std::max(energy, 0.0), exponent.get<double>());
    }

    Json details(Explained& explained) const {
        Json details = Json::array();
        const auto& layers = subject_->network().layers;
        for (const std::string& text : options_.layers) {
            const NamePattern pattern(text, "--layer");
            const size_t before = details.size();
            for (size_t k = 0; k < layers.size(); ++k) {
                if (pattern.matches(layers[k].name)) details.push_back(explained.layer(k));
            }
            if (details.size() > before) continue;
            throw InputError(
                "--layer: no layer is named `{}` (adiabat explain without it lists "
                "them)",
                text);
        }
        return details;
    }

    Json filter(Explained& explained) const {
        const std::string& text = options_.filter;
        const size_t colon = text.rfind(':');
        int64_t index = -1;
        if (colon != std::string::npos) {
            const char* const last = text.data() + text.size();
            const auto [end, error] = std::from_chars(text.data() + colon + 1, last, index);
            if (error != std::errc() || end != last) index = -1;
        }
        if (index < 0) throw InputError("--filter: `{}`: expected LAYER:INDEX", text);
        const auto& layers = subject_->network().layers;
        for (size_t k = 0; k < layers.size(); ++k) {
            if (layers[k].name != text.substr(0, colon)) continue;
            if (index >= layers[k].filters) {
                throw InputError("--filter: layer {} has filters 0 to {}, not {}", layers[k].name,
                                 layers[k].filters - 1, index);
            }
            return explained.filter(k, static_cast<size_t>(index));
        }
        throw InputError("--filter: no layer is named `{}`", text.substr(0, colon));
    }

    const ExplainOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    Json run_;
    std::optional<Subject> subject_;
    plan::Hamiltonian hamiltonian_;
    std::vector<plan::Budget> budgets_;
    bool has_budgets_ = true, in_steps_ = false;
};

}  // namespace

Json explain(const ExplainOptions& options, StopToken stop, ProgressSink& progress) {
    return Explaining(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
