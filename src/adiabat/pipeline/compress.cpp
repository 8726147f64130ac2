// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/compress.h"

#include <fmt/core.h>

#include <cmath>
#include <fstream>
#include <optional>

#include "adiabat/anneal/bounds/convex_bound.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/pack/pack.h"
#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/inspect.h"
#include "adiabat/pipeline/inverse.h"
#include "adiabat/pipeline/latency.h"
#include "adiabat/pipeline/layer_table.h"
#include "adiabat/pipeline/path.h"
#include "adiabat/pipeline/plan_file.h"
#include "adiabat/pipeline/ranking.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/pipeline/tuning.h"
#include "adiabat/plan/certificate.h"
#include "adiabat/plan/integer_program.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {

namespace {

std::filesystem::path run_file_of(const CompressOptions& options) {
    if (options.run_file) return *options.run_file;
    return std::filesystem::path(options.output).parent_path() / "run.json";
}

// Everything that would make the work futile is found before it begins.
void check_paths(const CompressOptions& options) {
    const std::filesystem::path output = options.output, run_file = run_file_of(options);
    std::vector<std::filesystem::path> inputs = {options.model, options.data.path};
    if (options.data.labels) inputs.push_back(*options.data.labels);
    if (options.data.classes) inputs.push_back(*options.data.classes);
    if (options.plan_file) inputs.emplace_back(*options.plan_file);
    for (const auto& path : {output, run_file}) check_output(path, inputs);
    std::error_code error;
    if (std::filesystem::weakly_canonical(output, error) ==
        std::filesystem::weakly_canonical(run_file, error)) {
        throw InputError("{}: the network and the document of the run cannot be one file",
                         options.output);
    }
}

// Where the document that will be replaced is of another network, which is still beside it.
void say_what_is_replaced(const CompressOptions& options, ProgressSink& progress) {
    namespace fs = std::filesystem;
    const fs::path path = run_file_of(options);
    std::ifstream stream(path);
    const Json before = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
    const Json output = before.is_object() ? before.value("output", Json()) : Json();
    const Json name = output.is_object() ? output.value("path", Json()) : Json();
    if (!name.is_string()) return;
    const fs::path other = path.parent_path() / fs::path(name.get<std::string>()).filename();
    std::error_code error;
    if (!fs::is_regular_file(other, error) ||
        other.filename() == fs::path(options.output).filename()) {
        return;
    }
    progress.say(fmt::format("{} is the document of {}, and will be replaced: --run names another",
                             path.string(), other.string()));
}

// One run, in the order of its stages.
class Run {
  public:
    Run(const CompressOptions& options, StopToken stop, ProgressSink& progress)
        : options_(options), stop_(stop), progress_(progress) {}

    Json run() {
        clock_.begin("read");
        check_paths(options_);
        say_what_is_replaced(options_, progress_);
        plan::parse_quantity(options_.minimize, "--minimize");
        check_options();
        if (options_.measure) {
            runtime_.emplace(options_.python, stop_);
            if (!runtime_->is_there()) {
                progress_.say("--measure: " + runtime_->reason() + ": latency is not measured");
            }
        }
        SubjectOptions subject = options_.of_subject();
        // Branches are no candidates around a plan (sense/candidates.h).
        if (options_.steps != 1) subject.controls.keep_branches = true;
        subject_.emplace(subject, progress_);
        clock_.begin("budget");
        if (options_.plan_file) take_plan();
        ask();
        clock_.begin("data");
        images_ = read_calibration(*subject_, options_.of_draw(), stop_, progress_);
        if (options_.max_drop && images_.judging.labels.empty()) {
            throw InputError(
                "--max-drop: the images have no labels: expected labeled data, or --max-kl");
        }
        const Judge judge(*subject_, images_.judging, options_.deciding.sensing.temperature, stop_);
        equalize();
        if (options_.plan_file) {
            carry_out(judge);
        } else {
            decide(judge);
        }
        try_equalized(judge);
        if (options_.finetune > 0) finetune(judge);
        document_["measured"] = judgement_.to_json(images_.judging.size(), file_.size());
        make_layer_table();
        write();
        return document_;
    }

