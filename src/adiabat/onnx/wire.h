// SPDX-License-Identifier: Apache-2.0
#pragma once

// How many bytes the written file has, without writing it: the cost model asks this of every
// candidate.
//
// A protobuf field is a tag, a length where its body needs one, and the body; numbers take seven
// bits a byte, so bytes(v) = max(1, ceil(bit_width(v) / 7)). The functions follow write.cpp field
// by field; the tests tie them to protobuf's own sizes. O(nodes + names), no data is touched.
//
// Source: "Protocol Buffers encoding", protobuf.dev/programming-guides/encoding; onnx/onnx.proto.

#include <cstdint>
#include <string_view>

#include "adiabat/net/graph.h"

namespace adiabat::onnx {

// Bytes of an unsigned number; a negative int64_t, cast, takes ten.
uint64_t varint_bytes(uint64_t value);

// Tag + length prefix + body, for an embedded message or a string.
uint64_t field_bytes(int field_number, uint64_t body_bytes);

// Body of the TensorProto that write_model makes of a constant of that type and shape; an empty
// name takes nothing. As an initializer it takes field_bytes(5, ...) in the graph.
uint64_t tensor_proto_bytes(net::DType type, const net::Shape& shape, std::string_view name);

// Body of the NodeProto; in the graph it takes field_bytes(1, ...).
uint64_t node_proto_bytes(const net::Graph& graph, const net::Node& node);

// Body of the GraphProto; in the model it takes field_bytes(7, ...).
uint64_t graph_bytes(const net::Graph& graph);

// serialize_model(graph).size().
uint64_t model_bytes(const net::Graph& graph);

}  // namespace adiabat::onnx
