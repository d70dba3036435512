// Where each field of the structs lies that Python fills in or reads. Python compares all of it with
// its mirror when the library is loaded: a field that is missing, moved or swapped is noticed there.
#pragma once

#include <cstddef>

#include "level.h"

namespace gatewright {

struct Field {
  const char* of;    // the name of the struct
  const char* name;  // "" for the struct as a whole
  int64_t offset, size;
};

#define WHOLE(type) {#type, "", 0, int64_t(sizeof(type))}
#define FIELD(type, name) \
  {#type, #name, int64_t(offsetof(type, name)), int64_t(sizeof(type::name))}

constexpr Field fields[] = {
    WHOLE(Weights),
    FIELD(Weights, weight_ih),
    FIELD(Weights, weight_hh),
    FIELD(Weights, bias_ih),
    FIELD(Weights, bias_hh),

    WHOLE(Direction),
    FIELD(Direction, packed),
    FIELD(Direction, packed_back),
    FIELD(Direction, learned),
    FIELD(Direction, initial),
    FIELD(Direction, final),
    FIELD(Direction, output),
    FIELD(Direction, states),
    FIELD(Direction, saved),
    FIELD(Direction, source),
    FIELD(Direction, recurrent),
    FIELD(Direction, mask),
    FIELD(Direction, zone),
    FIELD(Direction, grad_output),
    FIELD(Direction, incoming),
    FIELD(Direction, grad_x),
    FIELD(Direction, grad_weight_ih),
    FIELD(Direction, grad_weight_hh),
    FIELD(Direction, grad_bias_ih),
    FIELD(Direction, grad_bias_hh),
    FIELD(Direction, grad_learned),
    FIELD(Direction, reverse),
    FIELD(Direction, verify),
    FIELD(Direction, weights),
    FIELD(Direction, digest),

    WHOLE(Call),
    FIELD(Call, level),
    FIELD(Call, cell),
    FIELD(Call, threads),
    FIELD(Call, is_double),
    FIELD(Call, save),
    FIELD(Call, time),
    FIELD(Call, batch),
    FIELD(Call, input),
    FIELD(Call, hidden),
    FIELD(Call, directions),
    FIELD(Call, x),
    FIELD(Call, x_time),
    FIELD(Call, x_batch),
    FIELD(Call, output_time),
    FIELD(Call, output_batch),
    FIELD(Call, zone_time),
    FIELD(Call, zone_batch),
    FIELD(Call, grad_output_time),
    FIELD(Call, grad_output_batch),
    FIELD(Call, grad_x_time),
    FIELD(Call, grad_x_batch),
    FIELD(Call, order),
    FIELD(Call, lengths),
    FIELD(Call, direction),

    WHOLE(Stream),
    FIELD(Stream, calls),
    FIELD(Stream, layers),
    FIELD(Stream, states),
    FIELD(Stream, layer_bytes),
    FIELD(Stream, x),
    FIELD(Stream, initial),
    FIELD(Stream, final),
    FIELD(Stream, output),

    WHOLE(CellCounts),
    FIELD(CellCounts, name),
    FIELD(CellCounts, fingerprint),
    FIELD(CellCounts, states),
    FIELD(CellCounts, vectors),
    FIELD(CellCounts, saved),
    FIELD(CellCounts, sums),
    FIELD(CellCounts, stages),
};

#undef WHOLE
#undef FIELD

}  // namespace gatewright
