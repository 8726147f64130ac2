// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/compress.h"

#include <algorithm>
#include <cmath>

#include "adiabat/apply/calibrate.h"
#include "adiabat/apply/cut.h"
#include "adiabat/apply/file_size.h"
#include "adiabat/apply/prepare.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/base/units.h"
#include "adiabat/data/split.h"
#include "adiabat/net/cast.h"
#include "adiabat/net/describe.h"
#include "adiabat/net/raise_opset.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/inspect.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/plan/decide.h"
#include "adiabat/plan/l1.h"
#include "adiabat/plan/reachable.h"

namespace adiabat::pipeline {

namespace {

constexpr int64_t kBatch = 250;

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
        const plan::NetworkOptions controls = network_options(options_.controls);
        model_ = load_model(options_.model);
        require_one_input(model_);
        compute_in_float(model_);
        if (!model_.computed_in.empty()) {
            progress_.say("the network computes in " + model_.computed_in + "; float from here on");
        }
        require_matches(options_.controls, model_.graph);
        apply::require_quantizable(model_.graph, net::find_layers(model_.graph));
        raise_opset();
        apply::prepare_for_cutting(model_.graph, net::find_coupling(model_.graph));
        network_ = std::make_unique<plan::Network>(model_.graph, controls);
        for (const net::LeftAlone& left : net::search_layers(model_.graph).left_alone) {
            const net::Node& node = model_.graph.nodes[static_cast<size_t>(left.node)];
            progress_.say(fmt::format("left as it is: {}: {}", net::describe(model_.graph, node),
                                      left.reason));
        }
        // Operators that cannot be run are named before any work is done.
        engine_ = load_engine();
        original_ = engine_->open(model_.graph, {options_.threads});
        document_["engine"] = engine_->name();
        budget();
        read_data();
        decide();
        apply_plan();
        judge();
        write();
        return document_;
    }

  private:
    void raise_opset() {
        const int before = model_.graph.opset, least = apply::least_opset(options_.weights);
        document_["opset"] = {{"before", before}, {"after", std::max(before, least)}};
        if (before >= least) return;
        net::raise_opset(model_.graph, least);
        progress_.say(
            fmt::format("opset {} raised to {}, which the written file needs", before, least));
    }

    void budget() {
        clock_.begin("budget");
        const net::Cost before = network_->costs.whole();
        budgets_ = plan::parse_budgets(options_.budget, {model_.file_bytes, before});
        file_size_ = std::make_unique<apply::FileSize>(model_.graph, *network_, options_.weights);
        costs_.emplace(*network_,
                       [this](auto cut, auto bits) { return file_size_->bytes(cut, bits); });
        Json list = Json::array();
        for (const plan::Budget& budget : budgets_) {
            const plan::Reachable range = plan::reachable(*network_, *costs_, budget.quantity);
            const auto name = plan::name_of(budget.quantity);
            progress_.say(
                fmt::format("{}: at most {} asked; reachable {} (smallest), {} (uncut, 4 bits), {} "
                            "(uncut, 8 bits)",
                            name, format_count(budget.limit), format_count(range.smallest),
                            format_count(range.middle), format_count(range.largest)));
            list.push_back({{"quantity", name},
                            {"limit", budget.limit},
                            {"smallest", range.smallest},
                            {"middle", range.middle},
                            {"largest", range.largest}});
        }
        plan::require_satisfiable(*network_, *costs_, budgets_);
        document_["budgets"] = std::move(list);
        document_["before"] = to_json(before);
        document_["before"]["file"] = model_.file_bytes;
    }

    void read_data() {
        clock_.begin("data");
        const auto source =
            open_images(options_.data, data::Split::kTrain, model_, options_.threads);
        BrokenFiles broken(*source, options_.data, stop_, progress_);
        const data::CalibrationSplit split =
            data::draw_split(source->size(), options_.images, options_.judging_share, options_.seed,
                             broken.finder());
        broken.say();
        const auto read = [&](std::string_view stage, std::span<const int64_t> rows) {
            progress_.begin(stage, rows.size(), "images");
            return read_images(*source, rows, options_.data.preprocess, model_, stop_, progress_);
        };
        sensing_ = read("calibration data", split.sensing);
        judging_ = read("judging data", split.judging);
        document_["data"] = {{"path", options_.data.path.string()},
                             {"part", data::name_of(source->part())},
                             {"calibration_images", sensing_.size()},
                             {"calibration_sha256", sensing_.sha256},
                             {"judging_images", judging_.size()},
                             {"judging_sha256", judging_.sha256},
                             {"preprocess", data::to_json(options_.data.preprocess)}};
        if (options_.data.skip_broken) document_["data"]["left_out"] = broken.left_out();
    }

    void decide() {
        clock_.begin("decide");
        const auto effects =
            sense::weight_effects(model_.graph, network_->layers, options_.threads, stop_);
        const plan::L1Problem problem(*network_, effects, options_.beta);
        plan::DecideOptions how;
        how.seed = options_.seed;
        how.threads = options_.threads;
        how.sweeps = options_.sweeps;
        how.replicas = options_.replicas;
        const plan::Hamiltonian hamiltonian = problem.hamiltonian();
        const plan::Decision decision =
            plan::decide(*network_, hamiltonian, budgets_, *costs_, how, stop_, progress_);
        plan_ = decision.plan();
        predicted_file_ = costs_->cost(plan::Quantity::kFile, plan_);
        document_["problem"] = {{"hamiltonian", hamiltonian.name},
                                {"variables", problem.variables()},
                                {"beta", options_.beta},
                                {"multiplier", decision.multiplier},
                                {"anneals", decision.anneals},
                                {"accepted_flips", decision.flips},
                                {"proposals", decision.proposals},
                                {"start_loss", decision.start_energy},
                                {"loss", decision.energy()},
                                {"different_plans", decision.plans.size()},
                                {"cut_loss", problem.cut_loss(plan_)},
                                {"rounding_loss", problem.rounding_loss(plan_)},
                                {"saving", problem.saving(plan_)}};
        describe_plan();
    }

