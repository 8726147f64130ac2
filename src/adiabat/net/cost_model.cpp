// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/cost_model.h"

#include <algorithm>
#include <set>

namespace adiabat::net {

namespace {

// Elements of one tensor; a sum over all tensors of a graph stays in range.
constexpr int64_t kMostElements = int64_t{1} << 42;
// Sets of branches of which is kept what is alive.
constexpr size_t kMostLives = 4096;

bool multiplies(const Node& node) {
    return node.domain.empty() && (node.op == "Conv" || node.op == "ConvTranspose" ||
                                   node.op == "Gemm" || node.op == "MatMul");
}

}  // namespace

CostModel::CostModel(const Graph& graph, const Coupling& coupling, std::span<const Layer> layers,
                     std::vector<Branch> branches, std::vector<Activation> activations)
    : graph_(graph),
      coupling_(coupling),
      layers_(layers),
      branches_(std::move(branches)),
      floats_(std::move(activations)),
      works_on_(layers.size(), {kCoded, kCoded}),
      branch_of_(graph.nodes.size(), -1) {
    ADIABAT_CHECK(branches_.empty() || floats_.empty(), "branches beside float activations");
    for (size_t b = 0; b < branches_.size(); ++b) {
        for (int node : branches_[b].nodes) {
            branch_of_[static_cast<size_t>(node)] = static_cast<int>(b);
        }
        const auto first = std::find_if(layers.begin(), layers.end(), [&](const Layer& layer) {
            return branch_of_[static_cast<size_t>(layer.node)] == static_cast<int>(b);
        });
        ADIABAT_CHECK(first != layers.end(), "branch {} has no layer", b);
        layer_of_.push_back(static_cast<int>(first - layers.begin()));
    }
    std::map<Elements, int> known;
    std::set<ValueId> of_layers;
    std::set<int> layer_nodes;
    for (const Layer& layer : layers) {
        of_layers.insert(layer.weight);
        of_layers.insert(layer.bias);
        layer_nodes.insert(layer.node);
        const auto filters = static_cast<size_t>(layer.filter_axis);
        sides_.push_back({factor_of(layer.weight, filters), factor_of(layer.weight, 1 - filters)});
    }
    std::map<ValueId, std::vector<int>> read;
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        const auto number = static_cast<int>(n);
        if (multiplies(node) && !layer_nodes.contains(number)) {
            products_.push_back({number, needed_by({number})});
        }
        // Scales and regions of a Resize are sizes.
        const bool resizes = node.op == "Resize" || node.op == "Upsample";
        for (ValueId id : node.inputs) {
            if (id == kNoValue || resizes) continue;
            const Tensor* tensor = graph.constant(id);
            const bool is_parameter = tensor && is_real(tensor->type) && !tensor->shape.empty();
            if (is_parameter && !of_layers.contains(id)) read[id].push_back(number);
        }
    }
    for (const auto& [id, readers] : read) {
        others_.push_back({index_of(id, kFloat, known), needed_by(readers)});
    }
    std::vector<int> coding;
    for (int activation : find_coding(graph, layers).of_value) {
        coding.push_back(activation < 0 ? kFloat : kCoded);
    }
    for (size_t a = 0; a < floats_.size(); ++a) {
        for (ValueId id : floats_[a].values) {
            coding[static_cast<size_t>(id)] = static_cast<int>(a);
        }
        for (size_t k : floats_[a].readers) works_on_[k][0] = static_cast<int>(a);
        if (floats_[a].maker >= 0) {
            works_on_[static_cast<size_t>(floats_[a].maker)][1] = static_cast<int>(a);
        }
    }
    for (size_t id = 0; id < graph.values.size(); ++id) {
        const auto value = static_cast<ValueId>(id);
        activation_.push_back(graph.constant(value) ? -1 : index_of(value, coding[id], known));
    }
    whole_ = find_life(std::vector<bool>(branches_.size()));
}

