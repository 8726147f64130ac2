// SPDX-License-Identifier: Apache-2.0
#pragma once

// One AttributeProto as a net::Attribute. For read.cpp alone.

#include <string>

#include "adiabat/net/graph.h"
#include "adiabat/onnx/external.h"

namespace onnx {
class AttributeProto;
}

namespace adiabat::onnx {

// Kinds that net::Attribute has no alternative for stay as bytes, with weights from other files
// inside; so does, for operators that are not of ai.onnx (`foreign`), whatever an alternative would
// not give back whole (tensors, documentation). `where` names the node. The proto gives its data
// away. Throws InputError for a tensor that does not hold what it says.
net::Attribute to_attribute(::onnx::AttributeProto& proto, bool foreign, const std::string& where,
                            ExternalFiles& files);

}  // namespace adiabat::onnx
