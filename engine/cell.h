// What the engine knows of a cell: its counts and its elementwise loops (generated code).
// README.md beside this file says what a row, a unit, a sum, a tile, a stage and a block are.
#pragma once

#include "call.h"
#include "math.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

// The elementwise part of one stage for a block of rows x vectors of units.
// The tile holds the sums: accumulator a of vector u of row r at
// tile + r * tile_row + (a * vectors + u) * lanes.
template <class T>
struct ForwardBlock {
  int64_t rows, vectors, first, hidden;  // first: the unit at which the block begins
  T* tile;  // functions of the sums may take their places
  int64_t tile_row;
  const T* const* previous_output;  // by row
  T* const* output;                 // by row
  const T* previous;                // the other states, (row, state, hidden)
  T* next;
  int64_t previous_row, next_row;
  T* saved;
  int64_t saved_row;
  T* source;
  T* recurrent;
  const T* mask;
  int64_t kept_row;      // between rows of source, recurrent and mask
  const T* const* zone;  // by row, or null
  const T* learned;
};

template <class T>
struct BackwardBlock {
  int64_t rows, vectors, first, hidden;
  const T* tile;
  int64_t tile_row;
  const T* const* previous_output;
  const T* previous;
  int64_t previous_row;
  const T* saved;
  int64_t saved_row;
  T* incoming;
  int64_t incoming_row;
  const T* const* grad_output;  // by row, or null
  T* gates;
  int64_t gates_row;
  const T* mask;
  int64_t kept_row;  // between rows of the mask
  const T* const* zone;
  const T* learned;
  T* grad_learned;
};

// A cell that needs more runs on the reference: src/gatewright/compiler/kernel.py has the same.
constexpr int most_stages = 2;
constexpr int most_sums = 8;

// The accumulators of a stage: first those of the input only, then those of both, then those of
// the recurrent product only; and the rows of the stacked weights that each adds up (-1: none).
struct StageCode {
  int64_t x_only, both, h_only;
  int64_t x_row[most_sums], h_row[most_sums];

  int64_t sums() const { return x_only + both + h_only; }
  int64_t x_sums() const { return x_only + both; }
  int64_t h_sums() const { return both + h_only; }
};

template <class T>
struct Loops {
  void (*forward[most_stages][2][2])(const ForwardBlock<T>&);  // [stage][save][full]
  void (*backward[most_stages][2])(const BackwardBlock<T>&);   // [stage][full]
};

struct CellCode {
  const char* name;
  const char* fingerprint;
  int64_t states, vectors, saved, crossing, stages;
  StageCode stage[most_stages];
  Loops<float> of_float;
  Loops<double> of_double;

  int64_t sums() const {
    return total([](const StageCode& one) { return one.sums(); });
  }
  int64_t x_projections() const {
    return total([](const StageCode& one) { return one.x_sums(); });
  }
  int64_t h_projections() const {
    return total([](const StageCode& one) { return one.h_sums(); });
  }
  template <class Of>
  int64_t total(Of&& of) const {
    int64_t count = 0;
    for (int64_t s = 0; s < stages; ++s) count += of(stage[s]);
    return count;
  }
};

template <class T>
GATEWRIGHT_INLINE const Loops<T>& loops_of(const CellCode& cell) {
  if constexpr (sizeof(T) == 4)
    return cell.of_float;
  else
    return cell.of_double;
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