  private:
    // Options that contradict each other; the command line refuses those that would do nothing.
    void check_options() const {
        const HamiltonianKind kind = options_.deciding.hamiltonian;
        if (options_.fit && kind != HamiltonianKind::kMeasured) {
            throw InputError("--fit: {} has no interactions: expected --hamiltonian measured",
                             name_of(kind));
        }
        if (options_.integer_program > 0 && options_.controls.activations == "mixed") {
            throw InputError(
                "--integer-program: it decides no activations: expected --activations 8 or float");
        }
        if (options_.steps == 1) return;
        if (options_.controls.activations == "mixed") {
            throw InputError(
                "--steps: around a plan activations are not decided: expected --activations 8 or "
                "float");
        }
        if (options_.max_kl || options_.max_drop) {
            throw InputError("--steps leads to a budget: expected it without {}",
                             options_.max_kl ? "--max-kl" : "--max-drop");
        }
        if (options_.fit) {
            throw InputError("--fit is for plans of one step: expected it without --steps");
        }
        if (kind == HamiltonianKind::kL1) {
            throw InputError(
                "--steps: l1 senses nothing that could be sensed anew: expected "
                "--hamiltonian measured or separable");
        }
    }

    void take_plan() {
        PlanFile file = read_plan(*subject_, *options_.plan_file, progress_);
        plan_ = std::move(file.plan);
        plan_from_ = std::move(file.document);
    }

    void ask() {
        document_["budgets"] = Json::array();
        if (options_.budget.empty()) return;
        AskedBudgets asked = ask_budgets(*subject_, options_.budget, progress_);
        budgets_ = std::move(asked.budgets);
        document_["budgets"] = std::move(asked.document);
        const bool is_inverse = options_.max_kl || options_.max_drop;
        if (!options_.plan_file && !is_inverse) require_priced(subject_->network(), budgets_);
        if (!options_.plan_file) return;
        for (const plan::Budget& budget : budgets_) {
            const int64_t cost = subject_->costs().cost(budget.quantity, plan_);
            if (cost <= budget.limit) continue;
            const auto name = plan::name_of(budget.quantity);
            throw InputError(
                "{}: the plan needs {}={}, --budget allows {}: expected {}={} or more, "
                "or another plan",
                *options_.plan_file, name, cost, budget.limit, name, cost);
        }
    }

    void carry_out(const Judge& judge) {
        clock_.begin("apply");
        file_ = apply_plan(*subject_, plan_, images_.sensing.pixels, stop_, progress_);
        clock_.begin("judge");
        judgement_ = judge.judge(file_, options_.output, stop_, progress_);
    }

    void decide(const Judge& judge) {
        DecidingOptions how = options_.of_deciding();
        clock_.begin("sense");
        Weighed weighed = weigh(*subject_, images_, how, stop_, progress_);
        document_["sensing"] = weighed.sensing;
        clock_.begin("decide and apply");
        Ranking ranking = rank({*subject_, images_, judge, budgets_, how}, weighed);
        how.interactions = ranking.interactions;
        plan_ = std::move(ranking.best.plan);
        file_ = std::move(ranking.best.file);
        judgement_ = ranking.best.judgement;
        document_["problem"] = to_json(weighed, how, ranking.decision);
        document_["candidates"] = ranking.document;
        certify(weighed, ranking.decision);
        compare_with_program(weighed, how, ranking.decision);
    }

    Ranking rank(const RankingTask& task, Weighed& weighed) {
        const LossLimit limit{options_.max_kl, options_.max_drop};
        if (!limit.is_there()) {
            const size_t candidates =
                options_.candidates > 0 ? options_.candidates : usual_candidates(*subject_);
            if (options_.steps == 1) {
                return decide_and_rank(task, weighed, candidates, options_.fit, stop_, progress_);
            }
            PathResult path =
                follow_path(task, weighed, options_.steps, candidates, stop_, progress_);
            document_["path"] = std::move(path.document);
            return std::move(path.ranking);
        }
        const plan::Quantity quantity = plan::parse_quantity(options_.minimize, "--minimize");
        require_priced(subject_->network(), budgets_, quantity);
        SmallestWithin found = smallest_within(task, weighed, limit, quantity, stop_, progress_);
        budgets_.push_back(found.budget);
        document_["smallest_within"] = std::move(found.document);
        return std::move(found.ranking);
    }

