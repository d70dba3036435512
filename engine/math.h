// The functions of the language of cells, on vectors, each to 4 ulp or better over the whole
// range (tests/backends/test_engine_math.py measures them against float64 and long double).
//
// All of them stand on exp(y) = 2^n (1 + q), n = round(y / ln 2), q = expm1(y - n ln 2) from a
// polynomial; ln 2 is split in two so that n ln 2 is exact without fused operations too.
#pragma once

#include "vector.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

template <class T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float per_ln2 = 1.44269504f, ln2_high = 0.693359375f,
                         ln2_low = -2.12194440e-4f;
  static constexpr float exp_lowest = -104.0f, exp_highest = 89.0f;
  static constexpr int32_t bias = 127, mantissa = 23;
  // (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, to 7e-8.
  static constexpr float exp_series[] = {0.5f, 0.16666576866f, 0.041666554438f, 0.0083632029716f,
                                         0.0013926213466f};
  // (atanh(s) / s - 1) / s^2 by powers of s^2, for s^2 <= 1/9, to 4e-9.
  static constexpr float atanh_series[] = {0.33333333660f, 0.19999853165f, 0.14296178997f,
                                           0.10853287900f, 0.11612164612f};
};

template <>
struct Constants<double> {
  static constexpr double rounder = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double per_ln2 = 1.4426950408889634, ln2_high = 6.93145751953125e-1,
                          ln2_low = 1.42860682030941723212e-6;
  static constexpr double exp_lowest = -746.0, exp_highest = 710.0;
  static constexpr int64_t bias = 1023, mantissa = 52;
  // to 1.4e-18
  static constexpr double exp_series[] = {0.5,
                                          0.16666666666666671008,
                                          0.041666666666666669767,
                                          0.0083333333333261120526,
                                          0.0013888888888883731828,
                                          0.00019841269874901259234,
                                          0.000024801587325605322782,
                                          2.7557255297969644392e-6,
                                          2.7557273570102139673e-7,
                                          2.5105259538448493419e-8,
                                          2.0914717341716375952e-9};
  // to 4e-20
  static constexpr double atanh_series[] = {
      0.3333333333333333333,  0.20000000000000007739, 0.14285714285710971648,
      0.11111111111665993422, 0.090909090430028277259, 0.076923101269020811996,
      0.066665884745690892251, 0.058839988836205180801, 0.052401996171826370258,
      0.049710124482773673141, 0.03167055425885122698, 0.076156313097144924193};
};

template <class T, int N>
GATEWRIGHT_INLINE Vector<T> polynomial(const T (&series)[N], Vector<T> x) {
  Vector<T> sum = splat<T>(series[N - 1]);
  for (int i = N - 2; i >= 0; --i) sum = sum * x + series[i];
  return sum;
}

template <class T>
GATEWRIGHT_INLINE Bits<T> bits(Vector<T> value) {
  return (Bits<T>)value;
}

// 2^n for an exponent in the normal range.
template <class T>
GATEWRIGHT_INLINE Vector<T> power_of_two(Bits<T> n) {
  return (Vector<T>)((n + Constants<T>::bias) << Constants<T>::mantissa);
}

// -|x|: the sign bit set.
template <class T>
GATEWRIGHT_INLINE Vector<T> minus_magnitude(Vector<T> x) {
  return (Vector<T>)(bits<T>(x) | bits<T>(splat<T>(T(-0.0))));
}

template <class T>
struct Reduced {
  Vector<T> n, q;  // the power of two, and expm1 of the rest
  Bits<T> exponent;
};

template <class T>
GATEWRIGHT_INLINE Reduced<T> reduce(Vector<T> y) {
  using C = Constants<T>;
  Vector<T> shifted = y * C::per_ln2 + C::rounder;
  Vector<T> n = shifted - C::rounder;
  Vector<T> r = (y - n * C::ln2_high) - n * C::ln2_low;
  Vector<T> q = r + (r * r) * polynomial<T>(C::exp_series, r);
  return {n, q, bits<T>(shifted) - bits<T>(splat<T>(C::rounder))};
}

// The larger of x and a bound; a NaN stays one.
template <class T>
GATEWRIGHT_INLINE Vector<T> at_least(Vector<T> x, T bound) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm512_maskz_max_ps((__mmask16)-1, (__m512)splat<T>(bound), (__m512)x);
  else
    return (Vector<T>)_mm512_maskz_max_pd((__mmask8)-1, (__m512d)splat<T>(bound), (__m512d)x);
