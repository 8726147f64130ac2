// SPDX-License-Identifier: Apache-2.0
// ReduceSum and MatMul.
#include "adiabat/net/evaluate_scope.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/strided.h"

namespace adiabat::net {

namespace {

// The runtime sums these types alone.
bool has_sums(DType type) {
    return type == DType::kFloat || type == DType::kDouble || type == DType::kInt32 ||
           type == DType::kInt64 || type == DType::kUint32 || type == DType::kUint64;
}

// Unsigned sums wrap; signed ones would be undefined where they do.
template <typename T>
struct SumType {
    using type = T;
};
template <>
struct SumType<int32_t> {
    using type = uint32_t;
};
template <>
struct SumType<int64_t> {
    using type = uint64_t;
};

// y[...] += x[...], with stride 0 in y where an axis is summed over.
template <typename T>
void sum_into(Tensor& y, const Strides& y_strides, const Tensor& x) {
    using Sum = typename SumType<T>::type;
    T* const out = y.as<T>().data();
    const T* const in = x.as<T>().data();
    for_each_row<2>({x.shape, {y_strides, dense_strides(x.shape)}},
                    [&](const auto& at, int64_t count, const auto& by) {
                        T* const o = out + at[0];
                        const T* const i = in + at[1];
                        if (by[0] == 0) {
                            Sum sum = static_cast<Sum>(*o);
                            for (int64_t k = 0; k < count; ++k)
                                sum += static_cast<Sum>(i[k * by[1]]);
                            *o = static_cast<T>(sum);
                            return;
                        }
                        for (int64_t k = 0; k < count; ++k) {
                            o[k * by[0]] = static_cast<T>(static_cast<Sum>(o[k * by[0]]) +
                                                          static_cast<Sum>(i[k * by[1]]));
                        }
                    });
}

Results reduce_sum(const EvaluateScope& scope) {
    const Tensor& x = scope.in(0);
    if (!has_sums(x.type)) return std::nullopt;
    const auto axes = scope.ints("axes", 1);
    Tensor y = scope.out();
    // The output's strides seen from the input: 0 along what is summed.
    const bool all = axes.empty() && scope.node.int_or("noop_with_empty_axes", 0) == 0;
    std::vector<bool> reduced(x.shape.size(), all);
    for (int64_t axis : axes) reduced[static_cast<size_t>(*normal_axis(axis, x.rank()))] = true;
    Strides strides(x.shape.size(), 0);
    int64_t stride = 1;
    for (size_t d = x.shape.size(); d-- > 0;) {
        if (reduced[d]) continue;
        strides[d] = stride;
        stride *= x.shape[d];
    }
    with_arithmetic_type(x.type, [&]<typename T>(T) { sum_into<T>(y, strides, x); });
    std::vector<Tensor> results;
    results.push_back(std::move(y));
    return results;
}

// out[m x n] = a[m x k] b[k x n], dense. A single column is a dot product, else rows of b are added
// up.
template <typename T>
void multiply_matrices(const T* a, const T* b, T* out, int64_t m, int64_t depth, int64_t n) {
    using Sum = typename SumType<T>::type;
    for (int64_t row = 0; row < m; ++row, a += depth, out += n) {
        if (n == 1) {
            Sum sum = 0;
            for (int64_t k = 0; k < depth; ++k)
                sum += static_cast<Sum>(a[k]) * static_cast<Sum>(b[k]);
            *out = static_cast<T>(sum);
            continue;
        }
        for (int64_t k = 0; k < depth; ++k) {
            const Sum factor = static_cast<Sum>(a[k]);
            const T* const right = b + k * n;
            for (int64_t column = 0; column < n; ++column) {
                out[column] = static_cast<T>(static_cast<Sum>(out[column]) +
                                             factor * static_cast<Sum>(right[column]));
            }
        }
    }
}

Results matmul(const EvaluateScope& scope) {
    const Tensor &left = scope.in(0), &right = scope.in(1);
    if (!has_sums(left.type) || left.type != right.type) return std::nullopt;
    Tensor product = scope.out();
    Shape a = left.shape, b = right.shape;
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
    const int64_t m = a[a.size() - 2], depth = a.back(), n = b.back();
    const Shape a_batch(a.begin(), a.end() - 2), b_batch(b.begin(), b.end() - 2);
    const Shape batch = *broadcast(a_batch, b_batch);
    // Where all matrices on the right are one, those on the left are one tall matrix.
    const bool tall = b_batch.empty();
    const int64_t rows = tall ? m * elements(a_batch) : m;
    with_arithmetic_type(left.type, [&]<typename T>(T) {
        const T *const x = left.as<T>().data(), *const y = right.as<T>().data();
        T* const out = product.as<T>().data();
        if (tall) return multiply_matrices(x, y, out, rows, depth, n);
        for_each_row<3>({batch,
                         {dense_strides(batch), broadcast_strides(a_batch, batch),
                          broadcast_strides(b_batch, batch)}},
                        [&](const auto& at, int64_t count, const auto& by) {
                            for (int64_t k = 0; k < count; ++k) {
                                multiply_matrices(x + (at[1] + k * by[1]) * m * depth,
                                                  y + (at[2] + k * by[2]) * depth * n,
                                                  out + (at[0] + k * by[0]) * m * n, m, depth, n);
                            }
                        });
    });
    std::vector<Tensor> results;
    results.push_back(std::move(product));
    return results;
}

}  // namespace

std::vector<NamedEvaluator> sum_evaluators() {
    return {{"ReduceSum", reduce_sum}, {"MatMul", matmul}};
}

}  // namespace adiabat::net
