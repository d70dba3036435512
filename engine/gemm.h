// Products with packed weights: a register block of rows x vectors, accumulated over k.
//
// A packed matrix is cut into blocks of a few vectors of columns; a block is stored
// [k][vector][lane], so that the inner loop reads it once, forwards. Rows are given by pointers:
// they may lie anywhere (a strided batch, the last output, a packed buffer).
#pragma once

#include "vector.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

// Accumulators that fit the registers beside a row of weights and one broadcast value.
constexpr int accumulators = register_count == 32 ? 24 : 12;
constexpr int widest = 4;  // vectors of a block
constexpr int tallest = 12;  // rows of a block, at one vector
constexpr int64_t longest = 512;  // terms of a sum before it is added to the others

constexpr int most_rows(int vectors) {
  int rows = accumulators / (vectors < 1 ? 1 : vectors > widest ? widest : vectors);
  return rows > tallest ? tallest : rows;
}

// Memory that the next products will read, fetched while this one computes: a line for each k.
struct Prefetch {
  const char* line = nullptr;
  int64_t step = 0;  // bytes
};

// to[r][v] = from[r][v] + sum over k of a[r][k] * b[k][v], for R rows and V vectors. The sum starts
// from zero: what it is added to may be larger than its parts and would cost them bits. It runs in
// the order of k whatever the block, so that a row's result does not depend on its neighbours.
template <class T, int R, int V>
static void product_block(const T* const* a, int64_t depth, const T* b, int64_t b_row,
                          const T* from, int64_t from_row, T* to, int64_t to_row, Prefetch prefetch) {
  constexpr int L = lanes<T>;
  Vector<T> sum[R][V] = {};
  const T* row[R];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) row[r] = a[r];
  // Unrolled, or the loop's own instructions take turns from the multiply-adds.
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    __builtin_prefetch(prefetch.line, 0, 2);
    prefetch.line += prefetch.step;
    Vector<T> weight[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) weight[v] = load(b + v * L);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      Vector<T> value = splat<T>(row[r][k]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += value * weight[v];
    }
    b += b_row;
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      store(to + r * to_row + v * L, load(from + r * from_row + v * L) + sum[r][v]);
}

template <class T>
using ProductBlock = void (*)(const T* const*, int64_t, const T*, int64_t, const T*, int64_t, T*,
                              int64_t, Prefetch);

template <class T, int V>
static ProductBlock<T> product_of(int64_t rows) {
  static_assert(tallest == 12, "one entry a height");
  static constexpr ProductBlock<T> table[tallest] = {
      product_block<T, 1, V>,
      product_block<T, 2, V>,
      product_block<T, (3 <= most_rows(V) ? 3 : 1), V>,
      product_block<T, (4 <= most_rows(V) ? 4 : 1), V>,
      product_block<T, (5 <= most_rows(V) ? 5 : 1), V>,
      product_block<T, (6 <= most_rows(V) ? 6 : 1), V>,
      product_block<T, (7 <= most_rows(V) ? 7 : 1), V>,
      product_block<T, (8 <= most_rows(V) ? 8 : 1), V>,
      product_block<T, (9 <= most_rows(V) ? 9 : 1), V>,
      product_block<T, (10 <= most_rows(V) ? 10 : 1), V>,
      product_block<T, (11 <= most_rows(V) ? 11 : 1), V>,
      product_block<T, (12 <= most_rows(V) ? 12 : 1), V>,
  };
  return table[rows - 1];
}

// The same for any width and depth. Blocks wider than the registers go a few vectors at a time, and
// long sums some terms at a time, for rounding errors grow with the length of a sum. Never more rows than
// most_rows(vectors).
template <class T>
static void product(int64_t rows, int64_t vectors, const T* const* a, int64_t depth, const T* b,
                    int64_t b_row, const T* from, int64_t from_row, T* to, int64_t to_row,
                    Prefetch prefetch = {}) {
  constexpr int L = lanes<T>;
  // To fetch nothing is to fetch what is there: a null address would be looked up each time.
  if (!prefetch.line) prefetch = {reinterpret_cast<const char*>(b), 0};
  for (; vectors > 0; vectors -= widest) {
    int64_t width = vectors < widest ? vectors : widest;
    ProductBlock<T> block = width == 4   ? product_of<T, 4>(rows)
                            : width == 3 ? product_of<T, 3>(rows)
                            : width == 2 ? product_of<T, 2>(rows)
                                         : product_of<T, 1>(rows);
    int64_t some = depth < longest ? depth : longest;
    block(a, some, b, b_row, from, from_row, to, to_row, prefetch);
    for (int64_t k = some; k < depth; k += some) {
      const T* rest[tallest];
      for (int64_t r = 0; r < rows; ++r) rest[r] = a[r] + k;
      some = depth - k < longest ? depth - k : longest;
      Prefetch further{prefetch.line + k * prefetch.step, prefetch.step};
      block(rest, some, b + k * b_row, b_row, to, to_row, to, to_row, further);
    }
    b += width * L, from += width * L, to += width * L;
  }
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
