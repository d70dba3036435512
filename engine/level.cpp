// Everything of the engine for one CPU level; compiled once for each, with that level's flags.
#include "level.h"

#include "backward.h"
#include "forward.h"

#define GATEWRIGHT_TEXT_(x) #x
#define GATEWRIGHT_TEXT(x) GATEWRIGHT_TEXT_(x)

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

#define GATEWRIGHT_CELL(name) extern const CellCode cell_##name;
#include "cells.h"
#undef GATEWRIGHT_CELL

namespace {

#define GATEWRIGHT_CELL(name) &cell_##name,
const CellCode* const cells[] = {
#include "cells.h"
};
#undef GATEWRIGHT_CELL

CellCounts counts(int64_t cell) {
  const CellCode& code = *cells[cell];
  return {code.name,  code.fingerprint, code.states, code.vectors,
          code.saved, code.sums(),      code.stages};
}

int forward(const Call& call) {
  const CellCode& cell = *cells[call.cell];
  return call.is_double ? run_forward<double>(call, cell) : run_forward<float>(call, cell);
}

int backward(const Call& call) {
  const CellCode& cell = *cells[call.cell];
  return call.is_double ? run_backward<double>(call, cell) : run_backward<float>(call, cell);
}

template <class T>
int64_t packed_elements(const CellCode& cell, int64_t input, int64_t hidden, bool backward) {
  return (backward ? backward_layout<T>(cell, input, hidden)
                   : forward_layout<T>(cell, input, hidden))
      .size;
}

int64_t packed_size(int64_t cell, bool is_double, int64_t input, int64_t hidden, bool backward) {
  return is_double ? packed_elements<double>(*cells[cell], input, hidden, backward)
                   : packed_elements<float>(*cells[cell], input, hidden, backward);
}

template <class T>
uint64_t pack_all(const CellCode& cell, int64_t input, int64_t hidden, int64_t threads,
                  const Weights& weights, void* forward, void* backward) {
  Watched<T> watched(cell, input, hidden, weights);
  std::atomic<uint64_t> digest{0};
  Barrier barrier;
  run_threads(threads, [&](int rank, int members) {
    digest.fetch_add(watched.share(rank, members), std::memory_order_relaxed);
    barrier.wait(members);  // what is written meanwhile is packed, or noticed by the next call
    pack<T>(cell, input, hidden, weights, Share{rank, members}, static_cast<T*>(forward),
            static_cast<T*>(backward));
  });
  return digest.load(std::memory_order_relaxed);
}

uint64_t pack_any(int64_t cell, bool is_double, int64_t input, int64_t hidden, int64_t threads,
                  const Weights& weights, void* forward, void* backward) {
  auto one = is_double ? pack_all<double> : pack_all<float>;
  return one(*cells[cell], input, hidden, threads, weights, forward, backward);
}

// The functions of the language over an array, for tests of their precision.
template <class T>
int apply(const char* name, int64_t count, const T* from, T* to) {
  struct {
    const char* name;
    Vector<T> (*function)(Vector<T>);
  } const known[] = {
      {"exp", [](Vector<T> x) { return exp<T>(x); }},
      {"tanh", [](Vector<T> x) { return tanh<T>(x); }},
      {"sigmoid", [](Vector<T> x) { return sigmoid<T>(x); }},
      {"softplus", [](Vector<T> x) { return softplus<T>(x); }},
      {"log_sigmoid", [](Vector<T> x) { return log_sigmoid<T>(x); }},
      {"relu", [](Vector<T> x) { return relu<T>(x); }},
  };
  for (const auto& entry : known) {
    if (std::strcmp(entry.name, name) != 0) continue;
    for (int64_t i = 0; i < count; i += lanes<T>) {
      int some = int(least(lanes<T>, count - i));
      write<false, T>(to + i, entry.function(read<false>(from + i, some)), some);
    }
    return 0;
  }
  return 1;
}

int function(const char* name, bool is_double, int64_t count, const void* from, void* to) {
  return is_double ? apply(name, count, static_cast<const double*>(from), static_cast<double*>(to))
                   : apply(name, count, static_cast<const float*>(from), static_cast<float*>(to));
}

// Independent multiply-adds on registers, as many at once as the processor can have under way.
constexpr int chains = register_count == 32 ? 16 : 12;

__attribute__((noinline)) void multiply_add_rounds(int64_t rounds, float* seen) {
  Vector<float> sum[chains];
  Vector<float> factor = splat<float>(seen[0]), term = splat<float>(seen[1]);
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) sum[i] = splat<float>(float(i));
  for (int64_t k = 0; k < rounds; ++k) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) {
      sum[i] = sum[i] * factor + term;
      // Keeps the compiler from working out the rounds in advance.
#if defined(__AVX512F__)
      asm volatile("" : "+v"(sum[i]));
#elif defined(__x86_64__)
      asm volatile("" : "+x"(sum[i]));
#elif defined(__aarch64__)
      asm volatile("" : "+w"(sum[i]));
#endif
    }
  }
  Vector<float> all = sum[0];
#pragma GCC unroll 16
  for (int i = 1; i < chains; ++i) all += sum[i];
  seen[0] = all[0];
}

// Gives how many float32 operations (two a multiply-add) were done.
double multiply_adds(int64_t threads, int64_t rounds) {
  auto work = [rounds] {
    float seen[2] = {0.999f, 0.001f};
    multiply_add_rounds(rounds, seen);
  };
#if defined(_OPENMP)
  if (threads > 1) {
#pragma omp parallel num_threads(int(threads))
    work();
  } else
#endif
  {
    threads = 1;
    work();
  }
  return 2.0 * chains * lanes<float> * double(rounds) * double(threads);
}

}  // namespace

extern const Level level;
const Level level = {
    GATEWRIGHT_TEXT(GATEWRIGHT_LEVEL),
    int64_t(sizeof cells / sizeof *cells),
    counts,
    forward,
    backward,
    packed_size,
    pack_any,
    function,
    multiply_adds,
};

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
