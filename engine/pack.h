// Weights in the order in which the products read them.
//
// Forward, for each stage: biases [block][sum][vector][lane], input weights
// [block][k][sum][vector][lane] over the input sums, recurrent weights likewise over the
// recurrent sums. Backward: transposes for the gradient of a stage's source and of the input,
// [block][k][vector][lane], where k runs over (sum, unit).
#pragma once

#include "cell.h"
#include "gemm.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

GATEWRIGHT_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
GATEWRIGHT_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// A row of columns cut into blocks of a few vectors; the last block may be narrower.
struct Blocks {
  int64_t vectors, width;  // in all, and of a block

  int64_t count() const { return ceil_div(vectors, width); }
  int64_t of(int64_t block) const { return least(width, vectors - block * width); }
};

// Blocks of units such that the sums of a block fill the registers.
template <class T>
GATEWRIGHT_INLINE Blocks unit_blocks(const StageCode& stage, int64_t hidden) {
  int64_t width = stage.sums() >= 3 ? 1 : stage.sums() == 2 ? 2 : 4;
  return {ceil_div(hidden, lanes<T>), width};
}

template <class T>
GATEWRIGHT_INLINE Blocks column_blocks(int64_t columns) {
  return {ceil_div(columns, lanes<T>), widest};
}

// Where the parts of one stage begin, in elements.
struct Layout {
  int64_t bias[most_stages], input[most_stages], recurrent[most_stages], size;
};

template <class T>
GATEWRIGHT_INLINE Layout forward_layout(const CellCode& cell, int64_t input, int64_t hidden) {
  Layout at{};
  for (int64_t s = 0; s < cell.stages; ++s) {
    const StageCode& stage = cell.stage[s];
    int64_t padded = ceil_div(hidden, lanes<T>) * lanes<T>;
    at.bias[s] = at.size, at.size += stage.sums() * padded;
    at.input[s] = at.size, at.size += stage.x_sums() * padded * input;
    at.recurrent[s] = at.size, at.size += stage.h_sums() * padded * hidden;
  }
  return at;
}

template <class T>
GATEWRIGHT_INLINE Layout backward_layout(const CellCode& cell, int64_t input, int64_t hidden) {
  Layout at{};
  for (int64_t s = 0; s < cell.stages; ++s) {
    const StageCode& stage = cell.stage[s];
    int64_t units = ceil_div(hidden, lanes<T>) * lanes<T>;
    int64_t inputs = ceil_div(input, lanes<T>) * lanes<T>;
    at.recurrent[s] = at.size, at.size += stage.h_sums() * hidden * units;
    at.input[s] = at.size, at.size += stage.x_sums() * hidden * inputs;
  }
  return at;
}

// A member's share of a row of blocks.
struct Share {
  int rank, members;

  int64_t begin(const Blocks& blocks) const { return blocks.count() * rank / members; }
  int64_t end(const Blocks& blocks) const { return blocks.count() * (rank + 1) / members; }
};

// Columns of `from` (one a unit and sum, `depth` long) into blocks [k][sum][vector][lane]. A few
// terms of all columns at a time: what is read and what is written stay in the nearest cache.
template <class T>
static void pack_columns(const T* from, const int64_t* rows, int64_t sums, int64_t hidden,
                         int64_t depth, Blocks blocks, Share share, T* to) {
  constexpr int L = lanes<T>;
  constexpr int64_t together = 64 / int64_t(sizeof(T));  // a cache line of each column
  for (int64_t b = share.begin(blocks); b < share.end(blocks); ++b) {
    int64_t vectors = blocks.of(b), wide = sums * vectors * L, first = b * blocks.width * L;
    T* block = to + first * sums * depth;
    for (int64_t k = 0; k < depth; k += together) {
      int64_t some = least(together, depth - k);
      for (int64_t a = 0; a < sums; ++a)
        for (int64_t lane = 0; lane < vectors * L; ++lane) {
          T* column = block + k * wide + a * vectors * L + lane;
          const T* row = from + (rows[a] * hidden + first + lane) * depth + k;
          bool there = first + lane < hidden;
          for (int64_t i = 0; i < some; ++i) column[i * wide] = there ? row[i] : 0;
        }
    }
  }
}

// Rows of `from` (one a unit and sum, `columns` long) into blocks [k][vector][lane].
template <class T>
static void pack_rows(const T* from, const int64_t* rows, int64_t sums, int64_t hidden,
                      int64_t columns, Share share, T* to) {
  constexpr int L = lanes<T>;
  Blocks blocks = column_blocks<T>(columns);
  for (int64_t b = share.begin(blocks); b < share.end(blocks); ++b) {
    int64_t wide = blocks.of(b) * L, first = b * blocks.width * L;
    int64_t count = least(wide, columns - first);
    T* block = to + first * sums * hidden;
    for (int64_t a = 0; a < sums; ++a)
      for (int64_t unit = 0; unit < hidden; ++unit, block += wide) {
        const T* row = from + (rows[a] * hidden + unit) * columns + first;
        std::memcpy(block, row, size_t(count) * sizeof(T));
        for (int64_t i = count; i < wide; ++i) block[i] = 0;
      }
  }
}

template <class T>
static void pack_biases(const StageCode& stage, int64_t hidden, Blocks blocks, Share share,
                        const T* of_input, const T* of_recurrent, T* to) {
  constexpr int L = lanes<T>;
  for (int64_t b = share.begin(blocks); b < share.end(blocks); ++b) {
    int64_t first = b * blocks.width * L;
    T* block = to + first * stage.sums();
    for (int64_t a = 0; a < stage.sums(); ++a)
      for (int64_t unit = first; unit < first + blocks.of(b) * L; ++unit) {
        T sum = 0;
        if (unit < hidden && of_input && stage.x_row[a] >= 0)
          sum += of_input[stage.x_row[a] * hidden + unit];
        if (unit < hidden && of_recurrent && stage.h_row[a] >= 0)
          sum += of_recurrent[stage.h_row[a] * hidden + unit];
        *block++ = sum;
      }
  }
}

// A member's share of packing; forward or backward may be null.
template <class T>
static void pack(const CellCode& cell, int64_t input, int64_t hidden, const Weights& weights,
                 Share share, T* forward, T* backward) {
  const T* weight_ih = static_cast<const T*>(weights.weight_ih);
  const T* weight_hh = static_cast<const T*>(weights.weight_hh);
  Layout of_forward = forward_layout<T>(cell, input, hidden);
  Layout of_backward = backward_layout<T>(cell, input, hidden);
  for (int64_t s = 0; s < cell.stages; ++s) {
    const StageCode& stage = cell.stage[s];
    Blocks blocks = unit_blocks<T>(stage, hidden);
    const int64_t* h_rows = stage.h_row + stage.x_only;
    if (forward) {
      pack_biases<T>(stage, hidden, blocks, share, static_cast<const T*>(weights.bias_ih),
                     static_cast<const T*>(weights.bias_hh), forward + of_forward.bias[s]);
      pack_columns<T>(weight_ih, stage.x_row, stage.x_sums(), hidden, input, blocks, share,
                      forward + of_forward.input[s]);
      pack_columns<T>(weight_hh, h_rows, stage.h_sums(), hidden, hidden, blocks, share,
                      forward + of_forward.recurrent[s]);
    }
    if (backward) {
      pack_rows<T>(weight_hh, h_rows, stage.h_sums(), hidden, hidden, share,
                   backward + of_backward.recurrent[s]);
      pack_rows<T>(weight_ih, stage.x_row, stage.x_sums(), hidden, input, share,
                   backward + of_backward.input[s]);
    }
  }
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