// None where a node outside of all branches is among the readers.
std::vector<int> CostModel::needed_by(const std::vector<int>& readers) const {
    std::vector<int> branches;
    for (int node : readers) {
        const int branch = branch_of_[static_cast<size_t>(node)];
        if (branch < 0) return {};
        branches.push_back(branch);
    }
    return branches;
}

CostModel::Factor CostModel::factor_of(ValueId id, size_t axis) const {
    const int64_t extent = (*graph_.value(id).shape)[axis];
    if (extent == kUnknown) return {};
    const auto& labels = coupling_.axes[static_cast<size_t>(id)];
    return {extent, axis < labels.size() ? labels[axis] : -1};
}

// A tensor whose shape is not known counts as none.
int CostModel::index_of(ValueId id, int coding, std::map<Elements, int>& known) {
    Elements elements;
    elements.coding = coding;
    const auto& shape = graph_.value(id).shape;
    if (!shape) elements.fixed = 0;
    for (size_t axis = 0; shape && axis < shape->size(); ++axis) {
        const Factor factor = factor_of(id, axis);
        if (factor.label >= 0) {
            elements.factors.push_back(factor);
        } else {
            elements.fixed = std::min(times(elements.fixed, factor.extent), kMostElements);
        }
    }
    const auto [found, is_new] = known.try_emplace(elements, static_cast<int>(elements_.size()));
    if (is_new) elements_.push_back(std::move(elements));
    return found->second;
}

// What is alive grows with the outputs of every node, then loses what dies there. Where a branch is
// gone, its last value is its skip path, unless it is an output: then a copy of that.
CostModel::Life CostModel::find_life(const std::vector<bool>& gone) const {
    const size_t count = graph_.nodes.size();
    std::vector<ValueId> is(graph_.values.size());
    for (size_t id = 0; id < is.size(); ++id) is[id] = static_cast<ValueId>(id);
    std::vector<uint8_t> idle(count, 0);
    std::vector<ValueId> copies(count, kNoValue);  // what a node copies, whatever it read
    for (size_t b = 0; b < gone.size(); ++b) {
        if (!gone[b]) continue;
        const Branch& branch = branches_[b];
        for (int node : branch.nodes) idle[static_cast<size_t>(node)] = 1;
        idle[static_cast<size_t>(branch.add)] = 1;
        // Branches come in the order of their additions: the skip path is known.
        const ValueId skip = is[static_cast<size_t>(skip_of(graph_, branch))];
        const auto last = static_cast<size_t>(branch.last);
        const ValueId sum = graph_.nodes[last].outputs[0];
        idle[last] = !graph_.is_output(sum);
        (idle[last] ? is[static_cast<size_t>(sum)] : copies[last]) = skip;
    }
    std::vector<int> last(graph_.values.size(), -1);
    for (size_t n = 0; n < count; ++n) {
        if (idle[n]) continue;
        const std::vector<ValueId> copied = {copies[n]};
        for (ValueId id : copies[n] == kNoValue ? graph_.nodes[n].inputs : copied) {
            if (id == kNoValue) continue;
            last[static_cast<size_t>(is[static_cast<size_t>(id)])] = static_cast<int>(n);
        }
        // What nobody reads dies where it is made.
        for (ValueId id : graph_.nodes[n].outputs) {
            if (id != kNoValue) last[static_cast<size_t>(id)] = static_cast<int>(n);
        }
    }
    std::vector<std::vector<ValueId>> dies(count);
    for (size_t id = 0; id < last.size(); ++id) {
        const auto value = static_cast<ValueId>(id);
        if (last[id] < 0 || graph_.constant(value) || graph_.is_output(value)) continue;
        dies[static_cast<size_t>(last[id])].push_back(value);
    }
    const auto activation = [&](ValueId id) { return activation_[static_cast<size_t>(id)]; };
    Life life;
    for (ValueId id : graph_.inputs) life.push_back(activation(id));
    for (size_t n = 0; n < count; ++n) {
        if (idle[n]) continue;
        for (ValueId id : graph_.nodes[n].outputs) {
            if (id != kNoValue) life.push_back(activation(id));
        }
        for (ValueId id : dies[n]) life.push_back(-1 - activation(id));
    }
    return life;
}

