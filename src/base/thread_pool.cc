#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/cpu.h"
#include "base/denormals.h"
#include "base/text.h"

namespace mote {
namespace {

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// One parallel() in progress. Slots live as long as the pool; `state` says who may touch the rest:
//   bit 63: open for workers   bit 62: the caller sleeps   bits 32..47: free seats   bits 0..15: workers inside
// The caller writes the fields and then opens the slot; a worker reads them only after it took a seat of an open slot.
struct alignas(64) Slot {
  static constexpr std::uint64_t kOpen = 1ull << 63, kSleeping = 1ull << 62, kSeat = 1ull << 32, kInside = 0xffff;
  static std::uint64_t seats(std::uint64_t s) { return (s >> 32) & 0xffff; }

  std::atomic<std::uint64_t> state{0};
  std::atomic<bool> taken{false};
  TaskFn fn = nullptr;
  void* arg = nullptr;
  const Stop* stop = nullptr;
  std::int64_t chunk = 1;
  int threads = 0;
  std::uint64_t float_mode = 0;
  std::atomic<bool> stopped{false};
  // The tiles in as many ranges as there are threads, or kShares.
  static constexpr int kShares = 8;
  int shares = 0;
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  } share[kShares];

  void divide(std::int64_t tiles) {
    shares = std::min(threads, kShares);
    for (int i = 0; i < shares; ++i) {
      share[i].next.store(tiles * i / shares, std::memory_order_relaxed);
      share[i].end = tiles * (i + 1) / shares;
    }
  }

  // First a thread's own share, then what is left of the others'.
  void work(int index, int thread) {
    for (int i = 0; i < shares; ++i) {
      Share& s = share[(thread + i) % shares];
      for (;;) {
        if (stop && (stopped.load(std::memory_order_relaxed) || stop->requested())) {
          stopped.store(true, std::memory_order_relaxed);
          return;
        }
        if (s.next.load(std::memory_order_relaxed) >= s.end) break;
        const std::int64_t begin = s.next.fetch_add(chunk, std::memory_order_relaxed);
        if (begin >= s.end) break;
        fn(arg, begin, std::min(begin + chunk, s.end), index);
      }
    }
  }

  // For workers, `thread` counting from 1: takes a seat and works, if there is something to do.
  bool join(int thread) {
    std::uint64_t s = state.load(std::memory_order_relaxed);
    do {
      if (!(s & kOpen) || seats(s) == 0) return false;
    } while (!state.compare_exchange_weak(s, s - kSeat + 1, std::memory_order_acquire, std::memory_order_relaxed));
    std::uint64_t before = mote::float_mode();
    if (before != float_mode) set_float_mode(float_mode);
    work(threads - static_cast<int>(seats(s)), thread);
    if (before != float_mode) set_float_mode(before);
    std::uint64_t left = state.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if ((left & kInside) == 0 && (left & kSleeping)) state.notify_one();
    return true;
  }

  // For the caller: lets nobody else in and waits for those inside.
  void close() {
    std::uint64_t s = state.fetch_and(~kOpen, std::memory_order_acq_rel);
    for (int spins = 0; (s & kInside) != 0; ++spins) {
      if (spins < 20000) {
        relax();
      } else {
        state.fetch_or(kSleeping, std::memory_order_relaxed);
        s = state.load(std::memory_order_acquire);
        if ((s & kInside) != 0) state.wait(s, std::memory_order_acquire);
      }
      s = state.load(std::memory_order_acquire);
    }
  }
};

// Tiles between two looks at `stop`: one where there is a deadline to keep.
std::int64_t max_chunk(const Stop* stop) { return stop && stop->deadline_ns != 0 ? 1 : ThreadPool::kMaxChunk; }

bool run_alone(std::int64_t tiles, TaskFn fn, void* arg, const Stop* stop) {
  if (!stop) {
    fn(arg, 0, tiles, 0);
    return true;
  }
  std::int64_t chunk = max_chunk(stop);
  for (std::int64_t begin = 0; begin < tiles; begin += chunk) {
    if (stop->requested()) return false;
    fn(arg, begin, std::min(begin + chunk, tiles), 0);
  }
  return true;
}

}  // namespace

