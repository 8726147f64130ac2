// SPDX-License-Identifier: Apache-2.0
// Arithmetic, comparison and logic with broadcasting, and a few functions of one input.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
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
template <typename T, typename Out = T, typename Op>
Results binary(const EvaluateScope& scope, Op op) {
    Tensor result = scope.out();
    const Tensor &a = scope.in(0), &b = scope.in(1);
    Out* const out = result.as<Out>().data();
    const T *const left = a.as<T>().data(), *const right = b.as<T>().data();
    for_each_row<3>({result.shape,
                     {dense_strides(result.shape), broadcast_strides(a.shape, result.shape),
                      broadcast_strides(b.shape, result.shape)}},
                    [&](const auto& at, int64_t count, const auto& by) {
                        Out* const o = out + at[0];
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

// To the right the sign fills in; a shift by a negative number or by all bits leaves that alone.
template <typename T>
T shifted(T a, T b, bool left) {
    constexpr unsigned kBits = sizeof(T) * 8;
    const bool within = b >= T{0} && static_cast<uint64_t>(b) < kBits;
    if (!within) return !left && a < T{0} ? static_cast<T>(-1) : T{0};
    const auto pattern = static_cast<Wrapping<T>>(a);
    return left ? static_cast<T>(pattern << static_cast<unsigned>(b))
                : static_cast<T>(a >> static_cast<unsigned>(b));
}

Results bit_shift(const EvaluateScope& scope) {
    const std::string direction = scope.node.string_or("direction", "");
    if (direction != "LEFT" && direction != "RIGHT") {
        scope.fail("direction '{}': LEFT or RIGHT", direction);
    }
    const bool left = direction == "LEFT";
    return with_types(scope, [&]<typename T>(T) -> Results {
        if constexpr (std::is_integral_v<T>) {
            return binary<T>(scope, [left](T a, T b) { return shifted(a, b, left); });
        } else {
            return std::nullopt;
        }
    });
}

// A functor of <functional> on integers.
template <typename Op>
Results bitwise(const EvaluateScope& scope) {
    return with_types(scope, [&]<typename T>(T) -> Results {
        if constexpr (std::is_integral_v<T>) {
            return binary<T>(scope, [](T a, T b) { return static_cast<T>(Op()(a, b)); });
        } else {
            return std::nullopt;
        }
    });
}

template <typename Op>
Results compare(const EvaluateScope& scope) {
    if (scope.in(0).type == DType::kBool && scope.in(1).type == DType::kBool) {
        return binary<bool>(scope, [](bool a, bool b) { return Op()(a, b); });
    }
    return with_types(scope, [&]<typename T>(T) {
        return binary<T, bool>(scope, [](T a, T b) { return Op()(a, b); });
    });
}

template <typename Op>
Results logical(const EvaluateScope& scope) {
    if (scope.in(0).type != DType::kBool || scope.in(1).type != DType::kBool) return std::nullopt;
    return binary<bool>(scope, [](bool a, bool b) { return Op()(a, b); });
}

// The smaller or larger of two; of more inputs nobody makes parameters.
template <bool largest>
Results extreme(const EvaluateScope& scope) {
    if (scope.node.inputs.size() != 2) return std::nullopt;
    return with_types(scope, [&]<typename T>(T) {
        return binary<T>(scope, [](T a, T b) {
            if constexpr (std::is_floating_point_v<T>) {
                if (std::isnan(b)) return b;  // NaN wins
            }
            return (largest ? a < b : b < a) ? b : a;
        });
    });
}

template <typename Op>
Results unary(const EvaluateScope& scope, Op op) {
    Results results;
    with_arithmetic_type(scope.in(0).type, [&]<typename T>(T) {
        Tensor out = scope.out();
        const auto x = scope.in(0).as<T>();
        const auto y = out.as<T>();
        for (size_t k = 0; k < x.size(); ++k) y[k] = static_cast<T>(op(x[k]));
        results.emplace().push_back(std::move(out));
    });
    return results;
}

Results negate(const EvaluateScope& scope) {
    return unary(scope, []<typename T>(T x) {
        return wrapped(T{0}, x, [](auto a, auto b) { return a - b; });
    });
}

Results absolute(const EvaluateScope& scope) {
    return unary(scope, []<typename T>(T x) {
        return x < T{0} ? wrapped(T{0}, x, [](auto a, auto b) { return a - b; }) : x;
    });
}

Results bitwise_not(const EvaluateScope& scope) {
    if (is_floating(scope.in(0).type)) return std::nullopt;
    return unary(scope, []<typename T>(T x) {
        if constexpr (std::is_integral_v<T>) {
            return ~x;
        } else {
            return x;
        }
    });
}

// Functions of real numbers; integers are left alone.
template <double (*function)(double)>
Results real(const EvaluateScope& scope) {
    if (!is_floating(scope.in(0).type)) return std::nullopt;
    return unary(scope, [](auto x) { return function(static_cast<double>(x)); });
}

Results logical_not(const EvaluateScope& scope) {
    if (scope.in(0).type != DType::kBool) return std::nullopt;
    Tensor out = scope.in(0);
    for (uint8_t& byte : out.bytes) byte = byte == 0;
    std::vector<Tensor> results;
    results.push_back(std::move(out));
    return results;
}

Results bit_cast(const EvaluateScope& scope) {
    Tensor out = scope.in(0);
    out.type = scope.out().type;
    std::vector<Tensor> results;
    results.push_back(std::move(out));
    return results;
}

// Whatever the elements are, as long as they fill bytes.
Results where(const EvaluateScope& scope) {
    const Tensor &condition = scope.in(0), &a = scope.in(1), &b = scope.in(2);
    Tensor out = scope.out();
    if (bits_of(out.type) < 8 || a.type != b.type || condition.type != DType::kBool) {
        return std::nullopt;
    }
    const auto bytes = static_cast<size_t>(bits_of(out.type)) / 8;
    for_each_row<4>(
        {out.shape,
         {dense_strides(out.shape), broadcast_strides(condition.shape, out.shape),
          broadcast_strides(a.shape, out.shape), broadcast_strides(b.shape, out.shape)}},
        [&](const auto& at, int64_t count, const auto& by) {
            for (int64_t k = 0; k < count; ++k) {
                const bool first = condition.bytes[static_cast<size_t>(at[1] + k * by[1])] != 0;
                const Tensor& from = first ? a : b;
                const int64_t place = first ? at[2] + k * by[2] : at[3] + k * by[3];
                std::memcpy(out.bytes.data() + static_cast<size_t>(at[0] + k * by[0]) * bytes,
                            from.bytes.data() + static_cast<size_t>(place) * bytes, bytes);
            }
        });
    std::vector<Tensor> results;
    results.push_back(std::move(out));
    return results;
}

}  // namespace

std::vector<NamedEvaluator> elementwise_evaluators() {
    return {
        {"Abs", absolute},
        {"Add", add},
        {"And", logical<std::logical_and<>>},
        {"BitCast", bit_cast},
        {"BitShift", bit_shift},
        {"BitwiseAnd", bitwise<std::bit_and<>>},
        {"BitwiseNot", bitwise_not},
        {"BitwiseOr", bitwise<std::bit_or<>>},
        {"BitwiseXor", bitwise<std::bit_xor<>>},
        {"Ceil", real<std::ceil>},
        {"Div", divide},
        {"Equal", compare<std::equal_to<>>},
        {"Exp", real<std::exp>},
        {"Floor", real<std::floor>},
        {"Greater", compare<std::greater<>>},
        {"GreaterOrEqual", compare<std::greater_equal<>>},
        {"Less", compare<std::less<>>},
        {"LessOrEqual", compare<std::less_equal<>>},
        {"Log", real<std::log>},
        {"Max", extreme<true>},
        {"Min", extreme<false>},
        {"Mod", modulo},
        {"Mul", multiply},
        {"Neg", negate},
        {"Not", logical_not},
        {"Or", logical<std::logical_or<>>},
        {"Round", real<std::nearbyint>},
        {"Sqrt", real<std::sqrt>},
        {"Sub", subtract},
        {"Where", where},
        {"Xor", logical<std::not_equal_to<>>},
    };
}

}  // namespace adiabat::net
