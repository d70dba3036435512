// The library's door: a plain C interface, and the choice of the CPU level.
#include "fields.h"

#if defined(_WIN32)
#define GATEWRIGHT_EXPORT extern "C" __declspec(dllexport)
#else
#define GATEWRIGHT_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace gatewright {

#if defined(__x86_64__)
namespace baseline { extern const Level level; }
namespace avx2 { extern const Level level; }
namespace avx512 { extern const Level level; }
#elif defined(__aarch64__)
namespace neon { extern const Level level; }
#else
namespace baseline { extern const Level level; }
#endif

namespace {

// Worst first. A level that this processor lacks is not offered.
int found(const Level* levels[3]) {
  int count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  levels[count++] = &baseline::level;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    levels[count++] = &avx2::level;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    levels[count++] = &avx512::level;
#elif defined(__aarch64__)
  levels[count++] = &neon::level;
#else
  levels[count++] = &baseline::level;
#endif
  return count;
}

const Level& at(int64_t place) {
  static const Level* levels[3];
  static const int count = found(levels);
  return *levels[place < count ? place : count - 1];
}

}  // namespace
}  // namespace gatewright

using namespace gatewright;

// The version of what is exported here and of what the fields mean; fields.h tells where they lie.
GATEWRIGHT_EXPORT int64_t gatewright_interface() { return 3; }

GATEWRIGHT_EXPORT int64_t gatewright_fields() { return int64_t(sizeof fields / sizeof *fields); }

GATEWRIGHT_EXPORT void gatewright_field(int64_t place, Field* field) { *field = fields[place]; }

GATEWRIGHT_EXPORT int64_t gatewright_levels() {
  const Level* levels[3];
  return found(levels);
}

GATEWRIGHT_EXPORT const char* gatewright_level_name(int64_t level) { return at(level).name; }

GATEWRIGHT_EXPORT int64_t gatewright_cells() { return at(0).cells; }

GATEWRIGHT_EXPORT void gatewright_cell(int64_t cell, CellCounts* counts) {
  *counts = at(0).counts(cell);
}

GATEWRIGHT_EXPORT int gatewright_forward(const Call* call) {
  return at(call->level).forward(*call);
}

GATEWRIGHT_EXPORT int gatewright_backward(const Call* call) {
  return at(call->level).backward(*call);
}

GATEWRIGHT_EXPORT int64_t gatewright_packed_size(int64_t level, int64_t cell, bool is_double,
                                                 int64_t input, int64_t hidden, bool backward) {
  return at(level).packed_size(cell, is_double, input, hidden, backward);
}

// The digest of the weights, which are packed for the passes whose memory is given.
GATEWRIGHT_EXPORT uint64_t gatewright_pack(int64_t level, int64_t cell, bool is_double,
                                           int64_t input, int64_t hidden, int64_t threads,
                                           const Weights* weights, void* forward, void* backward) {
  return at(level).pack(cell, is_double, input, hidden, threads, *weights, forward, backward);
}

GATEWRIGHT_EXPORT int gatewright_function(int64_t level, const char* name, bool is_double,
                                          int64_t count, const void* from, void* to) {
  return at(level).function(name, is_double, count, from, to);
}

// One step of a stream: each layer's output is the next one's input.
GATEWRIGHT_EXPORT int gatewright_step(const Stream* stream) {
  const void* x = stream->x;
  for (int64_t layer = 0; layer < stream->layers; ++layer) {
    Call& call = *stream->calls[layer];
    Direction& direction = call.direction[0];
    int64_t offset = layer * stream->layer_bytes;
    for (int64_t j = 0; j < stream->states; ++j) {
      direction.initial[j] = stream->initial[j] + offset;
      direction.final[j] = stream->final[j] + offset;
    }
    call.x = x;
    direction.output = layer + 1 < stream->layers ? direction.final[0] : stream->output;
    if (int status = at(call.level).forward(call)) return status;
    x = direction.output;
  }
  return ok;
}

GATEWRIGHT_EXPORT double gatewright_multiply_adds(int64_t level, int64_t threads, int64_t rounds) {
  return at(level).multiply_adds(threads, rounds);
}
