// SPDX-License-Identifier: Apache-2.0
//
// adiabat-qubo, version 1: a problem in any of the three forms with its names and constraints, as
// JSON. Nothing is lost: what is written is read back equal, bit by bit.
//
//     {"format": "adiabat-qubo", "version": 1, "form": "factored", "variables": n, ..}
//
// The members are listed in doc/formats.md. Coefficients multiply zeros and ones, whether answers
// are printed as spins or not. O(bytes), but for low-rank terms, whose middle matrix is
// diagonalized (Factored::add_low_rank).

#include "adiabat/base/units.h"
#include "adiabat/qubo/formats/json_text.h"
#include "adiabat/qubo/formats/own_json_constraints.h"
#include "adiabat/qubo/formats/readers.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

constexpr std::string_view kFormat = "adiabat-qubo";
constexpr int kVersion = 1;
// Rows of a dense problem that are put in together.
constexpr size_t kStrip = 64;
// Squares are listed by their terms and held in full: as many numbers as this at least, 16 a byte.
constexpr uint64_t kFreeNumbers = 10'000'000;
// Each is merged with what is there.
constexpr size_t kMostLowRankTerms = 1000;

int variable_of(const JsonValue& value, int variables) {
    return static_cast<int>(value.integer(0, variables - 1, "a variable"));
}

// What the problem itself refuses is said with its place.
template <typename Build>
void build_at(const JsonValue& value, Build build) {
    try {
        build();
    } catch (const InputError& error) {
        throw InputError("{}:{}: {}", value.source().name, value.line(), error.what());
    }
}

Dense read_dense(const JsonMembers& members, int n) {
    const JsonValue rows = members.need("couplings");
    rows.expect_size(static_cast<size_t>(n), "rows of couplings");
    size_t left = static_cast<size_t>(n);
    // All rows are measured before n^2 numbers are allocated.
    rows.for_each([&](const JsonValue& row) {
        row.expect_size(--left, "couplings, one with each later variable");
    });
    std::optional<Dense> dense;
    build_at(rows, [&] { dense.emplace(n); });
    std::vector<std::vector<double>> strip(kStrip);
    int first = 0;
    size_t filled = 0;
    const auto add_strip = [&] {
        dense->add_upper_rows(first, std::span(strip).first(filled), rows.source().stop);
        first += static_cast<int>(filled);
        filled = 0;
    };
    rows.for_each([&](const JsonValue& row) {
        row.numbers(strip[filled]);
        if (++filled == kStrip) add_strip();
    });
    add_strip();
    return std::move(*dense);
}

HugeVector<Edge> read_edges(const JsonMembers& members, int n) {
    const JsonValue list = members.need("edges");
    HugeVector<Edge> edges;
    edges.reserve(list.size());
    list.for_each([&](const JsonValue& edge) {
        Edge made;
        int part = 0;
        edge.expect_size(3, "values of an edge [i, j, value]");
        edge.for_each([&](const JsonValue& value) {
            if (part == 2)
                made.value = value.number();
            else
                (part == 0 ? made.i : made.j) = variable_of(value, n);
            ++part;
        });
        if (made.i == made.j)
            edge.fail(fmt::format("variable {} with itself", made.i), "two different variables");
        edges.push_back(made);
    });
    return edges;
}

void read_blocks(const JsonValue& blocks, Factored& factored) {
    int64_t past = 0;
    blocks.for_each([&](const JsonValue& block) {
        const JsonMembers members(block, {"first", "size", "values"});
        const int n = factored.variables();
        const int64_t first =
            members.need("first").integer(past, n - 1, "a variable behind the block before");
        const int64_t size = members.need("size").integer(1, n - first, "a size");
        const JsonValue values = members.need("values");
        values.expect_size(static_cast<size_t>(size * size), "values of a block, size x size");
        past = first + size;
        const auto matrix = values.numbers();
        build_at(values, [&] {
            factored.add_block(static_cast<int>(first), static_cast<int>(size), matrix);
        });
    });
}

