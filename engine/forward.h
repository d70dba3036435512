// The forward pass: for each step, stage and block of units, the sums and the elementwise loop.
#pragma once

#include "digest.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

// Input products of a few steps at once, where a step alone has too few rows to make good use of
// the weights that it reads.
constexpr int64_t hoisted_rows = 96;

template <class T>
struct ForwardMemory {
  const T **x, **previous_output, **recurrent, **zone, **sources;
  T** output;
  T *hoisted, *tile;

  static int64_t most_hoisted(const Call& call) { return hoisted_rows + call.batch; }
  static int64_t hoisted_size(const Call& call, const CellCode& cell) {
    int64_t sums = 0;
    for (int64_t s = 0; s < cell.stages; ++s) sums += cell.stage[s].x_sums();
    return most_hoisted(call) * sums * ceil_div(call.hidden, lanes<T>) * lanes<T>;
  }
  ForwardMemory(const Call& call, const CellCode& cell, Arena& arena)
      : x(arena.take<const T*>(most_hoisted(call))),
        previous_output(arena.take<const T*>(call.batch)),
        recurrent(arena.take<const T*>(call.batch)),
        zone(arena.take<const T*>(call.batch)),
        sources(arena.take<const T*>(call.batch)),
        output(arena.take<T*>(call.batch)),
        hoisted(arena.take<T>(hoisted_size(call, cell))),
        tile(arena.take<T>(tallest * most_sums * widest * lanes<T>)) {}
};

template <class T>
class Forward {
 public:
  Forward(const Call& call, const CellCode& cell, const Direction& direction,
          const Schedule& schedule, const Start<T>& start, const Part& part,
          const ForwardMemory<T>& memory)
      : call_(call), cell_(cell), d_(direction), schedule_(schedule), start_(start), part_(part),
        m_(memory),
        rows_{call, direction.reverse},
        layout_(forward_layout<T>(cell, call.input, call.hidden)),
        packed_(static_cast<const T*>(direction.packed)) {}

  void run() {
    start_.fill(call_, d_, cell_.states - 1, part_);
    part_.meet();
    int64_t most = part_.running(schedule_.active[0]);
    bool hoisted = most > 0 && most < hoisted_rows / 2 && call_.input > 0;
    int64_t together = hoisted ? hoisted_rows / most : 1;
    for (int64_t s = 0; s < schedule_.steps; ++s) {
      if (hoisted && s % together == 0) hoist(s, least(schedule_.steps, s + together));
      if (part_.running(schedule_.active[s]) == 0 && !part_.by_units) break;
      step(s, hoisted);
    }
    finish();
  }

 private:
  T* at(void* base) const { return static_cast<T*>(base); }
  const T* at(const void* base) const { return static_cast<const T*>(base); }

  // Where a step's results lie: in its packed row, or in the row itself where nothing is kept.
  int64_t row_of(int64_t s, int64_t row) const {
    return call_.save ? schedule_.offset[s] + row : row;
  }
  const T* states_before(int64_t s, int64_t row) const {
    int64_t wide = (cell_.states - 1) * call_.hidden;
    return s == 0 ? start_.states + row * wide : at(d_.states) + row_of(s - 1, row) * wide;
  }
  // Masked outputs are read by all threads while others write the next ones: where they are not
  // kept, steps take turns between two sets of rows.
  T* masked(int64_t s, int64_t row) const {
    int64_t place = call_.save ? row_of(s, row) : (s % 2) * call_.batch + row;
    return at(d_.recurrent) + place * call_.hidden;
  }
  const T* masked_before(int64_t s, int64_t row) const {
    return s == 0 ? start_.recurrent + row * call_.hidden : masked(s - 1, row);
  }

  T* output_at(int64_t row, int64_t step) const {
    return at(d_.output) + rows_.time(row, step) * call_.output_time +
           rows_.given(row) * call_.output_batch;
  }
  const T* x_at(int64_t row, int64_t step) const {
    return at(call_.x) + rows_.time(row, step) * call_.x_time + rows_.given(row) * call_.x_batch;
  }

  void point_rows(int64_t s, int64_t count) {
    int64_t hidden = call_.hidden;
    for (int64_t q = 0; q < count; ++q) {
      int64_t row = part_.row(q), given = rows_.given(row);
      m_.x[q] = x_at(row, s);
      m_.output[q] = output_at(row, s);
      m_.previous_output[q] =
          s == 0 ? at(d_.initial[0]) + given * hidden : output_at(row, s - 1);
      m_.recurrent[q] = d_.mask ? masked_before(s, row) : m_.previous_output[q];
      if (d_.zone)
        m_.zone[q] = at(d_.zone) + rows_.time(row, s) * call_.zone_time + given * call_.zone_batch;
    }
  }