std::int64_t Stop::now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct ThreadPool::Impl {
  static constexpr int kSlots = 64;
  Slot slots[kSlots];
  std::atomic<int> top{0};  // slots at and above were never used
  std::atomic<std::uint32_t> epoch{0};
  std::atomic<int> sleepers{0};
  std::atomic<int> spin_us{100};
  std::atomic<bool> quit{false};
  std::mutex mutex;  // of what follows, and of parking
  std::condition_variable wake;
  std::atomic<int> alive{0};
  pthread_t threads[kMaxThreads];

  struct Start {
    Impl* pool;
    int index;
  };

  static void* thread_main(void* p) {
    std::unique_ptr<Start> start(static_cast<Start*>(p));
    start->pool->worker(start->index);
    return nullptr;
  }

  // Where cores differ, worker i stays on the i-th fastest core after the one left to the caller.
  static void settle(int index) {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), concat("mote-", index).c_str());
    const CpuSet& allowed = allowed_cpus();
    if (!allowed.mixed || static_cast<std::size_t>(index) + 1 >= allowed.cpus.size()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    int cpu = allowed.cpus[static_cast<std::size_t>(index) + 1];
    if (cpu >= CPU_SETSIZE) return;
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
#else
    (void)index;
#endif
  }

  bool find_work(int thread) {
    int n = top.load(std::memory_order_acquire);
    for (int i = 0; i < n; ++i) {
      if (slots[i].join(thread)) return true;
    }
    return false;
  }

  void worker(int index) {
    settle(index);
    std::uint32_t seen = epoch.load(std::memory_order_acquire);
    while (!quit.load(std::memory_order_acquire)) {
      while (find_work(index + 1)) {
      }
      if (!spin(seen)) park(seen);
      seen = epoch.load(std::memory_order_seq_cst);
    }
  }

  // Waits a little for the epoch to move on from `seen`.
  bool spin(std::uint32_t seen) {
    std::int64_t budget = spin_us.load(std::memory_order_relaxed) * std::int64_t{1000};
    if (budget == 0) return false;
    for (std::int64_t end = Stop::now_ns() + budget; Stop::now_ns() < end;) {
      for (int i = 0; i < 32; ++i) {
        if (epoch.load(std::memory_order_acquire) != seen) return true;
        relax();
      }
    }
    return false;
  }

  void park(std::uint32_t seen) {
    std::unique_lock lock(mutex);
    sleepers.fetch_add(1, std::memory_order_seq_cst);
    wake.wait(lock,
              [&] { return epoch.load(std::memory_order_seq_cst) != seen || quit.load(std::memory_order_acquire); });
    sleepers.fetch_sub(1, std::memory_order_relaxed);
  }

  void announce(int helpers) {
    epoch.fetch_add(1, std::memory_order_seq_cst);
    int asleep = sleepers.load(std::memory_order_seq_cst);
    if (asleep == 0) return;
    { std::lock_guard lock(mutex); }  // a worker between its last look and its sleep has to be waited for
    for (int i = std::min(asleep, helpers); i > 0; --i) wake.notify_one();
  }

  void grow(int workers) {
    std::lock_guard lock(mutex);
    (void)allowed_cpus();  // read by the caller, so that a worker that starts late does not allocate in a later run
    for (int i = alive.load(std::memory_order_relaxed); i < std::min(workers, kMaxThreads); ++i) {
      auto start = std::make_unique<Start>(Start{this, i});
      if (pthread_create(&threads[i], nullptr, thread_main, start.get()) != 0) return;
      (void)start.release();
      alive.store(i + 1, std::memory_order_relaxed);
    }
  }

  Slot* take_slot() {
    for (int i = 0; i < kSlots; ++i) {
      bool free = false;
      if (!slots[i].taken.load(std::memory_order_relaxed) &&
          slots[i].taken.compare_exchange_strong(free, true, std::memory_order_acquire)) {
        int n = top.load(std::memory_order_relaxed);
        while (n <= i && !top.compare_exchange_weak(n, i + 1, std::memory_order_release)) {
        }
        return &slots[i];
      }
    }
    return nullptr;
  }
};

ThreadPool::ThreadPool() : impl_(std::make_unique<Impl>()) {
  if (const char* us = std::getenv("MOTE_SPIN_US")) {
    if (auto v = parse_int(us)) set_spin_us(static_cast<int>(std::clamp<std::int64_t>(*v, 0, 1000000)));
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->quit.store(true, std::memory_order_release);
  }
  impl_->epoch.fetch_add(1, std::memory_order_seq_cst);
  impl_->wake.notify_all();
  for (int i = 0; i < impl_->alive.load(std::memory_order_relaxed); ++i) pthread_join(impl_->threads[i], nullptr);
}

ThreadPool& ThreadPool::shared() {
  static ThreadPool* pool = new ThreadPool;  // never destroyed: other threads may still use it while the process ends
  return *pool;
}

void ThreadPool::set_spin_us(int us) { impl_->spin_us.store(us, std::memory_order_relaxed); }
int ThreadPool::workers() const { return impl_->alive.load(std::memory_order_relaxed); }

bool ThreadPool::parallel(int threads, std::int64_t tiles, TaskFn fn, void* arg, const Stop* stop, int chunks) {
  if (tiles <= 0) return true;
  threads = static_cast<int>(std::min<std::int64_t>({threads, tiles, kMaxThreads}));
  if (threads <= 1) return run_alone(tiles, fn, arg, stop);
  if (impl_->alive.load(std::memory_order_relaxed) < threads - 1) impl_->grow(threads - 1);
  Slot* slot = impl_->take_slot();
  if (!slot) return run_alone(tiles, fn, arg, stop);
  slot->fn = fn;
  slot->arg = arg;
  slot->stop = stop;
  slot->chunk = std::clamp<std::int64_t>(tiles / (std::int64_t{threads} * chunks), 1, max_chunk(stop));
  slot->threads = threads;
  slot->float_mode = float_mode();
  slot->divide(tiles);
  slot->stopped.store(false, std::memory_order_relaxed);
  slot->state.store(Slot::kOpen | static_cast<std::uint64_t>(threads - 1) * Slot::kSeat, std::memory_order_release);
  impl_->announce(threads - 1);
  slot->work(0, 0);
  slot->close();
  bool done = !slot->stopped.load(std::memory_order_relaxed);
  slot->taken.store(false, std::memory_order_release);
  return done;
}

}  // namespace mote
