// SPDX-License-Identifier: Apache-2.0
#pragma once

// The network that a run decides on, made ready: read, in float, at an opset that the written file
// can have, prepared for cutting, its layers and channel groups found, its costs known, an engine
// opened. What the verbs that decide have in common.

#include <memory>
#include <optional>
#include <string>

#include "adiabat/apply/file_size.h"
#include "adiabat/apply/rounding.h"
#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/net/engine.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/pipeline/model.h"
#include "adiabat/pipeline/select.h"
#include "adiabat/plan/budget.h"
#include "adiabat/recon/range_rule.h"

namespace adiabat::pipeline {

struct SubjectOptions {
    std::string model;
    Controls controls = {};
    onnx::Storage weights = onnx::Storage::kPlanes;
    int threads = 0;
    apply::Rounding rounding = apply::Rounding::kQubo;
    recon::RangeRule ranges = {};  // of activations
};

class Subject {
  public:
    // Says what is left as it is, and why. Throws InputError for a network that cannot be read,
    // run, cut or quantized, and for controls that name nothing.
    Subject(const SubjectOptions& options, ProgressSink& progress);
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;

    const SubjectOptions& options() const { return options_; }
    const Model& model() const { return model_; }
    const net::Graph& graph() const { return model_.graph; }
    const plan::Network& network() const { return *network_; }
    // Exact, file size included.
    const plan::CostFunctions& costs() const { return *costs_; }
    net::Engine& engine() const { return *engine_; }
    net::Session& original() const { return *original_; }
    // What plans are carried out on: the graph, or one that computes the same with other constants.
    const net::Graph& carried_out() const { return carried_out_ ? *carried_out_ : model_.graph; }
    void carry_out_on(std::optional<net::Graph> graph) { carried_out_ = std::move(graph); }

    // Parts of the run's document: {"before": .., "after": ..} opsets, the costs before.
    Json opset() const;
    Json before() const;

  private:
    void raise_opset(ProgressSink& progress);

    SubjectOptions options_;
    Model model_;
    int opset_before_ = 0;
    std::unique_ptr<plan::Network> network_;
    std::unique_ptr<apply::FileSize> file_size_;
    std::optional<plan::CostFunctions> costs_;
    std::unique_ptr<net::Engine> engine_;
    std::unique_ptr<net::Session> original_;
    std::optional<net::Graph> carried_out_;
};

// Reads budgets, says what each can reach, and throws InputError where they cannot be kept. The
// second is the document's list.
struct AskedBudgets {
    std::vector<plan::Budget> budgets;
    Json document;
};
AskedBudgets ask_budgets(const Subject& subject, const std::string& text, ProgressSink& progress);

// Throws InputError where activations are decided, but nothing that is limited or minimized counts
// float ones.
void require_priced(const plan::Network& network, const std::vector<plan::Budget>& budgets,
                    std::optional<plan::Quantity> minimized = {});

}  // namespace adiabat::pipeline
