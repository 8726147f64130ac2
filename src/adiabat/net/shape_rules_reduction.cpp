// SPDX-License-Identifier: Apache-2.0
// Shapes of what sums over something: reductions, Gemm, MatMul, Einsum, normalization.
#include <algorithm>
#include <map>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

// Axes are an attribute first and an input later; none given means all, or none with
// noop_with_empty_axes.
void reduction(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto axes = scope.ints("axes", 1);
    if (!x) return scope.set(0, scope.type(0));
    const bool keep = scope.node.int_or("keepdims", 1) != 0;
    if (!axes)
        return scope.set(0, scope.type(0),
                         keep ? std::optional(Shape(x->size(), kUnknown)) : std::nullopt);
    const bool all = axes->empty() && scope.node.int_or("noop_with_empty_axes", 0) == 0;
    std::vector<bool> reduced(x->size(), all);
    for (int64_t axis : *axes) reduced[static_cast<size_t>(scope.axis(axis, x->size()))] = true;
    Shape out;
    for (size_t k = 0; k < x->size(); ++k) {
        if (!reduced[k]) out.push_back((*x)[k]);
        if (reduced[k] && keep) out.push_back(1);
    }
    scope.set(0, scope.type(0), out);
}

void arg_reduction(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, DType::kInt64);
    Shape out = *x;
    const auto at = out.begin() + scope.axis(scope.node.int_or("axis", 0), x->size());
    if (scope.node.int_or("keepdims", 1) != 0) {
        *at = 1;
    } else {
        out.erase(at);
    }
    scope.set(0, DType::kInt64, out);
}

// Both known and different.
bool differ(int64_t a, int64_t b) { return a != kUnknown && b != kUnknown && a != b; }

void gemm(const RuleScope& scope) {
    const Shape *a = scope.shape(0), *b = scope.shape(1), *c = scope.shape(2);
    if (!a || !b) return scope.set(0, scope.type(0));
    if (a->size() != 2 || b->size() != 2) {
        scope.fail("inputs of shapes {} and {}: both have 2 dimensions", to_string(*a),
                   to_string(*b));
    }
    const bool ta = scope.node.int_or("transA", 0) != 0, tb = scope.node.int_or("transB", 0) != 0;
    const int64_t taken = (*b)[tb ? 1 : 0], given = (*a)[ta ? 0 : 1];
    if (differ(taken, given)) scope.fail("weight takes {} features, input has {}", taken, given);
    const Shape out = {(*a)[ta ? 1 : 0], (*b)[tb ? 0 : 1]};
    if (c) {
        const auto wide = broadcast(out, *c);
        if (!wide || wide->size() != 2 || differ((*wide)[1], out[1])) {
            scope.fail("bias of shape {} for an output of shape {}", to_string(*c), to_string(out));
        }
    }
    scope.set(0, scope.type(0), out);
}

// numpy's matmul: a vector is a row on the left and a column on the right, leading dimensions
// broadcast.
void matmul(const RuleScope& scope) {
    const Shape *left = scope.shape(0), *right = scope.shape(1);
    if (!left || !right) return scope.set(0, scope.type(0));
    Shape a = *left, b = *right;
    if (a.empty() || b.empty()) scope.fail("a scalar cannot be multiplied as a matrix");
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
    const int64_t given = a.back(), taken = b[b.size() - 2];
    if (differ(given, taken)) {
        scope.fail("shapes {} and {}: {} columns meet {} rows", to_string(*left), to_string(*right),
                   given, taken);
    }
    auto out = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
    if (!out) scope.fail("shapes {} and {} do not broadcast", to_string(*left), to_string(*right));
    if (left->size() > 1) out->push_back(a[a.size() - 2]);
    if (right->size() > 1) out->push_back(b.back());
    scope.set(0, scope.type(0), out);
}

// Scales and biases broadcast to the input; mean and inverse deviation are 1 along what is
// normalized.
void layer_normalization(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    scope.set(0, scope.type(0), x ? std::optional(*x) : std::nullopt);
    std::optional<Shape> statistics;
    if (x) {
        const int64_t axis = scope.axis(scope.node.int_or("axis", -1), x->size());
        statistics = *x;
        std::fill(statistics->begin() + axis, statistics->end(), 1);
        const Shape* scale = scope.shape(1);
        if (scale && !broadcast(*x, *scale)) {
            scope.fail("scale of shape {} for an input of shape {}", to_string(*scale),
                       to_string(*x));
        }
    }
    const auto stash = static_cast<DType>(scope.node.int_or("stash_type", 1));
    scope.set(1, stash, statistics);
    scope.set(2, stash, statistics);
}

