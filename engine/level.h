// What one CPU level offers to the dispatcher.
#pragma once

#include "call.h"

namespace gatewright {

struct CellCounts {
  const char* name;
  const char* fingerprint;
  int64_t states, vectors, saved, sums, stages;
};

struct Level {
  const char* name;
  int64_t cells;
  CellCounts (*counts)(int64_t cell);
  int (*forward)(const Call& call);
  int (*backward)(const Call& call);
  int64_t (*packed_size)(int64_t cell, bool is_double, int64_t input, int64_t hidden,
                         bool backward);
  uint64_t (*pack)(int64_t cell, bool is_double, int64_t input, int64_t hidden, int64_t threads,
                   const Weights& weights, void* forward, void* backward);
  int (*function)(const char* name, bool is_double, int64_t count, const void* from, void* to);
  double (*multiply_adds)(int64_t threads, int64_t rounds);
};

}  // namespace gatewright
