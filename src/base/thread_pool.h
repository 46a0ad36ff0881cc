// The pool of threads that compute. One shared pool serves all sessions; it grows on demand and its threads live as
// long as it.
//
// parallel() cuts [0, tiles) into small chunks which the caller and up to threads-1 workers claim until none is left:
// each first those of its own range of tiles, the same in every call, so that it finds in its core's caches what it
// wrote there a call before, then those that others have not come to.
// Any number of threads may call it at once, also from inside a task; a caller never waits for a worker to become free,
// only for those that already work for it. Workers that run out of work spin for a while and then park; an idle pool
// costs nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace mote {

// Asks work in progress to end: polled between chunks, so within a few tiles.
struct Stop {
  const std::atomic<bool>* cancel = nullptr;
  std::int64_t deadline_ns = 0;  // of now_ns(); 0 for none

  bool cancelled() const { return cancel && cancel->load(std::memory_order_relaxed); }
  bool expired() const { return deadline_ns != 0 && now_ns() >= deadline_ns; }
  bool requested() const { return cancelled() || expired(); }
  // The steady clock.
  static std::int64_t now_ns();
};

// Computes tiles [begin, end). thread_index is in [0, threads), the caller's own is 0, and no two running tasks of one
// parallel() share one: it selects scratch memory.
using TaskFn = void (*)(void* arg, std::int64_t begin, std::int64_t end, int thread_index);

class ThreadPool {
 public:
  static constexpr std::int64_t kMaxChunk = 8;
  static constexpr int kChunks = 4;

  ThreadPool();
  ~ThreadPool();  // no parallel() may be running
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Created at the first call and never destroyed.
  static ThreadPool& shared();

  // Returns when all tiles are done (true), or when `stop` was requested and all running chunks have ended (false; some
  // tiles were not computed). Memory written by tasks is visible to the caller. Runs in the caller alone, without any
  // synchronisation, where threads or tiles is 1, and with fewer workers where the system gives no more.
  // A chunk is at most kMaxChunk tiles, and small enough for `chunks` per thread. Workers take over the caller's float
  // mode (denormals.h).
  bool parallel(int threads, std::int64_t tiles, TaskFn fn, void* arg, const Stop* stop = nullptr,
                int chunks = kChunks);

  // A callable (begin, end, thread_index), by reference.
  template <class Fn>
  bool parallel(int threads, std::int64_t tiles, const Fn& fn, const Stop* stop = nullptr) {
    return parallel(
        threads, tiles,
        [](void* arg, std::int64_t begin, std::int64_t end, int index) {
          (*static_cast<const Fn*>(arg))(begin, end, index);
        },
        const_cast<Fn*>(&fn), stop);
  }

  // How long an idle worker spins before it parks. Default 100, or the environment variable MOTE_SPIN_US.
  void set_spin_us(int us);
  int workers() const;  // threads now alive, callers not counted

  static constexpr int kMaxThreads = 256;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mote
