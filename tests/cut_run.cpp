// SPDX-License-Identifier: Apache-2.0
//
// Cuts random channel groups out of networks and compares with the networks whose readers ignore
// the same channels, in our engine; what tests/ and dev/ build their proofs of surgery on.
//
//   adiabat_cut_run MODEL SUBSETS [--share S] [--branches] [--seed N] [--write FOLDER]
//
// Every subset cuts a random share of the groups (S, or any), one of each family at least staying,
// and, with --branches, every residual branch with an even chance. Prints one JSON line a subset:
// groups, how many are cut, the largest difference relative to the largest output, parameters
// before, after as the cost model predicts (without dropped branches), and after as counted.
// --write leaves FOLDER/K-cut.onnx and FOLDER/K-masked.onnx for other runtimes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "adiabat/apply/cut.h"
#include "adiabat/apply/masked.test.h"
#include "adiabat/apply/random_cut.test.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/json.h"
#include "adiabat/base/random.h"
#include "adiabat/net/cost_model.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/model.h"

namespace {

using namespace adiabat;

struct Options {
    std::string model, folder;
    int subsets = 1;
    double share = -1;
    bool branches = false;
    uint64_t seed = 0;
};

Options parse(const std::vector<std::string>& arguments) {
    Options options;
    options.model = arguments.at(0);
    options.subsets = std::stoi(arguments.at(1));
    for (size_t k = 2; k < arguments.size(); ++k) {
        if (arguments[k] == "--share") {
            options.share = std::stod(arguments.at(++k));
        } else if (arguments[k] == "--branches") {
            options.branches = true;
        } else if (arguments[k] == "--seed") {
            options.seed = std::stoull(arguments.at(++k));
        } else if (arguments[k] == "--write") {
            options.folder = arguments.at(++k);
        } else {
            throw InputError("unknown option {}", arguments[k]);
        }
    }
    return options;
}

std::vector<net::Tensor> random_inputs(const net::Graph& graph, Random& random) {
    std::vector<net::Tensor> tensors;
    for (net::ValueId id : graph.inputs) {
        net::Shape shape = graph.value(id).shape.value();
        for (int64_t& extent : shape) extent = extent == net::kUnknown ? 2 : extent;
        net::Tensor tensor(net::DType::kFloat, shape);
        for (float& x : tensor.as<float>()) x = 2 * random.uniform_float() - 1;
        tensors.push_back(std::move(tensor));
    }
    return tensors;
}

std::vector<net::Tensor> outputs_of(net::Engine& engine, const net::Graph& graph,
                                    const std::vector<net::Tensor>& inputs) {
    std::vector<net::Feed> feeds;
    for (size_t k = 0; k < inputs.size(); ++k) feeds.push_back({graph.inputs[k], &inputs[k]});
    return engine.open(graph, {})->run(feeds, graph.outputs);
}

double difference(const std::vector<net::Tensor>& a, const std::vector<net::Tensor>& b) {
    double worst = 0;
    for (size_t k = 0; k < a.size(); ++k) {
        if (a[k].shape != b[k].shape) return INFINITY;
        const auto x = a[k].to_doubles(), y = b[k].to_doubles();
        double most = 1e-30, apart = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            most = std::max(most, std::abs(x[i]));
            apart = std::max(apart, std::abs(x[i] - y[i]));
            if (std::isnan(x[i]) || std::isnan(y[i])) return INFINITY;
        }
        worst = std::max(worst, apart / most);
    }
    return worst;
}

void run(const Options& options) {
    const net::Graph graph = pipeline::load_model(options.model).graph;
    const net::Coupling coupling = net::find_coupling(graph);
    const auto branches = net::find_branches(graph);
    const auto layers = net::find_layers(graph);
    const net::CostModel costs(graph, coupling, layers);
    const std::vector<int> bits(layers.size(), 32);
    const auto engine = pipeline::load_engine();
    Random random(options.seed);
    for (int k = 0; k < options.subsets; ++k) {
        const double share = options.share >= 0 ? options.share : random.uniform();
        const auto cut = apply::random_cut(coupling, share, random);
        std::vector<net::Branch> dropped;
        for (const net::Branch& branch : branches) {
            if (options.branches && random.below(2) == 1) dropped.push_back(branch);
        }
        const net::Graph small = apply::cut_groups(graph, coupling, cut, dropped);
        const net::Graph masked = apply::mask_groups(graph, coupling, cut, dropped);
        const auto inputs = random_inputs(graph, random);
        Json line;
        line["groups"] = cut.size();
        line["cut"] = std::count(cut.begin(), cut.end(), 1);
        line["dropped"] = dropped.size();
        line["before"] = costs.whole().parameters;
        line["predicted"] = costs.cost(apply::counts_of(coupling, cut), bits).parameters;
        if (dropped.empty()) line["after"] = apply::parameters_of(small);
        line["difference"] =
            difference(outputs_of(*engine, masked, inputs), outputs_of(*engine, small, inputs));
        if (!options.folder.empty()) {
            const auto path = [&](const char* what) {
                return std::filesystem::path(options.folder) /
                       (std::to_string(k) + "-" + what + ".onnx");
            };
            onnx::write_model(small, path("cut"));
            onnx::write_model(masked, path("masked"));
        }
        std::puts(line.dump().c_str());
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse({argv + 1, argv + argc}));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "cut_run: %s\n", error.what());
        return 2;
    }
}
