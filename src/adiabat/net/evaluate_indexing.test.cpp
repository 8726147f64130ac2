// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "adiabat/base/errors.h"
#include "adiabat/net/evaluate.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

// The output of the builder's last node.
Tensor evaluated(GraphBuilder& b) {
    infer_shapes(b.graph);
    auto results = evaluate(b.graph, b.graph.nodes.back());
    if (!results) throw std::runtime_error("not evaluated");
    return results->at(0);
}

Tensor ints(Shape shape, const Ints& values) {
    return Tensor::of<int64_t>(std::move(shape), values);
}

TEST(EvaluateIndexing, CountsAndRepeats) {
    GraphBuilder r;
    r.node("Range", {r.scalar<int64_t>(7), r.scalar<int64_t>(-2), r.scalar<int64_t>(-4)});
    EXPECT_EQ(evaluated(r), ints({3}, {7, 3, -1}));
    GraphBuilder f;
    f.node("Range", {f.scalar(0.5f), f.scalar(2.0f), f.scalar(0.5f)});
    EXPECT_EQ(evaluated(f), Tensor::of<float>({3}, {0.5f, 1, 1.5f}));
    GraphBuilder z;
    z.node("Range", {z.scalar<int64_t>(1), z.scalar<int64_t>(2), z.scalar<int64_t>(0)});
    EXPECT_THROW(evaluated(z), InputError);
    GraphBuilder s;
    s.node("Size", {s.weight({3, 4})});
    EXPECT_EQ(evaluated(s), Tensor::scalar<int64_t>(12));
    GraphBuilder t;
    t.node("Tile", {t.constant(ints({2, 2}, {1, 2, 3, 4})), t.ints({2, 3})});
    EXPECT_EQ(evaluated(t), ints({4, 6}, {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4,
                                          1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}));
}

TEST(EvaluateIndexing, PicksAndPlaces) {
    const Tensor x = ints({2, 3}, {10, 11, 12, 20, 21, 22});
    GraphBuilder e;
    e.node("GatherElements", {e.constant(x), e.constant(ints({2, 2}, {2, -3, 0, 1}))},
           {{"axis", int64_t{1}}});
    EXPECT_EQ(evaluated(e), ints({2, 2}, {12, 10, 20, 21}));
    GraphBuilder n;
    n.node("GatherND", {n.constant(x), n.constant(ints({2, 2}, {1, 0, -2, -1}))});
    EXPECT_EQ(evaluated(n), ints({2}, {20, 12}));
    GraphBuilder rows;
    rows.node("GatherND", {rows.constant(x), rows.constant(ints({1, 1}, {1}))});
    EXPECT_EQ(evaluated(rows), ints({1, 3}, {20, 21, 22}));
    GraphBuilder s;
    s.node("ScatterND", {s.constant(x), s.constant(ints({1, 2}, {1, -1})), s.ints({99})});
    EXPECT_EQ(evaluated(s), ints({2, 3}, {10, 11, 12, 20, 21, 99}));
    GraphBuilder out;
    out.node("GatherND", {out.constant(x), out.constant(ints({1, 2}, {1, 3}))});
    EXPECT_THROW(evaluated(out), InputError);
}

TEST(EvaluateIndexing, MakesMasks) {
    GraphBuilder h;
    h.node("OneHot", {h.ints({1, -1, 5}), h.scalar<int64_t>(3), h.ints({7, 9})},
           {{"axis", int64_t{0}}});
    EXPECT_EQ(evaluated(h), ints({3, 3}, {7, 7, 7, 9, 7, 7, 7, 9, 7}));
    const Tensor x = ints({2, 3}, {1, 2, 3, 4, 5, 6});
    GraphBuilder u;
    u.node("Trilu", {u.constant(x), u.scalar<int64_t>(1)});
    EXPECT_EQ(evaluated(u), ints({2, 3}, {0, 2, 3, 0, 0, 6}));
    GraphBuilder l;
    l.node("Trilu", {l.constant(x)}, {{"upper", int64_t{0}}});
    EXPECT_EQ(evaluated(l), ints({2, 3}, {1, 0, 0, 4, 5, 0}));
}

}  // namespace
}  // namespace adiabat::net