// One scale and one bias a channel, or (group normalization before opset 21) a group.
void channel_normalization(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    scope.set(0, scope.type(0), x ? std::optional(*x) : std::nullopt);
    if (!x || x->size() < 2) return;
    const int64_t channels = (*x)[1], groups = scope.node.int_or("num_groups", channels);
    for (size_t k : {size_t{1}, size_t{2}}) {
        const Shape* parameter = scope.shape(k);
        if (!parameter) continue;
        if (parameter->size() != 1 ||
            (differ((*parameter)[0], channels) && differ((*parameter)[0], groups))) {
            scope.fail("{} of shape {}, input has {} channels", k == 1 ? "scale" : "bias",
                       to_string(*parameter), channels);
        }
    }
}

void determinant(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    if (x->size() < 2 || differ(x->back(), (*x)[x->size() - 2])) {
        scope.fail("an input of shape {}: square matrices have determinants", to_string(*x));
    }
    scope.set(0, scope.type(0), Shape(x->begin(), x->end() - 2));
}

// "bij,bjk->bik": letters name dimensions, "..." those that broadcast.
class Equation {
  public:
    explicit Equation(const RuleScope& scope) : scope_(scope) {
        std::string text = scope.node.string_or("equation", "");
        text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
        const size_t arrow = text.find("->");
        const std::string left = text.substr(0, arrow);
        for (size_t begin = 0; begin <= left.size();) {
            const size_t comma = std::min(left.find(',', begin), left.size());
            terms_.push_back(left.substr(begin, comma - begin));
            begin = comma + 1;
        }
        if (terms_.size() != scope.node.inputs.size()) {
            scope.fail("equation '{}' has {} terms for {} inputs", text, terms_.size(),
                       scope.node.inputs.size());
        }
        result_ = arrow == std::string::npos ? implied() : text.substr(arrow + 2);
    }

    std::optional<Shape> shape() {
        for (size_t k = 0; k < terms_.size(); ++k) {
            const Shape* x = scope_.shape(k);
            if (!x) return std::nullopt;
            read(terms_[k], *x);
        }
        Shape out;
        for (size_t k = 0; k < result_.size(); ++k) {
            if (result_[k] == '.') {
                out.insert(out.end(), broadcast_.begin(), broadcast_.end());
                k += 2;
                continue;
            }
            const auto found = sizes_.find(result_[k]);
            if (found == sizes_.end()) {
                scope_.fail("the result's letter '{}' is in no term", result_[k]);
            }
            out.push_back(found->second);
        }
        return out;
    }

  private:
    // Without an arrow: the dimensions that broadcast, then the letters that occur once, sorted.
    std::string implied() const {
        std::map<char, int> count;
        bool dots = false;
        for (const std::string& term : terms_) {
            for (char letter : term) letter == '.' ? dots = true : ++count[letter] > 0;
        }
        std::string result = dots ? "..." : "";
        for (const auto& [letter, times] : count) {
            if (times == 1) result += letter;
        }
        return result;
    }

    void read(const std::string& term, const Shape& x) {
        const size_t dots = term.find("...");
        const size_t letters = term.size() - (dots == std::string::npos ? 0 : 3);
        if (letters > x.size() || (dots == std::string::npos && letters != x.size())) {
            scope_.fail("term '{}' for an input of shape {}", term, to_string(x));
        }
        const size_t free = x.size() - letters;
        size_t d = 0;
        for (size_t k = 0; k < term.size(); ++k) {
            if (k == dots) {
                const auto both =
                    broadcast(broadcast_, Shape(x.begin() + static_cast<std::ptrdiff_t>(d),
                                                x.begin() + static_cast<std::ptrdiff_t>(d + free)));
                if (!both) scope_.fail("the inputs do not broadcast");
                broadcast_ = *both;
                d += free;
                k += 2;
                continue;
            }
            meet(term[k], x[d++]);
        }
    }

    void meet(char letter, int64_t size) {
        const auto [found, fresh] = sizes_.emplace(letter, size);
        if (fresh || found->second == size || size == 1 || size == kUnknown) return;
        if (found->second != 1 && found->second != kUnknown) {
            scope_.fail("letter '{}' stands for {} and {}", letter, found->second, size);
        }
        found->second = size;
    }

    const RuleScope& scope_;
    std::vector<std::string> terms_;
    std::string result_;
    std::map<char, int64_t> sizes_;
    Shape broadcast_;
};

void einsum(const RuleScope& scope) { scope.set(0, scope.type(0), Equation(scope).shape()); }

}  // namespace

std::vector<NamedRule> reduction_rules() {
    std::vector<NamedRule> rules = {
        {"Gemm", gemm, 2},
        {"MatMul", matmul, 2},
        {"ArgMax", arg_reduction},
        {"ArgMin", arg_reduction},
        {"Det", determinant},
        {"Einsum", einsum},
        {"GroupNormalization", channel_normalization, 3},
        {"InstanceNormalization", channel_normalization, 3},
        {"LayerNormalization", layer_normalization, 2},
        {"RMSNormalization", layer_normalization, 2},
    };
    for (const char* op :
         {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
          "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
        rules.push_back({op, reduction});
    }
    return rules;
}

}  // namespace adiabat::net
