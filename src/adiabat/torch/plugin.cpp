// SPDX-License-Identifier: Apache-2.0
//
// What the plug-in exports: one function that makes an engine.

#include "adiabat/net/engine.h"
#include "adiabat/torch/session.h"

namespace adiabat::torch {
namespace {

class TorchEngine final : public net::Engine {
  public:
    std::string name() const override { return library_name(); }
    std::vector<std::string> operators() const override { return operator_names(); }
    std::unique_ptr<net::Session> open(const net::Graph& graph,
                                       const net::EngineOptions& options) override {
        return make_session(graph, options);
    }
};

}  // namespace
}  // namespace adiabat::torch

extern "C" __attribute__((visibility("default"))) adiabat::net::Engine* adiabat_make_engine(
    int abi) {
    return abi == adiabat::net::kEngineAbi ? new adiabat::torch::TorchEngine : nullptr;
}
