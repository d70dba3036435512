// Who does what: threads of one call, how they wait for one another, and their memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>

#if defined(_OPENMP)
#include <omp.h>
#endif
#include <sched.h>

#include "pack.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {

using Clock = std::chrono::steady_clock;

// Longer than threads wait for one another while each has a core to itself, and shorter than another
// process keeps a core that it was given.
constexpr auto patience = std::chrono::milliseconds(2);

// All threads of a team meet here once a step: they spin for some microseconds, and then give way at
// each look.
class Barrier {
 public:
  // Whether a thread came so late that another process must have had its core.
  bool late() const { return late_.load(std::memory_order_relaxed); }

  void wait(int members) {
    if (members == 1) return;
    unsigned round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == members - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; spins < 2000; ++spins) {
      if (round_.load(std::memory_order_acquire) != round) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
    Clock::time_point begin = Clock::now();
    while (round_.load(std::memory_order_acquire) == round) sched_yield();
    if (Clock::now() - begin > patience) late_.store(true, std::memory_order_relaxed);
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
  std::atomic<bool> late_{false};
};

// How many threads a forward pass is given, whose numbers do not depend on it. Where another
// process takes a core away, a pass on all threads lasts until the thread there has its turn again,
// which takes milliseconds. A thread that came late to a barrier is the sign of that, or one that
// was waited for at the end longer than the pass took: for a while the passes then run on the
// calling thread alone.
class Elbowroom {
 public:
  // Run work(threads, done), which calls done() when the calling thread has done its part, and
  // returns whether some thread was late before.
  template <class Work>
  static void run(int64_t threads, Work&& work) {
    Clock::time_point begin = Clock::now();
    if (threads == 1 || begin.time_since_epoch().count() < alone_until()) {
      work(1, [] {});
      return;
    }
    Clock::time_point worked = begin;
    bool late = work(threads, [&] { worked = Clock::now(); });
    Clock::time_point end = Clock::now();
    if (late || end - worked > (worked - begin) + patience / 10)
      alone_until() = (end + pause).time_since_epoch().count();
  }

 private:
  static constexpr auto pause = std::chrono::milliseconds(50);

  static std::atomic<Clock::rep>& alone_until() {
    static std::atomic<Clock::rep> moment{0};
    return moment;
  }
};

// One thread's part of one direction. Either every thread takes some rows through all steps and
// they never meet, or every thread takes some units of all rows and they meet at each step.
struct Part {
  int rank = 0, members = 1;
  bool by_units = false;
  Barrier* barrier = nullptr;
  int64_t first_row = 0, row_stride = 1, rows = 0;  // its rows: first, first + stride, ...

  void meet() const {
    if (by_units) barrier->wait(members);
  }
  void meet_all() const { barrier->wait(members); }
  int64_t row(int64_t place) const { return first_row + place * row_stride; }

  // How many of its rows are among the first `active`.
  int64_t running(int64_t active) const {
    if (active <= first_row) return 0;
    return least(rows, ceil_div(active - first_row, row_stride));
  }
  // Once over the batch between all threads: its own rows, or its share of them.
  template <class Do>
  void each_row(int64_t batch, Do&& work) const {
    int64_t from = by_units ? begin(batch) : 0, to = by_units ? end(batch) : rows;
    for (int64_t place = from; place < to; ++place) work(by_units ? place : row(place));
  }
  int64_t begin(int64_t items) const { return items * rank / members; }
  int64_t end(int64_t items) const { return items * (rank + 1) / members; }
};

// Weights that fit the cache beside everything else let each thread keep all of them.
constexpr int64_t cached_bytes = int64_t(1) << 20;

// The part of a thread: by rows where each has enough of them and the weights fit its cache.
// Rows of different lengths are dealt out in turn, so that the work is even.
template <class T>
GATEWRIGHT_INLINE Part part_of(const Call& call, const CellCode& cell, int rank, int members,
                               Barrier* barrier) {
  Part part{rank, members, false, barrier, 0, 1, call.batch};
  if (members == 1) return part;
  int64_t weights = 0, blocks = call.hidden;
  for (int64_t s = 0; s < cell.stages; ++s) {
    weights += cell.stage[s].h_sums() * call.hidden * call.hidden * int64_t(sizeof(T));
    blocks = least(blocks, unit_blocks<T>(cell.stage[s], call.hidden).count());
  }
  bool few_rows = call.batch < 4 * members;
  part.by_units = blocks >= members && (few_rows || weights > cached_bytes) && weights > 0;
  if (part.by_units) return part;
  if (call.lengths) {
    part.first_row = rank, part.row_stride = members;
    part.rows = rank < call.batch ? ceil_div(call.batch - rank, members) : 0;
  } else {
    part.first_row = part.begin(call.batch);
    part.rows = part.end(call.batch) - part.first_row;
  }
  return part;
}

// What a calling thread keeps from call to call, so that the system need not hand out (and clear)
// fresh pages each time.
struct Reserve {
  static constexpr int64_t most = int64_t(64) << 20;
  char* memory = nullptr;
  int64_t size = 0;

