#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "base/budget.h"
#include "base/buffer.h"
#include "base/checked.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace mote {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Checked, NoticesOverflow) {
  EXPECT_EQ((Checked(3) * 4 + 5 - 1).get(), 16);
  EXPECT_FALSE((Checked(kMax) + 1).ok());
  EXPECT_FALSE((Checked(kMax / 2) * 3 - kMax).ok());
  EXPECT_EQ(element_count(std::vector<std::int64_t>{}), 1);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{kMax, kMax, 0}), 0);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{kMax, 2}), std::nullopt);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{2, -1}), std::nullopt);
}

TEST(Buffer, AlignedMovableAndCounted) {
  std::int64_t before = allocated_bytes();
  {
    auto b = Buffer::allocate(1000, "test", true);
    ASSERT_TRUE(b.ok());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b->data()) % kAlignment, 0u);
    EXPECT_EQ(b->data()[999], std::byte{0});
    Buffer moved = *std::move(b);
    EXPECT_EQ(allocated_bytes(), before + 1000);
    EXPECT_EQ(moved.size(), 1000);
  }
  EXPECT_EQ(allocated_bytes(), before);
  auto huge = Buffer::allocate(kMax, "arena");
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.status().code(), Code::kResourceExhausted);
  EXPECT_NE(huge.status().message().find("arena"), std::string_view::npos);
  EXPECT_TRUE(Buffer::allocate(0, "nothing").ok());
}

TEST(Buffer, ArenaSaysNo) {
  auto b = *Buffer::allocate(256, "test");
  Arena arena(b.bytes());
  EXPECT_EQ(arena.take(1), b.data());
  EXPECT_EQ(arena.take(64), b.data() + 64);
  EXPECT_EQ(arena.take(129), nullptr);
  EXPECT_EQ(arena.take(kMax), nullptr);
  EXPECT_EQ(arena.take(128), b.data() + 128);
  EXPECT_EQ(arena.take(1), nullptr);
  EXPECT_EQ(arena.used(), 256);
}

TEST(Buffer, AllocatorHookIsUsed) {
  static int live = 0;
  AllocatorHook hook = {[](void*, std::size_t bytes, std::size_t) -> void* {
                          ++live;
                          return bytes > 4096 ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
                        },
                        [](void*, void* p, std::size_t) {
                          --live;
                          std::free(p);
                        },
                        nullptr};
  set_allocator(&hook);
  {
    auto b = Buffer::allocate(100, "test");
    EXPECT_TRUE(b.ok());
    EXPECT_EQ(live, 1);
  }
  EXPECT_EQ(live, 0);
  EXPECT_FALSE(Buffer::allocate(5000, "test").ok());
  set_allocator(nullptr);
}

TEST(Budget, RefusesByName) {
  Budget budget(1000, 3);
  EXPECT_TRUE(budget.charge(600, "a").ok());
  Status s = budget.charge(500, "weights of 'conv1'");
  EXPECT_EQ(s.code(), Code::kResourceExhausted);
  EXPECT_NE(s.where().find("conv1"), std::string_view::npos);
  EXPECT_EQ(budget.used(), 600);
  {
    ScopedCharge charge(budget);
    EXPECT_TRUE(charge.charge(400, "b").ok());
    EXPECT_FALSE(charge.charge(1, "c").ok());
  }
  EXPECT_EQ(budget.left(), 400);
  EXPECT_FALSE(budget.charge(-1, "negative").ok());
  EXPECT_TRUE(budget.charge_nodes(3, "graph").ok());
  EXPECT_FALSE(budget.charge_nodes(1, "graph").ok());
}

TEST(Text, Numbers) {
  EXPECT_EQ(concat("a", 1, ' ', 2.5, ",", 0.1f, true, std::int64_t{-7}), "a1 2.5,0.1true-7");
  EXPECT_EQ(join(std::vector<int>{1, 2, 3}, "x"), "1x2x3");
  EXPECT_EQ(parse_int("12"), 12);
  EXPECT_EQ(parse_int("12x"), std::nullopt);
  EXPECT_EQ(parse_int(""), std::nullopt);
  EXPECT_EQ(parse_int("99999999999999999999"), std::nullopt);
  EXPECT_EQ(parse_float("-1.5e3"), -1500);
  EXPECT_EQ(parse_size("64M"), 64 << 20);
  EXPECT_EQ(parse_size("1.5KiB"), 1536);
  EXPECT_EQ(parse_size("64MB"), 64000000);
  EXPECT_EQ(parse_size("2kB"), 2000);
  EXPECT_EQ(parse_size("0.5GB"), 500000000);
  EXPECT_EQ(parse_size("7B"), 7);
  EXPECT_EQ(parse_size("3k"), 3072);
  EXPECT_EQ(parse_size("7iB"), std::nullopt);
  EXPECT_EQ(parse_size("MB"), std::nullopt);
  EXPECT_EQ(parse_size("100"), 100);
  EXPECT_EQ(parse_size("-1K"), std::nullopt);
  EXPECT_EQ(parse_size("99999999T"), std::nullopt);
  EXPECT_EQ(parse_size("nanM"), std::nullopt);
  EXPECT_EQ(parse_duration_ns("1.5ms"), 1500000);
  EXPECT_EQ(parse_duration_ns("2"), 2000000000);
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1500000), "1.5 MB");
  EXPECT_EQ(human_bytes(999999), "1 MB");
}

