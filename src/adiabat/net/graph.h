// SPDX-License-Identifier: Apache-2.0
#pragma once

// The network as the rest of the library sees it: a graph of operators in static single assignment.
//
// Nodes stand in topological order and carry ONNX operator names and attributes; values are
// numbered and are produced at most once. A value that has a constant is a parameter or a folded
// result. Nothing here knows protobuf: `onnx/` converts in both directions. Operator semantics are
// those of the ONNX specification at `opset`.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::net {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input that is left out

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>,
                               std::vector<float>, std::vector<std::string>, Tensor>;

struct Node {
    std::string op;                // "Conv"
    std::string domain;            // "" is ai.onnx
    std::string name;              // as in the file; may be empty
    std::vector<ValueId> inputs;   // kNoValue where an optional input is left out
    std::vector<ValueId> outputs;  // kNoValue where an optional output is not wanted
    std::map<std::string, Attribute> attributes;

    // Attributes with the default of the operator's specification. Throw InputError if the
    // attribute is there with another type.
    int64_t int_or(std::string_view attribute, int64_t otherwise) const;
    float float_or(std::string_view attribute, float otherwise) const;
    std::string string_or(std::string_view attribute, std::string_view otherwise) const;
    std::vector<int64_t> ints_or(std::string_view attribute, std::vector<int64_t> otherwise) const;
    std::vector<float> floats_or(std::string_view attribute, std::vector<float> otherwise) const;
    bool has(std::string_view attribute) const;
    // The input at `position`, kNoValue where there is none.
    ValueId input(size_t position) const {
        return position < inputs.size() ? inputs[position] : kNoValue;
    }
};

struct Value {
    std::string name;
    DType type = DType::kUndefined;
    // Known rank and dimensions; kUnknown for a dimension that is not known (the batch). Absent
    // where not even the rank is known.
    std::optional<Shape> shape;
    // Name of the symbolic leading dimension ("N"), for graph inputs and outputs; may be empty.
    std::string batch_name;
    // Of inputs and outputs whose leading dimension a file fixes, that dimension: networks run on
    // any number of images, `shape` leaves it unknown, the written file has it again. 0 where it is
    // free.
    int64_t fixed_batch = 0;
    std::shared_ptr<const Tensor> constant;  // parameters and folded values
};

struct Graph {
    std::string name;
    int opset = 0;       // version of ai.onnx
    int ir_version = 0;  // as in the file
    std::string producer;
    std::map<std::string, std::string> metadata;
    std::vector<Node> nodes;  // in topological order
    std::vector<Value> values;
    std::vector<ValueId> inputs;  // without initializers
    std::vector<ValueId> outputs;

    Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
    const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
    const Tensor* constant(ValueId id) const {
        return id == kNoValue ? nullptr : value(id).constant.get();
    }

    ValueId add_value(std::string value_name, DType type = DType::kUndefined,
                      std::optional<Shape> shape = std::nullopt);
    // A value that holds `tensor`.
    ValueId add_constant(std::string value_name, Tensor tensor);
    // The value of that name, kNoValue where there is none. O(values).
    ValueId find(std::string_view value_name) const;

    bool is_output(ValueId id) const;
};

// Who produces and who reads each value, computed once for a graph that does not change meanwhile.
// O(edges).
class Uses {
  public:
    explicit Uses(const Graph& graph);
    // Index of the node that produces the value, -1 for inputs and constants.
    int producer(ValueId id) const { return producer_[static_cast<size_t>(id)]; }
    // Indices of the nodes that read the value, ascending, one entry a reading input.
    const std::vector<int>& readers(ValueId id) const { return readers_[static_cast<size_t>(id)]; }

  private:
    std::vector<int> producer_;
    std::vector<std::vector<int>> readers_;
};

// Removes the nodes whose outputs nobody needs and the values nobody mentions; renumbers the
// values.
void remove_dead(Graph& graph);

// Throws InternalError unless the graph is in topological order, each value has one producer at
// most, and every id is in range.
void check_graph(const Graph& graph);

}  // namespace adiabat::net
