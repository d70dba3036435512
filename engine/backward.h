// The backward pass through time: gradients of the sums, step by step from the end. After a piece
// of the steps, those sums become gradients of weights and input (gradients.h) and are forgotten:
// there is never more of them than the cache holds.
#pragma once

#include "digest.h"
#include "gradients.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

template <class T>
struct BackwardMemory {
  const T **recurrent_gates, **previous_output, **grad_output, **zone;
  T *tile, *zeros;
  T *learned, *of_step;  // gradients of the learned vectors: of all steps, and of the present one
  T* weights;            // sums of this thread's own, see Targets
  T* gates;              // two pieces, in turn (shared where units are split)
  Piece<T> piece;
  GradientMemory<T> gradients;

  static constexpr int64_t tile_size = tallest * widest * lanes<T>;
  static int64_t gates_size(const Call& call, const CellCode& cell) {
    return Piece<T>::capacity(call) * cell.sums() * call.hidden;
  }
  // Own sums are needed where several threads work on different rows.
  static int64_t weights_size(const Call& call, const CellCode& cell) {
    return call.threads > 1 ? Targets<T>::size(call, cell) : 0;
  }
  BackwardMemory(const Call& call, const CellCode& cell, Arena& arena)
      : recurrent_gates(arena.take<const T*>(call.batch)),
        previous_output(arena.take<const T*>(call.batch)),
        grad_output(arena.take<const T*>(call.batch)),
        zone(arena.take<const T*>(call.batch)),
        tile(arena.take<T>(tile_size)),
        zeros(arena.take<T>(tile_size)),
        learned(arena.take<T>(cell.vectors * call.hidden)),
        of_step(arena.take<T>(cell.vectors * call.hidden)),
        weights(arena.take<T>(weights_size(call, cell))),
        gates(arena.take<T>(2 * gates_size(call, cell))),
        piece(call, arena),
        gradients(call, arena) {}

  void clear(const Call& call, const CellCode& cell) {
    for (int64_t i = 0; i < tile_size; ++i) zeros[i] = 0;
    for (int64_t i = 0; i < cell.vectors * call.hidden; ++i) learned[i] = of_step[i] = 0;
  }
};

template <class T>
class Backward {
 public:
  // gates: of this thread, or of the first of the team where units are split.
  Backward(const Call& call, const CellCode& cell, const Direction& direction,
           const Schedule& schedule, const Start<T>& start, const Part& part,
           const Targets<T>& targets, T* gates, BackwardMemory<T>& memory)
      : call_(call), cell_(cell), d_(direction), schedule_(schedule), start_(start), part_(part),
        m_(memory), rows_{call, direction.reverse},
        layout_(backward_layout<T>(cell, call.input, call.hidden)),
        packed_(static_cast<const T*>(direction.packed_back)), gates_(gates),
        gradients_(call, cell, direction, targets, part, first_unit(), last_unit(),
                   memory.gradients) {
    for (int64_t k = 0; k < cell.stages; ++k)
      first_sum_[k] = k == 0 ? 0 : first_sum_[k - 1] + cell.stage[k - 1].sums();
  }

