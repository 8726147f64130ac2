// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Mod, BitShift, BitwiseAnd with broadcasting.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "adiabat/net/evaluate_scope.h"
#include "adiabat/net/strided.h"

namespace adiabat::net {

namespace {

// Integers wrap around: computed in an unsigned type at least as wide as int, so that nothing is
// promoted into overflow.
template <typename T>
using Wrapping =
    std::conditional_t<sizeof(T) < sizeof(uint32_t), uint32_t, std::make_unsigned_t<T>>;

template <typename T, typename Op>
T wrapped(T a, T b, Op op) {
    if constexpr (std::is_integral_v<T>) {
        return static_cast<T>(op(static_cast<Wrapping<T>>(a), static_cast<Wrapping<T>>(b)));
    } else {
        return op(a, b);
    }
}

// Truncates; the only quotient that does not fit, INT_MIN / -1, wraps to INT_MIN.
template <typename T>
T quotient(T a, T b) {
    if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
        if (b == -1) return wrapped(T{0}, a, [](auto x, auto y) { return x - y; });
    }
    return static_cast<T>(a / b);
}

// fmod = 0: the sign of the divisor; fmod = 1: of the dividend, as in C.
template <typename T>
T remainder(T a, T b, bool c_like) {
    if constexpr (std::is_floating_point_v<T>) {
        return std::fmod(a, b);
    } else {
        if constexpr (std::is_signed_v<T>) {
            if (b == -1) return 0;
        }
        const T rest = static_cast<T>(a % b);
        return !c_like && rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
}

// out = op(a, b), broadcast. The rows that matter (both dense, or one of them a single number) are
// their own loops, which the compiler vectorizes.
template <typename T, typename Op>
Results binary(const EvaluateScope& scope, Op op) {
    Tensor result = scope.out();
    const Tensor &a = scope.in(0), &b = scope.in(1);
    T* const out = result.as<T>().data();
    const T *const left = a.as<T>().data(), *const right = b.as<T>().data();
    for_each_row<3>({result.shape,
                     {dense_strides(result.shape), broadcast_strides(a.shape, result.shape),
                      broadcast_strides(b.shape, result.shape)}},
                    [&](const auto& at, int64_t count, const auto& by) {
                        T* const o = out + at[0];
                        const T *const x = left + at[1], *const y = right + at[2];
                        if (by[1] == 1 && by[2] == 1) {
                            for (int64_t k = 0; k < count; ++k) o[k] = op(x[k], y[k]);
                        } else if (by[1] == 1 && by[2] == 0) {
                            for (int64_t k = 0; k < count; ++k) o[k] = op(x[k], *y);
                        } else if (by[1] == 0 && by[2] == 1) {
                            for (int64_t k = 0; k < count; ++k) o[k] = op(*x, y[k]);
                        } else {
                            for (int64_t k = 0; k < count; ++k)
                                o[k] = op(x[k * by[1]], y[k * by[2]]);
                        }
                    });
    std::vector<Tensor> results;
    results.push_back(std::move(result));
    return results;
}

// Runs f<T> for the type that both inputs have.
template <typename F>
Results with_types(const EvaluateScope& scope, F f) {
    const DType type = scope.in(0).type;
    if (scope.in(1).type != type) {
        scope.fail("inputs of {} and {}: both have one type", name_of(type),
                   name_of(scope.in(1).type));
    }
    Results results;
    with_arithmetic_type(type, [&](auto zero) { results = f(zero); });
    return results;
}

Results add(const EvaluateScope& scope) {
    return with_types(scope, [&]<typename T>(T) {
        return binary<T>(
            scope, [](T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x + y; }); });
    });
}

Results subtract(const EvaluateScope& scope) {
    return with_types(scope, [&]<typename T>(T) {
        return binary<T>(
            scope, [](T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x - y; }); });
    });
}

Results multiply(const EvaluateScope& scope) {
    return with_types(scope, [&]<typename T>(T) {
        return binary<T>(
            scope, [](T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x * y; }); });
    });
}

template <typename T>
void refuse_zero_divisor(const EvaluateScope& scope) {
    if constexpr (std::is_integral_v<T>) {
        const auto divisors = scope.in(1).as<T>();
        if (std::find(divisors.begin(), divisors.end(), T{0}) != divisors.end()) {
            scope.fail("division of an integer by zero");
        }
    }
}

Results divide(const EvaluateScope& scope) {
    return with_types(scope, [&]<typename T>(T) {
        refuse_zero_divisor<T>(scope);
        return binary<T>(scope, [](T a, T b) { return quotient(a, b); });
    });
}

Results modulo(const EvaluateScope& scope) {
    const bool c_like = scope.node.int_or("fmod", 0) != 0;
    return with_types(scope, [&]<typename T>(T) {
        refuse_zero_divisor<T>(scope);
        return binary<T>(scope, [c_like](T a, T b) { return remainder(a, b, c_like); });
    });
}

Results bit_shift(const EvaluateScope& scope) {
    const std::string direction = scope.node.string_or("direction", "");
    if (direction != "LEFT" && direction != "RIGHT") {
        scope.fail("direction '{}': LEFT or RIGHT", direction);
    }
    return with_types(scope, [&]<typename T>(T) -> Results {
        if constexpr (std::is_unsigned_v<T>) {
            constexpr unsigned kBits = sizeof(T) * 8;
            if (direction == "LEFT") {
                return binary<T>(
                    scope, [](T a, T b) { return b < kBits ? static_cast<T>(a << b) : T{0}; });
            }
            return binary<T>(scope,
                             [](T a, T b) { return b < kBits ? static_cast<T>(a >> b) : T{0}; });
        } else {
            return std::nullopt;
        }
    });
}

Results bitwise_and(const EvaluateScope& scope) {
    return with_types(scope, [&]<typename T>(T) -> Results {
        if constexpr (std::is_integral_v<T>) {
            return binary<T>(scope, [](T a, T b) { return static_cast<T>(a & b); });
        } else {
            return std::nullopt;
        }
    });
}

}  // namespace

std::vector<NamedEvaluator> elementwise_evaluators() {
    return {
        {"Add", add},    {"Sub", subtract},       {"Mul", multiply},           {"Div", divide},
        {"Mod", modulo}, {"BitShift", bit_shift}, {"BitwiseAnd", bitwise_and},
    };
}

}  // namespace adiabat::net