  ~Reserve() { std::free(memory); }
  char* of(int64_t bytes) {
    if (bytes > size) {
      std::free(memory);
      memory = static_cast<char*>(std::aligned_alloc(64, size_t(bytes)));
      size = memory ? bytes : 0;
    }
    return memory;
  }
};

// Memory for one call, taken array by array, each aligned to a cache line. An arena without memory
// only counts what is taken from it: so the code that takes the memory also tells its size.
class Arena {
 public:
  Arena() = default;
  explicit Arena(int64_t bytes) {
    static thread_local Reserve reserve;
    bytes = ceil_div(bytes, 64) * 64 + 64;
    if (bytes > Reserve::most) owned_ = static_cast<char*>(std::aligned_alloc(64, size_t(bytes)));
    memory_ = bytes > Reserve::most ? owned_ : reserve.of(bytes);
  }
  explicit Arena(char* memory) : memory_(memory) {}
  ~Arena() { std::free(owned_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  bool failed() const { return memory_ == nullptr; }

  template <class U>
  U* take(int64_t count) {
    U* array = memory_ ? reinterpret_cast<U*>(memory_ + used_) : nullptr;
    used_ += ceil_div(count * int64_t(sizeof(U)), 64) * 64;
    return array;
  }
  int64_t used() const { return used_; }

 private:
  char* memory_ = nullptr;
  char* owned_ = nullptr;
  int64_t used_ = 0;
};

// The bytes that `Taken` takes for a call.
template <class Taken>
static int64_t bytes_of(const Call& call, const CellCode& cell) {
  Arena counting;
  Taken(call, cell, counting);
  return counting.used();
}

// Which rows run at each step, and where their packed rows begin.
struct Schedule {
  int64_t steps = 0;         // until the last row ends
  int64_t* active = nullptr;  // (time + 1) rows that run at a step; the last is 0
  int64_t* offset = nullptr;  // (time + 1) packed rows before a step

  Schedule(const Call& call, Arena& arena)
      : active(arena.take<int64_t>(call.time + 1)), offset(arena.take<int64_t>(call.time + 1)) {}

  void fill(const Call& call) {
    int64_t running = call.batch, before = 0;
    for (int64_t s = 0; s <= call.time; ++s) {
      if (call.lengths)
        while (running > 0 && call.lengths[running - 1] <= s) --running;
      if (s == call.time) running = 0;
      active[s] = running, offset[s] = before, before += running;
      if (running > 0) steps = s + 1;
    }
  }
};

// The order of rows, lengths and times of a call.
struct Rows {
  const Call& call;
  bool reverse;

  int64_t given(int64_t row) const { return call.order ? call.order[row] : row; }
  int64_t length(int64_t row) const { return call.lengths ? call.lengths[row] : call.time; }
  int64_t time(int64_t row, int64_t step) const {
    return reverse ? length(row) - 1 - step : step;
  }
};

// What stands before the first step, by row: the other states, and the masked output.
template <class T>
struct Start {
  T *states = nullptr, *recurrent = nullptr;

  Start() = default;
  Start(const Call& call, int64_t others, Arena& arena)
      : states(arena.take<T>(call.batch * others * call.hidden)),
        recurrent(arena.take<T>(call.batch * call.hidden)) {}

  // Each thread fills its rows, or, where units are split, its share of all rows.
  void fill(const Call& call, const Direction& d, int64_t others, const Part& part) const {
    Rows rows{call, d.reverse};
    int64_t hidden = call.hidden;
    const T* mask = static_cast<const T*>(d.mask);
    part.each_row(call.batch, [&](int64_t row) {
      int64_t given = rows.given(row);
      for (int64_t j = 0; j < others; ++j)
        std::memcpy(states + (row * others + j) * hidden,
                    static_cast<const T*>(d.initial[j + 1]) + given * hidden,
                    size_t(hidden) * sizeof(T));
      const T* output = static_cast<const T*>(d.initial[0]) + given * hidden;
      for (int64_t i = 0; i < hidden && mask; ++i)
        recurrent[row * hidden + i] = output[i] * mask[row * hidden + i];
    });
  }
};

// The memory of a pass: what all threads share, and a `Memory` for each thread of each direction.
template <class T, class Memory>
struct Room {
  Schedule schedule;
  Start<T> start[most_directions];
  int64_t each;  // bytes of a thread's own memory
  char* own;

  Room(const Call& call, const CellCode& cell, Arena& arena)
      : schedule(call, arena), each(bytes_of<Memory>(call, cell)) {
    for (int64_t d = 0; d < call.directions; ++d)
      start[d] = Start<T>(call, cell.states - 1, arena);
    own = arena.take<char>(call.threads * call.directions * each);
  }

  char* own_of(const Call& call, int direction, int rank) const {
    return own + (direction * call.threads + rank) * each;
  }
};

// Run work(rank, members) on so many threads. With one thread no parallel region is entered, so that
// a forked process can call.
template <class Work>
static void run_threads(int64_t threads, Work&& work) {
#if defined(_OPENMP)
  if (threads > 1) {
#pragma omp parallel num_threads(int(threads))
    work(omp_get_thread_num(), omp_get_num_threads());
    return;
  }
#endif
  work(0, 1);
}

// Run work(rank, members, direction) for every direction, with the threads dealt out to the
// directions where there are enough. First all threads look whether the packed weights still hold;
// where they do not, nothing is run. done() is called by the calling thread after its part.
template <class Watch, class Work, class Done>
static Status run_teams(const Call& call, int64_t given, Watch& watch, Work&& work, Done&& done) {
  int directions = int(call.directions);
  run_threads(given, [&](int rank, int threads) {
    watch.look(rank, threads);
    if (watch.unchanged()) {
      if (threads >= directions && directions > 1) {
        int mine = rank % directions;
        int members = threads / directions + (mine < threads % directions);
        work(rank / directions, members, mine);
      } else {
        for (int d = 0; d < directions; ++d) work(rank, threads, d);
      }
    }
    if (rank == 0) done();
  });
  return watch.unchanged() ? ok : changed;
}

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
