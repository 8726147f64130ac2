// SPDX-License-Identifier: Apache-2.0
//
// dimod's binary quadratic models as JSON: what BinaryQuadraticModel.to_serializable() gives
// (bqm_schema 3.0.0, use_bytes false: bytes have no place in JSON), linear biases, three arrays of
// pairs, an offset, labels, and variable_type SPIN or BINARY. Biases of one pair add up, as they do
// in dimod.
//
// Source: dimod 0.12, BinaryQuadraticModel.to_serializable and from_serializable.

#include <algorithm>
#include <span>

#include "adiabat/qubo/formats/labels.h"
#include "adiabat/qubo/formats/readers.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

constexpr std::string_view kType = "BinaryQuadraticModel", kSchema = "3.0.0";

void expect_text(const JsonValue& value, std::string_view text) {
    if (!value.is(JsonValue::Kind::kString) || value.string() != text)
        value.fail(fmt::format("\"{}\"", text));
}

// One end of each of the edges.
void read_ends(const JsonValue& array, int variables, int Edge::*end, std::span<Edge> edges) {
    auto edge = edges.begin();
    array.for_each([&](const JsonValue& value) {
        (*edge++).*end = static_cast<int>(value.integer(0, variables - 1, "a variable"));
    });
}

// The pairs; what is there of the three arrays is counted before room is made for it.
void read_pairs(const JsonMembers& members, Pairs& pairs) {
    const JsonValue biases = members.need("quadratic_biases");
    const JsonValue heads = members.need("quadratic_head"), tails = members.need("quadratic_tail");
    const JsonValue interactions = members.need("num_interactions");
    const size_t count = biases.size(), before = pairs.edges.size();
    if (interactions.integer(0, INT64_MAX, "a number of interactions") !=
        static_cast<int64_t>(count))
        interactions.fail(fmt::format("{}, the number of quadratic biases", count));
    heads.expect_size(count, "heads");
    tails.expect_size(count, "tails");
    heads.source().check_memory(interactions.line(), pairs.variables, count, sizeof(Edge));
    pairs.edges.resize(before + count);
    const std::span<Edge> edges = std::span(pairs.edges).subspan(before);
    auto edge = edges.begin();
    biases.for_each([&](const JsonValue& value) { (edge++)->value = value.number(); });
    read_ends(heads, pairs.variables, &Edge::i, edges);
    read_ends(tails, pairs.variables, &Edge::j, edges);
    const auto own = std::ranges::find_if(edges, [](const Edge& e) { return e.i == e.j; });
    if (own != edges.end())
        heads.fail(fmt::format("variable {} paired with itself", own->i),
                   "pairs of different variables");
}

// [a, b, ..] of the values that `item` appends.
template <typename Items, typename Append>
void append_array(std::string& text, std::string_view name, const Items& items, Append item) {
    append_all(text, ",\n\"", name, "\": [");
    for (size_t k = 0; k < items.size(); ++k) {
        if (k > 0) text += ", ";
        item(items[k]);
    }
    text += "]";
}

}  // namespace

Problem read_bqm_json(const Source& source, const ReadOptions&) {
    const JsonText text(source);
    const JsonMembers members(
        text.root(), {"type", "version", "use_bytes", "index_type", "bias_type", "num_variables",
                      "num_interactions", "variable_labels", "variable_type", "offset", "info",
                      "linear_biases", "quadratic_biases", "quadratic_head", "quadratic_tail"});
    expect_text(members.need("type"), kType);
    expect_text(JsonMembers(members.need("version"), {"bqm_schema"}).need("bqm_schema"), kSchema);
    if (members.need("use_bytes").boolean()) members.need("use_bytes").fail("false");
    const JsonValue spins = members.need("variable_type");
    const bool are_spins = spins.string() == "SPIN";
    if (!are_spins && spins.string() != "BINARY") spins.fail("\"SPIN\" or \"BINARY\"");

    Pairs pairs;
    pairs.spins = are_spins;
    pairs.offset = members.need("offset").number();
    const auto linear = members.need("linear_biases").numbers();
    const JsonValue count = members.need("num_variables");
    if (count.integer(0, kMaxSparseVariables, "a number of variables") !=
        static_cast<int64_t>(linear.size()))
        count.fail(fmt::format("{}, the number of linear biases", linear.size()));
    pairs.variables = static_cast<int>(linear.size());
    pairs.edges.reserve(linear.size() + members.need("quadratic_biases").size());
    for (int i = 0; i < pairs.variables; ++i)
        pairs.edges.push_back({i, i, linear[static_cast<size_t>(i)]});

    read_pairs(members, pairs);
    auto names = names_of_labels(members.need("variable_labels"), pairs.variables);
    return problem_of(source, std::move(pairs), std::move(names));
}

std::string write_bqm_json(const Problem& problem) {
    refuse_constraints(problem, "bqm-json");
    const Listed list = list_of(problem, true);
    std::string text;
    append_all(
        text, "{\"type\": \"", kType, "\",\n\"version\": {\"bqm_schema\": \"", kSchema,
        "\"},\n\"use_bytes\": false,\n\"index_type\": \"int32\",\n\"bias_type\": \"float64\"",
        ",\n\"num_variables\": ", problem.variables(),
        ",\n\"num_interactions\": ", std::to_string(list.pairs.size()),
        ",\n\"variable_labels\": ", labels_of_names(problem), ",\n\"variable_type\": \"",
        problem.spins ? "SPIN" : "BINARY", "\",\n\"offset\": ", list.offset, ",\n\"info\": {}");
    append_array(text, "linear_biases", list.linear, [&](double value) { append(text, value); });
    append_array(text, "quadratic_biases", list.pairs,
                 [&](const Edge& edge) { append(text, edge.value); });
    append_array(text, "quadratic_head", list.pairs,
                 [&](const Edge& edge) { append(text, edge.i); });
    append_array(text, "quadratic_tail", list.pairs,
                 [&](const Edge& edge) { append(text, edge.j); });
    return text + "}\n";
}

}  // namespace adiabat::qubo::formats