  // Through all steps; `incoming` holds the gradients of the initial states afterwards.
  void run() {
    int64_t end = schedule_.steps;
    for (int64_t turn = 0; end > 0; ++turn) {
      int64_t begin = end, count = 0;
      while (begin > 0 && count < piece_rows) count += part_.running(schedule_.active[--begin]);
      // A step of no rows of this thread's still counts: steps are met by all, pieces are not.
      m_.piece.gates = gates_ + (turn % 2) * BackwardMemory<T>::gates_size(call_, cell_);
      run_piece(begin, end);
      end = begin;
    }
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
  int64_t running(int64_t s) const {
    return s < schedule_.steps ? part_.running(schedule_.active[s]) : 0;
  }
  int64_t first_unit() const {
    int64_t blocks = column_blocks<T>(call_.hidden).count(), wide = widest * lanes<T>;
    return part_.by_units ? part_.begin(blocks) * wide : 0;
  }
  int64_t last_unit() const {
    int64_t blocks = column_blocks<T>(call_.hidden).count(), wide = widest * lanes<T>;
    return part_.by_units ? least(part_.end(blocks) * wide, call_.hidden) : call_.hidden;
  }

  void run_piece(int64_t begin, int64_t end) {
    int64_t count = 0;
    // Rows are laid down in the order in which the steps are done.
    for (int64_t s = end - 1; s >= begin; --s) {
      now_ = m_.piece.gates + count * cell_.sums() * call_.hidden;
      point_rows(s, running(s));
      for (int64_t q = 0; q < running(s); ++q) point_piece(s, q, count + q);
      step(s);
      count += running(s);
      later_ = now_;
    }
    m_.piece.count = count;
    gradients_.add(m_.piece);
  }

  void point_piece(int64_t s, int64_t q, int64_t n) {
    int64_t row = part_.row(q), given = rows_.given(row), time = rows_.time(row, s);
    Piece<T>& piece = m_.piece;
    piece.x[n] = at(call_.x) + time * call_.x_time + given * call_.x_batch;
    piece.source[0][n] = m_.previous_output[q];
    if (d_.mask)
      piece.source[0][n] =
          s == 0 ? start_.recurrent + row * call_.hidden
                 : at(d_.recurrent) + (schedule_.offset[s - 1] + row) * call_.hidden;
    if (cell_.stages > 1)
      piece.source[1][n] = at(d_.source) + (schedule_.offset[s] + row) * call_.hidden;
    if (d_.grad_x)
      piece.grad_x[n] = at(d_.grad_x) + time * call_.grad_x_time + given * call_.grad_x_batch;
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

  // Gradients of the recurrent sums of a stage, for the rows of a step.
  void point_recurrent_gates(const T* gates, int64_t stage, int64_t count) {
    int64_t column = (first_sum_[stage] + cell_.stage[stage].x_only) * call_.hidden;
    for (int64_t q = 0; q < count; ++q)
      m_.recurrent_gates[q] = gates + q * cell_.sums() * call_.hidden + column;
  }

  void step(int64_t s) {
    int64_t count = running(s);
    for (int64_t k = cell_.stages - 1; k >= 0; --k) {
      // What comes back to the last stage comes from the next step, by way of the outputs; to an
      // earlier one, from this step's next stage, by way of that stage's source.
      bool last = k == cell_.stages - 1;
      int64_t from = last ? 0 : k + 1, reached = last ? running(s + 1) : count;
      point_recurrent_gates(last ? later_ : now_, from, reached);
      each_block([&](int64_t b, int64_t vectors) {
        strips(0, reached, [&](int64_t r, int64_t rows) {
          multiply(from, b, vectors, r, rows, reached);
          elementwise(s, k, b, vectors, r, rows, m_.tile);
        });
        strips(reached, count, [&](int64_t r, int64_t rows) {
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

  // The gradient of the initial output, which comes back from the sums of the first step.
  void initial() {
    constexpr int L = lanes<T>;
    int64_t count = running(0), hidden = call_.hidden;
    point_recurrent_gates(later_, 0, count);
    each_block([&](int64_t b, int64_t vectors) {
      strips(0, count, [&](int64_t r, int64_t rows) {
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
  static void strips(int64_t from, int64_t to, Do&& work) {
    int64_t count = to - from, all = ceil_div(count, most_rows(widest));
    for (int64_t strip = 0; strip < all; ++strip) {
      int64_t r = from + count * strip / all;
      work(r, from + count * (strip + 1) / all - r);
    }
  }

  // The gradient of a stage's source: its sums' gradients times the transposed weights.
  // Meanwhile its share of the next block of weights is fetched.
  void multiply(int64_t stage, int64_t b, int64_t vectors, int64_t r, int64_t rows, int64_t all) {
    constexpr int L = lanes<T>;
    int64_t depth = cell_.stage[stage].h_sums() * call_.hidden;
    const T* weight = packed_ + layout_.recurrent[stage] + b * widest * L * depth;
    const T* next = (b + 1) * widest * L < call_.hidden ? weight + widest * L * depth : weight;
    Prefetch prefetch{reinterpret_cast<const char*>(next + vectors * L * (depth * r / all)),
                      vectors * L * int64_t(sizeof(T)) * rows / all};
    product<T>(rows, vectors, m_.recurrent_gates + r, depth, weight, vectors * L, m_.zeros, 0, m_.tile,
               vectors * L, prefetch);
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
    given.gates = now_ + r * cell_.sums() * hidden;
    given.gates_row = cell_.sums() * hidden;
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
  BackwardMemory<T>& m_;
  Rows rows_;
  Layout layout_;
  const T* packed_;
  T* gates_;
  T* now_ = nullptr;          // gradients of the sums of the present step
  const T* later_ = nullptr;  // and of the step after it
  Gradients<T> gradients_;
  int64_t first_sum_[most_stages];
};

// Adds up what the threads of a team have each summed: a share of every array for each thread, in
// the order of the threads.
template <class T, class OfMember>
static void join(const Call& call, const CellCode& cell, const Direction& direction,
                 const Part& part, const Targets<T>& targets, OfMember&& of_member) {
  for (int who = 0; who < part.members; ++who) {
    const BackwardMemory<T>& theirs = of_member(who);
    if (!part.by_units && part.members > 1) {
      const T* from = theirs.weights;
      targets.each(call, cell, [&](T* to, int64_t size) {
        for (int64_t i = part.begin(size); i < part.end(size); ++i) to[i] += from[i];
        from += size;
      });
    }
    T* learned = static_cast<T*>(direction.grad_learned);
    int64_t size = cell.vectors * call.hidden;
    for (int64_t i = part.begin(size); i < part.end(size); ++i) learned[i] += theirs.learned[i];
  }
}

// A member's share of the gradients that are sums over all steps and rows.
template <class T>
static bool all_finite(const Call& call, const CellCode& cell, const Direction& direction,
                       const Part& part, const Targets<T>& targets) {
  T sum = 0;  // x - x is no number where x is not finite
  auto look = [&](const T* values, int64_t size) {
    for (int64_t i = part.begin(size); i < part.end(size); ++i) sum += values[i] - values[i];
  };
  targets.each(call, cell, look);
  look(static_cast<const T*>(direction.grad_learned), cell.vectors * call.hidden);
  return sum == 0;
}

template <class T>
struct BackwardRoom : Room<T, BackwardMemory<T>> {
  BackwardMemory<T>** members;  // where the threads of a team find one another's memory

  BackwardRoom(const Call& call, const CellCode& cell, Arena& arena)
      : Room<T, BackwardMemory<T>>(call, cell, arena),
        members(arena.take<BackwardMemory<T>*>(call.threads * call.directions)) {}
};

template <class T>
static int run_backward(const Call& call, const CellCode& cell) {
  using Memory = BackwardMemory<T>;
  Arena arena(bytes_of<BackwardRoom<T>>(call, cell));
  if (arena.failed()) return out_of_memory;
  BackwardRoom<T> room(call, cell, arena);
  room.schedule.fill(call);
  Barrier barriers[most_directions];
  Watch<T> watch(call, cell);
  std::atomic<bool> finite{true};
  auto work = [&](int rank, int members, int d) {
    const Direction& direction = call.direction[d];
    Part part = part_of<T>(call, cell, rank, members, &barriers[d]);
    Arena own(room.own_of(call, d, rank));
    Memory mine(call, cell, own);
    mine.clear(call, cell);
    Memory** team = room.members + d * call.threads;
    team[rank] = &mine;
    room.start[d].fill(call, direction, cell.states - 1, part);
    part.meet_all();
    Targets<T> targets(direction);
    bool apart = !part.by_units && members > 1;
    Targets<T> sums = apart ? Targets<T>(targets, call, cell, mine.weights) : targets;
    if (apart)
      sums.each(call, cell, [](T* to, int64_t size) {
        for (int64_t i = 0; i < size; ++i) to[i] = 0;
      });
    Backward<T>(call, cell, direction, room.schedule, room.start[d], part, sums,
                part.by_units ? team[0]->gates : mine.gates, mine)
        .run();
    part.meet_all();
    join<T>(call, cell, direction, part, targets,
            [&](int who) -> const Memory& { return *team[who]; });
    part.meet_all();  // no memory is freed while other threads read it
    if (!all_finite<T>(call, cell, direction, part, targets)) finite = false;
  };
  Status status = run_teams(call, call.threads, watch, work, [] {});
  return status == ok && !finite ? not_finite : status;
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
