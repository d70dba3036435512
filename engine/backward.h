// The backward pass through time: gradients of the sums, step by step from the end; then, once
// all of them stand, the gradients of weights and input as single products (gradients.h).
#pragma once

#include "gradients.h"
#include "team.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

template <class T>
struct BackwardMemory {
  const T **gates, **previous_output, **grad_output, **zone;
  T *tile, *zeros;
  T *learned, *of_step;  // gradients of the learned vectors: of all steps, and of the present one

  static constexpr int64_t tile_size = tallest * widest * lanes<T>;

  static int64_t bytes(const Call& call, const CellCode& cell) {
    return 4 * Arena::bytes<T*>(call.batch) + 2 * Arena::bytes<T>(tile_size) +
           2 * Arena::bytes<T>(cell.vectors * call.hidden) + GradientMemory<T>::bytes();
  }
  BackwardMemory(const Call& call, const CellCode& cell, Arena& arena)
      : gates(arena.take<const T*>(call.batch)),
        previous_output(arena.take<const T*>(call.batch)),
        grad_output(arena.take<const T*>(call.batch)),
        zone(arena.take<const T*>(call.batch)),
        tile(arena.take<T>(tile_size)),
        zeros(arena.take<T>(tile_size)),
        learned(arena.take<T>(cell.vectors * call.hidden)),
        of_step(arena.take<T>(cell.vectors * call.hidden)) {
    for (int64_t i = 0; i < tile_size; ++i) zeros[i] = 0;
    for (int64_t i = 0; i < cell.vectors * call.hidden; ++i) learned[i] = of_step[i] = 0;
  }
};

template <class T>
class Backward {
 public:
  Backward(const Call& call, const CellCode& cell, const Direction& direction,
            const Schedule& schedule, const Start<T>& start, const Part& part,
           const BackwardMemory<T>& memory)
      : call_(call), cell_(cell), d_(direction), schedule_(schedule), start_(start), part_(part),
        m_(memory),
        rows_{call, direction.reverse != 0},
        layout_(backward_layout<T>(cell, call.input, call.hidden)),
        packed_(static_cast<const T*>(direction.packed_back)) {
    for (int64_t k = 0; k < cell.stages; ++k)
      first_sum_[k] = k == 0 ? 0 : first_sum_[k - 1] + cell.stage[k - 1].sums();
  }

  // Through all steps; `incoming` holds the gradients of the initial states afterwards.
  void run() {
    for (int64_t s = schedule_.steps - 1; s >= 0; --s) step(s);
    initial();
  }

 private:
  T* at(void* base) const { return static_cast<T*>(base); }
  const T* at(const void* base) const { return static_cast<const T*>(base); }
  const T* states_before(int64_t s, int64_t row) const {
    int64_t wide = (cell_.states - 1) * call_.hidden;
    return s == 0 ? start_.states + row * wide
                  : at(d_.states) + (schedule_.offset[s - 1] + row) * wide;
  }
  T* gates_at(int64_t s, int64_t row) const {
    return at(d_.gates) + (schedule_.offset[s] + row) * cell_.sums() * call_.hidden;
  }
  int64_t running(int64_t s) const {
    return s < schedule_.steps ? part_.running(schedule_.active[s]) : 0;
  }

  void point_rows(int64_t s, int64_t count) {
    for (int64_t q = 0; q < count; ++q) {
      int64_t row = part_.row(q), given = rows_.given(row), time = rows_.time(row, s);
      m_.previous_output[q] =
          s == 0 ? at(d_.initial[0]) + given * call_.hidden
                 : at(d_.output) + rows_.time(row, s - 1) * call_.output_time +
                       given * call_.output_batch;
      if (d_.grad_output)
        m_.grad_output[q] = at(d_.grad_output) + time * call_.grad_output_time +
                            given * call_.grad_output_batch;
      if (d_.zone)
        m_.zone[q] = at(d_.zone) + time * call_.zone_time + given * call_.zone_batch;
    }
  }