std::shared_ptr<const CostModel::Life> CostModel::life(const std::vector<bool>& gone) const {
    const std::lock_guard held(lives_->lock);
    if (lives_->known.size() > kMostLives) lives_->known.clear();
    auto& known = lives_->known[gone];
    if (!known) known = std::make_shared<const Life>(find_life(gone));
    return known;
}

int64_t CostModel::extent(ValueId id, size_t axis, std::span<const int64_t> cut) const {
    int64_t left = (*graph_.value(id).shape)[axis];
    if (left == kUnknown) return 1;
    if (const auto* labels = coupling_.labels_of(id, static_cast<int64_t>(axis))) {
        for (const auto& share : labels->shares) {
            left -= share.count * cut[static_cast<size_t>(share.family)];
        }
    }
    return left;
}

Shape CostModel::shape_left(ValueId constant, std::span<const int64_t> cut) const {
    Shape shape = graph_.constant(constant)->shape;
    for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = extent(constant, axis, cut);
    return shape;
}

int64_t CostModel::elements_left(ValueId id, std::span<const int64_t> cut) const {
    const auto& shape = graph_.value(id).shape;
    if (!shape) return 0;
    int64_t count = 1;
    for (size_t axis = 0; axis < shape->size(); ++axis) {
        count = std::min(times(count, extent(id, axis, cut)), kMostElements);
    }
    return count;
}

// A convolution multiplies every weight at every output position, a transposed one at every input
// position; a product of matrices every element of the output with as many as it sums over.
int64_t CostModel::macs_of(const Node& node, std::span<const int64_t> cut) const {
    const auto& out = graph_.value(node.outputs[0]).shape;
    const auto& a = graph_.value(node.input(0)).shape;
    if (!out || !a || a->empty() || !graph_.value(node.input(1)).shape) return 0;
    if (node.op == "Conv" || node.op == "ConvTranspose") {
        const ValueId over = node.op == "Conv" ? node.outputs[0] : node.input(0);
        int64_t positions = 1;
        for (size_t axis = 2; axis < graph_.value(over).shape->size(); ++axis) {
            positions = times(positions, extent(over, axis, cut));
        }
        return times(positions, elements_left(node.input(1), cut));
    }
    const bool transposed = node.op == "Gemm" && node.int_or("transA", 0) != 0;
    const size_t summed = transposed ? 0 : a->size() - 1;
    return times(elements_left(node.outputs[0], cut), extent(node.input(0), summed, cut));
}

Cost CostModel::cost_of_layer(size_t layer, std::span<const int64_t> cut, int bits,
                              int activation_bits) const {
    if (bits == kGone) return {};
    LayerState left = state(layer, cut, bits);
    left.activation_bits = activation_bits;
    Cost cost = layer_cost(layers_[layer], left);
    const Node& node = graph_.nodes[static_cast<size_t>(layers_[layer].node)];
    cost.activations = (elements_left(node.input(0), cut) + elements_left(node.outputs[0], cut)) *
                       (bits < kFloatBits ? 1 : 4);
    return cost;
}

LayerState CostModel::state(size_t layer, std::span<const int64_t> cut, int bits) const {
    if (bits == kGone) return {0, 0, kGone};
    const auto left = [&](const Factor& factor) {
        int64_t extent = factor.extent;
        if (factor.label < 0) return extent;
        for (const auto& share : coupling_.labels[static_cast<size_t>(factor.label)].shares) {
            extent -= share.count * cut[static_cast<size_t>(share.family)];
        }
        return extent;
    };
    return {left(sides_[layer][0]), left(sides_[layer][1]), bits};
}

int64_t CostModel::groups_left(const Node& node, std::span<const int64_t> cut) const {
    if (node.op == "GroupNormalization") {
        const int64_t groups = node.int_or("num_groups", 1);
        const int64_t channels = (*graph_.value(node.input(0)).shape)[1];
        return extent(node.input(0), 1, cut) / std::max<int64_t>(channels / groups, 1);
    }
    const bool transposed = node.op == "ConvTranspose";
    const ValueId channels = transposed ? node.outputs[0] : node.input(0);
    return extent(channels, 1, cut) / std::max<int64_t>(extent(node.input(1), 1, cut), 1);
}

