// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/graph.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "adiabat/base/errors.h"

namespace adiabat::net {

namespace {

template <typename T>
T attribute_or(const Node& node, std::string_view attribute, T otherwise) {
    const auto found = node.attributes.find(std::string(attribute));
    if (found == node.attributes.end()) return otherwise;
    const T* value = std::get_if<T>(&found->second);
    if (!value) {
        throw InputError(
            "{} {}: attribute {} has another type than the ONNX specification gives it", node.op,
            node.name, attribute);
    }
    return *value;
}

}  // namespace

int64_t Node::int_or(std::string_view attribute, int64_t otherwise) const {
    return attribute_or(*this, attribute, otherwise);
}
float Node::float_or(std::string_view attribute, float otherwise) const {
    return attribute_or(*this, attribute, otherwise);
}
std::string Node::string_or(std::string_view attribute, std::string_view otherwise) const {
    return attribute_or(*this, attribute, std::string(otherwise));
}
std::vector<int64_t> Node::ints_or(std::string_view attribute,
                                   std::vector<int64_t> otherwise) const {
    return attribute_or(*this, attribute, std::move(otherwise));
}
std::vector<float> Node::floats_or(std::string_view attribute, std::vector<float> otherwise) const {
    return attribute_or(*this, attribute, std::move(otherwise));
}
bool Node::has(std::string_view attribute) const {
    return attributes.contains(std::string(attribute));
}

ValueId Graph::add_value(std::string value_name, DType type, std::optional<Shape> shape) {
    Value& added = values.emplace_back();
    added.name = std::move(value_name);
    added.type = type;
    added.shape = std::move(shape);
    return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
    const ValueId id = add_value(std::move(value_name), tensor.type, tensor.shape);
    value(id).constant = std::make_shared<const Tensor>(std::move(tensor));
    return id;
}

ValueId Graph::find(std::string_view value_name) const {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const Value& v) { return v.name == value_name; });
    return found == values.end() ? kNoValue : static_cast<ValueId>(found - values.begin());
}

bool Graph::is_output(ValueId id) const {
    return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

Uses::Uses(const Graph& graph) : producer_(graph.values.size(), -1), readers_(graph.values.size()) {
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        for (ValueId id : graph.nodes[n].inputs) {
            if (id != kNoValue) readers_[static_cast<size_t>(id)].push_back(static_cast<int>(n));
        }
        for (ValueId id : graph.nodes[n].captured) {
            readers_[static_cast<size_t>(id)].push_back(static_cast<int>(n));
        }
        for (ValueId id : graph.nodes[n].outputs) {
            if (id != kNoValue) producer_[static_cast<size_t>(id)] = static_cast<int>(n);
        }
    }
}

std::vector<bool> captured_values(const Graph& graph) {
    std::vector<bool> captured(graph.values.size(), false);
    for (const Node& node : graph.nodes) {
        for (ValueId id : node.captured) captured[static_cast<size_t>(id)] = true;
    }
    return captured;
}

std::map<std::string, int64_t> needed_domains(const Graph& graph) {
    std::map<std::string, int64_t> needed;
    for (const Node& node : graph.nodes) {
        if (!node.domain.empty()) needed.emplace(node.domain, 1);
        for (const auto& [name, value] : node.attributes) {
            if (std::holds_alternative<RawAttribute>(value)) {
                needed.insert(graph.notes.domains.begin(), graph.notes.domains.end());
                break;
            }
        }
    }
    for (auto& [domain, version] : needed) {
        const auto said = graph.notes.domains.find(domain);
        if (said != graph.notes.domains.end()) version = said->second;
    }
    return needed;
}

namespace {

// Whether outputs behind the first may be left out by the operator's specification. A Split may
// not: ONNX Runtime crashes where a part has no name.
bool has_optional_outputs(const Node& node) {
    static const std::set<std::string_view> known = {"BatchNormalization", "Dropout", "GRU", "LSTM",
                                                     "LayerNormalization", "MaxPool", "RNN"};
    return node.domain.empty() && known.contains(node.op);
}

}  // namespace