  // Gradients of the recurrent sums of a stage, at the step that stage k's product came from.
  void point_gates(int64_t s, int64_t stage, int64_t count) {
    int64_t column = (first_sum_[stage] + cell_.stage[stage].x_only) * call_.hidden;
    for (int64_t q = 0; q < count; ++q) m_.gates[q] = gates_at(s, part_.row(q)) + column;
  }

  void step(int64_t s) {
    int64_t count = running(s);
    point_rows(s, count);
    for (int64_t k = cell_.stages - 1; k >= 0; --k) {
      // The last stage hears the next step through its outputs, an earlier one this step's
      // next stage through that stage's source.
      bool last = k == cell_.stages - 1;
      int64_t from = last ? 0 : k + 1, heard = last ? running(s + 1) : count;
      point_gates(last ? s + 1 : s, from, heard);
      each_block([&](int64_t b, int64_t vectors) {
        pieces(0, heard, [&](int64_t r, int64_t rows) {
          multiply(from, b, vectors, r, rows, heard);
          elementwise(s, k, b, vectors, r, rows, m_.tile);
        });
        pieces(heard, count, [&](int64_t r, int64_t rows) {
          elementwise(s, k, b, vectors, r, rows, m_.zeros);
        });
      });
      part_.meet();
    }
    for (int64_t i = 0; i < cell_.vectors * call_.hidden; ++i) {
      m_.learned[i] += m_.of_step[i];
      m_.of_step[i] = 0;
    }
  }

  // What the first step's sums say of the initial output.
  void initial() {
    constexpr int L = lanes<T>;
    int64_t count = running(0), hidden = call_.hidden;
    point_gates(0, 0, count);
    each_block([&](int64_t b, int64_t vectors) {
      pieces(0, count, [&](int64_t r, int64_t rows) {
        multiply(0, b, vectors, r, rows, count);
        int64_t first = b * widest * L, units = least(vectors * L, hidden - first);
        for (int64_t i = 0; i < rows; ++i) {
          int64_t row = part_.row(r + i);
          T* incoming = at(d_.incoming) + row * cell_.states * hidden + first;
          const T* mask = d_.mask ? at(d_.mask) + row * hidden + first : nullptr;
          const T* tile = m_.tile + i * vectors * L;
          for (int64_t u = 0; u < units; ++u) incoming[u] += mask ? tile[u] * mask[u] : tile[u];
        }
      });
    });
  }

  template <class Do>
  void each_block(Do&& work) {
    Blocks blocks = column_blocks<T>(call_.hidden);
    int64_t begin = part_.by_units ? part_.begin(blocks.count()) : 0;
    int64_t end = part_.by_units ? part_.end(blocks.count()) : blocks.count();
    for (int64_t b = begin; b < end; ++b) work(b, blocks.of(b));
  }

  template <class Do>
  static void pieces(int64_t from, int64_t to, Do&& work) {
    int64_t count = to - from, parts = ceil_div(count, most_rows(widest));
    for (int64_t piece = 0; piece < parts; ++piece) {
      int64_t r = from + count * piece / parts;
      work(r, from + count * (piece + 1) / parts - r);
    }
  }

  // The gradient of a stage's source: its sums' gradients times the transposed weights.
  // Meanwhile its share of the next block of weights is fetched.
  void multiply(int64_t stage, int64_t b, int64_t vectors, int64_t r, int64_t rows, int64_t all) {
    constexpr int L = lanes<T>;
    int64_t depth = cell_.stage[stage].h_sums() * call_.hidden;
    const T* weight = packed_ + layout_.recurrent[stage] + b * widest * L * depth;
    const T* next = (b + 1) * widest * L < call_.hidden ? weight + widest * L * depth : weight;
    Ahead ahead{reinterpret_cast<const char*>(next + vectors * L * (depth * r / all)),
                vectors * L * int64_t(sizeof(T)) * rows / all};
    product<T>(rows, vectors, m_.gates + r, depth, weight, vectors * L, m_.zeros, 0, m_.tile,
               vectors * L, ahead);
  }

