// Gradients of weights and input from the gradients of the sums, for a piece of the steps at a
// time, while what the piece needs is still in the cache.
//
// Weights: dW[m][j] += sum over rows n of gates[n][m] * source[n][j]. Each piece's sum starts from
// zero, so that rounding errors grow with the pieces and not with the rows.
#pragma once

#include "team.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

// Rows of a piece: enough to pay for reading and writing dW once.
constexpr int64_t piece_rows = 128;

// The rows of a piece: gradients of their sums, and where their input and sources lie.
template <class T>
struct Piece {
  int64_t count = 0;
  T* gates = nullptr;  // (count, sums, hidden)
  const T** x = nullptr;
  const T** source[most_stages] = {};
  T** grad_x = nullptr;

  static int64_t capacity(const Call& call) { return piece_rows + call.batch; }
  Piece(const Call& call, Arena& arena)
      : x(arena.take<const T*>(capacity(call))) {
    for (auto& stage : source) stage = arena.take<const T*>(capacity(call));
    grad_x = arena.take<T*>(capacity(call));
  }
};

// Where a thread adds up: the gradients themselves, or sums of its own that are joined at the end.
template <class T>
struct Targets {
  T* weight_ih = nullptr;
  T* weight_hh = nullptr;
  T* bias_ih = nullptr;
  T* bias_hh = nullptr;

  explicit Targets(const Direction& d)
      : weight_ih(static_cast<T*>(d.grad_weight_ih)),
        weight_hh(static_cast<T*>(d.grad_weight_hh)),
        bias_ih(static_cast<T*>(d.grad_bias_ih)),
        bias_hh(static_cast<T*>(d.grad_bias_hh)) {}

  // The same set of them in other memory.
  Targets(const Targets& like, const Call& call, const CellCode& cell, T* memory) {
    auto place = [&](T* there, int64_t size) {
      T* here = there ? memory : nullptr;
      memory += there ? size : 0;
      return here;
    };
    int64_t x_rows = cell.x_projections() * call.hidden;
    int64_t h_rows = cell.h_projections() * call.hidden;
    weight_ih = place(like.weight_ih, x_rows * call.input);
    weight_hh = place(like.weight_hh, h_rows * call.hidden);
    bias_ih = place(like.bias_ih, x_rows);
    bias_hh = place(like.bias_hh, h_rows);
  }

  // Work on each array that there is: its start, and its size.
  template <class Do>
  void each(const Call& call, const CellCode& cell, Do&& work) const {
    int64_t x_rows = cell.x_projections() * call.hidden;
    int64_t h_rows = cell.h_projections() * call.hidden;
    if (weight_ih) work(weight_ih, x_rows * call.input);
    if (weight_hh) work(weight_hh, h_rows * call.hidden);
    if (bias_ih) work(bias_ih, x_rows);
    if (bias_hh) work(bias_hh, h_rows);
  }

  static int64_t size(const Call& call, const CellCode& cell) {
    return (cell.x_projections() * (call.input + 1) + cell.h_projections() * (call.hidden + 1)) *
           call.hidden;
  }
};

template <class T>
struct GradientMemory {
  static constexpr int64_t tile_size = tallest * widest * lanes<T>;
  static int64_t panel_size(const Call& call) {
    return Piece<T>::capacity(call) * widest * lanes<T>;
  }
  T *panel, *tile;

  GradientMemory(const Call& call, Arena& arena)
      : panel(arena.take<T>(panel_size(call))), tile(arena.take<T>(tile_size)) {}
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
  // first_unit, last_unit: the units whose weights this thread adds up.
  Gradients(const Call& call, const CellCode& cell, const Direction& direction,
            const Targets<T>& targets, const Part& part, int64_t first_unit, int64_t last_unit,
            const GradientMemory<T>& memory)
      : call_(call), cell_(cell), d_(direction), targets_(targets), part_(part),
        first_unit_(first_unit), last_unit_(last_unit), m_(memory),
        row_(cell.sums() * call.hidden) {}

  void add(const Piece<T>& piece) {
    int64_t first = 0;
    for (int64_t k = 0; k < cell_.stages; ++k)
      for (int64_t a = 0; a < cell_.stage[k].sums(); ++a, first += call_.hidden)
        biases(piece, cell_.stage[k], a, first);
    weights(piece, piece.x, call_.input, -1);
    for (int64_t k = 0; k < cell_.stages; ++k)
      weights(piece, piece.source[k], call_.hidden, k);
    if (d_.grad_x) input(piece);
  }

 private:
  void biases(const Piece<T>& piece, const StageCode& stage, int64_t a, int64_t first) {
    constexpr int L = lanes<T>;
    bool input = targets_.bias_ih && a < stage.x_sums();
    bool recurrent = targets_.bias_hh && a >= stage.x_only;
    if (!input && !recurrent) return;
    auto add_to = [](T* place, Vector<T> sum, int some) {
      write<false, T>(place, read<false>(place, some) + sum, some);
    };
    for (int64_t unit = first_unit_; unit < last_unit_; unit += L) {
      int some = int(least(L, last_unit_ - unit));
      Vector<T> sums[4] = {};
      const T* gate = piece.gates + first + unit;
      for (int64_t i = 0; i < piece.count; ++i, gate += row_)
        sums[i % 4] += read<false>(gate, some);
      Vector<T> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      if (input) add_to(targets_.bias_ih + stage.x_row[a] * call_.hidden + unit, sum, some);
      if (recurrent) add_to(targets_.bias_hh + stage.h_row[a] * call_.hidden + unit, sum, some);
    }
  }

