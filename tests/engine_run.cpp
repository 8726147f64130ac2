// SPDX-License-Identifier: Apache-2.0
//
// Runs a network in our engine on values of one's choice: what tests/ compare with ONNX Runtime.
//
//   adiabat_engine_run MODEL --feed NAME=FILE.npy .. --fetch NAME=FILE.npy ..
//   adiabat_engine_run MODEL --feed NAME=FILE.npy .. --each FOLDER
//
// The first fetches values from the fed ones. The second computes every fed value that some
// operator makes from the other fed values alone, into FOLDER/NAME.npy: each operator between them
// on its own, given equal inputs.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "adiabat/data/npy.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/model.h"

namespace {

using adiabat::InputError;
using adiabat::net::ValueId;

ValueId value_of(const adiabat::net::Graph& graph, const std::string& name) {
    const ValueId id = graph.find(name);
    if (id == adiabat::net::kNoValue) throw InputError("there is no value {}", name);
    return id;
}

void run(const std::vector<std::string>& arguments) {
    const adiabat::pipeline::Model model = adiabat::pipeline::load_model(arguments.at(0));
    std::map<std::string, adiabat::net::Tensor> fed;
    std::map<std::string, std::string> fetched;
    std::string each;
    for (size_t k = 1; k + 1 < arguments.size(); k += 2) {
        const std::string &option = arguments[k], &value = arguments[k + 1];
        const size_t equals = value.find('=');
        if (option == "--each") {
            each = value;
        } else if (option == "--feed") {
            fed[value.substr(0, equals)] = adiabat::data::read_npy(value.substr(equals + 1));
        } else if (option == "--fetch") {
            fetched[value.substr(0, equals)] = value.substr(equals + 1);
        } else {
            throw InputError("unknown option {}", option);
        }
    }

    const auto engine = adiabat::pipeline::load_engine();
    const auto session = engine->open(model.graph, {});
    const adiabat::net::Uses uses(model.graph);
    const auto fetch = [&](const std::string& name, const std::string& path) {
        std::vector<adiabat::net::Feed> feeds;
        for (const auto& [other, tensor] : fed) {
            if (other != name) feeds.push_back({value_of(model.graph, other), &tensor});
        }
        const std::vector<ValueId> wanted = {value_of(model.graph, name)};
        adiabat::data::write_npy(path, session->run(feeds, wanted)[0]);
    };
    for (const auto& [name, path] : fetched) fetch(name, path);
    if (each.empty()) return;
    for (const auto& [name, tensor] : fed) {
        if (uses.producer(value_of(model.graph, name)) >= 0) {
            fetch(name, (std::filesystem::path(each) / (name + ".npy")).string());
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run({argv + 1, argv + argc});
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "engine_run: %s\n", error.what());
        return 2;
    }
}