void read_squares(const JsonValue& squares, Factored& factored) {
    const auto n = static_cast<size_t>(factored.variables());
    const size_t rank = squares.size();
    const uint64_t most = std::max(kFreeNumbers, uint64_t{16} * squares.source().bytes.size());
    if (n > 0 && rank > most / n) {
        squares.fail(fmt::format("{} squares of {} variables", rank, n),
                     fmt::format("{} numbers at most in a file of this size",
                                 format_count(static_cast<int64_t>(most))));
    }
    std::vector<double> columns(n * rank, 0.0), constants, weights;
    squares.for_each([&](const JsonValue& square) {
        const JsonMembers members(square, {"weight", "constant", "terms"});
        const auto terms = read_terms(members.need("terms"), factored.variables());
        for (const auto& [i, c] : terms)
            columns[static_cast<size_t>(i) * rank + weights.size()] += c;
        weights.push_back(members.need("weight").number());
        const auto constant = members.find("constant");
        constants.push_back(constant ? constant->number() : 0);
    });
    build_at(squares, [&] { factored.add_squares(columns, constants, weights); });
}

Factored read_factored(const JsonMembers& members, const JsonValue& at, int n) {
    std::optional<Factored> factored;
    build_at(at, [&] { factored.emplace(n); });
    if (const auto blocks = members.find("blocks")) read_blocks(*blocks, *factored);
    if (const auto terms = members.find("low_rank")) {
        const size_t count = terms->size();
        if (count > kMostLowRankTerms)
            terms->fail(fmt::format("{} low-rank terms", count),
                        fmt::format("{} at most", kMostLowRankTerms));
        terms->for_each([&](const JsonValue& term) {
            const JsonMembers parts(term, {"u", "s"});
            const auto u = parts.need("u").numbers(), s = parts.need("s").numbers();
            build_at(term, [&] { factored->add_low_rank(u, s); });
        });
    }
    if (const auto squares = members.find("squares")) read_squares(*squares, *factored);
    if (const auto columns = members.find("columns")) {
        const auto weights = members.need("weights").numbers();
        members.need("constants").expect_size(weights.size(), "constants");
        columns->expect_size(static_cast<size_t>(n) * weights.size(),
                             "values, variables x weights");
        const auto values = columns->numbers();
        const auto constants = members.need("constants").numbers();
        build_at(*columns, [&] { factored->add_squares(values, constants, weights); });
    }
    return std::move(*factored);
}

// Which members beside the common ones a form has.
void check_form(const JsonMembers& members, std::string_view form) {
    const std::pair<std::string_view, std::string_view> owners[] = {
        {"couplings", "dense"},    {"edges", "sparse"},     {"blocks", "factored"},
        {"low_rank", "factored"},  {"squares", "factored"}, {"weights", "factored"},
        {"constants", "factored"}, {"columns", "factored"}};
    for (const auto& [name, owner] : owners) {
        const auto member = members.find(name);
        if (member && owner != form)
            member->fail(fmt::format("\"{}\" in a {} problem", name, form),
                         fmt::format("it in a {} one", owner));
    }
    for (const std::string_view name : {"weights", "constants"}) {
        if (const auto member = members.find(name); member && !members.find("columns"))
            member->fail(fmt::format("\"{}\" without \"columns\"", name),
                         "all three of them or none");
    }
}

Energy read_energy(const JsonMembers& members, int n) {
    const JsonValue form = members.need("form");
    const std::string name = form.string();
    if (name != "dense" && name != "sparse" && name != "factored")
        form.fail("\"dense\", \"sparse\" or \"factored\"");
    check_form(members, name);
    std::vector<double> linear;
    if (const auto values = members.find("linear")) {
        values->expect_size(static_cast<size_t>(n), "linear terms");
        linear = values->numbers();
    }
    const auto offset = members.find("offset");
    const double constant = offset ? offset->number() : 0;
    if (name == "sparse")
        return Sparse(n, read_edges(members, n), std::move(linear), constant, form.source().stop);
    const auto complete = [&](auto energy) -> Energy {
        energy.add_offset(constant);
        for (size_t i = 0; i < linear.size(); ++i)
            energy.add_linear(static_cast<int>(i), linear[i]);
        return energy;
    };
    if (name == "dense") return complete(read_dense(members, n));
    return complete(read_factored(members, form, n));
}