  // What a piece adds to the weights of one source: the input (stage -1) or a stage's.
  void weights(const Piece<T>& piece, const T* const* source, int64_t columns, int64_t of_stage) {
    constexpr int L = lanes<T>;
    for (int64_t j = 0; j < columns; j += widest * L) {
      int64_t some = least(widest * L, columns - j), vectors = ceil_div(some, L), first = 0;
      bool copied = false;
      for (int64_t k = 0; k < cell_.stages; ++k)
        for (int64_t a = 0; a < cell_.stage[k].sums(); ++a, first += call_.hidden) {
          const StageCode& stage = cell_.stage[k];
          bool has = of_stage < 0 ? a < stage.x_sums() : k == of_stage && a >= stage.x_only;
          if (!has) continue;
          if (!copied) copy_panel(piece, source, j, some, vectors), copied = true;
          T* target = of_stage < 0
                          ? targets_.weight_ih + stage.x_row[a] * call_.hidden * columns + j
                          : targets_.weight_hh + stage.h_row[a] * call_.hidden * columns + j;
          add_rows(piece, first, vectors, target, columns, some);
        }
    }
  }

  void copy_panel(const Piece<T>& piece, const T* const* source, int64_t j, int64_t some,
                  int64_t vectors) {
    constexpr int L = lanes<T>;
    T* to = m_.panel;
    for (int64_t i = 0; i < piece.count; ++i)
      for (int64_t v = 0; v < vectors; ++v, to += L)
        store(to, read<false>(source[i] + j + v * L, int(least(L, some - v * L))));
  }

  void add_rows(const Piece<T>& piece, int64_t first, int64_t vectors, T* target,
                int64_t target_row, int64_t some) {
    constexpr int L = lanes<T>;
    for (int64_t unit = first_unit_; unit < last_unit_;) {
      int64_t rows = least(most_rows(int(vectors)), last_unit_ - unit);
      const T* gates = piece.gates + first + unit;
      if (vectors == 4)
        outer<T, 4>(rows, gates, row_, m_.panel, piece.count, m_.tile);
      else if (vectors == 3)
        outer<T, 3>(rows, gates, row_, m_.panel, piece.count, m_.tile);
      else if (vectors == 2)
        outer<T, 2>(rows, gates, row_, m_.panel, piece.count, m_.tile);
      else
        outer<T, 1>(rows, gates, row_, m_.panel, piece.count, m_.tile);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < vectors; ++v) {
          T* place = target + (unit + r) * target_row + v * L;
          int count = int(least(L, some - v * L));
          write<false, T>(place, read<false>(place, count) + load(m_.tile + (r * vectors + v) * L),
                          count);
        }
      unit += rows;
    }
  }

  // The input's gradient: rows of gate gradients times the transposed input weights. A block of
  // weights stays in the cache while all rows pass. Where units are split, threads share the rows.
  void input(const Piece<T>& piece) {
    Blocks blocks = column_blocks<T>(call_.input);
    int64_t begin = part_.by_units ? part_.begin(piece.count) : 0;
    int64_t end = part_.by_units ? part_.end(piece.count) : piece.count;
    for (int64_t b = 0; b < blocks.count(); ++b)
      for (int64_t n = begin; n < end; n += most_rows(widest))
        input_block(piece, b, blocks.of(b), n, least(most_rows(widest), end - n));
  }

  void input_block(const Piece<T>& piece, int64_t b, int64_t vectors, int64_t n, int64_t rows) {
    constexpr int L = lanes<T>;
    Layout layout = backward_layout<T>(cell_, call_.input, call_.hidden);
    const T* packed = static_cast<const T*>(d_.packed_back);
    const T* gates[tallest];
    int64_t first = 0;
    for (int64_t i = 0; i < rows * vectors * L; i += L) store(m_.tile + i, Vector<T>{});
    for (int64_t k = 0; k < cell_.stages; ++k) {
      int64_t depth = cell_.stage[k].x_sums() * call_.hidden;
      for (int64_t r = 0; r < rows; ++r) gates[r] = piece.gates + (n + r) * row_ + first;
      product<T>(rows, vectors, gates, depth, packed + layout.input[k] + b * widest * L * depth,
                 vectors * L, m_.tile, vectors * L, m_.tile, vectors * L);
      first += cell_.stage[k].sums() * call_.hidden;
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        int64_t column = (b * widest + v) * L;
        write<false, T>(piece.grad_x[n + r] + column, load(m_.tile + (r * vectors + v) * L),
                        int(least(L, call_.input - column)));
      }
  }

  const Call& call_;
  const CellCode& cell_;
  const Direction& d_;
  const Targets<T>& targets_;
  const Part& part_;
  int64_t first_unit_, last_unit_;
  const GradientMemory<T>& m_;
  int64_t row_;
};

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