    // How far the plan of least energy can be from the best there is.
    void certify(const Weighed& weighed, const plan::Decision& decision) {
        if (options_.certify <= 0) return;
        if (!plan::can_certify(weighed.hamiltonian)) {
            progress_.say(fmt::format("no bound on energies: {} variables, one takes at most {}",
                                      weighed.hamiltonian.encoding.variables,
                                      anneal::kMostConvexVariables));
            return;
        }
        clock_.begin("certify");
        const plan::Certificate proof = plan::certify(
            subject_->network(), weighed.hamiltonian, budgets_, subject_->costs(), decision.plan(),
            {.time_limit = options_.certify, .seed = options_.seed}, stop_, progress_);
        if (stop_.requested()) throw Interrupted();
        document_["certificate"] = {
            {"energy", proof.energy},         {"bound", proof.bound},
            {"root_bound", proof.root_bound}, {"gap", proof.gap},
            {"is_optimal", proof.is_optimal}, {"nodes", proof.nodes},
            {"seconds", proof.seconds},       {"text", plan::to_sentence(proof)}};
    }

    // The plan that effects alone would choose, in energies with their interactions.
    void compare_with_program(const Weighed& weighed, const DecidingOptions& how,
                              const plan::Decision& decision) {
        if (options_.integer_program <= 0) return;
        clock_.begin("integer program");
        const plan::Network& network = subject_->network();
        const plan::Hamiltonian separable =
            how.hamiltonian == HamiltonianKind::kMeasured
                ? plan::measured_hamiltonian(network, weighed.effects, plan::Interactions::none())
                : weighed.hamiltonian;
        const plan::IntegerProgramResult found = plan::solve_integer_program(
            network, separable, budgets_, subject_->costs(), {options_.integer_program});
        Json& json = document_["integer_program"];
        json = {{"is_optimal", found.is_optimal}, {"seconds", found.seconds}};
        if (!found.plan) return;
        const double energy = weighed.hamiltonian.energy(network, *found.plan);
        json["energy"] = energy;
        json["gain"] = energy > 0 ? 1 - decision.energy() / energy : 0.0;
    }

    // Before plans are carried out, where they are to be on the equalized network.
    void equalize() {
        if (options_.equalize == Equalize::kOff) return;
        equalized_ = equalize_network(*subject_, images_.sensing.pixels);
        document_["equalized"] = {{"links", equalized_.links},
                                  {"used", equalized_.links > 0 && is_always_equalized()}};
        if (equalized_.links > 0 && is_always_equalized()) {
            subject_->carry_out_on(std::move(equalized_.graph));
        }
    }
    bool is_always_equalized() const { return options_.equalize == Equalize::kOn; }

    // The plan once more on the equalized network; the better file stays.
    void try_equalized(const Judge& judge) {
        if (options_.equalize != Equalize::kAuto || equalized_.links == 0) return;
        clock_.begin("equalize");
        Written once_more = std::move(carry_out_equalized(*subject_, equalized_, judge, {&plan_, 1},
                                                          images_.sensing.pixels, stop_, progress_)
                                          .front());
        const Judgement& found = once_more.judgement;
        // A limit of the drop is kept by what is there.
        const bool is_better = found.divergence < judgement_.divergence &&
                               (!options_.max_drop || found.top1_after >= judgement_.top1_after);
        document_["equalized"] =
            equalization_to_json(equalized_.links, judgement_, found, is_better);
        if (!is_better) return;
        subject_->carry_out_on(std::move(equalized_.graph));
        file_ = std::move(once_more.file);
        judgement_ = found;
    }

    void make_layer_table() {
        if (!options_.layer_table || is_partial()) return;
        clock_.begin("layers");
        document_["layers"] =
            layer_table({*subject_, subject_->carried_out(), plan_, file_, images_.judging.pixels},
                        stop_, progress_);
    }

    // Of the files as they are. Whatever happens here, the network has been written.
    void measure_latency() {
        if (!runtime_) return;
        clock_.begin("measure");
        const net::Shape& images = images_.judging.pixels.shape;
        document_["latency"] = runtime_->measure(
            {options_.model, options_.output, {images.begin() + 1, images.end()}, options_.threads},
            stop_);
    }

    bool is_partial() const { return tuned_ && tuned_->ending == tune::Ending::kInterrupted; }

    // Trains what has been made; the judging images are held out.
    void finetune(const Judge& judge) {
        clock_.begin("finetune");
        const auto source =
            open_images(options_.data, data::Split::kTrain, subject_->model(), options_.threads);
        BrokenFiles broken(*source, options_.data, stop_, progress_);
        const std::vector<int64_t> rows =
            training_rows(source->size(), images_.judging_rows, options_.finetune_images,
                          options_.seed, broken.finder());
        TuningOptions how;
        how.distill.epochs = options_.finetune;
        how.distill.seed = options_.seed;
        how.distill.descent.rate = options_.finetune_rate;
        tuned_ = tune_file({file_, options_.output, subject_->model(), subject_->engine(), *source,
                            options_.data.preprocess, rows, images_.judging_rows, options_.output,
                            options_.threads},
                           how, stop_, progress_);
        file_ = tuned_->file;
        if (is_partial()) {
            // What it had reached is a result, which is judged and written, no more.
            stop_ = {};
            runtime_.reset();
        }
        judgement_ = judge.judge(file_, options_.output, stop_, progress_);
    }