void remove_dead(Graph& graph) {
    std::vector<bool> needed(graph.values.size(), false);
    for (ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = true;
    std::vector<bool> keep(graph.nodes.size(), false);
    for (size_t n = graph.nodes.size(); n-- > 0;) {
        const Node& node = graph.nodes[n];
        keep[n] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
            return id != kNoValue && needed[static_cast<size_t>(id)];
        });
        if (!keep[n]) continue;
        for (ValueId id : node.inputs) {
            if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
        }
        for (ValueId id : node.captured) needed[static_cast<size_t>(id)] = true;
    }
    for (ValueId id : graph.inputs) needed[static_cast<size_t>(id)] = true;

    std::vector<Node> nodes;
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        if (keep[n]) nodes.push_back(std::move(graph.nodes[n]));
    }
    graph.nodes = std::move(nodes);
    // An optional output that nobody reads of a node that stays is left out; others keep their
    // names.
    for (Node& node : graph.nodes) {
        const bool optional = has_optional_outputs(node);
        for (ValueId& id : node.outputs) {
            if (id == kNoValue || needed[static_cast<size_t>(id)]) continue;
            if (optional) {
                id = kNoValue;
            } else {
                needed[static_cast<size_t>(id)] = true;
            }
        }
        while (node.outputs.size() > 1 && node.outputs.back() == kNoValue) node.outputs.pop_back();
    }

    std::vector<ValueId> renumbered(graph.values.size(), kNoValue);
    std::vector<Value> values;
    for (size_t v = 0; v < graph.values.size(); ++v) {
        if (!needed[v]) continue;
        renumbered[v] = static_cast<ValueId>(values.size());
        values.push_back(std::move(graph.values[v]));
    }
    graph.values = std::move(values);
    const auto renumber = [&](std::vector<ValueId>& ids) {
        for (ValueId& id : ids) {
            if (id != kNoValue) id = renumbered[static_cast<size_t>(id)];
        }
    };
    for (Node& node : graph.nodes) {
        renumber(node.inputs);
        renumber(node.outputs);
        renumber(node.captured);
    }
    renumber(graph.inputs);
    renumber(graph.outputs);
}

void check_graph(const Graph& graph) {
    std::vector<bool> there(graph.values.size(), false);
    const auto in_range = [&](ValueId id) {
        return id >= 0 && static_cast<size_t>(id) < graph.values.size();
    };
    for (size_t v = 0; v < graph.values.size(); ++v) there[v] = graph.values[v].constant != nullptr;
    for (ValueId id : graph.inputs) {
        ADIABAT_CHECK(in_range(id), "input {}", id);
        there[static_cast<size_t>(id)] = true;
    }
    for (const Node& node : graph.nodes) {
        for (ValueId id : node.inputs) {
            if (id == kNoValue) continue;
            ADIABAT_CHECK(in_range(id), "{} {} reads value {}", node.op, node.name, id);
            ADIABAT_CHECK(there[static_cast<size_t>(id)], "{} {} reads {} before it is there",
                          node.op, node.name, graph.value(id).name);
        }
        for (ValueId id : node.captured) {
            ADIABAT_CHECK(in_range(id) && there[static_cast<size_t>(id)],
                          "{} {} captures value {} before it is there", node.op, node.name, id);
        }
        for (ValueId id : node.outputs) {
            if (id == kNoValue) continue;
            ADIABAT_CHECK(in_range(id), "{} {} writes value {}", node.op, node.name, id);
            ADIABAT_CHECK(!there[static_cast<size_t>(id)], "{} is produced twice",
                          graph.value(id).name);
            there[static_cast<size_t>(id)] = true;
        }
    }
    for (ValueId id : graph.outputs) {
        ADIABAT_CHECK(in_range(id) && there[static_cast<size_t>(id)], "output {} is not produced",
                      id);
    }
}

}  // namespace adiabat::net
