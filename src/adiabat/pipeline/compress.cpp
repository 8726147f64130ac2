// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/compress.h"

#include <cmath>
#include <optional>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/inspect.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/pipeline/subject.h"

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
    for (const auto& path : {output, run_file}) check_output(path, inputs);
    std::error_code error;
    if (std::filesystem::weakly_canonical(output, error) ==
        std::filesystem::weakly_canonical(run_file, error)) {
        throw InputError("{}: the network and the document of the run cannot be one file",
                         options.output);
    }
}

// One run, in the order of its stages.
class Run {
  public:
    Run(const CompressOptions& options, StopToken stop, ProgressSink& progress)
        : options_(options), stop_(stop), progress_(progress) {}

    Json run() {
        clock_.begin("read");
        check_paths(options_);
        subject_.emplace(
            SubjectOptions{options_.model, options_.controls, options_.weights, options_.threads},
            progress_);
        clock_.begin("budget");
        AskedBudgets asked = ask_budgets(*subject_, options_.budget, progress_);
        budgets_ = std::move(asked.budgets);
        document_["budgets"] = std::move(asked.document);
        clock_.begin("data");
        images_ = read_calibration(
            *subject_,
            {options_.data, options_.images, options_.judging_share, options_.seed}, stop_,
            progress_);
        decide();
        clock_.begin("apply");
        file_ = apply_plan(*subject_, plan_, images_.sensing.pixels, stop_, progress_);
        clock_.begin("judge");
        const Judge judge(*subject_, images_.judging, stop_);
        document_["measured"] = judge.judge(file_, options_.output, stop_, progress_)
                                    .to_json(images_.judging.size(), file_.size());
        write();
        return document_;
    }

  private:
    void decide() {
        DecidingOptions how = options_.deciding;
        how.search.seed = options_.seed;
        how.search.threads = options_.threads;
        how.sensing.seed = options_.seed;
        clock_.begin("sense");
        const Weighed weighed = weigh(*subject_, images_, how, stop_, progress_);
        clock_.begin("decide");
        const plan::Decision decision =
            plan::decide(subject_->network(), weighed.hamiltonian, budgets_, subject_->costs(),
                         how.search, stop_, progress_);
        plan_ = decision.plan();
        document_["sensing"] = weighed.sensing;
        document_["problem"] = to_json(weighed, how, decision);
    }

    void write() {
        clock_.begin("write");
        if (stop_.requested()) throw Interrupted();
        write_file_atomically(options_.output, file_);
        clock_.end();
        Json document;
        document["adiabat"] = version();
        document["verb"] = "compress";
        document["command"] = options_.command;
        document["model"] = to_json(subject_->model());
        document["run"] = run_file_of(options_).string();
        document["output"] = {
            {"path", options_.output}, {"bytes", file_.size()}, {"sha256", sha256(file_)}};
        const Controls& controls = options_.controls;
        document["options"] = {{"budget", options_.budget},
                               {"keep", controls.keep},
                               {"only", controls.only},
                               {"bits", parse_widths(controls.bits)},
                               {"first_last", nullptr},
                               {"least_kept", controls.least_kept},
                               {"align", controls.align},
                               {"images", options_.images},
                               {"judging_share", options_.judging_share},
                               {"weights", onnx::name_of(options_.weights)},
                               {"hamiltonian", name_of(options_.deciding.hamiltonian)},
                               {"beta", options_.deciding.beta},
                               {"sweeps", options_.deciding.search.sweeps},
                               {"replicas", options_.deciding.search.replicas},
                               {"seed", options_.seed},
                               {"threads", options_.threads}};
        if (controls.first_last) document["options"]["first_last"] = *controls.first_last;
        const net::Cost cost = plan::cost(subject_->network(), plan_);
        document["data"] = images_.document;
        document["engine"] = subject_->engine().name();
        document["opset"] = subject_->opset();
        document["budgets"] = document_["budgets"];
        document["sensing"] = document_["sensing"];
        document["problem"] = document_["problem"];
        document["groups"] = groups_to_json(subject_->network(), plan_);
        document["plan"] = plan_to_json(subject_->network(), plan_);
        document["before"] = subject_->before();
        document["after"] = to_json(cost);
        document["predicted"] = {{"file", subject_->costs().cost(plan::Quantity::kFile, plan_)},
                                 {"bytes", cost.bytes}};
        document["measured"] = document_["measured"];
        document["after"]["file"] = file_.size();
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
    }

    const CompressOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    StageClock clock_;
    std::optional<Subject> subject_;
    std::vector<plan::Budget> budgets_;
    Calibration images_;
    plan::Plan plan_;
    std::vector<uint8_t> file_;
    Json document_;
};

}  // namespace

Json compress(const CompressOptions& options, StopToken stop, ProgressSink& progress) {
    return Run(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
