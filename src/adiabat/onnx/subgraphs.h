// SPDX-License-Identifier: Apache-2.0
#pragma once

// What graphs inside attributes (the branches of an If, the body of a Loop) take from outside.
//
// A name that such a graph reads and does not define is a value of a graph around it: inner names
// hide outer ones. O(nodes inside). For read.cpp and inline.cpp.
//
// Source: onnx/docs/IR.md, "Names Within a Graph".

#include <functional>
#include <string>
#include <vector>

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
class TensorProto;
}  // namespace onnx

namespace adiabat::onnx {

// Names that graphs inside the attributes of a node read from outside, each once, sorted.
std::vector<std::string> captured_names(const ::onnx::NodeProto& node);

// Calls `visit` for every tensor inside the attribute, those of inner graphs too.
void for_each_tensor(::onnx::AttributeProto& attribute,
                     const std::function<void(::onnx::TensorProto&)>& visit);

// Gives inner graphs new names for what they take from outside; `renamed` says which, or "" for a
// name that stays.
void rename_captured(::onnx::NodeProto& node,
                     const std::function<std::string(const std::string&)>& renamed);

}  // namespace adiabat::onnx