TEST(Text, ForeignTextIsCleaned) {
  EXPECT_EQ(clean_text("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(clean_text("a\xff\xc3(b\n\x1b[0m"),
            "a?"
            "?(b??[0m");
  EXPECT_EQ(clean_text("\xed\xa0\x80"), "???");  // a surrogate
  EXPECT_EQ(clean_text("\xc0\x80\xf5"), "???");  // overlong, out of range
  EXPECT_EQ(clean_text("\xc2\x9b"
                       "1m"),
            "?1m");  // a control character of Latin-1
  EXPECT_EQ(clean_text(std::string(300, 'x')).size(), 203u);
  EXPECT_TRUE(valid_utf8("\xf0\x9f\x98\x80"));
  EXPECT_FALSE(valid_utf8("\xf0\x9f\x98"));
  EXPECT_EQ(trim("  a b\n"), "a b");
}

TEST(Log, GoesToTheHookAlone) {
  static std::string got;
  log(LogLevel::kError, "lost");
  set_log_hook([](void*, LogLevel, std::string_view m) { got += m; }, nullptr, LogLevel::kInfo);
  log(LogLevel::kDebug, "too much");
  log(LogLevel::kInfo, "heard");
  EXPECT_FALSE(log_enabled(LogLevel::kDebug));
  set_log_hook(nullptr, nullptr);
  log(LogLevel::kError, "lost");
  EXPECT_EQ(got, "heard");
}

TEST(Cpu, CapsAndNames) {
  const CpuFeatures& host = host_cpu();
  EXPECT_TRUE(host.has(Isa::generic));
  EXPECT_GE(host.l1d_bytes, 4096);
  EXPECT_EQ(isa_of("avx512vnni"), Isa::avx512vnni);
  EXPECT_EQ(isa_of("sse9"), std::nullopt);
  CpuFeatures amx = typical_cpu(Isa::amx);
  EXPECT_TRUE(amx.has(Isa::avx2));
  EXPECT_FALSE(amx.has(Isa::neon));
  CpuFeatures cap = capped(amx, Isa::avx2);
  EXPECT_TRUE(cap.has(Isa::avx2));
  EXPECT_FALSE(cap.has(Isa::avxvnni));
  EXPECT_EQ(cap.best(), Isa::avx2);
  EXPECT_EQ(capped(amx, Isa::generic).best(), Isa::generic);
  EXPECT_EQ(capped(amx, Isa::neon).best(), Isa::generic);
  EXPECT_EQ(capped(typical_cpu(Isa::i8mm), Isa::neon).best(), Isa::neon);
  EXPECT_GE(allowed_threads(), 1);
  EXPECT_LE(allowed_threads(), static_cast<int>(allowed_cpus().cpus.size()));
}

#if MOTE_FILES
struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/mote_test_XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { (void)rmdir(path.c_str()); }
};

TEST(File, WritesAllOrNothing) {
  Folder folder;
  std::string path = folder.path + "/a.bin";
  {
    auto w = FileWriter::create(path);
    ASSERT_TRUE(w.ok());
    EXPECT_TRUE(w->write("half").ok());
  }
  EXPECT_EQ(FileMap::open(path).status().code(), Code::kNotFound);
  auto w = *FileWriter::create(path);
  EXPECT_TRUE(w.write("hello").ok());
  EXPECT_TRUE(w.write_zeros(3000000).ok());
  EXPECT_TRUE(w.write("end").ok());
  EXPECT_EQ(w.position(), 3000008);
  EXPECT_TRUE(w.commit().ok());
  auto map = FileMap::open(path);
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->bytes().size(), 3000008u);
  EXPECT_EQ(std::memcmp(map->bytes().data() + 3000005, "end", 3), 0);
  map->drop(0, 3000008);
  map->will_need(5000, kMax);
  EXPECT_EQ(std::memcmp(map->bytes().data(), "hello", 5), 0);
  auto part = FileMap::open(path, 3000004, 4);
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(std::memcmp(part->bytes().data(), "\0end", 4), 0);
  EXPECT_FALSE(FileMap::open(path, 3000004, 5).ok());
  EXPECT_FALSE(FileMap::open(path, UINT64_MAX - 2, 8).ok());
  EXPECT_FALSE(FileMap::open(folder.path).ok());
  EXPECT_FALSE(read_file(path, 100).ok());
  EXPECT_EQ(read_file(path, 4000000)->size(), 3000008u);
  EXPECT_EQ(FileWriter::create(folder.path + "/none/x").status().code(), Code::kNotFound);
  std::remove(path.c_str());
}

TEST(File, MapsBeyondFourGigabytes) {
  Folder folder;
  std::string path = folder.path + "/big";
  std::FILE* f = std::fopen(path.c_str(), "wb");
  ASSERT_NE(f, nullptr);
  const std::uint64_t at = 5ull << 30;
  bool sparse = fseeko(f, static_cast<off_t>(at), SEEK_SET) == 0 && std::fputs("here", f) >= 0 && std::fclose(f) == 0;
  if (sparse) {
    auto map = FileMap::open(path, at, 4);
    ASSERT_TRUE(map.ok());
    EXPECT_EQ(std::memcmp(map->bytes().data(), "here", 4), 0);
  }
  std::remove(path.c_str());
}
#endif

}  // namespace
}  // namespace mote
