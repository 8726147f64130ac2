// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/read_attribute.h"

#include <onnx/onnx_pb.h>

#include "adiabat/base/errors.h"
#include "adiabat/onnx/read_tensor.h"
#include "adiabat/onnx/subgraphs.h"

namespace adiabat::onnx {

namespace {

using ::onnx::AttributeProto;

// Files before IR version 2 leave the type to the field that is filled.
AttributeProto::AttributeType type_of(const AttributeProto& proto) {
    if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
    if (proto.has_i()) return AttributeProto::INT;
    if (proto.has_f()) return AttributeProto::FLOAT;
    if (proto.has_s()) return AttributeProto::STRING;
    if (proto.has_t()) return AttributeProto::TENSOR;
    if (proto.has_g()) return AttributeProto::GRAPH;
    if (proto.floats_size() > 0) return AttributeProto::FLOATS;
    if (proto.strings_size() > 0) return AttributeProto::STRINGS;
    if (proto.ints_size() > 0 || proto.unknown_fields().empty()) return AttributeProto::INTS;
    return AttributeProto::UNDEFINED;  // a kind that is younger than our schema
}

bool stays_raw(const AttributeProto& proto, bool foreign) {
    if (proto.has_ref_attr_name()) return true;
    if (foreign && (proto.has_doc_string() || !proto.unknown_fields().empty())) return true;
    switch (type_of(proto)) {
        case AttributeProto::INT:
        case AttributeProto::FLOAT:
        case AttributeProto::STRING:
        case AttributeProto::INTS:
        case AttributeProto::FLOATS:
        case AttributeProto::STRINGS:
            return false;
        case AttributeProto::TENSOR:
            return foreign || !holds_numbers(proto.t());
        default:
            return true;
    }
}

net::RawAttribute raw(AttributeProto& proto, const std::string& what, ExternalFiles& files) {
    for_each_tensor(proto, [&](::onnx::TensorProto& tensor) {
        embed(tensor, fmt::format("{} '{}'", what, tensor.name()), files);
    });
    proto.set_name(proto.name());  // there even where it is empty, as all names that are written
    return {proto.SerializeAsString()};
}

}  // namespace

net::Attribute to_attribute(AttributeProto& proto, bool foreign, const std::string& where,
                            ExternalFiles& files) {
    const std::string what = fmt::format("{}, attribute {}", where, proto.name());
    if (stays_raw(proto, foreign)) return raw(proto, what, files);
    switch (type_of(proto)) {
        case AttributeProto::INT:
            return int64_t{proto.i()};
        case AttributeProto::FLOAT:
            return proto.f();
        case AttributeProto::STRING:
            return proto.s();
        case AttributeProto::FLOATS:
            return std::vector<float>(proto.floats().begin(), proto.floats().end());
        case AttributeProto::STRINGS:
            return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
        case AttributeProto::TENSOR:
            return to_tensor(*proto.mutable_t(), what, files);
        default:
            return std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
    }
}

}  // namespace adiabat::onnx
