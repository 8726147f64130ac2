// SPDX-License-Identifier: Apache-2.0
//
// qbsolv's .qubo: "p qubo 0 maxNodes nNodes nCouplers", then nNodes lines "i i value" and nCouplers
// lines "i j value" with i < j, both listed as nodes; lines that begin with c are comments.
//
//     E(x) = sum_i v_ii x_i + sum_{i<j} v_ij x_i x_j,   x_0 .. x_(maxNodes - 1) in {0, 1}.
//
// Source: D-Wave Systems, "qbsolv Input File Format" (qbsolv's documentation, 2017).

#include "adiabat/qubo/formats/readers.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

bool is_comment(const LineScanner& scanner) { return scanner.line().starts_with('c'); }

// The next line that is no comment; offsets in comments add up.
bool next_line(LineScanner& scanner, double& offset) {
    while (scanner.next()) {
        if (!is_comment(scanner)) return true;
        if (const auto value = scanner.offset_in_comment("c")) offset += *value;
    }
    return false;
}

struct Header {
    int64_t nodes = 0, couplers = 0;
};

Header read_header(LineScanner& scanner, Pairs& pairs) {
    constexpr const char* kForm = "p qubo 0 maxNodes nNodes nCouplers";
    if (!next_line(scanner, pairs.offset)) scanner.fail("the end of the file", kForm);
    scanner.expect_words(6, kForm);
    const auto& words = scanner.words();
    if (words[0] != "p" || words[1] != "qubo") scanner.fail(in_quotes(scanner.line()), kForm);
    if (words[2] != "0" && words[2] != "unconstrained")
        scanner.fail(fmt::format("topology {}", in_quotes(words[2])), "0 or unconstrained");
    constexpr int64_t kMost = int64_t{1} << 62;
    const int64_t variables = scanner.integer(3, 0, kMost, "maxNodes");
    pairs.variables = checked_variables(scanner.source(), scanner.line_number(), variables);
    return {scanner.integer(4, 0, variables, "nNodes"), scanner.integer(5, 0, kMost, "nCouplers")};
}

}  // namespace

Problem read_qbsolv(const Source& source, const ReadOptions&) {
    Pairs pairs;
    LineScanner scanner(source);
    const Header header = read_header(scanner, pairs);
    source.check_memory(scanner.line_number(), pairs.variables,
                        static_cast<uint64_t>(header.couplers), sizeof(Edge) + sizeof(int64_t));
    pairs.reserve(count_lines(source));
    std::vector<bool> listed(static_cast<size_t>(pairs.variables), false);
    const auto node = [&](size_t word) {
        return static_cast<int>(scanner.integer(word, 0, pairs.variables - 1, "a node"));
    };
    for (int64_t k = 0; k < header.nodes; ++k) {
        const auto expected = [&] {
            return fmt::format("{} lines i i value, {} were there", header.nodes, k);
        };
        if (!next_line(scanner, pairs.offset)) scanner.fail("the end of the file", expected());
        scanner.expect_words(3, "i i value");
        const int i = node(0), j = node(1);
        if (i != j) scanner.fail(in_quotes(scanner.line()), expected());
        listed[static_cast<size_t>(i)] = true;
        pairs.add(i, j, scanner.number(2), scanner.line_number());
    }
    for (int64_t k = 0; k < header.couplers; ++k) {
        const auto expected = [&] {
            return fmt::format("{} lines i j value with i < j, {} were there", header.couplers, k);
        };
        if (!next_line(scanner, pairs.offset)) scanner.fail("the end of the file", expected());
        scanner.expect_words(3, "i j value");
        const int i = node(0), j = node(1);
        if (i >= j) scanner.fail(in_quotes(scanner.line()), expected());
        for (const int end : {i, j}) {
            if (!listed[static_cast<size_t>(end)])
                scanner.fail(fmt::format("node {}", end), "a node that has its own line");
        }
        pairs.add(i, j, scanner.number(2), scanner.line_number());
    }
    if (next_line(scanner, pairs.offset))
        scanner.fail(in_quotes(scanner.line()), "the end of the file: all couplers were there");
    refuse_duplicates(source, pairs, 0);
    return problem_of(source, std::move(pairs));
}

std::string write_qbsolv(const Problem& problem) {
    refuse_constraints(problem, "qbsolv");
    const Listed list = list_of(problem, false);
    const int n = problem.variables();
    std::string text;
    if (list.offset != 0) append_all(text, "c offset=", list.offset, "\n");
    append_all(text, "p qubo 0 ", n, " ", n, " ", std::to_string(list.pairs.size()), "\n");
    for (int i = 0; i < n; ++i)
        append_all(text, i, " ", i, " ", list.linear[static_cast<size_t>(i)], "\n");
    for (const auto& [i, j, value] : list.pairs) append_all(text, i, " ", j, " ", value, "\n");
    return text;
}

}  // namespace adiabat::qubo::formats
