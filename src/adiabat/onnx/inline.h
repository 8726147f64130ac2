// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions that a model defines: every call is replaced by the function's nodes.
//
// In the copy of a body inputs and outputs take the names of the call, the names of all other
// values become new ones, and attributes that refer to the function's take the values of the call,
// else the defaults of the function. A function's operator sets are compatible with the model's
// (the specification asks for it); sets that the model lacks are added to it. O(nodes of the
// result).
//
// Source: onnx/onnx.proto (FunctionProto); onnx/docs/IR.md, "Functions".

#include <string>

namespace onnx {
class ModelProto;
}

namespace adiabat::onnx {

// `where` begins every message. Throws InputError for a function that calls itself and for calls
// that become more nodes than any network has.
void inline_functions(::onnx::ModelProto& model, const std::string& where);

}  // namespace adiabat::onnx