    void write() {
        clock_.begin("write");
        if (stop_.requested()) throw Interrupted();
        // What adiabat pack would make of it: weights in the bits that they have.
        const size_t packed_bytes =
            pack::pack(file_, options_.output, {options_.threads, stop_}).bytes.size();
        write_file_atomically(options_.output, file_);
        measure_latency();
        clock_.end();
        Json document;
        document["adiabat"] = version();
        document["verb"] = "compress";
        document["command"] = options_.command;
        document["model"] = to_json(subject_->model());
        document["run"] = run_file_of(options_).string();
        document["output"] = {
            {"path", options_.output}, {"bytes", file_.size()}, {"sha256", sha256(file_)}};
        document["options"] = {
            {"budget", options_.budget},
            {"candidates", options_.candidates},
            {"fit", options_.fit},
            {"steps", options_.steps},
            {"max_kl", options_.max_kl ? Json(*options_.max_kl) : Json()},
            {"max_drop", options_.max_drop ? Json(*options_.max_drop) : Json()},
            {"minimize", options_.minimize},
            {"certify", options_.certify},
            {"equalize", name_of(options_.equalize)},
            {"debug", options_.layer_table ? Json("layers") : Json()},
            {"measure", options_.measure},
            {"finetune", options_.finetune},
            {"finetune_images",
             options_.finetune_images ? Json(*options_.finetune_images) : Json()},
            {"finetune_rate", options_.finetune_rate},
            {"integer_program", options_.integer_program}};
        document["options"].update(to_json(static_cast<const RunOptions&>(options_)));
        const net::Cost cost = plan::cost(subject_->network(), plan_);
        document["data"] = images_.document;
        document["engine"] = subject_->engine().name();
        document["opset"] = subject_->opset();
        document["budgets"] = document_["budgets"];
        document["sensing"] = document_["sensing"];
        document["problem"] = document_["problem"];
        document["path"] = document_["path"];
        document["candidates"] = document_["candidates"];
        document["smallest_within"] = document_["smallest_within"];
        document["certificate"] = document_["certificate"];
        document["integer_program"] = document_["integer_program"];
        document["training"] = tuned_ ? tuned_->document : Json();
        document["groups"] = groups_to_json(subject_->network(), plan_);
        document["plan_from"] = plan_from_;
        add_plan(document, subject_->graph(), subject_->network(), plan_);
        document["before"] = subject_->before();
        document["after"] = to_json(cost);
        document["predicted"] = {{"file", subject_->costs().cost(plan::Quantity::kFile, plan_)},
                                 {"bytes", cost.bytes}};
        document["measured"] = document_["measured"];
        document["equalized"] = document_["equalized"];
        document["layers"] = document_["layers"];
        document["latency"] = document_["latency"];
        document["after"]["file"] = file_.size();
        document["after"]["packed"] = packed_bytes;
        document["stages"] = clock_.to_json();
        document["seconds"] = std::round(clock_.total_seconds() * 1e3) / 1e3;
        document["peak_memory_bytes"] = peak_memory_bytes();
        document_ = std::move(document);
        try {
            write_file_atomically(run_file_of(options_), to_text(document_) + "\n");
        } catch (...) {
            std::error_code ignored;
            std::filesystem::remove(options_.output, ignored);
            throw;
        }
        if (tuned_) tuned_->forget_checkpoint();
    }

    const CompressOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    StageClock clock_;
    std::optional<Subject> subject_;
    std::vector<plan::Budget> budgets_;
    Calibration images_;
    plan::Plan plan_;
    Json plan_from_;  // null where it is decided here
    EqualizedNetwork equalized_;
    std::vector<uint8_t> file_;
    Judgement judgement_;  // of the file
    std::optional<Runtime> runtime_;
    std::optional<Tuned> tuned_;
    Json document_;
};

}  // namespace

Json compress(const CompressOptions& options, StopToken stop, ProgressSink& progress) {
    return Run(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