// "name": [..] with what `item` appends for each.
template <typename Items, typename Append>
void append_member(std::string& text, std::string_view name, const Items& items, Append item) {
    append_all(text, ",\n\"", name, "\": [");
    bool first = true;
    for (const auto& each : items) {
        if (!first) text += ", ";
        first = false;
        item(each);
    }
    text += "]";
}

void append_numbers(std::string& text, std::string_view name, std::span<const double> values) {
    append_member(text, name, values, [&](double value) { append(text, value); });
}

void append_energy(std::string& text, const Dense& dense) {
    text += ",\n\"couplings\": [";
    for (int i = 0; i < dense.variables(); ++i) {
        text += i == 0 ? "\n[" : ",\n[";
        for (int j = i + 1; j < dense.variables(); ++j)
            append_all(text, j == i + 1 ? "" : ", ", dense.coupling(i, j));
        text += "]";
    }
    text += "]";
}

void append_energy(std::string& text, const Sparse& sparse) {
    text += ",\n\"edges\": [";
    const char* separator = "";
    for (int i = 0; i < sparse.variables(); ++i) {
        const auto row = sparse.neighbors(i);
        const auto values = sparse.couplings(i);
        for (size_t k = 0; k < row.size(); ++k) {
            if (row[k] < i) continue;
            append_all(text, separator, "[", i, ", ", row[k], ", ", values[k], "]");
            separator = ",\n";
        }
    }
    text += "]";
}

void append_energy(std::string& text, const Factored& factored) {
    append_member(text, "blocks", factored.blocks(), [&](const DenseBlock& block) {
        append_all(text, "{\"first\": ", block.first, ", \"size\": ", block.size);
        append_numbers(text, "values", block.values);
        text += "}";
    });
    append_numbers(text, "weights", factored.weights());
    append_numbers(text, "constants", factored.constants());
    text += ",\n\"columns\": [";
    for (int i = 0; i < factored.variables(); ++i) {
        const auto row = factored.row(i);
        for (size_t k = 0; k < row.size(); ++k)
            append_all(text, i == 0 && k == 0 ? "" : k == 0 ? ",\n" : ", ", row[k]);
    }
    text += "]";
}

}  // namespace

Problem read_own_json(const Source& source, const ReadOptions&) {
    const JsonText text(source);
    const JsonMembers members(
        text.root(), {"format", "version", "form", "variables", "spins", "offset", "names",
                      "linear", "couplings", "edges", "blocks", "low_rank", "squares", "weights",
                      "constants", "columns", "budgets", "groups", "fixed"});
    if (members.need("format").string() != kFormat)
        members.need("format").fail(fmt::format("\"{}\"", kFormat));
    members.need("version").integer(kVersion, kVersion, "a version");
    const JsonValue count = members.need("variables");
    const int n = checked_variables(source, count.line(),
                                    count.integer(0, INT64_MAX, "a number of variables"));
    const JsonValue form = members.need("form");
    if (form.is(JsonValue::Kind::kString) && form.string() == "dense")
        source.check_dense_memory(count.line(), n);
    Problem problem{read_energy(members, n)};
    if (const auto spins = members.find("spins")) problem.spins = spins->boolean();
    if (const auto names = members.find("names")) {
        names->expect_size(static_cast<size_t>(n), "names");
        names->for_each([&](const JsonValue& name) { problem.names.push_back(name.string()); });
        check_names(source, problem.names);
    }
    problem.constraints = read_constraints(members, n);
    return problem;
}

std::string write_own_json(const Problem& problem) {
    std::string text;
    append_all(text, "{\"format\": \"", kFormat, "\",\n\"version\": ", kVersion, ",\n\"form\": \"",
               problem.form_name(), "\",\n\"variables\": ", problem.variables(),
               ",\n\"spins\": ", problem.spins ? "true" : "false",
               ",\n\"offset\": ", problem.offset());
    if (!problem.names.empty()) {
        append_member(text, "names", problem.names,
                      [&](const std::string& name) { text += json_string(name); });
    }
    std::visit(
        [&](const auto& energy) {
            append_numbers(text, "linear", energy.linear());
            append_energy(text, energy);
        },
        problem.form);
    append_constraints(text, problem.constraints);
    return text + "}\n";
}

}  // namespace adiabat::qubo::formats