#else
  return x < bound ? splat<T>(bound) : x;
#endif
}

// exp(y) for y <= 0, or of any y where the result does not overflow.
template <class T>
GATEWRIGHT_INLINE Vector<T> exp_below(Vector<T> x) {
  Reduced<T> part = reduce<T>(at_least<T>(x, Constants<T>::exp_lowest));
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm512_maskz_scalef_ps((__mmask16)-1, (__m512)(1 + part.q), (__m512)part.n);
  else
    return (Vector<T>)_mm512_maskz_scalef_pd((__mmask8)-1, (__m512d)(1 + part.q), (__m512d)part.n);
#else
  // Two factors, so that results beyond the range overflow and those below lose bits gradually.
  Bits<T> half = part.exponent >> 1;
  return (1 + part.q) * power_of_two<T>(half) * power_of_two<T>(part.exponent - half);
#endif
}

template <class T>
GATEWRIGHT_INLINE Vector<T> exp(Vector<T> x) {
  return exp_below<T>(-at_least<T>(-x, -Constants<T>::exp_highest));
}

// a / b for b of ordinary size (neither tiny nor huge): a reciprocal estimate and a step of
// Newton where the hardware's division is slow.
template <class T>
GATEWRIGHT_INLINE Vector<T> quotient(Vector<T> a, Vector<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    Vector<T> r = (Vector<T>)_mm512_maskz_rcp14_ps((__mmask16)-1, (__m512)b);
    r = r + r * (1 - b * r);
    return a * r;
  }
#endif
  return a / b;
}

template <class T>
GATEWRIGHT_INLINE Vector<T> sigmoid(Vector<T> x) {
  // From e = exp(-|x|), which is at most 1: 1 / (1 + e), and e / (1 + e) below zero.
  Vector<T> e = exp_below<T>(minus_magnitude<T>(x));
  return quotient<T>(x < 0 ? e : splat<T>(1), 1 + e);
}

template <class T>
GATEWRIGHT_INLINE Vector<T> tanh(Vector<T> x) {
  // -E / (2 + E) with E = expm1(-2|x|), which keeps its relative precision near zero.
  Reduced<T> part = reduce<T>(at_least<T>(2 * minus_magnitude<T>(x), -40));
  Vector<T> scale = power_of_two<T>(part.exponent);
  Vector<T> minus = (1 - scale) - scale * part.q;
  Vector<T> size = quotient<T>(minus, 2 - minus);
  // The size has no sign but where it is NaN.
  return (Vector<T>)(bits<T>(size) | (bits<T>(x) & bits<T>(splat<T>(T(-0.0)))));
}

// log(1 + e) for 0 <= e <= 1: 2 atanh(s), s = e / (2 + e).
template <class T>
GATEWRIGHT_INLINE Vector<T> log1p_of_unit(Vector<T> e) {
  Vector<T> s = quotient<T>(e, 2 + e);
  Vector<T> square = s * s;
  Vector<T> twice = 2 * s;
  return twice + twice * (square * polynomial<T>(Constants<T>::atanh_series, square));
}

template <class T>
GATEWRIGHT_INLINE Vector<T> relu(Vector<T> x) {
  return x < 0 ? splat<T>(0) : x;
}

template <class T>
GATEWRIGHT_INLINE Vector<T> softplus(Vector<T> x) {
  return relu<T>(x) + log1p_of_unit<T>(exp_below<T>(minus_magnitude<T>(x)));
}

template <class T>
GATEWRIGHT_INLINE Vector<T> log_sigmoid(Vector<T> x) {
  return -softplus<T>(-x);
}

template <class T>
GATEWRIGHT_INLINE Vector<T> maximum(Vector<T> a, Vector<T> b) {
  return (a > b) | (a != a) ? a : b;
}

// The derivatives of relu and maximum; see equations/functions.py.
template <class T>
GATEWRIGHT_INLINE Vector<T> where_positive(Vector<T> seed, Vector<T> y) {
  return y <= 0 ? splat<T>(0) : seed;
}

template <class T>
GATEWRIGHT_INLINE Vector<T> where_larger(Vector<T> seed, Vector<T> a, Vector<T> b) {
  return a > b ? seed : (a == b ? seed * T(0.5) : splat<T>(0));
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