Cost CostModel::cost(std::span<const int64_t> cut, std::span<const int> bits) const {
    ADIABAT_CHECK(
        cut.size() == coupling_.families.size() && bits.size() == layers_.size() + floats_.size(),
        "{} counts for {} families, {} widths for {} layers and {} activations", cut.size(),
        coupling_.families.size(), bits.size(), layers_.size(), floats_.size());
    thread_local std::vector<int64_t> lost, sizes;
    lost.clear();
    for (const AxisLabels& labels : coupling_.labels) {
        int64_t indices = 0;
        for (const auto& share : labels.shares) {
            indices += share.count * cut[static_cast<size_t>(share.family)];
        }
        lost.push_back(indices);
    }
    const auto left = [&](const Factor& factor) {
        return factor.label < 0 ? factor.extent
                                : factor.extent - lost[static_cast<size_t>(factor.label)];
    };
    const std::span<const int> of_floats = bits.subspan(layers_.size());
    bool quantized = !layers_.empty();
    for (int width : bits.first(layers_.size())) quantized = quantized && width < kFloatBits;
    const auto size_of = [&](int coding) {
        if (coding >= 0) return of_floats[static_cast<size_t>(coding)] / kActivationBits;
        return coding == kCoded && quantized ? 1 : 4;
    };
    sizes.clear();
    for (const Elements& elements : elements_) {
        int64_t count = elements.fixed;
        for (const Factor& factor : elements.factors) {
            count = std::min(times(count, left(factor)), kMostElements);
        }
        sizes.push_back(count * size_of(elements.coding));
    }

    thread_local std::vector<bool> gone;
    gone.clear();
    bool any_gone = false;
    for (int layer : layer_of_) {
        gone.push_back(bits[static_cast<size_t>(layer)] == kGone);
        any_gone = any_gone || gone.back();
    }
    const auto counts_not = [&](const Other& other) {
        return any_gone && !other.branches.empty() &&
               std::all_of(other.branches.begin(), other.branches.end(),
                           [&](int branch) { return bool{gone[static_cast<size_t>(branch)]}; });
    };

    Cost total;
    for (size_t k = 0; k < layers_.size(); ++k) {
        if (bits[k] == kGone) continue;
        int activation_bits = kActivationBits;
        for (int a : works_on_[k]) {
            if (a >= 0)
                activation_bits = std::max(activation_bits, of_floats[static_cast<size_t>(a)]);
        }
        total += layer_cost(layers_[k],
                            {left(sides_[k][0]), left(sides_[k][1]), bits[k], activation_bits});
    }
    for (const Other& other : others_) {
        if (counts_not(other)) continue;
        const int64_t bytes = sizes[static_cast<size_t>(other.index)];
        total.parameters = plus(total.parameters, bytes / 4);
        total.bytes = plus(total.bytes, bytes);
    }
    for (const Other& other : products_) {
        if (counts_not(other)) continue;
        const int64_t macs = macs_of(graph_.nodes[static_cast<size_t>(other.index)], cut);
        total.macs = plus(total.macs, macs);
        total.bops = plus(total.bops, times(macs, kFloatBits * kFloatBits));
        total.float_macs = plus(total.float_macs, macs);
    }
    const std::shared_ptr<const Life> other = any_gone ? life(gone) : nullptr;
    int64_t alive = 0, peak = 0;
    for (int event : other ? *other : whole_) {
        alive +=
            event < 0 ? -sizes[static_cast<size_t>(-1 - event)] : sizes[static_cast<size_t>(event)];
        peak = std::max(peak, alive);
    }
    total.activations = peak;
    return total;
}

Cost CostModel::whole() const {
    const std::vector<int64_t> nothing(coupling_.families.size(), 0);
    const std::vector<int> bits(layers_.size() + floats_.size(), kFloatBits);
    return cost(nothing, bits);
}

}  // namespace adiabat::net
