// The arguments of a call, shared with Python: src/gatewright/backends/native/structs.py mirrors
// these structs, and compares every field of fields.h with its own when the library is loaded.
//
// Pointers are to float or double, as the call says. Strides count elements. Rows of a batch are
// worked on in the order `order`, longest first; "row" below means a place in that order. Time
// runs in steps: step s of a row is time s, or length - 1 - s in the reversed direction.
// What is kept for the backward pass lies in packed rows: step by step those that still run.
#pragma once

#include <cstdint>

namespace gatewright {

constexpr int most_states = 8;
constexpr int most_directions = 2;

// The weights of one direction, as torch stacks them; null where there are none.
struct Weights {
  const void *weight_ih, *weight_hh, *bias_ih, *bias_hh;
};

// One direction of a layer.
struct Direction {
  const void* packed;       // weights as pack() lays them out
  const void* packed_back;  // their transposes (backward)
  const void* learned;      // (vectors, hidden)
  const void* initial[most_states];  // (batch, hidden) each, user's order
  void* final[most_states];          // (batch, hidden) each, user's order
  void* output;             // at this direction's first column
  void* states;             // (packed rows, states - 1, hidden); without saving (batch, ...)
  void* saved;              // (packed rows, saved, hidden); without saving (batch, ...)
  void* source;             // the same, (..., hidden): what the second stage projects
  void* recurrent;          // (packed rows, hidden): masked outputs, where there is a mask;
                            // without saving (2 * batch, hidden)
  const void* mask;         // (batch, hidden) by row, or null
  const void* zone;         // (time, batch, states, hidden) by strides, or null

  const void* grad_output;  // at this direction's first column, or null
  void* incoming;           // (batch, states, hidden) by row: in final, out initial gradients
  void* grad_x;             // by strides, or null
  void* grad_weight_ih;     // (x projections * hidden, input)
  void* grad_weight_hh;     // (h projections * hidden, hidden)
  void* grad_bias_ih;       // (x projections * hidden) or null
  void* grad_bias_hh;       // (h projections * hidden) or null
  void* grad_learned;       // (vectors, hidden)
  bool reverse;

  bool verify;              // whether to see first that the weights are those that were packed
  Weights weights;          // to verify
  uint64_t digest;          // of the weights when they were packed
};

struct Call {
  int64_t level, cell, threads;
  bool is_double, save;  // save: keep what the backward pass reads
  int64_t time, batch, input, hidden, directions;
  const void* x;
  int64_t x_time, x_batch;
  int64_t output_time, output_batch;
  int64_t zone_time, zone_batch;
  int64_t grad_output_time, grad_output_batch;
  int64_t grad_x_time, grad_x_batch;
  const int64_t* order;    // (batch) or null: as given
  const int64_t* lengths;  // (batch) by row, falling, or null: all full
  Direction direction[most_directions];
};

// A live stream: the layers of a step, one call each, prepared once.
struct Stream {
  Call* const* calls;
  int64_t layers, states, layer_bytes;  // bytes of one state of one layer
  const void* x;
  const char* initial[most_states];  // (layers, batch, hidden) each
  char* final[most_states];
  void* output;  // (batch, hidden) of the last layer
};

// changed: the weights to verify are not those that were packed; nothing was computed.
// not_finite: a gradient of a weight is infinite or no number.
enum Status : int { ok = 0, out_of_memory = 1, changed = 2, not_finite = 3 };

}  // namespace gatewright
