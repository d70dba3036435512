// Vectors of one CPU level, through the compiler's vector types: one source for every level.
//
// This header is compiled once per level, with that level's flags; everything lives in the
// level's own namespace, so that the linker never mixes code of two levels.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef GATEWRIGHT_LEVEL
#error "GATEWRIGHT_LEVEL names the CPU level that is compiled"
#endif

#define GATEWRIGHT_INLINE static inline __attribute__((always_inline))

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64, register_count = 32;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32, register_count = 16;
#elif defined(__aarch64__)
constexpr int vector_bytes = 16, register_count = 32;
#else
constexpr int vector_bytes = 16, register_count = 16;
#endif

template <class T>
struct Of;

template <>
struct Of<float> {
  typedef float Vector __attribute__((vector_size(vector_bytes)));
  typedef int32_t Bits __attribute__((vector_size(vector_bytes)));
};

template <>
struct Of<double> {
  typedef double Vector __attribute__((vector_size(vector_bytes)));
  typedef int64_t Bits __attribute__((vector_size(vector_bytes)));
};

template <class T>
using Vector = typename Of<T>::Vector;
template <class T>
using Bits = typename Of<T>::Bits;
template <class T>
constexpr int lanes = vector_bytes / int(sizeof(T));

template <class T>
GATEWRIGHT_INLINE Vector<T> splat(T value) {
  return value - Vector<T>{};  // x - 0 is x, -0 and NaN included: nothing is left to compute
}

template <class T>
GATEWRIGHT_INLINE Vector<T> load(const T* from) {
  Vector<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
GATEWRIGHT_INLINE void store(T* to, Vector<T> value) {
  std::memcpy(to, &value, sizeof value);
}

// The first `count` lanes; the others are zero, and memory behind them is not touched.
template <class T>
GATEWRIGHT_INLINE Vector<T> load_part(const T* from, int count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
  else
    return (Vector<T>)_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), from);
#else
  T held[lanes<T>] = {};
  for (int i = 0; i < count; ++i) held[i] = from[i];
  return load(held);
#endif
}

template <class T>
GATEWRIGHT_INLINE void store_part(T* to, Vector<T> value, int count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)value);
  else
    _mm512_mask_storeu_pd(to, (__mmask8)((1u << count) - 1), (__m512d)value);
#else
  T held[lanes<T>];
  store(held, value);
  for (int i = 0; i < count; ++i) to[i] = held[i];
#endif
}

// Full vectors, or the part of one at the end of the hidden size.
template <bool Full, class T>
GATEWRIGHT_INLINE Vector<T> read(const T* from, int count) {
  if constexpr (Full)
    return load(from);
  else
    return count >= lanes<T> ? load(from) : load_part(from, count);
}

template <bool Full, class T>
GATEWRIGHT_INLINE void write(T* to, Vector<T> value, int count) {
  if (Full || count >= lanes<T>)
    store(to, value);
  else
    store_part(to, value, count);
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