  const T* packed(const int64_t* begin, int64_t stage, const Blocks& blocks, int64_t block,
                  int64_t each) const {
    return packed_ + begin[stage] + block * blocks.width * lanes<T> * each;
  }

  // Input sums, with their biases, of the steps [from, to) for this thread's rows and units.
  void hoist(int64_t from, int64_t to) {
    int64_t count = 0;
    for (int64_t s = from; s < to; ++s)
      for (int64_t q = 0; q < part_.running(schedule_.active[s]); ++q)
        m_.x[count++] = x_at(part_.row(q), s);
    first_hoisted_ = from;
    T* to_block = m_.hoisted;
    for (int64_t k = 0; k < cell_.stages; ++k) {
      const StageCode& stage = cell_.stage[k];
      Blocks blocks = unit_blocks<T>(stage, call_.hidden);
      for (int64_t b = first_block(blocks); b < last_block(blocks); ++b) {
        int64_t vectors = stage.x_sums() * blocks.of(b), wide = vectors * lanes<T>;
        const T* bias = packed(layout_.bias, k, blocks, b, stage.sums());
        const T* weight = packed(layout_.input, k, blocks, b, stage.x_sums() * call_.input);
        for (int64_t r = 0; r < count && vectors > 0; r += most_rows(int(vectors)))
          product<T>(least(most_rows(int(vectors)), count - r), vectors, m_.x + r, call_.input,
                     weight, wide, bias, 0, to_block + r * wide, wide);
        to_block += ForwardMemory<T>::most_hoisted(call_) * wide;
      }
    }
  }

  int64_t first_block(const Blocks& blocks) const {
    return part_.by_units ? part_.begin(blocks.count()) : 0;
  }
  int64_t last_block(const Blocks& blocks) const {
    return part_.by_units ? part_.end(blocks.count()) : blocks.count();
  }

  void step(int64_t s, bool hoisted) {
    int64_t count = part_.running(schedule_.active[s]);
    int64_t hoisted_row = 0;
    if (hoisted)
      for (int64_t before = first_hoisted_; before < s; ++before)
        hoisted_row += part_.running(schedule_.active[before]);
    const T* inputs = hoisted ? m_.hoisted : nullptr;
    point_rows(s, count);
    for (int64_t k = 0; k < cell_.stages; ++k) {
      const StageCode& stage = cell_.stage[k];
      Blocks blocks = unit_blocks<T>(stage, call_.hidden);
      if (k > 0)
        for (int64_t q = 0; q < count; ++q)
          m_.sources[q] = at(d_.source) + row_of(s, part_.row(q)) * call_.hidden;
      for (int64_t b = first_block(blocks); b < last_block(blocks); ++b) {
        int64_t wide = stage.x_sums() * blocks.of(b) * lanes<T>;
        block(s, k, blocks, b, count, inputs ? inputs + hoisted_row * wide : nullptr);
        if (inputs) inputs += ForwardMemory<T>::most_hoisted(call_) * wide;
      }
      part_.meet();
    }
  }

  // One block of units: rows in blocks of nearly equal height, so that no product is thin.
  void block(int64_t s, int64_t k, const Blocks& blocks, int64_t b, int64_t count,
             const T* inputs) {
    const StageCode& stage = cell_.stage[k];
    int64_t vectors = blocks.of(b);
    int64_t widths = stage.x_sums() > stage.h_sums() ? stage.x_sums() : stage.h_sums();
    int64_t high = most_rows(int(widths * vectors));
    int64_t strips = ceil_div(count, high);
    // While the rows pass, each of their blocks fetches its share of the next unit block.
    int64_t weights = stage.h_sums() * vectors * lanes<T> * call_.hidden * int64_t(sizeof(T));
    const char* next = reinterpret_cast<const char*>(
        packed(layout_.recurrent, k, blocks, b + 1 < blocks.count() ? b + 1 : b,
               stage.h_sums() * call_.hidden));
    for (int64_t strip = 0; strip < strips; ++strip) {
      int64_t r = count * strip / strips, rows = count * (strip + 1) / strips - r;
      int64_t from = weights * strip / strips;
      next_ = {next + from, call_.hidden > 0 ? weights / strips / call_.hidden : 0};
      sums(k, blocks, b, r, rows, inputs);
      elementwise(s, k, blocks, b, r, rows);
    }
  }

