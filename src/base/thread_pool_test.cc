#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include "base/denormals.h"

namespace mote {
namespace {

TEST(ThreadPool, EveryTileOnceWithItsOwnIndex) {
  ThreadPool pool;
  for (int threads : {1, 2, 3, 7}) {
    for (std::int64_t tiles : {0, 1, 2, 5, 100, 1003}) {
      std::vector<int> seen(static_cast<std::size_t>(tiles), 0);
      std::vector<std::atomic<int>> inside(static_cast<std::size_t>(threads));
      bool done = pool.parallel(threads, tiles, [&](std::int64_t begin, std::int64_t end, int index) {
        EXPECT_LT(index, threads);
        EXPECT_EQ(inside[static_cast<std::size_t>(index)].fetch_add(1), 0);
        for (auto i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
        inside[static_cast<std::size_t>(index)].fetch_sub(1);
      });
      EXPECT_TRUE(done);
      for (int n : seen) ASSERT_EQ(n, 1);
    }
  }
  EXPECT_LE(pool.workers(), 6);
}

TEST(ThreadPool, ManyShortJobs) {
  ThreadPool pool;
  pool.set_spin_us(5);  // workers park and wake often
  std::int64_t sum = 0;
  for (int round = 0; round < 3000; ++round) {
    std::int64_t part[3] = {};
    pool.parallel(3, 10, [&](std::int64_t begin, std::int64_t end, int index) {
      for (auto i = begin; i < end; ++i) part[index] += i;
    });
    sum += part[0] + part[1] + part[2];
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(sum, 3000 * 45);
}

TEST(ThreadPool, NestedAndConcurrentCallers) {
  ThreadPool pool;
  std::atomic<std::int64_t> total{0};
  auto caller = [&] {
    for (int round = 0; round < 50; ++round) {
      pool.parallel(3, 9, [&](std::int64_t begin, std::int64_t end, int) {
        for (auto i = begin; i < end; ++i) {
          pool.parallel(2, 6, [&](std::int64_t b, std::int64_t e, int) { total.fetch_add(e - b); });
        }
      });
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back(caller);
  for (auto& t : callers) t.join();
  EXPECT_EQ(total.load(), 4 * 50 * 9 * 6);
}

TEST(ThreadPool, StopsWithinAFewChunks) {
  ThreadPool pool;
  for (int threads : {1, 3}) {
    std::atomic<bool> cancel{false};
    Stop stop{&cancel, 0};
    std::atomic<std::int64_t> count{0};
    bool done = pool.parallel(
        threads, 100000,
        [&](std::int64_t begin, std::int64_t end, int) {
          count.fetch_add(end - begin);
          cancel.store(true);
        },
        &stop);
    EXPECT_FALSE(done);
    EXPECT_LE(count.load(), ThreadPool::kMaxChunk * threads);
  }
  Stop late{nullptr, Stop::now_ns() - 1};
  bool ran = false;
  EXPECT_FALSE(pool.parallel(
      1, 5, [&](std::int64_t, std::int64_t, int) { ran = true; }, &late));
  EXPECT_FALSE(ran);
  Stop far{nullptr, Stop::now_ns() + std::int64_t{3600} * 1000000000};
  EXPECT_TRUE(pool.parallel(
      2, 50, [](std::int64_t, std::int64_t, int) {}, &far));
}

TEST(ThreadPool, IdlePoolUsesNoTime) {
  ThreadPool pool;
  pool.parallel(4, 100, [](std::int64_t, std::int64_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  auto before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.02);
}

TEST(ThreadPool, WorkersTakeOverTheCallersFloatMode) {
  if (with_flushing(0, true) == 0) GTEST_SKIP() << "this CPU cannot flush denormals";
  ThreadPool pool;
  for (bool flush : {true, false, true}) {
    ScopedDenormals scope(flush);
    std::atomic<int> wrong{0};
    pool.parallel(3, 300, [&](std::int64_t, std::int64_t, int) {
      volatile float tiny = 1e-38f;
      float half = tiny * 0.125f;
      if ((half == 0) != flush) wrong.fetch_add(1);
      std::this_thread::sleep_for(std::chrono::microseconds(1));
    });
    EXPECT_EQ(wrong.load(), 0);
  }
  volatile float tiny = 1e-38f;
  EXPECT_NE(tiny * 0.125f, 0);
}

}  // namespace
}  // namespace mote
