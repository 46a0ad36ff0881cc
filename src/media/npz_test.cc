#include "media/npz.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <random>

#include "media/test_data.h"

namespace mote::media {
namespace {

Array make(std::string name, std::size_t n, std::uint8_t seed) {
  Array a;
  a.name = std::move(name);
  a.dtype = DType::u8;
  a.shape = {static_cast<std::int64_t>(n)};
  for (std::size_t i = 0; i < n; ++i) a.data.push_back(static_cast<std::byte>(i * seed));
  return a;
}

std::vector<Array> samples() {
  std::vector<Array> arrays;
  arrays.push_back(make("x", 1000, 3));
  arrays.push_back(make("/layer1/conv/out.0", 0, 0));
  arrays.push_back(make("h\xc3\xa9", 70000, 0));
  Array s;
  s.name = "words";
  s.dtype = DType::string;
  s.shape = {2};
  s.strings = {"one", "three"};
  arrays.push_back(s);
  return arrays;
}

std::vector<ArrayView> views(const std::vector<Array>& arrays) { return {arrays.begin(), arrays.end()}; }

void expect_equal(const std::vector<Array>& a, const std::vector<Array>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].dtype, b[i].dtype);
    EXPECT_EQ(a[i].shape, b[i].shape);
    EXPECT_EQ(a[i].data, b[i].data);
    EXPECT_EQ(a[i].strings, b[i].strings);
  }
}

#if MOTE_NPZ

TEST(Npz, RoundTrips) {
  const auto arrays = samples();
  for (auto compression : {NpzCompression::kStored, NpzCompression::kDeflated}) {
    auto file = write_npz(views(arrays), compression);
    ASSERT_TRUE(file.ok()) << file.status().to_string();
    EXPECT_TRUE(is_zip(*file));
    auto back = read_npz(*file);
    ASSERT_TRUE(back.ok()) << back.status().to_string();
    expect_equal(*back, arrays);
    EXPECT_EQ(*write_npz(views(arrays), compression), *file);
  }
  auto empty = read_npz(*write_npz({}));
  ASSERT_TRUE(empty.ok()) << empty.status().to_string();
  EXPECT_TRUE(empty->empty());
}

TEST(Npz, ReadsWhatNumpyWrites) {
  auto arrays = read_npz(read_test_image("expected.npz"));
  ASSERT_TRUE(arrays.ok()) << arrays.status().to_string();
  EXPECT_GT(arrays->size(), 40u);
  bool found = false;
  for (const Array& a : *arrays) {
    if (a.name != "resize cases") continue;
    found = true;
    EXPECT_EQ(a.strings[0], "nearest 37 29 16 20 1");
  }
  EXPECT_TRUE(found);
}

TEST(Npz, RefusesBombsAndBudgets) {
  std::vector<Array> one;
  one.push_back(make("x", 1 << 20, 0));
  auto file = *write_npz(views(one), NpzCompression::kDeflated);
  EXPECT_LT(file.size(), 3000u);
  Limits limits;
  limits.max_bytes = 1 << 19;
  EXPECT_EQ(read_npz(file, limits).status().code(), Code::kResourceExhausted);
  // The claimed size, in the directory and in the local header, made larger than deflate can hold.
  const std::string all(reinterpret_cast<const char*>(file.data()), file.size());
  const std::size_t directory = all.find("PK\1\2");
  file[directory + 24 + 3] = std::byte{0x7f};
  file[22 + 3] = std::byte{0x7f};
  auto bomb = read_npz(file);
  EXPECT_NE(bomb.status().to_string().find("more than deflate can hold"), std::string::npos)
      << bomb.status().to_string();
}

TEST(Npz, RefusesDamage) {
  const auto arrays = samples();
  const auto good = *write_npz(views(arrays), NpzCompression::kDeflated);
  EXPECT_NE(read_npz(std::span(good).first(good.size() - 30)).status().to_string().find("damaged"), std::string::npos);
  auto bad = *write_npz(views(arrays), NpzCompression::kStored);
  bad[300] ^= std::byte{1};  // inside the data of "x"
  EXPECT_NE(read_npz(bad).status().to_string().find("entry 'x.npy'"), std::string::npos)
      << read_npz(bad).status().to_string();
  for (std::size_t i = 0; i < good.size(); i += 3) {
    auto mutated = good;
    mutated[i] ^= std::byte{0x41};
    auto r = read_npz(mutated);
    if (!r.ok()) {
      EXPECT_FALSE(r.status().message().empty());
    }
  }
  EXPECT_FALSE(read_npz({}).ok());
  std::vector<Array> twice;
  twice.push_back(make("x", 1, 1));
  twice.push_back(make("x", 1, 1));
  EXPECT_FALSE(write_npz(views(twice)).ok());
}

#if MOTE_FILES
TEST(Npz, ReplacesTheFileWhole) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / ("mote_npz_" + std::to_string(std::random_device()()));
  fs::create_directory(folder);
  const auto arrays = samples();
  const std::string path = folder / "out.npz", link = folder / "link.npz";
  ASSERT_TRUE(write_npz_file(path, views(arrays)).ok());
  fs::create_symlink(path, link);
  ASSERT_TRUE(write_npz_file(link, views(arrays)).ok());
  EXPECT_TRUE(fs::is_symlink(link));
  // What cannot be written leaves what was there.
  std::vector<Array> bad;
  bad.push_back(make("x", 4, 1));
  bad[0].shape = {5};
  EXPECT_FALSE(write_npz_file(path, views(bad)).ok());
  EXPECT_EQ(fs::file_size(path), write_npz(views(arrays))->size());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 2);
  EXPECT_FALSE(write_npz_file(folder / "missing" / "out.npz", views(arrays)).ok());
  EXPECT_FALSE(write_npz_file(folder, views(arrays)).ok());
  EXPECT_TRUE(write_npz_file("/dev/null", views(arrays)).ok());
  EXPECT_FALSE(fs::is_regular_file("/dev/null"));
  fs::remove_all(folder);
}
#endif

#else

TEST(Npz, SaysWhatIsMissing) {
  EXPECT_EQ(read_npz(to_bytes("PK\3\4")).status().code(), Code::kUnsupported);
  EXPECT_NE(write_npz({}).status().to_string().find("MOTE_NPZ"), std::string::npos);
}

#endif

}  // namespace
}  // namespace mote::media