  // inputs: their sums where they were hoisted out of the step, or null.
  void sums(int64_t k, const Blocks& blocks, int64_t b, int64_t r, int64_t rows, const T* inputs) {
    constexpr int L = lanes<T>;
    const StageCode& stage = cell_.stage[k];
    int64_t vectors = blocks.of(b), x_wide = stage.x_sums() * vectors * L;
    int64_t wide = stage.sums() * vectors * L, h_first = stage.x_only * vectors * L;
    int64_t h_wide = stage.h_sums() * vectors * L;
    const T* bias = packed(layout_.bias, k, blocks, b, stage.sums());
    const T* from = m_.tile;
    int64_t from_row = wide;
    if (!inputs && x_wide > 0) {
      const T* weight = packed(layout_.input, k, blocks, b, stage.x_sums() * call_.input);
      product<T>(rows, x_wide / L, m_.x + r, call_.input, weight, x_wide, bias, 0, m_.tile, wide);
    } else if (inputs && (stage.x_only > 0 || h_wide == 0 || stage.h_only > 0)) {
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t v = 0; v < x_wide; v += L)
          store(m_.tile + i * wide + v, load(inputs + (r + i) * x_wide + v));
    } else if (inputs) {
      from = inputs + r * x_wide, from_row = x_wide;
    }
    if (h_wide == 0) return;
    for (int64_t i = 0; i < rows && stage.h_only > 0; ++i)
      for (int64_t v = x_wide; v < wide; v += L) store(m_.tile + i * wide + v, load(bias + v));
    const T* weight = packed(layout_.recurrent, k, blocks, b, stage.h_sums() * call_.hidden);
    product<T>(rows, h_wide / L, (k == 0 ? m_.recurrent : m_.sources) + r, call_.hidden, weight,
               h_wide, from + h_first, from_row, m_.tile + h_first, wide, next_);
  }

  void elementwise(int64_t s, int64_t k, const Blocks& blocks, int64_t b, int64_t r,
                   int64_t rows) {
    // Packed rows of neighbouring places lie row_stride apart.
    int64_t hidden = call_.hidden, stride = part_.row_stride, row = part_.row(r);
    int64_t others = cell_.states - 1, now = row_of(s, row);
    ForwardBlock<T> given;
    given.rows = rows, given.vectors = blocks.of(b);
    given.first = b * blocks.width * lanes<T>, given.hidden = hidden;
    given.tile = m_.tile, given.tile_row = cell_.stage[k].sums() * given.vectors * lanes<T>;
    given.previous_output = m_.previous_output + r, given.output = m_.output + r;
    given.previous = states_before(s, row);
    given.next = at(d_.states) + now * others * hidden;
    given.previous_row = given.next_row = stride * others * hidden;
    given.saved = at(d_.saved) + now * cell_.saved * hidden;
    given.saved_row = stride * cell_.saved * hidden;
    given.source = at(d_.source) + now * hidden;
    given.recurrent = d_.mask ? masked(s, row) : nullptr;
    given.kept_row = stride * hidden;
    given.mask = d_.mask ? at(d_.mask) + row * hidden : nullptr;
    given.zone = d_.zone ? m_.zone + r : nullptr;
    given.learned = at(d_.learned);
    bool full = given.first + given.vectors * lanes<T> <= hidden;
    loops_of<T>(cell_).forward[k][call_.save][full](given);
  }

  // Final states in the user's order; a row of no length gives back what it was given.
  void finish() {
    part_.meet();
    size_t bytes = size_t(call_.hidden) * sizeof(T);
    part_.each_row(call_.batch, [&](int64_t row) {
      int64_t given = rows_.given(row) * call_.hidden, length = rows_.length(row);
      const T* output = length > 0 ? output_at(row, length - 1) : at(d_.initial[0]) + given;
      const T* states = states_before(length, row);
      T* final = at(d_.final[0]) + given;
      if (final != output) std::memcpy(final, output, bytes);  // a single step may share them
      for (int64_t j = 1; j < cell_.states; ++j, states += call_.hidden)
        std::memcpy(at(d_.final[j]) + given, states, bytes);
    });
  }

  const Call& call_;
  const CellCode& cell_;
  const Direction& d_;
  const Schedule& schedule_;
  const Start<T>& start_;
  const Part& part_;
  const ForwardMemory<T>& m_;
  Rows rows_;
  Layout layout_;
  const T* packed_;
  int64_t first_hoisted_ = 0;
  Prefetch next_;
};

template <class T>
static int run_forward(const Call& call, const CellCode& cell) {
  using ForwardRoom = Room<T, ForwardMemory<T>>;
  Arena arena(bytes_of<ForwardRoom>(call, cell));
  if (arena.failed()) return out_of_memory;
  ForwardRoom room(call, cell, arena);
  room.schedule.fill(call);
  Barrier barriers[most_directions];
  Watch<T> watch(call, cell);
  Status status = ok;
  Elbowroom::run(call.threads, [&](int64_t threads, auto&& done) {
    auto work = [&](int rank, int members, int d) {
      Part part = part_of<T>(call, cell, rank, members, &barriers[d]);
      Arena own(room.own_of(call, d, rank));
      ForwardMemory<T> mine(call, cell, own);
      Forward<T>(call, cell, call.direction[d], room.schedule, room.start[d], part, mine).run();
    };
    status = run_teams(call, threads, watch, work, done);
    return barriers[0].late() || barriers[1].late();
  });
  return status;
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
