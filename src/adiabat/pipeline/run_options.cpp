// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/run_options.h"

#include "adiabat/base/atomic_file.h"

namespace adiabat::pipeline {

namespace {

Json or_null(const std::optional<std::filesystem::path>& path) {
    return path ? Json(path->string()) : Json(nullptr);
}

std::optional<std::filesystem::path> path_or_none(const Json& json) {
    if (json.is_null()) return {};
    return json.get<std::string>();
}

// "2,4,8" from [2, 4, 8].
std::string widths_text(const Json& widths) {
    std::string text;
    for (const Json& width : widths) {
        text += (text.empty() ? "" : ",") + std::to_string(width.get<int>());
    }
    return text;
}

RunOptions read(const Json& document, const std::string& where) {
    const Json &o = document.at("options"), &data = document.at("data");
    RunOptions options;
    options.model = document.at("model").at("path").get<std::string>();
    options.data.path = data.at("path").get<std::string>();
    options.data.preprocess = data::preprocess_from_json(data.at("preprocess"), where);
    options.data.split = data::parse_split(o.at("split").get<std::string>());
    options.data.labels = path_or_none(o.at("labels"));
    options.data.classes = path_or_none(o.at("classes"));
    options.data.skip_broken = o.at("skip_broken").get<bool>();
    options.controls.keep = o.at("keep").get<std::vector<std::string>>();
    options.controls.only = o.at("only").get<std::vector<std::string>>();
    options.controls.bits = widths_text(o.at("bits"));
    if (!o.at("first_last").is_null()) options.controls.first_last = o.at("first_last").get<int>();
    options.controls.least_kept = o.at("least_kept").get<double>();
    options.controls.align = o.at("align").get<int64_t>();
    options.controls.keep_branches = o.at("keep_branches").get<bool>();
    options.controls.activations = o.at("activations").get<std::string>();
    options.images = o.at("images").get<int64_t>();
    options.judging_share = o.at("judging_share").get<double>();
    options.weights = onnx::parse_storage(o.at("weights").get<std::string>());
    options.rounding = apply::parse_rounding(o.at("rounding").get<std::string>());
    options.ranges = recon::parse_range_rule(o.at("ranges").get<std::string>());
    DecidingOptions& deciding = options.deciding;
    deciding.hamiltonian = parse_hamiltonian(o.at("hamiltonian").get<std::string>());
    deciding.sensing.method = parse_sense_method(o.at("sense").get<std::string>());
    deciding.sensing.temperature = o.at("temperature").get<double>();
    deciding.sensing.directions = o.at("directions").get<int>();
    deciding.sensing.cache = o.at("cache").get<std::string>();
    plan::Interactions& i = deciding.interactions;
    i.kappa = o.at("kappa").get<double>();
    i.tau = o.at("tau").get<double>();
    i.rho_cuts = o.at("rho_cuts").get<double>();
    i.rho_mixed = o.at("rho_mixed").get<double>();
    i.rho_widths = o.at("rho_widths").get<double>();
    i.rho_branches = o.at("rho_branches").get<double>();
    i.rho_residual = o.at("rho_residual").get<double>();
    deciding.beta = o.at("beta").get<double>();
    deciding.search.sweeps = o.at("sweeps").get<int64_t>();
    deciding.search.replicas = o.at("replicas").get<int>();
    options.seed = o.at("seed").get<uint64_t>();
    return options;
}

}  // namespace

SubjectOptions RunOptions::of_subject() const {
    SubjectOptions subject{model, controls, weights, threads, rounding, ranges};
    if (deciding.hamiltonian != HamiltonianKind::kL1) return subject;
    subject.controls.keep_branches = true;
    if (controls.activations == "mixed") {
        throw InputError(
            "--activations mixed: l1 weighs no activations: expected 8 or float, or --hamiltonian "
            "measured");
    }
    return subject;
}

DecidingOptions RunOptions::of_deciding() const {
    DecidingOptions how = deciding;
    how.search.seed = seed;
    how.search.threads = threads;
    how.sensing.seed = seed;
    return how;
}

Json to_json(const RunOptions& options) {
    const Controls& controls = options.controls;
    const DecidingOptions& deciding = options.deciding;
    return {{"split", data::name_of(options.data.split)},
            {"labels", or_null(options.data.labels)},
            {"classes", or_null(options.data.classes)},
            {"skip_broken", options.data.skip_broken},
            {"keep", controls.keep},
            {"only", controls.only},
            {"bits", parse_widths(controls.bits)},
            {"first_last", controls.first_last ? Json(*controls.first_last) : Json(nullptr)},
            {"least_kept", controls.least_kept},
            {"align", controls.align},
            {"keep_branches", controls.keep_branches},
            {"activations", controls.activations},
            {"images", options.images},
            {"judging_share", options.judging_share},
            {"weights", onnx::name_of(options.weights)},
            {"rounding", apply::name_of(options.rounding)},
            {"ranges", recon::to_text(options.ranges)},
            {"hamiltonian", name_of(deciding.hamiltonian)},
            {"sense", name_of(deciding.sensing.method)},
            {"temperature", deciding.sensing.temperature},
            {"directions", deciding.sensing.directions},
            {"cache", deciding.sensing.cache},
            {"kappa", deciding.interactions.kappa},
            {"tau", deciding.interactions.tau},
            {"rho_cuts", deciding.interactions.rho_cuts},
            {"rho_mixed", deciding.interactions.rho_mixed},
            {"rho_widths", deciding.interactions.rho_widths},
            {"rho_branches", deciding.interactions.rho_branches},
            {"rho_residual", deciding.interactions.rho_residual},
            {"beta", deciding.beta},
            {"sweeps", deciding.search.sweeps},
            {"replicas", deciding.search.replicas},
            {"seed", options.seed},
            {"threads", options.threads}};
}

RunOptions run_options_from(const Json& document, const std::string& where) {
    try {
        return read(document, where);
    } catch (const Json::exception& error) {
        const auto verb = document.find("verb");
        throw InputError(
            "{}: its options cannot be read ({}): expected them as adiabat {} writes "
            "them",
            where, error.what(),
            verb != document.end() && verb->is_string() ? verb->get<std::string>() : "compress");
    }
}

Json read_document(const std::string& path) {
    Json document;
    try {
        document = Json::parse(read_file(path));
    } catch (const Json::parse_error& error) {
        throw InputError("{}: no JSON from byte {} on: expected one whole object", path,
                         error.byte);
    } catch (const Json::exception& error) {
        throw InputError("{}: no JSON that can be read ({}): expected one whole object", path,
                         error.what());
    }
    if (!document.is_object()) throw InputError("{}: expected a JSON object", path);
    return document;
}

}  // namespace adiabat::pipeline
