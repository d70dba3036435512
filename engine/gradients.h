// Gradients of weights and input from the gradients of the sums, over all steps and rows at once.
//
// Weights: dW[m][j] = sum over packed rows n of gates[n][m] * source[n][j]. Rows are taken in
// pieces that fit the nearest cache, and each piece's sum starts from zero, so that rounding
// errors grow with the pieces and not with the rows. Threads split m: nothing is added twice, and
// the result does not depend on who was first.
#pragma once

#include "team.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

constexpr int64_t piece_rows = 128;

// Where the input and the sources of each packed row lie.
template <class T>
struct RowPointers {
  int64_t count = 0;
  const T** x = nullptr;
  const T** source[most_stages] = {};
  T** grad_x = nullptr;

  static int64_t bytes(int64_t count) { return (2 + most_stages) * Arena::bytes<T*>(count); }

  RowPointers() = default;
  RowPointers(int64_t rows, Arena& arena) : count(rows), x(arena.take<const T*>(rows)) {
    for (auto& stage : source) stage = arena.take<const T*>(rows);
    grad_x = arena.take<T*>(rows);
  }

  // Each member of the team fills some steps.
  void fill(const Call& call, const CellCode& cell, const Direction& d, const Schedule& schedule,
            const Start<T>& start, const Part& part) {
    Rows rows{call, d.reverse != 0};
    auto at = [](auto* base) { return static_cast<const T*>(base); };
    int64_t hidden = call.hidden;
    for (int64_t s = part.begin(schedule.steps); s < part.end(schedule.steps); ++s)
      for (int64_t row = 0; row < schedule.active[s]; ++row) {
        int64_t n = schedule.offset[s] + row, given = rows.given(row), time = rows.time(row, s);
        x[n] = at(call.x) + time * call.x_time + given * call.x_batch;
        if (d.mask)
          source[0][n] = s == 0 ? start.recurrent + row * hidden
                                : at(d.recurrent) + (schedule.offset[s - 1] + row) * hidden;
        else if (s == 0)
          source[0][n] = at(d.initial[0]) + given * hidden;
        else
          source[0][n] = at(d.output) + rows.time(row, s - 1) * call.output_time +
                         given * call.output_batch;
        if (cell.stages > 1) source[1][n] = at(d.source) + n * hidden;
        if (d.grad_x)
          grad_x[n] = static_cast<T*>(d.grad_x) + time * call.grad_x_time +
                      given * call.grad_x_batch;
      }
  }
};

template <class T>
struct GradientMemory {
  static constexpr int64_t panel_size = piece_rows * widest * lanes<T>;
  static constexpr int64_t tile_size = tallest * widest * lanes<T>;
  T *panel, *tile;

  static constexpr int64_t bytes() {
    return Arena::bytes<T>(panel_size) + Arena::bytes<T>(tile_size);
  }
  explicit GradientMemory(Arena& arena)
      : panel(arena.take<T>(panel_size)), tile(arena.take<T>(tile_size)) {}
};

