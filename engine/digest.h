// Whether weights are still those that were packed: a digest of every element of them.
//
// Weights can be written unseen (through .data, numpy, a fused optimiser), so each call reads all of
// them. Over the vectors of a block, a lane of 64 bits adds up
//   (low 32 bits + key) * (high 32 bits + key)     and     the 64 bits themselves,
// with a key of its own for each place of the block (the first sum is NH: Black, Halevi, Krawczyk,
// Krovetz, Rogaway 1999). One changed element always changes the second sum. Changes that cancel
// there, as a pair of flipped signs or two rows in each other's place do, meet other keys in the
// first. The keys must be no simple sequence: of an arithmetic one, pairs of flipped signs with
// their middle in the same place give the same sum. After each block all bits of a lane are mixed.
#pragma once

#include <atomic>

#include "team.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

typedef uint64_t Words __attribute__((vector_size(vector_bytes)));
typedef uint32_t Halves __attribute__((vector_size(vector_bytes)));
constexpr int words = vector_bytes / 8;

// The product of the two halves of each word.
GATEWRIGHT_INLINE Words product_of_halves(Words value) {
  Words high = value >> 32;
#if defined(__AVX512F__)
  // With a mask, for GCC warns of the undefined lanes that the plain one is written with.
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)value, (__m512i)high);
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)value, (__m256i)high);
#elif defined(__x86_64__)
  return (Words)_mm_mul_epu32((__m128i)value, (__m128i)high);
#else
  return (value & 0xffffffffu) * high;
#endif
}

GATEWRIGHT_INLINE uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 32)) * 0x9e3779b97f4a7c15u;
  return value ^ (value >> 29);
}

constexpr int64_t block_bytes = 4096;

struct Keys {
  alignas(64) uint32_t of[block_bytes / 4];

  constexpr Keys() : of() {
    uint64_t state = 0;
    for (uint32_t& key : of) {
      state += 0x9e3779b97f4a7c15u;  // splitmix64: Steele, Lea, Flood 2014
      uint64_t value = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
      value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
      key = uint32_t(value >> 32);
    }
  }
};
constexpr Keys keys;

// Two sums of each lane.
class Sums {
 public:
  // `at`: the place in the block, in bytes.
  void add(Words value, int64_t at) {
    Halves key;
    std::memcpy(&key, reinterpret_cast<const char*>(keys.of) + at, sizeof key);
    products_ += product_of_halves((Words)((Halves)value + key));
    values_ += value;
  }
  void mix() {
    products_ = (products_ ^ (products_ >> 32)) * 0x9e3779b97f4a7c15u;
    values_ = (values_ ^ (values_ >> 32)) * 0x9e3779b97f4a7c15u;
  }
  uint64_t end(uint64_t digest) const {
    for (int i = 0; i < words; ++i) {
      digest = mixed(digest + products_[i]);
      digest = mixed(digest + values_[i]);
    }
    return digest;
  }

 private:
  Words products_{}, values_{};
};

static uint64_t digest_of_chunk(const char* memory, int64_t bytes, uint64_t place) {
  Sums sums;
  Words value;
  for (int64_t rest = bytes; rest > 0; rest -= block_bytes, memory += block_bytes) {
    int64_t some = least(rest, block_bytes), whole = some / vector_bytes * vector_bytes;
#pragma GCC unroll 4
    for (int64_t at = 0; at < whole; at += vector_bytes) {
      __builtin_prefetch(memory + at + 2 * block_bytes);  // long arrays come from main memory
      std::memcpy(&value, memory + at, sizeof value);
      sums.add(value, at);
    }
    if (whole < some) {
      value = Words{};
      std::memcpy(&value, memory + whole, size_t(some - whole));
      sums.add(value, whole);
    }
    sums.mix();
  }
  return sums.end(place);
}

// The arrays of one direction's weights.
template <class T>
class Watched {
 public:
  Watched(const CellCode& cell, int64_t input, int64_t hidden, const Weights& weights) {
    int64_t x_rows = cell.x_projections() * hidden, h_rows = cell.h_projections() * hidden;
    add(weights.weight_ih, x_rows * input);
    add(weights.weight_hh, h_rows * hidden);
    add(weights.bias_ih, x_rows);
    add(weights.bias_hh, h_rows);
  }

  int64_t bytes() const {
    int64_t sum = 0;
    for (const Array& array : arrays_) sum += array.bytes;
    return sum;
  }

  // The share of the digest that a member of a team adds; it does not depend on their number.
  uint64_t share(int rank, int members) const {
    int64_t chunks = 0;
    for (const Array& array : arrays_) chunks += ceil_div(array.bytes, chunk_bytes);
    int64_t from = chunks * rank / members, to = chunks * (rank + 1) / members;
    uint64_t sum = 0;
    int64_t chunk = 0;
    for (const Array& array : arrays_)
      for (int64_t at = 0; at < array.bytes; at += chunk_bytes, ++chunk)
        if (from <= chunk && chunk < to)
          sum += digest_of_chunk(array.memory + at, least(chunk_bytes, array.bytes - at),
                                 mixed(uint64_t(chunk) + 1));
    return sum;
  }

 private:
  static constexpr int64_t chunk_bytes = int64_t(1) << 15;
  struct Array {
    const char* memory = nullptr;
    int64_t bytes = 0;
  };

  void add(const void* memory, int64_t elements) {
    if (!memory) return;
    arrays_[count_].memory = static_cast<const char*>(memory);
    arrays_[count_++].bytes = elements * int64_t(sizeof(T));
  }

  Array arrays_[4];
  int count_ = 0;
};

// Looks at the weights of a call before anything is computed with them. Few are looked at by every
// thread, which takes less time than to wait for one another.
template <class T>
class Watch {
 public:
  Watch(const Call& call, const CellCode& cell) : call_(call), cell_(cell) {
    int64_t bytes = 0;
    for (int64_t d = 0; d < call.directions; ++d)
      if (call.direction[d].verify) bytes += watched(d).bytes();
    together_ = bytes > alone_bytes;
    if (bytes == 0) found_ = same;
  }

  void look(int rank, int members) {
    if (found_.load(std::memory_order_relaxed) == same) return;
    bool found = true;
    for (int64_t d = 0; d < call_.directions; ++d) {
      const Direction& direction = call_.direction[d];
      if (!direction.verify) continue;
      if (together_)
        seen_[d].fetch_add(watched(d).share(rank, members), std::memory_order_relaxed);
      else
        found = found && watched(d).share(0, 1) == direction.digest;
    }
    if (together_) {
      barrier_.wait(members);
      for (int64_t d = 0; d < call_.directions; ++d)
        found = found && (!call_.direction[d].verify ||
                          seen_[d].load(std::memory_order_relaxed) == call_.direction[d].digest);
    }
    // What the first thread finds is true for all, though another process writes meanwhile.
    int nothing = unknown;
    found_.compare_exchange_strong(nothing, found ? same : different);
  }

  bool unchanged() const { return found_.load() == same; }

 private:
  enum Found : int { unknown, same, different };
  static constexpr int64_t alone_bytes = int64_t(1) << 19;

  Watched<T> watched(int64_t d) const {
    return {cell_, call_.input, call_.hidden, call_.direction[d].weights};
  }

  const Call& call_;
  const CellCode& cell_;
  bool together_;
  std::atomic<int> found_{unknown};
  std::atomic<uint64_t> seen_[most_directions] = {};
  Barrier barrier_;
};

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