  void elementwise(int64_t s, int64_t k, int64_t b, int64_t vectors, int64_t r, int64_t rows,
                   const T* tile) {
    int64_t hidden = call_.hidden, stride = part_.row_stride, row = part_.row(r);
    int64_t others = cell_.states - 1, now = schedule_.offset[s] + row;
    BackwardBlock<T> given;
    given.rows = rows, given.vectors = vectors;
    given.first = b * widest * lanes<T>, given.hidden = hidden;
    given.tile = tile, given.tile_row = vectors * lanes<T>;
    given.previous_output = m_.previous_output + r;
    given.previous = states_before(s, row);
    given.previous_row = stride * others * hidden;
    given.saved = at(d_.saved) + now * cell_.saved * hidden;
    given.saved_row = stride * cell_.saved * hidden;
    given.incoming = at(d_.incoming) + row * cell_.states * hidden;
    given.incoming_row = stride * cell_.states * hidden;
    given.grad_output = d_.grad_output ? m_.grad_output + r : nullptr;
    given.gates = gates_at(s, row);
    given.gates_row = stride * cell_.sums() * hidden;
    given.mask = d_.mask ? at(d_.mask) + row * hidden : nullptr;
    given.kept_row = stride * hidden;
    given.zone = d_.zone ? m_.zone + r : nullptr;
    given.learned = at(d_.learned), given.grad_learned = m_.of_step;
    bool full = given.first + vectors * lanes<T> <= hidden;
    loops_of<T>(cell_).backward[k][full](given);
  }

  const Call& call_;
  const CellCode& cell_;
  const Direction& d_;
  const Schedule& schedule_;
  const Start<T>& start_;
  const Part& part_;
  const BackwardMemory<T>& m_;
  Rows rows_;
  Layout layout_;
  const T* packed_;
  int64_t first_sum_[most_stages];
};

template <class T>
static int run_backward(const Call& call, const CellCode& cell) {
  int64_t slots = call.threads * call.directions, slot = BackwardMemory<T>::bytes(call, cell);
  int64_t total = 0;
  for (int64_t row = 0; row < call.batch; ++row)
    total += call.lengths ? call.lengths[row] : call.time;
  int64_t pointers = call.directions * RowPointers<T>::bytes(total);
  int64_t others = cell.states - 1, starts = call.directions * Start<T>::bytes(call, others);
  Arena arena(Schedule::bytes(call.time) + starts + slots * slot + pointers);
  if (arena.failed()) return out_of_memory;
  Schedule schedule(call, arena);
  Start<T> start[most_directions];
  for (int64_t d = 0; d < call.directions; ++d) start[d] = Start<T>(call, others, arena);
  char* memory = arena.take<char>(slots * slot);
  RowPointers<T> rows[most_directions];
  for (int64_t d = 0; d < call.directions; ++d) rows[d] = RowPointers<T>(total, arena);
  Barrier barriers[most_directions];
  run_teams(call, [&](int rank, int members, int d) {
    const Direction& direction = call.direction[d];
    Part part = part_of<T>(call, cell, rank, members, &barriers[d]);
    auto piece = [&](int who) { return memory + (d * call.threads + who) * slot; };
    Arena own(piece(rank));
    BackwardMemory<T> mine(call, cell, own);
    GradientMemory<T> room(own);
    start[d].fill(call, direction, others, part);
    part.meet();
    Backward<T>(call, cell, direction, schedule, start[d], part, mine).run();
    rows[d].fill(call, cell, direction, schedule, start[d], part);
    part.meet_all();
    Gradients<T>(call, cell, direction, rows[d], part, room).run();
    // Learned vectors: each thread has summed its rows; add up in the order of the threads.
    if (rank != 0) return;
    T* learned = static_cast<T*>(direction.grad_learned);
    int64_t size = cell.vectors * call.hidden;
    for (int who = 0; who < members && size > 0; ++who) {
      Arena theirs(piece(who));
      for (int skipped = 0; skipped < 4; ++skipped) theirs.take<const T*>(call.batch);
      theirs.take<T>(BackwardMemory<T>::tile_size), theirs.take<T>(BackwardMemory<T>::tile_size);
      const T* part_sum = theirs.take<T>(size);
      for (int64_t i = 0; i < size; ++i) learned[i] += part_sum[i];
    }
  });
  return ok;
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