// to[r][v] = sum over n of gates[n * gates_row + r] * panel[n][v].
template <class T, int R, int V>
static void outer_block(const T* gates, int64_t gates_row, const T* panel, int64_t count, T* to) {
  constexpr int L = lanes<T>;
  Vector<T> sum[R][V] = {};
#pragma GCC unroll 4
  for (int64_t n = 0; n < count; ++n) {
    Vector<T> value[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) value[v] = load(panel + v * L);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      Vector<T> gate = splat<T>(gates[r]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += gate * value[v];
    }
    gates += gates_row, panel += V * L;
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(to + (r * V + v) * L, sum[r][v]);
}

template <class T, int V>
static void outer(int64_t rows, const T* gates, int64_t gates_row, const T* panel, int64_t count,
                  T* to) {
  constexpr int most = most_rows(V);
  // The last rows of a sum, fewer than a block, go one by one.
  if (rows == most) return outer_block<T, most, V>(gates, gates_row, panel, count, to);
  for (int64_t r = 0; r < rows; ++r)
    outer_block<T, 1, V>(gates + r, gates_row, panel, count, to + r * V * lanes<T>);
}

template <class T>
class Gradients {
 public:
  Gradients(const Call& call, const CellCode& cell, const Direction& direction,
            const RowPointers<T>& rows, const Part& part, const GradientMemory<T>& memory)
      : call_(call), cell_(cell), d_(direction), rows_(rows), part_(part), m_(memory),
        row_(cell.sums() * call.hidden), gates_(static_cast<const T*>(direction.gates)) {}

  void run() {
    int64_t all = cell_.sums() * call_.hidden;
    int64_t begin = part_.begin(all), end = part_.end(all);
    for (int64_t n = 0; n < rows_.count; n += piece_rows) {
      int64_t count = least(piece_rows, rows_.count - n), first = 0;
      for (int64_t k = 0; k < cell_.stages; ++k)
        for (int64_t a = 0; a < cell_.stage[k].sums(); ++a, first += call_.hidden)
          biases(n, count, k, a, first, begin, end);
      weights(n, count, rows_.x, call_.input, begin, end, -1);
      for (int64_t k = 0; k < cell_.stages; ++k)
        weights(n, count, rows_.source[k], call_.hidden, begin, end, k);
    }
    if (d_.grad_x) input();
  }

 private:
  T* at(void* base) const { return static_cast<T*>(base); }

  void biases(int64_t n, int64_t count, int64_t k, int64_t a, int64_t first, int64_t begin,
              int64_t end) {
    const StageCode& stage = cell_.stage[k];
    T* of_input = d_.grad_bias_ih && stage.x_row[a] >= 0 && stage.x_sums() > a
                      ? at(d_.grad_bias_ih) + stage.x_row[a] * call_.hidden
                      : nullptr;
    T* of_recurrent = d_.grad_bias_hh && a >= stage.x_only
                          ? at(d_.grad_bias_hh) + stage.h_row[a] * call_.hidden
                          : nullptr;
    if (!of_input && !of_recurrent) return;
    constexpr int L = lanes<T>;
    int64_t from = begin > first ? begin - first : 0, to = least(call_.hidden, end - first);
    for (int64_t unit = from; unit < to; unit += L) {
      int some = int(least(L, to - unit));
      Vector<T> sums[4] = {};
      const T* gate = gates_ + n * row_ + first + unit;
      for (int64_t i = 0; i < count; ++i, gate += row_) sums[i % 4] += read<false>(gate, some);
      Vector<T> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      if (of_input) write<false, T>(of_input + unit, read<false>(of_input + unit, some) + sum, some);
      if (of_recurrent)
        write<false, T>(of_recurrent + unit, read<false>(of_recurrent + unit, some) + sum, some);
    }
  }

  // What a piece of rows adds to the weights of one source: the input (stage -1) or a stage's.
  void weights(int64_t n, int64_t count, const T* const* source, int64_t columns, int64_t begin,
               int64_t end, int64_t of_stage) {
    constexpr int L = lanes<T>;
    for (int64_t j = 0; j < columns; j += widest * L) {
      int64_t some = least(widest * L, columns - j), vectors = ceil_div(some, L);
      bool copied = false;
      int64_t first = 0;
      for (int64_t k = 0; k < cell_.stages; ++k)
        for (int64_t a = 0; a < cell_.stage[k].sums(); ++a, first += call_.hidden) {
          const StageCode& stage = cell_.stage[k];
          bool has = of_stage < 0 ? a < stage.x_sums() : k == of_stage && a >= stage.x_only;
          int64_t from = begin > first ? begin - first : 0;
          int64_t to = least(call_.hidden, end - first);
          if (!has || from >= to) continue;
          if (!copied) copy_panel(n, count, source, j, some, vectors), copied = true;
          int64_t row = of_stage < 0 ? stage.x_row[a] : stage.h_row[a];
          T* target = at(of_stage < 0 ? d_.grad_weight_ih : d_.grad_weight_hh) +
                      row * call_.hidden * columns + j;
          add_rows(n, count, first, from, to, vectors, target, columns, some);
        }
    }
  }

  void copy_panel(int64_t n, int64_t count, const T* const* source, int64_t j, int64_t some,
                  int64_t vectors) {
    constexpr int L = lanes<T>;
    T* to = m_.panel;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t v = 0; v < vectors; ++v, to += L)
        store(to, read<false>(source[n + i] + j + v * L, int(least(L, some - v * L))));
  }

  void add_rows(int64_t n, int64_t count, int64_t first, int64_t from, int64_t to,
                int64_t vectors, T* target, int64_t target_row, int64_t some) {
    constexpr int L = lanes<T>;
    for (int64_t unit = from; unit < to;) {
      int64_t rows = least(most_rows(int(vectors)), to - unit);
      const T* gates = gates_ + n * row_ + first + unit;
      if (vectors == 4)
        outer<T, 4>(rows, gates, row_, m_.panel, count, m_.tile);
      else if (vectors == 3)
        outer<T, 3>(rows, gates, row_, m_.panel, count, m_.tile);
      else if (vectors == 2)
        outer<T, 2>(rows, gates, row_, m_.panel, count, m_.tile);
      else
        outer<T, 1>(rows, gates, row_, m_.panel, count, m_.tile);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < vectors; ++v) {
          T* place = target + (unit + r) * target_row + v * L;
          int part = int(least(L, some - v * L));
          write<false, T>(place, read<false>(place, part) + load(m_.tile + (r * vectors + v) * L),
                          part);
        }
      unit += rows;
    }
  }

  // The input's gradient: rows of gate gradients times the transposed input weights. A block of
  // weights stays in the cache while all rows pass.
  void input() {
    Blocks blocks = column_blocks<T>(call_.input);
    int64_t begin = part_.begin(rows_.count), end = part_.end(rows_.count);
    for (int64_t b = 0; b < blocks.count(); ++b)
      for (int64_t n = begin; n < end; n += most_rows(widest))
        input_block(b, blocks.of(b), n, least(most_rows(widest), end - n));
  }

  void input_block(int64_t b, int64_t vectors, int64_t n, int64_t rows) {
    constexpr int L = lanes<T>;
    Layout layout = backward_layout<T>(cell_, call_.input, call_.hidden);
    const T* packed = static_cast<const T*>(d_.packed_back);
    const T* gates[tallest];
    int64_t first = 0;
    for (int64_t i = 0; i < rows * vectors * L; i += L) store(m_.tile + i, Vector<T>{});
    for (int64_t k = 0; k < cell_.stages; ++k) {
      int64_t depth = cell_.stage[k].x_sums() * call_.hidden;
      for (int64_t r = 0; r < rows; ++r) gates[r] = gates_ + (n + r) * row_ + first;
      product<T>(rows, vectors, gates, depth, packed + layout.input[k] + b * widest * L * depth,
                 vectors * L, m_.tile, vectors * L, m_.tile, vectors * L);
      first += cell_.stage[k].sums() * call_.hidden;
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        int64_t column = (b * widest + v) * L;
        write<false, T>(rows_.grad_x[n + r] + column, load(m_.tile + (r * vectors + v) * L),
                        int(least(L, call_.input - column)));
      }
  }

  const Call& call_;
  const CellCode& cell_;
  const Direction& d_;
  const RowPointers<T>& rows_;
  const Part& part_;
  const GradientMemory<T>& m_;
  int64_t row_;
  const T* gates_;
};

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