    void describe_plan() {
        const auto after = plan::states(*network_, plan_);
        const auto flags = plan::cut_flags(*network_, plan_);
        const auto counts = plan::cut_counts(plan_);
        const net::Cost cost = plan::cost(*network_, plan_);
        document_["after"] = to_json(cost);
        Json layers = Json::array();
        for (size_t k = 0; k < after.size(); ++k) {
            Json cut = Json::array();
            const auto& groups = network_->filter_groups(k);
            for (size_t i = 0; i < groups.size(); ++i) {
                if (groups[i] != net::kStays && flags[static_cast<size_t>(groups[i])]) {
                    cut.push_back(i);
                }
            }
            layers.push_back(
                {{"name", network_->layers[k].name},
                 {"bits", after[k].bits},
                 {"filters", after[k].filters},
                 {"inputs", after[k].inputs},
                 {"filters_before", network_->layers[k].filters},
                 {"inputs_before", network_->layers[k].inputs},
                 {"cut", std::move(cut)},
                 {"cost", to_json(network_->costs.cost_of_layer(k, counts, plan_.bits[k]))}});
        }
        document_["plan"] = std::move(layers);
        document_["groups"] = {{"all", flags.size()},
                               {"cut", std::count(flags.begin(), flags.end(), 1)}};
        document_["predicted"] = {{"file", predicted_file_}, {"bytes", cost.bytes}};
    }

    void apply_plan() {
        clock_.begin("apply");
        const net::Graph cut =
            apply::cut_groups(model_.graph, network_->coupling, plan::cut_flags(*network_, plan_));
        apply::Quantized quantized =
            apply::quantize(cut, net::find_layers(cut), plan_.bits, options_.weights);
        const net::Tensor pixels = net::as_type(std::move(sensing_.pixels),
                                                model_.graph.value(model_.graph.inputs[0]).type);
        apply::calibrate(quantized, {model_.graph, cut, *network_, plan_, pixels}, *engine_,
                         {options_.threads}, stop_, progress_);
        std::vector<onnx::WeightCodes> weights;
        for (const auto& layer : quantized.layers) weights.push_back(layer.weight);
        onnx::encode_weights(quantized.graph, weights, options_.weights, quantized.prefix);
        file_ = onnx::serialize_model(quantized.graph);
        ADIABAT_CHECK(static_cast<int64_t>(file_.size()) == predicted_file_,
                      "the file has {} bytes, {} were predicted", file_.size(), predicted_file_);
    }

    // Reads the file back, as anybody would, and compares it with the original on unseen images.
    void judge() {
        clock_.begin("judge");
        const net::Graph written = parse_simplified(file_, options_.output);
        progress_.begin("judge", static_cast<uint64_t>(judging_.size()), "images");
        const auto small = engine_->open(written, {options_.threads});
        const net::Tensor expected = run_network(*original_, judging_.pixels, kBatch, stop_);
        const net::Tensor outputs = run_network(*small, judging_.pixels, kBatch, stop_, progress_);
        Json& measured = document_["measured"];
        measured = {{"file", file_.size()}, {"images", judging_.size()}};
        if (!is_classifier(expected)) {
            measured["relative_squared_error"] = relative_squared_error(expected, outputs);
            return;
        }
        const auto before = predictions(expected), after = predictions(outputs);
        measured["agreement"] = 100 * share_equal(before, after);
        measured["divergence"] = mean_divergence(expected, outputs);
        if (judging_.labels.empty()) return;
        measured["top1_before"] = 100 * share_equal(before, judging_.labels);
        measured["top1_after"] = 100 * share_equal(after, judging_.labels);
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
        document["model"] = to_json(model_);
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
                               {"beta", options_.beta},
                               {"sweeps", options_.sweeps},
                               {"replicas", options_.replicas},
                               {"seed", options_.seed},
                               {"threads", options_.threads}};
        if (controls.first_last) document["options"]["first_last"] = *controls.first_last;
        for (const char* part : {"data", "engine", "opset", "budgets", "problem", "groups", "plan",
                                 "before", "after", "predicted", "measured"}) {
            document[part] = std::move(document_[part]);
        }
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
    Model model_;
    std::unique_ptr<plan::Network> network_;
    std::vector<plan::Budget> budgets_;
    std::unique_ptr<apply::FileSize> file_size_;
    std::optional<plan::CostFunctions> costs_;
    Images sensing_, judging_;
    plan::Plan plan_;
    int64_t predicted_file_ = 0;
    std::unique_ptr<net::Engine> engine_;
    std::unique_ptr<net::Session> original_;
    std::vector<uint8_t> file_;
    Json document_;
};

}  // namespace

Json compress(const CompressOptions& options, StopToken stop, ProgressSink& progress) {
    return Run(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
